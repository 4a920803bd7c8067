/*
 * What the process knows of its providers' health: a choice that just failed
 * is not the first to be tried for a while, so that only one turn of one call
 * pays for finding out. Loop thread; a fixed table, the oldest entry goes.
 */
#include "provider/provider_int.h"

#include <string.h>

static uint64_t mix(uint64_t h, const char *s)
{
	/* FNV-1a, 64 bits */
	for (; s && *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211u;
	return (h ^ 0xff) * 1099511628211u;
}

static uint64_t key_of(char kind, const struct provider_choice *c)
{
	char k[2] = { kind, 0 };

	return mix(mix(mix(14695981039346656037u, k), c->provider), c->model);
}

/* A wrong key stays wrong; an overload passes soon. */
static int64_t bad_ms(int err)
{
	switch (err) {
	case ERR_AUTH:
	case ERR_REQUEST:
	case ERR_CONFIG:
		return 300000;
	case ERR_LIMIT:
		return 10000;
	case ERR_FULL:
		return 1000;
	default:
		return 30000;
	}
}

void health_bad(struct providers *p, char kind,
		const struct provider_choice *c, int err)
{
	uint64_t key = key_of(kind, c);
	struct health *slot = &p->health[0];

	for (size_t i = 0; i < HEALTH_SLOTS; i++) {
		struct health *h = &p->health[i];
		if (h->key == key) {
			slot = h;
			break;
		}
		if (h->bad_until_ms < slot->bad_until_ms)
			slot = h;
	}
	*slot = (struct health){ key, clock_now_ms(p->clock) + bad_ms(err) };
}

void health_good(struct providers *p, char kind,
		 const struct provider_choice *c)
{
	uint64_t key = key_of(kind, c);

	for (size_t i = 0; i < HEALTH_SLOTS; i++) {
		if (p->health[i].key == key)
			p->health[i] = (struct health){ 0 };
	}
}

static bool is_bad(const struct providers *p, char kind,
		   const struct provider_choice *c)
{
	uint64_t key = key_of(kind, c);

	for (size_t i = 0; i < HEALTH_SLOTS; i++) {
		if (p->health[i].key == key)
			return p->health[i].bad_until_ms >
			       clock_now_ms(p->clock);
	}
	return false;
}

size_t health_first(const struct providers *p, char kind,
		    const struct provider_choice *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_bad(p, kind, &c[i]))
			return i;
	}
	return 0;
}

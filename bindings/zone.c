/*
 * Civil time of a clinic's zone, from the system's TZif files (RFC 8536), read
 * once at load. localtime() knows one zone a process, and changing it is not
 * safe beside other threads. Dates beyond the file's last transition keep its
 * last offset. Pure after zone_create().
 */
#include "bindings/bundle_int.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

struct offset {
	int32_t utc_s;
	bool dst;
	uint8_t name;
};

struct zone {
	size_t n_times, n_offsets;
	int64_t *times;        /* ascending */
	uint8_t *which;        /* offset from times[i] on */
	struct offset *offsets;
	char names[256];
};

struct header {
	uint32_t isut, isstd, leap, times, types, chars;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static bool header_read(struct header *h, const uint8_t *p, const uint8_t *end)
{
	if (end - p < 44 || memcmp(p, "TZif", 4))
		return false;
	h->isut = be32(p + 20);
	h->isstd = be32(p + 24);
	h->leap = be32(p + 28);
	h->times = be32(p + 32);
	h->types = be32(p + 36);
	h->chars = be32(p + 40);
	return h->times < 5000 && h->types > 0 && h->types < 256 &&
	       h->chars > 0 && h->chars < 256 && h->leap < 1000 &&
	       h->isut < 256 && h->isstd < 256;
}

static size_t body_size(const struct header *h, size_t time_size)
{
	return h->times * (time_size + 1) + h->types * 6 + h->chars +
	       h->leap * (time_size + 4) + h->isstd + h->isut;
}

/* The 64-bit block of a version 2 or later file (RFC 8536, 3.2). */
static int parse(struct zone *z, const uint8_t *p, const uint8_t *end)
{
	struct header h;

	if (!header_read(&h, p, end) || p[4] < '2')
		return -EINVAL;
	size_t first = 44 + body_size(&h, 4);
	if ((size_t)(end - p) < first || !header_read(&h, p + first, end))
		return -EINVAL;
	p += first + 44;
	if ((size_t)(end - p) < body_size(&h, 8))
		return -EINVAL;
	z->times = calloc(h.times + 1, sizeof *z->times);
	z->which = calloc(h.times + 1, 1);
	z->offsets = calloc(h.types, sizeof *z->offsets);
	if (!z->times || !z->which || !z->offsets)
		return -ENOMEM;
	z->n_times = h.times;
	z->n_offsets = h.types;
	for (size_t i = 0; i < h.times; i++, p += 8)
		z->times[i] = be64(p);
	memcpy(z->which, p, h.times);
	p += h.times;
	for (size_t i = 0; i < h.types; i++, p += 6)
		z->offsets[i] = (struct offset){ (int32_t)be32(p), p[4], p[5] };
	memcpy(z->names, p, h.chars);
	for (size_t i = 0; i < h.times; i++) {
		if (z->which[i] >= h.types)
			return -EINVAL;
	}
	return 0;
}

/* Names are "Area/City" or "UTC": letters, digits and - + _ /, no dots. */
static bool name_ok(const char *name)
{
	return *name && *name != '/' && strlen(name) < 64 &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQR"
				 "STUVWXYZ0123456789-+_/")] == 0;
}

int zone_create(struct zone **ret_zone, const char *name)
{
	const char *dir = getenv("TZDIR");
	uint8_t data[65536];

	if (!name_ok(name))
		return -ENOENT;
	char *path = str_printf("%s/%s", dir ? dir : "/usr/share/zoneinfo", name);
	FILE *f = fopen(path, "re");
	free(path);
	if (!f)
		return -ENOENT;
	size_t n = fread(data, 1, sizeof data, f);
	fclose(f);
	struct zone *z = calloc(1, sizeof *z);
	if (!z)
		return -ENOMEM;
	int r = parse(z, data, data + n);
	if (r < 0) {
		zone_destroy(z);
		return r;
	}
	*ret_zone = z;
	return 0;
}

void zone_destroy(struct zone *z)
{
	if (!z)
		return;
	free(z->times);
	free(z->which);
	free(z->offsets);
	free(z);
}

static const struct offset *offset_at(const struct zone *z, int64_t t_s)
{
	size_t lo = 0, hi = z->n_times;

	assert(z->n_offsets > 0);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (z->times[mid] <= t_s)
			lo = mid + 1;
		else
			hi = mid;
	}
	return &z->offsets[lo ? z->which[lo - 1] : 0];
}

void zone_tm(const struct zone *z, int64_t t_s, struct tm *out)
{
	const struct offset *o = z ? offset_at(z, t_s) : NULL;
	time_t local = (time_t)(t_s + (o ? o->utc_s : 0));

	gmtime_r(&local, out);
	out->tm_isdst = o && o->dst;
	out->tm_gmtoff = o ? o->utc_s : 0;
	out->tm_zone = o ? &z->names[o->name] : "UTC";
}

int64_t zone_time(const struct zone *z, const struct tm *tm)
{
	struct tm copy = *tm;
	int64_t local = timegm(&copy);

	if (!z)
		return local;
	/* The offsets a day before and after: one of them is right. */
	int64_t a = local - offset_at(z, local - 86400)->utc_s;
	int64_t b = local - offset_at(z, local + 86400)->utc_s;
	if (a + offset_at(z, a)->utc_s == local)
		return a;
	return b + offset_at(z, b)->utc_s == local ? b : a;
}

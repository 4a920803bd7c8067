/*
 * Packing, maps and pairs: what every message needs. Any thread; no state.
 */
#include "livekit/proto_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void proto_pack(struct buf *out, const void *msg)
{
	const ProtobufCMessage *m = msg;
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *at = buf_reserve(out, n);

	size_t wrote = protobuf_c_message_pack(m, at);
	assert(wrote == n);
	out->len += n;
	out->p[out->len] = 0;
}

static void *need(void *p)
{
	if (!p)
		abort();
	return p;
}

void proto_map_init(struct proto_map *m,
		    const ProtobufCMessageDescriptor *entry,
		    const struct lk_pair *pairs)
{
	size_t n = pairs_count(pairs);

	assert(entry->sizeof_message == sizeof(struct proto_entry));
	*m = (struct proto_map){ .n = n };
	if (!n)
		return;
	m->entries = need(calloc(n, sizeof *m->entries));
	m->ptrs = need(calloc(n, sizeof *m->ptrs));
	for (size_t i = 0; i < n; i++) {
		protobuf_c_message_init(entry, &m->entries[i]);
		m->entries[i].key = (char *)pairs[i].key;
		m->entries[i].value = (char *)(pairs[i].value ?
					       pairs[i].value : "");
		m->ptrs[i] = &m->entries[i];
	}
}

void proto_map_free(struct proto_map *m)
{
	free(m->entries);
	free(m->ptrs);
	*m = (struct proto_map){ 0 };
}

struct lk_pair *proto_pairs(void *const *entries, size_t n)
{
	struct lk_pair *list = need(calloc(n + 1, sizeof *list));

	for (size_t i = 0; i < n; i++) {
		const struct proto_entry *e = entries[i];
		list[i].key = e->key ? e->key : "";
		list[i].value = e->value ? e->value : "";
	}
	return list;
}

size_t pairs_count(const struct lk_pair *list)
{
	size_t n = 0;

	while (list && list[n].key)
		n++;
	return n;
}

struct lk_pair *pairs_copy(const struct lk_pair *from)
{
	size_t n = pairs_count(from);
	struct lk_pair *list = need(calloc(n + 1, sizeof *list));

	for (size_t i = 0; i < n; i++) {
		list[i].key = utf8_clean(from[i].key);
		list[i].value = utf8_clean(from[i].value ? from[i].value : "");
	}
	return list;
}

void pairs_free(struct lk_pair *list)
{
	for (size_t i = 0; list && list[i].key; i++) {
		free((char *)list[i].key);
		free((char *)list[i].value);
	}
	free(list);
}

const char *pairs_get(const struct lk_pair *list, const char *key)
{
	for (size_t i = 0; list && list[i].key; i++) {
		if (str_eq(list[i].key, key))
			return list[i].value;
	}
	return NULL;
}

void pairs_set(struct lk_pair **list, const char *key, const char *value)
{
	size_t n = pairs_count(*list);

	assert(key);
	for (size_t i = 0; i < n; i++) {
		if (!str_eq((*list)[i].key, key))
			continue;
		free((char *)(*list)[i].value);
		(*list)[i].value = utf8_clean(value ? value : "");
		return;
	}
	*list = need(realloc(*list, (n + 2) * sizeof **list));
	/* the server drops the whole connection for one bad string */
	(*list)[n].key = utf8_clean(key);
	(*list)[n].value = utf8_clean(value ? value : "");
	(*list)[n + 1] = (struct lk_pair){ 0 };
}

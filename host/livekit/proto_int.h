/*
 * Helpers around the generated messages and lists of pairs. Strings inside a
 * message that we build are borrowed from whoever gave them.
 */
#ifndef FD_LIVEKIT_PROTO_INT_H
#define FD_LIVEKIT_PROTO_INT_H

#include "base/buf.h"
#include "livekit/livekit.h"
#include "livekit/livekit.pb-c.h"

/* Appends the wire form of a message. */
void proto_pack(struct buf *out, const void *msg);

/* Entries of a map<string,string> of any message: every generated entry has
 * this layout. */
struct proto_entry {
	ProtobufCMessage base;
	char *key;
	char *value;
};
struct proto_map {
	struct proto_entry *entries;
	struct proto_entry **ptrs; /* what the message's array points to */
	size_t n;
};
/* Makes entries for pairs (NULL: none); strings stay borrowed. */
void proto_map_init(struct proto_map *m,
		    const ProtobufCMessageDescriptor *entry,
		    const struct lk_pair *pairs);
void proto_map_free(struct proto_map *m);
/* A list of pairs over a received map, ended with key NULL: free() it; the
 * strings are borrowed from the message. */
struct lk_pair *proto_pairs(void *const *entries, size_t n);

/* Lists of pairs that own their strings; NULL counts as empty. */
struct lk_pair *pairs_copy(const struct lk_pair *from);
void pairs_free(struct lk_pair *list);
size_t pairs_count(const struct lk_pair *list);
const char *pairs_get(const struct lk_pair *list, const char *key);
/* Sets or adds one; the list may move. */
void pairs_set(struct lk_pair **list, const char *key, const char *value);

#endif

/*
 * host.diary: who has which slot, shared by all calls of a clinic in this
 * process; first come, first served. In memory only, gone at exit, unknown to
 * other processes: it stands in until bookings are rows of the store. On the
 * loop, inside vm_enter().
 */
#include "bindings/api_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bindings/bundle_int.h"

#define MOST_ENTRIES 20000 /* of all clinics: some 4 MiB */
#define BUCKETS 4096       /* a power of two */

struct entry {
	struct entry *next;
	char *key;      /* clinic NUL slot */
	size_t key_len;
	char *owner;
	int64_t until_s; /* then it is free again */
};

static struct entry *buckets[BUCKETS];
static size_t n_entries;
static int64_t dropped_s; /* when all were looked through last */

static uint32_t hash(const char *p, size_t n)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h;
}

static void drop(struct entry **at)
{
	struct entry *e = *at;

	assert(n_entries > 0);
	*at = e->next;
	free(e->key);
	free(e->owner);
	free(e);
	n_entries--;
}

static void drop_ended(int64_t now_s)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry **at = &buckets[i]; *at;) {
			if ((*at)->until_s <= now_s)
				drop(at);
			else
				at = &(*at)->next;
		}
	}
}

/* Looking through all takes half a millisecond: at most once a second. */
static void make_room(void)
{
	int64_t now_s = api_time_wall_s();

	if (now_s == dropped_s)
		return;
	dropped_s = now_s;
	drop_ended(now_s);
}

void diary_clear(void)
{
	drop_ended(INT64_MAX);
}

/* The place of the entry with this key, or of the list's end. Entries that
 * have ended are dropped on the way. */
static struct entry **find(const char *key, size_t n)
{
	struct entry **at = &buckets[hash(key, n) & (BUCKETS - 1)];
	int64_t now_s = api_time_wall_s();

	while (*at) {
		if ((*at)->until_s <= now_s) {
			drop(at);
			continue;
		}
		if ((*at)->key_len == n && !memcmp((*at)->key, key, n))
			break;
		at = &(*at)->next;
	}
	return at;
}

/* The full key of the slot at argument 1: clinic, NUL, slot. Pushed. */
static const char *check_key(lua_State *L, size_t *ret_len)
{
	const struct vm *vm = vm_of(L);
	size_t len;
	luaL_checklstring(L, 1, &len);

	luaL_argcheck(L, len > 0 && len <= 200, 1, "1 to 200 bytes");
	if (!vm->policy)
		luaL_error(L, "the diary is for calls, not for loading");
	lua_pushstring(L, vm->bundle->clinic.name);
	lua_pushlstring(L, "\0", 1);
	lua_pushvalue(L, 1);
	lua_concat(L, 3);
	return lua_tolstring(L, -1, ret_len);
}

/* diary.holder(slot) */
static int l_diary_holder(lua_State *L)
{
	size_t n;
	const char *key = check_key(L, &n);
	struct entry *e = *find(key, n);

	lua_pushstring(L, e ? e->owner : NULL);
	return 1;
}

/* diary.take(slot, owner, until) */
static int l_diary_take(lua_State *L)
{
	const char *owner = luaL_checkstring(L, 2);
	lua_Number until = luaL_checknumber(L, 3);
	size_t n;
	const char *key = check_key(L, &n);
	struct entry **at = find(key, n), *e = *at;

	luaL_argcheck(L, strlen(owner) <= 100, 2, "at most 100 bytes");
	luaL_argcheck(L, until > api_time_wall_s() && until < 1e11,
		      3, "a time to come, in seconds");
	if (e && strcmp(e->owner, owner))
		return push_fail(L, "EEXIST", "the slot is taken");
	if (!e && n_entries >= MOST_ENTRIES) {
		make_room();
		if (n_entries >= MOST_ENTRIES)
			return push_fail(L, "ERR_FULL", "the diary is full");
		at = find(key, n);
	}
	if (!e) {
		e = calloc(1, sizeof *e);
		if (!e || !(e->key = malloc(n)))
			abort();
		memcpy(e->key, key, n);
		e->key_len = n;
		e->owner = str_dup(owner);
		*at = e;
		n_entries++;
	}
	e->until_s = (int64_t)until;
	lua_pushboolean(L, 1);
	return 1;
}

/* diary.release(slot, owner) */
static int l_diary_release(lua_State *L)
{
	const char *owner = luaL_checkstring(L, 2);
	size_t n;
	const char *key = check_key(L, &n);
	struct entry **at = find(key, n);
	bool mine = *at && !strcmp((*at)->owner, owner);

	if (mine)
		drop(at);
	lua_pushboolean(L, mine);
	return 1;
}

const luaL_Reg api_diary_functions[] = {
	{ "holder", l_diary_holder },
	{ "take", l_diary_take },
	{ "release", l_diary_release },
	{ NULL, NULL }
};

void api_diary_push(lua_State *L)
{
	lua_newtable(L);
	luaL_setfuncs(L, api_diary_functions, 0);
	sandbox_freeze(L, "host.diary");
}

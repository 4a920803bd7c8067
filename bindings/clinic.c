/*
 * clinic.lua: a table of data, checked key by key, into struct clinic. Every
 * fault says where it is and what is allowed. Inside vm_enter(), at load.
 */
#include "bindings/clinic_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "bindings/bundle_int.h"

struct check {
	lua_State *L;
	const struct chunk *chunk;
	struct faults *faults;
	char path[256];
};

static void check_table(struct check *c, int i, const struct clinic_field *f);

__attribute__((format(printf, 2, 3)))
static void fault(struct check *c, const char *fmt, ...)
{
	char what[640];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	int line = clinic_line(c->chunk->source, c->chunk->source_len, c->path);
	const char *sep = *c->path ? ": " : "";
	if (line)
		fault_add(c->faults, "%s:%d: %s%s%s", c->chunk->file, line,
			  c->path, sep, what);
	else
		fault_add(c->faults, "%s: %s%s%s", c->chunk->file, c->path, sep,
			  what);
}

/* Adds ".key" to the path; returns the length to go back to. */
static size_t go_key(struct check *c, const char *key)
{
	size_t n = strlen(c->path);

	snprintf(c->path + n, sizeof c->path - n, "%s%s", n ? "." : "", key);
	return n;
}

static size_t go_index(struct check *c, int i)
{
	size_t n = strlen(c->path);

	snprintf(c->path + n, sizeof c->path - n, "[%d]", i);
	return n;
}

static void allowed_keys(const struct clinic_field *f, char *out, size_t cap)
{
	size_t n = 0;

	*out = 0;
	for (; f->key && n < cap; f++)
		n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? ", " : "",
				      f->key);
}

static const char *kind_name(enum clinic_kind k)
{
	switch (k) {
	case FIELD_TEXT: return "text";
	case FIELD_NUMBER: return "whole number";
	case FIELD_BOOL: return "true or false";
	case FIELD_TEXTS: return "list of texts";
	case FIELD_TABLE: return "table";
	case FIELD_LIST: return "list of tables";
	case FIELD_SPANS: return "list of times like \"09:00-17:00\"";
	default: return "any";
	}
}

static bool is_span(const char *s)
{
	int h1, m1, h2, m2, n = 0;

	return sscanf(s, "%2d:%2d-%2d:%2d%n", &h1, &m1, &h2, &m2, &n) == 4 &&
	       n == 11 && !s[n] && h1 >= 0 && m1 >= 0 && m1 < 60 && h2 <= 24 &&
	       m2 >= 0 && m2 < 60 && h1 * 60 + m1 < h2 * 60 + m2 &&
	       h2 * 60 + m2 <= 24 * 60;
}

static void check_texts(struct check *c, int i, bool spans)
{
	int n = (int)lua_objlen(c->L, i);

	for (int k = 1; k <= n; k++) {
		size_t back = go_index(c, k);
		lua_rawgeti(c->L, i, k);
		if (lua_type(c->L, -1) != LUA_TSTRING)
			fault(c, "is a %s (allowed: text)",
			      luaL_typename(c->L, -1));
		else if (spans && !is_span(lua_tostring(c->L, -1)))
			fault(c, "is '%s' (allowed: a span of time like "
			      "\"09:00-17:00\")", lua_tostring(c->L, -1));
		lua_pop(c->L, 1);
		c->path[back] = 0;
	}
}

static void check_list(struct check *c, int i, const struct clinic_field *f)
{
	int n = (int)lua_objlen(c->L, i);

	if (n == 0 && f->min > 0)
		fault(c, "is empty (allowed: %s)", f->about);
	for (int k = 1; k <= n; k++) {
		size_t back = go_index(c, k);
		lua_rawgeti(c->L, i, k);
		if (!lua_istable(c->L, -1))
			fault(c, "is a %s (allowed: table)",
			      luaL_typename(c->L, -1));
		else
			check_table(c, lua_gettop(c->L), f->sub);
		lua_pop(c->L, 1);
		c->path[back] = 0;
	}
}

static bool right_type(lua_State *L, int i, enum clinic_kind k)
{
	int type = lua_type(L, i);

	switch (k) {
	case FIELD_TEXT: return type == LUA_TSTRING;
	case FIELD_NUMBER: return type == LUA_TNUMBER;
	case FIELD_BOOL: return type == LUA_TBOOLEAN;
	case FIELD_ANY: return true;
	default: return type == LUA_TTABLE;
	}
}

static void check_value(struct check *c, int i, const struct clinic_field *f)
{
	lua_State *L = c->L;

	if (!right_type(L, i, f->kind)) {
		fault(c, "is a %s (allowed: %s; %s)", luaL_typename(L, i),
		      kind_name(f->kind), f->about);
		return;
	}
	switch (f->kind) {
	case FIELD_TEXT:
		if (str_blank(lua_tostring(L, i)))
			fault(c, "is empty (allowed: %s)", f->about);
		break;
	case FIELD_NUMBER: {
		lua_Number d = lua_tonumber(L, i);
		if (d < f->min || d > f->max || floor(d) != d)
			fault(c, "is %g (allowed: %d to %d)", d, f->min, f->max);
		break;
	}
	case FIELD_TEXTS: check_texts(c, i, false); break;
	case FIELD_SPANS: check_texts(c, i, true); break;
	case FIELD_TABLE: check_table(c, i, f->sub); break;
	case FIELD_LIST: check_list(c, i, f); break;
	default: break;
	}
}

static const struct clinic_field *field_named(const struct clinic_field *f,
					      const char *key)
{
	while (f->key && strcmp(f->key, key))
		f++;
	return f->key ? f : NULL;
}

static void check_table(struct check *c, int i, const struct clinic_field *fields)
{
	lua_State *L = c->L;
	char allowed[400];

	luaL_checkstack(L, 8, "clinic");
	for (const struct clinic_field *f = fields; f->key; f++) {
		size_t back = go_key(c, f->key);
		lua_getfield(L, i, f->key);
		if (!lua_isnil(L, -1))
			check_value(c, lua_gettop(L), f);
		lua_pop(L, 1);
		if (f->required) {
			lua_getfield(L, i, f->key);
			bool none = lua_isnil(L, -1);
			lua_pop(L, 1);
			c->path[back] = 0;
			if (none)
				fault(c, "'%s' is missing (%s)", f->key, f->about);
		}
		c->path[back] = 0;
	}
	for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ?
				  lua_tostring(L, -2) : "(number)";
		if (field_named(fields, key))
			continue;
		allowed_keys(fields, allowed, sizeof allowed);
		size_t back = go_key(c, key);
		fault(c, "unknown key (allowed: %s)", allowed);
		c->path[back] = 0;
	}
}

/* ---- the checked table into C ------------------------------------------------ */

static const char *text_at(struct bundle *b, lua_State *L, int i,
			   const char *key)
{
	lua_getfield(L, i, key);
	const char *s = arena_str(&b->arena, lua_tostring(L, -1));
	lua_pop(L, 1);
	return s;
}

static int number_at(lua_State *L, int i, const char *key, int fallback)
{
	lua_getfield(L, i, key);
	int v = lua_isnil(L, -1) ? fallback : (int)lua_tointeger(L, -1);
	lua_pop(L, 1);
	return v;
}

static bool bool_at(lua_State *L, int i, const char *key, bool fallback)
{
	lua_getfield(L, i, key);
	bool v = lua_isnil(L, -1) ? fallback : lua_toboolean(L, -1);
	lua_pop(L, 1);
	return v;
}

static const char *const *texts_at(struct bundle *b, lua_State *L, int i,
				   const char *key)
{
	const char **v = NULL;

	lua_getfield(L, i, key);
	size_t n = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
	if (n) {
		v = arena_alloc(&b->arena, (n + 1) * sizeof *v);
		for (size_t k = 0; k < n; k++) {
			lua_rawgeti(L, -1, (int)k + 1);
			v[k] = arena_str(&b->arena, lua_tostring(L, -1));
			lua_pop(L, 1);
		}
	}
	lua_pop(L, 1);
	return v;
}

/* The choices of list key of the table at i. language: what the choice gets
 * when it names none. */
static const struct provider_choice *
choices_at(struct bundle *b, struct check *c, int i, const char *key, char kind,
	   const char *language, size_t *ret_n)
{
	lua_State *L = c->L;
	size_t path = go_key(c, key);
	const char *why;

	lua_getfield(L, i, key);
	size_t n = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
	struct provider_choice *v = arena_alloc(&b->arena, (n + 1) * sizeof *v);
	for (size_t k = 0; k < n; k++) {
		size_t back = go_index(c, (int)k + 1);
		lua_rawgeti(L, -1, (int)k + 1);
		int at = lua_gettop(L);
		v[k].provider = text_at(b, L, at, "provider");
		v[k].model = text_at(b, L, at, "model");
		v[k].voice = text_at(b, L, at, "voice");
		v[k].language = text_at(b, L, at, "language");
		v[k].effort = text_at(b, L, at, "effort");
		v[k].keyterms = texts_at(b, L, at, "keyterms");
		if (!v[k].language)
			v[k].language = language;
		if (provider_check(kind, &v[k], &why) < 0)
			fault(c, "%s", why);
		lua_pop(L, 1);
		c->path[back] = 0;
	}
	lua_pop(L, 1);
	c->path[path] = 0;
	*ret_n = n;
	return v;
}

static void read_languages(struct bundle *b, struct check *c, int i)
{
	lua_State *L = c->L;
	size_t path = go_key(c, "languages");

	lua_getfield(L, i, "languages");
	int list = lua_gettop(L);
	size_t n = lua_objlen(L, list);
	struct clinic_language *v = arena_alloc(&b->arena, (n + 1) * sizeof *v);
	for (size_t k = 0; k < n; k++) {
		size_t back = go_index(c, (int)k + 1);
		lua_rawgeti(L, list, (int)k + 1);
		int at = lua_gettop(L);
		v[k].tag = text_at(b, L, at, "tag");
		v[k].stt = choices_at(b, c, at, "stt", 's', v[k].tag, &v[k].n_stt);
		v[k].tts = choices_at(b, c, at, "tts", 't', v[k].tag, &v[k].n_tts);
		for (size_t j = 0; j < k; j++) {
			if (str_eq(v[j].tag, v[k].tag))
				fault(c, "the tag '%s' is there twice", v[k].tag);
		}
		lua_pop(L, 1);
		c->path[back] = 0;
	}
	lua_pop(L, 1);
	c->path[path] = 0;
	b->clinic.languages = v;
	b->clinic.n_languages = n;
}

static void read_limits(struct clinic *cl, lua_State *L, int i)
{
	lua_getfield(L, i, "limits");
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
	}
	int at = lua_gettop(L);
	cl->longest_call_s = number_at(L, at, "longest_call_s", 1800);
	cl->idle_ms = number_at(L, at, "idle_ms", 8000);
	cl->idle_times = number_at(L, at, "idle_times", 3);
	cl->endpointing_ms = number_at(L, at, "endpointing_ms", 0);
	cl->tool_ms = number_at(L, at, "tool_ms", 8000);
	lua_pop(L, 1);
}

static void read_needs(struct clinic *cl, lua_State *L, int i)
{
	cl->needs_supabase = cl->needs_openai = cl->needs_deepgram = true;
	lua_getfield(L, i, "needs");
	if (lua_istable(L, -1)) {
		int at = lua_gettop(L);
		cl->needs_supabase = bool_at(L, at, "supabase", true);
		cl->needs_openai = bool_at(L, at, "openai", true);
		cl->needs_deepgram = bool_at(L, at, "deepgram", true);
	}
	lua_pop(L, 1);
}

static void read_zone(struct bundle *b, struct check *c)
{
	size_t back = go_key(c, "zone");

	if (zone_create(&b->zone, b->clinic.zone) < 0)
		fault(c, "is '%s' (allowed: a name of the IANA time zones, like "
		      "\"Asia/Karachi\")", b->clinic.zone);
	c->path[back] = 0;
}

void clinic_read(struct bundle *b, lua_State *L, int i, struct faults *f)
{
	struct check c = { .L = L, .faults = f };
	struct clinic *cl = &b->clinic;
	int before = f->n;

	c.chunk = bundle_chunk(b, "clinic");
	if (!lua_istable(L, i)) {
		fault(&c, "returns a %s (allowed: the table of the clinic's data)",
		      luaL_typename(L, i));
		return;
	}
	check_table(&c, i, clinic_fields);
	if (f->n != before)
		return;
	cl->title = text_at(b, L, i, "title");
	cl->zone = text_at(b, L, i, "zone");
	cl->interruptible = bool_at(L, i, "interruptible", true);
	read_languages(b, &c, i);
	cl->llm = choices_at(b, &c, i, "llm", 'l', NULL, &cl->n_llm);
	read_limits(cl, L, i);
	read_needs(cl, L, i);
	read_zone(b, &c);
}

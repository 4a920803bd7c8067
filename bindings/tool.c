/*
 * Tools for the model: the Lua schema of a tool's file becomes a JSON schema
 * at load; what its function returns becomes JSON. The check of arguments is
 * in tool_check.c. On the loop.
 */
#include "bindings/policy_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "bindings/api_int.h"

#define TYPES "string, integer, number, boolean, array, object"
#define FORMATS "date (2026-11-23), time (14:30), phone (+923001234567)"
#define KEYS "type, description, optional, enum, min, max, max_length, " \
	     "format, items, properties"

static cJSON *object_schema(const cJSON *params, const char *path, char **why);

static bool one_of(const char *s, const char *const *list)
{
	for (; *list; list++) {
		if (s && !strcmp(s, *list))
			return true;
	}
	return false;
}

/* A spec of one parameter may have these keys, of these types. */
static const struct {
	const char *key;
	int type;
} spec_keys[] = {
	{ "type", cJSON_String }, { "description", cJSON_String },
	{ "optional", cJSON_True }, { "enum", cJSON_Array },
	{ "min", cJSON_Number }, { "max", cJSON_Number },
	{ "max_length", cJSON_Number }, { "format", cJSON_String },
	{ "items", cJSON_Object }, { "properties", cJSON_Object },
};

static char *spec_wrong(const cJSON *spec, const char *path)
{
	static const char *const types[] = { "string", "integer", "number",
					     "boolean", "array", "object", NULL };
	static const char *const formats[] = { "date", "time", "phone", NULL };

	if (!cJSON_IsObject(spec))
		return str_printf("%s: a table { type = ..., description = ... } "
				  "is wanted", path);
	for (const cJSON *e = spec->child; e; e = e->next) {
		size_t i = 0, n = sizeof spec_keys / sizeof *spec_keys;
		while (i < n && strcmp(spec_keys[i].key, e->string))
			i++;
		if (i == n)
			return str_printf("%s: unknown key '%s' (allowed: " KEYS ")",
					  path, e->string);
		int type = spec_keys[i].type;
		if (type == cJSON_True ? !cJSON_IsBool(e) :
					 (e->type & 0xff) != type)
			return str_printf("%s.%s: wrong type", path, e->string);
	}
	const char *type = json_str(spec, "type");
	const char *format = json_str(spec, "format");
	if (!one_of(type, types))
		return str_printf("%s: type is '%s' (allowed: " TYPES ")", path,
				  type ? type : "missing");
	if (format && !one_of(format, formats))
		return str_printf("%s: format is '%s' (allowed: " FORMATS ")",
				  path, format);
	if (!strcmp(type, "array") && !json_get(spec, "items"))
		return str_printf("%s: an array needs 'items'", path);
	return NULL;
}

static void copy_as(cJSON *to, const char *to_key, const cJSON *from,
		    const char *key)
{
	const cJSON *v = json_get(from, key);

	if (v)
		cJSON_AddItemToObject(to, to_key, cJSON_Duplicate(v, 1));
}

/* The JSON schema of one parameter; NULL with *why. */
static cJSON *spec_schema(const cJSON *spec, const char *path, char **why)
{
	*why = spec_wrong(spec, path);
	if (*why)
		return NULL;
	const char *type = json_str(spec, "type");
	if (!strcmp(type, "object")) {
		cJSON *o = object_schema(json_get(spec, "properties"), path, why);
		if (o)
			copy_as(o, "description", spec, "description");
		return o;
	}
	cJSON *o = cJSON_CreateObject();
	copy_as(o, "type", spec, "type");
	copy_as(o, "description", spec, "description");
	copy_as(o, "enum", spec, "enum");
	copy_as(o, "minimum", spec, "min");
	copy_as(o, "maximum", spec, "max");
	copy_as(o, "maxLength", spec, "max_length");
	copy_as(o, "format", spec, "format");
	if (!strcmp(type, "array")) {
		char *at = str_printf("%s.items", path);
		cJSON *items = spec_schema(json_get(spec, "items"), at, why);
		free(at);
		if (!items) {
			cJSON_Delete(o);
			return NULL;
		}
		cJSON_AddItemToObject(o, "items", items);
	}
	return o;
}

static cJSON *object_schema(const cJSON *params, const char *path, char **why)
{
	cJSON *o = cJSON_CreateObject();
	cJSON *required = cJSON_CreateArray();

	cJSON_AddStringToObject(o, "type", "object");
	cJSON *props = cJSON_AddObjectToObject(o, "properties");
	cJSON_AddItemToObject(o, "required", required);
	cJSON_AddFalseToObject(o, "additionalProperties");
	for (const cJSON *e = params ? params->child : NULL; e; e = e->next) {
		char *at = str_printf("%s.%s", path, e->string ? e->string : "[]");
		cJSON *s = e->string ? spec_schema(e, at, why) : NULL;
		if (!e->string)
			*why = str_printf("%s: keys are names of parameters", path);
		free(at);
		if (!s) {
			cJSON_Delete(o);
			return NULL;
		}
		cJSON_AddItemToObject(props, e->string, s);
		if (!json_bool(e, "optional", false))
			cJSON_AddItemToArray(required,
					     cJSON_CreateString(e->string));
	}
	return o;
}

/* A string field of the table at i, borrowed from it; NULL: another type. */
static const char *text_field(lua_State *L, int i, const char *key)
{
	lua_getfield(L, i, key);
	const char *s = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
						       : NULL;
	lua_pop(L, 1);
	return s;
}

static const char *check_fields(lua_State *L, int i)
{
	static const char *const keys[] = { "name", "description", "parameters",
					    "effect", "run", NULL };

	for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
		const char *key = lua_type(L, -2) == LUA_TSTRING ?
				  lua_tostring(L, -2) : NULL;
		if (!one_of(key, keys)) {
			lua_pop(L, 2);
			return "unknown key (allowed: name, description, "
			       "parameters, effect, run)";
		}
	}
	return NULL;
}

static bool name_ok(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	return n > 0 && n <= 64 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789_-") == n;
}

/* Everything but the parameters; static text of what is wrong. */
static const char *head_wrong(lua_State *L, int i, const char *effect)
{
	static const char *const effects[] = { "read", "hold", "commit", NULL };
	const char *wrong = check_fields(L, i);

	if (wrong)
		return wrong;
	if (!name_ok(text_field(L, i, "name")))
		return "'name' is wanted: letters, digits, _ and -, at most 64";
	if (str_blank(text_field(L, i, "description")))
		return "'description' is wanted: it tells the model when to call";
	if (!one_of(effect, effects))
		return "'effect' is wanted: \"read\", \"hold\" or \"commit\"";
	lua_getfield(L, i, "run");
	bool runs = lua_isfunction(L, -1);
	lua_pop(L, 1);
	return runs ? NULL : "'run' is wanted: function(call, args)";
}

int tool_read(lua_State *L, int i, struct tool *out, char **ret_why)
{
	if (!lua_istable(L, i)) {
		*ret_why = str_dup("a tool's file returns a table { name, "
				   "description, parameters, effect, run }");
		return ERR_CONFIG;
	}
	const char *effect = text_field(L, i, "effect");
	const char *wrong = head_wrong(L, i, effect);
	cJSON *params = NULL;
	if (!wrong) {
		lua_getfield(L, i, "parameters");
		if (!lua_isnil(L, -1) && !lua_istable(L, -1))
			wrong = "'parameters' is a table of parameters by name";
		else
			marshal_read(L, -1, &params, &wrong);
		lua_pop(L, 1);
	}
	if (wrong) {
		cJSON_Delete(params);
		*ret_why = str_dup(wrong);
		return ERR_CONFIG;
	}
	cJSON *schema = object_schema(params, "parameters", ret_why);
	cJSON_Delete(params);
	if (!schema)
		return ERR_CONFIG;
	*out = (struct tool){
		.name = str_dup(text_field(L, i, "name")),
		.description = str_dup(text_field(L, i, "description")),
		.effect = *effect == 'r' ? TOOL_READ :
			  *effect == 'h' ? TOOL_HOLD : TOOL_COMMIT,
		.schema = schema,
	};
	return 0;
}

void tool_free(struct tool *t)
{
	free(t->name);
	free(t->description);
	cJSON_Delete(t->schema);
	*t = (struct tool){ 0 };
}

static char *keyed(const char *key, const char *text)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, key, text);
	char *s = json_text(o);
	cJSON_Delete(o);
	return s;
}

char *tool_error(const char *why)
{
	return keyed("error", why);
}

char *tool_failed(const struct tool *t, enum policy_result r, bool timed_out)
{
	const char *what = timed_out || r == POLICY_TIMEOUT ?
		"took too long" : "failed";
	const char *then = t->effect == TOOL_READ ?
		"nothing is known; offer that a person calls back" :
		"it is not known whether it took effect: do not say that it "
		"did; offer that a person calls back";
	char *why = str_printf("the tool %s; %s", what, then);
	char *text = tool_error(why);

	free(why);
	return text;
}

/* Stack from..top: a table, a text, true, or nil and why. */
char *tool_result(lua_State *L, int from)
{
	int n = lua_gettop(L) - from + 1;
	const char *wrong;
	cJSON *tree;

	if (n >= 2 && !lua_toboolean(L, from))
		return tool_error(lua_type(L, from + 1) == LUA_TSTRING ?
				  lua_tostring(L, from + 1) : "failed");
	if (n <= 0 || lua_isnil(L, from) ||
	    (lua_isboolean(L, from) && lua_toboolean(L, from)))
		return str_dup("{\"ok\":true}");
	if (lua_type(L, from) == LUA_TSTRING)
		return keyed("result", lua_tostring(L, from));
	if (marshal_read(L, from, &tree, &wrong) < 0)
		luaL_error(L, "the tool's result holds %s", wrong);
	char *text = json_text(tree);
	cJSON_Delete(tree);
	return text;
}

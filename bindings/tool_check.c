/*
 * The model's arguments against a tool's schema. What is wrong comes back as
 * a sentence that lets the model mend its call. Pure. [any]
 */
#include "bindings/policy_int.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

static char *check_value(const cJSON *schema, const cJSON *v, const char *path);

static const char *given(const cJSON *v)
{
	switch (v->type & 0xff) {
	case cJSON_String: return "a text";
	case cJSON_Number: return "a number";
	case cJSON_True:
	case cJSON_False: return "a boolean";
	case cJSON_Array: return "an array";
	case cJSON_Object: return "an object";
	default: return "null";
	}
}

static bool type_matches(const char *type, const cJSON *v)
{
	switch (*type) {
	case 's': return cJSON_IsString(v);
	case 'i': return cJSON_IsNumber(v) && isfinite(v->valuedouble) &&
			 floor(v->valuedouble) == v->valuedouble;
	case 'n': return cJSON_IsNumber(v);
	case 'b': return cJSON_IsBool(v);
	case 'a': return cJSON_IsArray(v);
	default: return cJSON_IsObject(v);
	}
}

/* Digits where the form has 0, else the same character. */
static bool has_form(const char *s, const char *form)
{
	for (; *form; s++, form++) {
		if (*form == '0' ? !isdigit((unsigned char)*s) : *s != *form)
			return false;
	}
	return !*s;
}

static bool date_ok(const char *s)
{
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int y, m, d;

	if (!has_form(s, "0000-00-00") || sscanf(s, "%d-%d-%d", &y, &m, &d) != 3 ||
	    m < 1 || m > 12 || d < 1 || d > days[m - 1])
		return false;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	return !(m == 2 && d == 29 && !leap);
}

static bool time_ok(const char *s)
{
	int h, m;

	return has_form(s, "00:00") && sscanf(s, "%d:%d", &h, &m) == 2 &&
	       h < 24 && m < 60;
}

/* 7 to 15 digits (E.164), a + in front, blanks and dashes between. */
static bool phone_ok(const char *s)
{
	int digits = 0;

	if (*s == '+')
		s++;
	for (; *s; s++) {
		if (isdigit((unsigned char)*s))
			digits++;
		else if (!strchr(" -()", *s))
			return false;
	}
	return digits >= 7 && digits <= 15;
}

static char *check_text(const cJSON *schema, const char *s, const char *path)
{
	const char *format = json_str(schema, "format");
	double most = json_num(schema, "maxLength", 2000);

	if (strlen(s) > (size_t)most)
		return str_printf("'%s' is longer than %d characters", path,
				  (int)most);
	if (!format)
		return NULL;
	if (!strcmp(format, "date") && !date_ok(s))
		return str_printf("'%s' must be a date like 2026-11-23", path);
	if (!strcmp(format, "time") && !time_ok(s))
		return str_printf("'%s' must be a time like 14:30", path);
	if (!strcmp(format, "phone") && !phone_ok(s))
		return str_printf("'%s' must be a telephone number of 7 to 15 "
				  "digits; ask the caller for it again", path);
	return NULL;
}

static char *check_range(const cJSON *schema, double d, const char *path)
{
	const cJSON *min = json_get(schema, "minimum");
	const cJSON *max = json_get(schema, "maximum");

	if (min && d < min->valuedouble)
		return str_printf("'%s' must be at least %g", path,
				  min->valuedouble);
	if (max && d > max->valuedouble)
		return str_printf("'%s' must be at most %g", path,
				  max->valuedouble);
	return NULL;
}

static char *check_enum(const cJSON *list, const cJSON *v, const char *path)
{
	for (const cJSON *e = list->child; e; e = e->next) {
		if (cJSON_Compare(e, v, 1))
			return NULL;
	}
	char *text = json_text(list);
	char *why = str_printf("'%s' must be one of %s", path, text);
	free(text);
	return why;
}

static char *check_items(const cJSON *schema, const cJSON *v, const char *path)
{
	const cJSON *items = json_get(schema, "items");
	int i = 0;

	for (const cJSON *e = v->child; e; e = e->next) {
		char *at = str_printf("%s[%d]", path, i++);
		char *why = check_value(items, e, at);
		free(at);
		if (why)
			return why;
	}
	return NULL;
}

static char *names_of(const cJSON *props)
{
	struct buf b = { 0 };

	for (const cJSON *e = props ? props->child : NULL; e; e = e->next)
		buf_printf(&b, "%s%s", b.len ? ", " : "", e->string);
	return b.len ? buf_take(&b) : str_dup("none");
}

static char *check_object(const cJSON *schema, const cJSON *v,
			  const char *path)
{
	const cJSON *props = json_get(schema, "properties");
	const cJSON *required = json_get(schema, "required");
	const char *dot = *path ? "." : "";

	for (const cJSON *e = required ? required->child : NULL; e; e = e->next) {
		const cJSON *have = json_get(v, e->valuestring);
		if (!have || cJSON_IsNull(have))
			return str_printf("'%s%s%s' is missing; ask the caller if "
					  "you do not know it", path, dot,
					  e->valuestring);
	}
	for (const cJSON *e = v->child; e; e = e->next) {
		const cJSON *s = json_get(props, e->string);
		if (!s) {
			char *names = names_of(props);
			char *why = str_printf("there is no argument '%s%s%.40s' "
					       "(there are: %s)", path, dot,
					       e->string, names);
			free(names);
			return why;
		}
		if (cJSON_IsNull(e))
			continue; /* an optional one, left out in this way */
		char *at = str_printf("%s%s%s", path, dot, e->string);
		char *why = check_value(s, e, at);
		free(at);
		if (why)
			return why;
	}
	return NULL;
}

static char *check_value(const cJSON *schema, const cJSON *v, const char *path)
{
	const char *type = json_str(schema, "type");
	assert(type);
	const cJSON *list = json_get(schema, "enum");

	if (!type_matches(type, v))
		return str_printf("'%s' must be of type %s, not %s",
				  *path ? path : "arguments", type, given(v));
	if (list)
		return check_enum(list, v, path);
	switch (v->type & 0xff) {
	case cJSON_String: return check_text(schema, v->valuestring, path);
	case cJSON_Number: return check_range(schema, v->valuedouble, path);
	case cJSON_Array: return check_items(schema, v, path);
	case cJSON_Object: return check_object(schema, v, path);
	default: return NULL;
	}
}

int tool_check(const struct tool *t, const cJSON *args, char **ret_why)
{
	char *why = check_value(t->schema, args, "");

	if (!why)
		return 0;
	*ret_why = why;
	return ERR_REQUEST;
}

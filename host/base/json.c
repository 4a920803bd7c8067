/* Lenient reading of JSON trees. */
#include "base/json.h"

#include <stdlib.h>

const cJSON *json_get(const cJSON *obj, const char *key)
{
	return cJSON_IsObject(obj) ?
	       cJSON_GetObjectItemCaseSensitive(obj, key) : NULL;
}

const char *json_str(const cJSON *obj, const char *key)
{
	const cJSON *v = json_get(obj, key);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

double json_num(const cJSON *obj, const char *key, double fallback)
{
	const cJSON *v = json_get(obj, key);

	return cJSON_IsNumber(v) ? v->valuedouble : fallback;
}

bool json_bool(const cJSON *obj, const char *key, bool fallback)
{
	const cJSON *v = json_get(obj, key);

	return cJSON_IsBool(v) ? cJSON_IsTrue(v) : fallback;
}

const cJSON *json_at(const cJSON *obj, const char *key, int i)
{
	const cJSON *v = json_get(obj, key);

	return cJSON_IsArray(v) ? cJSON_GetArrayItem(v, i) : NULL;
}

cJSON *json_parse(const void *text, size_t n)
{
	return cJSON_ParseWithLength(text, n);
}

char *json_text(const cJSON *tree)
{
	char *text = cJSON_PrintUnformatted(tree);

	if (!text)
		abort();
	return text;
}

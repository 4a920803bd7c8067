/* What a model sends as arguments, against a schema with everything in it. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bindings/policy_int.h"

static const char schema[] =
	"{\"type\":\"object\",\"properties\":{"
	"\"s\":{\"type\":\"string\",\"maxLength\":5},"
	"\"d\":{\"type\":\"string\",\"format\":\"date\"},"
	"\"t\":{\"type\":\"string\",\"format\":\"time\"},"
	"\"p\":{\"type\":\"string\",\"format\":\"phone\"},"
	"\"e\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"]},"
	"\"i\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},"
	"\"n\":{\"type\":\"number\"},\"b\":{\"type\":\"boolean\"},"
	"\"l\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},"
	"\"o\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}},"
	"\"required\":[\"x\"],\"additionalProperties\":false}},"
	"\"required\":[\"s\"],\"additionalProperties\":false}";

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct tool t = { .schema = json_parse(schema, strlen(schema)) };
	cJSON *args = json_parse(p, n);
	char *why = NULL;

	assert(t.schema);
	if (args && tool_check(&t, args, &why) < 0)
		assert(why && *why);
	free(why);
	cJSON_Delete(args);
	cJSON_Delete(t.schema);
	return 0;
}

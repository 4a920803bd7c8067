/* A pattern and a text (split at the first newline) in our matcher: it ends,
 * within its steps, whatever they are. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "bindings/api_int.h"

struct input {
	const char *pattern, *text;
	size_t pattern_len, text_len;
};

static int match(lua_State *L)
{
	static const char *const functions[] = { "find", "match", "gsub" };
	const struct input *in = lua_touserdata(L, 1);

	for (int i = 0; i < 3; i++) {
		lua_getglobal(L, "string");
		lua_getfield(L, -1, functions[i]);
		lua_pushlstring(L, in->text, in->text_len);
		lua_pushlstring(L, in->pattern, in->pattern_len);
		int n_args = 2;
		if (i == 2) {
			lua_pushliteral(L, "%1%0");
			n_args = 3;
		}
		/* A malformed pattern raises: the next one is tried. */
		lua_pcall(L, n_args, LUA_MULTRET, 0);
		lua_settop(L, 1);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *nl = n ? memchr(p, '\n', n) : NULL;
	struct vm *vm;

	if (!nl || vm_create(&vm, NULL, NULL) < 0)
		return 0;
	struct input in = { (const char *)p, (const char *)nl + 1,
			    (size_t)(nl - p), n - (size_t)(nl - p) - 1 };
	vm_enter(vm, match, &in, VM_LOAD_US);
	vm_destroy(vm);
	return 0;
}

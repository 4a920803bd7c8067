/* Our pattern matcher against LuaJIT's own, on fixed and on random cases. */
#include "script.h"

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

#include "bindings/vm_int.h"

struct program {
	const char *text;
	char *result; /* what it returned, or "error: ..." */
	bool fine;
};

static int run_program(lua_State *L)
{
	struct program *p = lua_touserdata(L, 1);

	if (luaL_loadstring(L, p->text))
		return lua_error(L);
	lua_call(L, 0, 1);
	free(p->result);
	p->result = str_dup(lua_tostring(L, -1));
	return 0;
}

/* The first line that differs: the whole is too long to read. */
static void print_difference(const char *ours, const char *stock)
{
	size_t line = 0, i;

	for (i = 0; ours[i] && ours[i] == stock[i]; i++) {
		if (ours[i] == '\n')
			line = i + 1;
	}
	if (ours[i] != stock[i])
		print_error("ours:  %.100s\nstock: %.100s\n", ours + line,
			    stock + line);
}

/* The same text in a stock state and in ours. */
static void assert_same(const char *text)
{
	struct program ours = { .text = text }, stock = { .text = text };
	struct vm *vm;
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	lua_pushcfunction(L, run_program);
	lua_pushlightuserdata(L, &stock);
	assert_int_equal(lua_pcall(L, 1, 0, 0), 0);
	lua_close(L);

	assert_int_equal(vm_create(&vm, NULL, NULL), 0);
	enum policy_result r = vm_enter(vm, run_program, &ours, 60 * 1000000);
	if (r != POLICY_OK)
		print_error("%s\n", vm->fault.message);
	assert_int_equal(r, POLICY_OK);
	vm_destroy(vm);
	assert_non_null(stock.result);
	print_difference(ours.result, stock.result);
	assert_string_equal(ours.result, stock.result);
	free(ours.result);
	free(stock.result);
}

/* Prints all results of a call, error texts included. */
#define SHOW \
	"local out = {}\n" \
	"local function show(f, ...)\n" \
	"  local r = { pcall(f, ...) }\n" \
	"  for i = 1, 12 do r[i] = tostring(r[i]) end\n" \
	"  if r[1] == 'false' then r[2] = 'error' end\n" \
	"  out[#out + 1] = table.concat(r, '|')\n" \
	"end\n"

static void fixed_cases_match_as_the_manual_says(void **state)
{
	(void)state;
	assert_same(SHOW
		"local find, match, gsub = string.find, string.match, string.gsub\n"
		"show(find, 'hello world', 'o w')\n"
		"show(find, 'hello', 'l', 1, true)\n"
		"show(find, 'a.b', '.', 2, true)\n"
		"show(find, 'hello', '', 10)\n"
		"show(find, 'hello', '', 6)\n"
		"show(find, 'hello', 'l', -2)\n"
		"show(find, '', '')\n"
		"show(find, 'x', '^x$')\n"
		"show(find, 'xx', '^x$')\n"
		"show(match, '  trim me  ', '^%s*(.-)%s*$')\n"
		"show(match, 'key = value', '(%w+)%s*=%s*(%w+)')\n"
		"show(match, '2026-11-23', '(%d+)-(%d+)-(%d+)')\n"
		"show(match, 'f(a(b)c)d', '%b()')\n"
		"show(match, 'THE (quick) fox', '%f[%a]%a+%f[%A]')\n"
		"show(match, 'aXb', '%u')\n"
		"show(match, 'x]y', '[]]')\n"
		"show(match, 'x^y', '[x^]+')\n"
		"show(match, 'a-z', '[a%-z]+')\n"
		"show(match, 'a-z', '[%a-]+')\n"
		"show(match, '\\0a\\0', '%z(a)%z')\n"
		"show(match, '\"say \\'x\\'\"', '([\"\\'])(.-)%1')\n"
		"show(match, 'hello', '()ll()')\n"
		"show(match, 'abc', '((a)(b))')\n"
		"show(match, 'x', '(x')\n"
		"show(match, 'x', 'x)')\n"
		"show(match, 'x', '[x')\n"
		"show(match, 'x', 'x%')\n"
		"show(match, 'x', '%1')\n"
		"show(match, 'x', '%f')\n"
		"show(match, 'x', '%b')\n"
		"show(match, 'a$b', 'a$b')\n"
		"show(match, '5%', '%d%%')\n"
		"show(gsub, 'hello world', 'o', '0')\n"
		"show(gsub, 'hello', '', '-')\n"
		"show(gsub, 'abc', '%w', '%0%0')\n"
		"show(gsub, 'abc def', '(%w+) (%w+)', '%2 %1')\n"
		"show(gsub, 'abc', 'b', '%%')\n"
		"show(gsub, 'hello', 'l', { l = 'L' })\n"
		"show(gsub, 'hello', 'l', function() return nil end)\n"
		"show(gsub, 'hello', '(h)(e)', function(a, b) return b .. a end)\n"
		"show(gsub, 'hello', 'l', 'x', 1)\n"
		"show(gsub, 'hello', '^h', 'x')\n"
		"show(gsub, 'hello', '^', 'x')\n"
		"show(gsub, 'abc', '$', 'x')\n"
		"show(gsub, 'abc', 'x*', '-')\n"
		"show(gsub, '', '', '-')\n"
		"show(gsub, 'abc', '()', '%1')\n"
		"show(gsub, 'abc', 'b', 5)\n"
		"show(gsub, 'abc', 'b', function() return {} end)\n"
		"show(gsub, ('ab'):rep(200), 'b', 'cd')\n"
		"for w in ('one two  three'):gmatch('%a+') do out[#out + 1] = w end\n"
		"for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do out[#out+1] = k .. v end\n"
		"for p in ('abc'):gmatch('()') do out[#out + 1] = p end\n"
		"for p in ('^a^a'):gmatch('^a') do out[#out + 1] = p end\n"
		"return table.concat(out, '\\n')");
}

static void every_class_and_byte_agrees(void **state)
{
	(void)state;
	assert_same("local out = {}\n"
		"for cls in ('acdglpsuwxzACDGLPSUWXZ.'):gmatch('.') do\n"
		"  local p = cls == '.' and '.' or '%' .. cls\n"
		"  for c = 0, 127 do\n"
		"    local ch = string.char(c)\n"
		"    out[#out + 1] = (ch:match(p) and 1 or 0) .. (ch:match('[' .. p .. ']')\n"
		"      and 1 or 0) .. (ch:match('[^' .. p .. ']') and 1 or 0)\n"
		"  end\n"
		"end\n"
		"return table.concat(out)");
}

static void random_patterns_agree(void **state)
{
	(void)state;
	assert_same(SHOW
		"local seed = 42\n"
		"local function rnd(n) seed = (seed * 1103515245 + 12345) % 2147483648\n"
		"  return math.floor(seed / 65536) % n + 1 end\n"
		"local parts = { 'a', 'b', '.', '%a', '%d', '[ab]', '[^a]', '[a-c]', '(',\n"
		"  ')', '()', '%1', '%b()', '%f[a]', '%f[^b]', '$', '^', '-', '%-', '1', '%w' }\n"
		"local reps = { '', '', '', '*', '+', '-', '?' }\n"
		"local chars = { 'a', 'b', 'c', '1', '(', ')', '-', '^', '$', 'a', 'b' }\n"
		"for i = 1, 6000 do\n"
		"  local p, s = {}, {}\n"
		"  for j = 1, rnd(6) do p[j] = parts[rnd(#parts)] .. reps[rnd(#reps)] end\n"
		"  for j = 1, rnd(12) - 1 do s[j] = chars[rnd(#chars)] end\n"
		"  p, s = table.concat(p), table.concat(s)\n"
		"  show(string.find, s, p, rnd(5) - 2)\n"
		"  show(string.match, s, p)\n"
		"  show(string.gsub, s, p, '<%0>')\n"
		"  show(string.gsub, s, p, '%1', 2)\n"
		"end\n"
		"local h = 5381\n"
		"for _, line in ipairs(out) do\n"
		"  for c = 1, #line do h = (h * 33 + line:byte(c)) % 4294967296 end\n"
		"end\n"
		"return h .. ' ' .. #out");
}

static void a_long_text_costs_steps_not_the_stack(void **state)
{
	(void)state;
	assert_same("local s = ('ab '):rep(20000)\n"
		"local _, n = s:gsub('%a+', 'x')\n"
		"return n .. ' ' .. #s:match('.*') .. ' ' .. tostring(s:find('b $'))");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_cases_match_as_the_manual_says),
		cmocka_unit_test(every_class_and_byte_agrees),
		cmocka_unit_test(random_patterns_agree),
		cmocka_unit_test(a_long_text_costs_steps_not_the_stack),
	};
	return cmocka_run_group_tests(tests, script_setup, script_teardown);
}

/*
 * now(), sleep() on the loop's clock (virtual in tests), and os.time,
 * os.date, os.clock: civil time is that of the clinic's zone. Inside
 * vm_enter().
 */
#include "bindings/api_int.h"

#include <string.h>
#include <time.h>

#include "bindings/bundle_int.h"
#include "bindings/policy_int.h"

#define SLEEP_MOST_MS 600000

static wall_h *wall;

void api_time_set_wall(wall_h *fn)
{
	wall = fn;
}

int64_t api_time_wall_s(void)
{
	return wall ? wall() : clock_wall_ms() / 1000;
}

/* now() */
static int l_now(lua_State *L)
{
	struct policy *p = check_policy(L);

	lua_pushnumber(L, call_ms(p->call));
	return 1;
}

static void slept(void *arg)
{
	task_wake(arg, NULL);
}

static void stop_sleep(void *arg)
{
	struct task *t = arg;

	timer_stop(&t->sleep);
}

/* sleep(ms) */
static int l_sleep(lua_State *L)
{
	lua_Number ms = luaL_checknumber(L, 1);

	luaL_argcheck(L, ms >= 0 && ms <= SLEEP_MOST_MS, 1,
		      "0 to 600,000 milliseconds");
	struct task *t = task_check_wait(L, "sleep");
	timer_init(&t->sleep, loop_clock(call_loop(t->policy->call)), slept, t);
	task_wait(t, stop_sleep, t, false);
	timer_start(&t->sleep, (int64_t)ms);
	return lua_yield(L, 0);
}

static int int_field(lua_State *L, const char *key, int fallback)
{
	lua_getfield(L, 1, key);
	if (lua_isnil(L, -1) && fallback < 0)
		luaL_error(L, "field '%s' missing in date table", key);
	lua_Number d = lua_isnil(L, -1) ? fallback : luaL_checknumber(L, -1);
	if (!(d > -100000 && d < 100000))
		luaL_error(L, "field '%s' is out of range", key);
	lua_pop(L, 1);
	return (int)d;
}

/* os.time([table]) */
static int l_os_time(lua_State *L)
{
	struct tm tm = { 0 };

	if (lua_isnoneornil(L, 1)) {
		lua_pushnumber(L, api_time_wall_s());
		return 1;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	tm.tm_sec = int_field(L, "sec", 0);
	tm.tm_min = int_field(L, "min", 0);
	tm.tm_hour = int_field(L, "hour", 12);
	tm.tm_mday = int_field(L, "day", -1);
	tm.tm_mon = int_field(L, "month", -1) - 1;
	tm.tm_year = int_field(L, "year", -1) - 1900;
	lua_pushnumber(L, zone_time(vm_of(L)->bundle->zone, &tm));
	return 1;
}

static void push_date(lua_State *L, const struct tm *tm)
{
	const struct {
		const char *key;
		int v;
	} fields[] = {
		{ "sec", tm->tm_sec }, { "min", tm->tm_min },
		{ "hour", tm->tm_hour }, { "day", tm->tm_mday },
		{ "month", tm->tm_mon + 1 }, { "year", tm->tm_year + 1900 },
		{ "wday", tm->tm_wday + 1 }, { "yday", tm->tm_yday + 1 },
	};

	lua_createtable(L, 0, 9);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		lua_pushinteger(L, fields[i].v);
		lua_setfield(L, -2, fields[i].key);
	}
	lua_pushboolean(L, tm->tm_isdst > 0);
	lua_setfield(L, -2, "isdst");
}

/* os.date([format [, time]]) */
static int l_os_date(lua_State *L)
{
	const char *format = luaL_optstring(L, 1, "%c");
	lua_Number t = luaL_optnumber(L, 2, api_time_wall_s());
	char out[512];
	struct tm tm;

	luaL_argcheck(L, t > -1e11 && t < 1e11, 2, "time is out of range");
	luaL_argcheck(L, strlen(format) <= 100, 1, "format is too long");
	if (*format == '!') {
		time_t utc = (time_t)t;
		gmtime_r(&utc, &tm);
		format++;
	} else {
		zone_tm(vm_of(L)->bundle->zone, (int64_t)t, &tm);
	}
	if (!strncmp(format, "*t", 2)) {
		push_date(L, &tm);
		return 1;
	}
	size_t n = strftime(out, sizeof out, format, &tm);
	luaL_argcheck(L, n > 0 || !*format, 1, "the date is too long");
	lua_pushlstring(L, out, n);
	return 1;
}

/* os.clock(): processor time of this run, in seconds */
static int l_os_clock(lua_State *L)
{
	lua_pushnumber(L, budget_used_us(vm_of(L)) / 1e6);
	return 1;
}

const luaL_Reg api_time_functions[] = {
	{ "now", l_now },
	{ "sleep", l_sleep },
	{ NULL, NULL }
};

const luaL_Reg api_os_functions[] = {
	{ "time", l_os_time },
	{ "date", l_os_date },
	{ "clock", l_os_clock },
	{ NULL, NULL }
};

void api_time_register(lua_State *L, int env)
{
	lua_newtable(L);
	luaL_setfuncs(L, api_os_functions, 0);
	sandbox_freeze(L, "os");
	lua_setfield(L, env, "os");
	lua_pushvalue(L, env);
	luaL_setfuncs(L, api_time_functions, 0);
	lua_pop(L, 1);
}

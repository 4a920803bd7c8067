/* Log lines: readable, JSON, and silent about people. */
#include "unit.h"

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/log.h"

static char last[2048];
static int n_lines;
static enum log_level last_level;

static void keep(void *arg, enum log_level level, const char *line)
{
	assert_string_equal(arg, "sink");
	last_level = level;
	snprintf(last, sizeof last, "%s", line);
	n_lines++;
}

static int start(void **state)
{
	(void)state;
	n_lines = 0;
	last[0] = 0;
	log_set_sink(keep, "sink");
	log_set(LOG_INFO, true);
	log_set_personal(false);
	return 0;
}

static int finish(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	log_set(LOG_INFO, false);
	log_set_personal(false);
	return 0;
}

static void a_json_line_has_all_fields_with_their_types(void **state)
{
	(void)state;
	log_event(LOG_WARN, "stt.reconnect", LOG_STR("call", "c\"1\n"),
		  LOG_INT("attempt", -3), LOG_REAL("s", 0.25),
		  LOG_ERR("why", ERR_AUTH), LOG_STR("none", NULL));
	cJSON *o = cJSON_Parse(last);
	assert_non_null(o);
	assert_int_equal(last_level, LOG_WARN);
	assert_null(strchr(last, '\n'));
	assert_string_equal(cJSON_GetObjectItem(o, "severity")->valuestring,
			    "WARNING");
	assert_string_equal(cJSON_GetObjectItem(o, "message")->valuestring,
			    "stt.reconnect");
	assert_string_equal(cJSON_GetObjectItem(o, "call")->valuestring,
			    "c\"1\n");
	assert_int_equal(cJSON_GetObjectItem(o, "attempt")->valueint, -3);
	assert_true(cJSON_GetObjectItem(o, "s")->valuedouble == 0.25);
	assert_non_null(strstr(cJSON_GetObjectItem(o, "why")->valuestring,
			       "ERR_AUTH"));
	assert_string_equal(cJSON_GetObjectItem(o, "none")->valuestring, "");
	const char *t = cJSON_GetObjectItem(o, "time")->valuestring;
	int year, month, day, h, m, s, ms;
	char zone;
	assert_int_equal(sscanf(t, "%4d-%2d-%2dT%2d:%2d:%2d.%3d%c", &year,
				&month, &day, &h, &m, &s, &ms, &zone), 8);
	assert_int_equal(zone, 'Z');
	cJSON_Delete(o);
}

static void a_readable_line_is_one_line(void **state)
{
	(void)state;
	log_set(LOG_INFO, false);
	log_event(LOG_ERROR, "job.end", LOG_STR("why", "drained"),
		  LOG_INT("calls", 7), LOG_STR("none", NULL));
	assert_non_null(strstr(last, "ERROR"));
	assert_non_null(strstr(last, " job.end why=drained calls=7 none=-"));
}

static void lower_levels_are_not_written(void **state)
{
	(void)state;
	log_event(LOG_DEBUG, "no");
	assert_int_equal(n_lines, 0);
	assert_false(log_wants(LOG_DEBUG));
	assert_true(log_wants(LOG_INFO));
	log_set(LOG_ERROR, true);
	log_event(LOG_WARN, "no");
	assert_int_equal(n_lines, 0);
	log_event(LOG_ERROR, "yes");
	assert_int_equal(n_lines, 1);
	log_set(LOG_DEBUG, true);
	log_event(LOG_DEBUG, "yes");
	assert_int_equal(n_lines, 2);
}

static void personal_values_show_only_their_length_and_a_hash(void **state)
{
	(void)state;
	char first[sizeof last];

	for (int json = 0; json < 2; json++) {
		log_set(LOG_INFO, json);
		log_event(LOG_INFO, "turn", LOG_PII("said", "call me Ann"));
		assert_null(strstr(last, "Ann"));
		assert_non_null(strstr(last, "[11 bytes #"));
	}
	/* the same words give the same hash, others another */
	memcpy(first, strstr(last, "[11"), 22);
	log_event(LOG_INFO, "turn", LOG_PII("said", "call me Ann"));
	assert_memory_equal(strstr(last, "[11"), first, 20);
	log_event(LOG_INFO, "turn", LOG_PII("said", "call me Bob"));
	assert_memory_not_equal(strstr(last, "[11"), first, 20);
	log_event(LOG_INFO, "turn", LOG_PII("said", NULL));
	assert_non_null(strstr(last, "[0 bytes"));
}

static void a_developer_may_ask_for_them_in_clear(void **state)
{
	(void)state;
	log_set_personal(true);
	log_event(LOG_INFO, "turn", LOG_PII("said", "call me \"Ann\""));
	assert_non_null(strstr(last, "call me \\\"Ann\\\""));
}

static void odd_bytes_do_not_break_the_line(void **state)
{
	(void)state;
	log_event(LOG_INFO, "odd", LOG_STR("v", "\xff\xfe\n\x01"));
	cJSON *o = cJSON_Parse(last);
	assert_non_null(o);
	cJSON_Delete(o);
	assert_null(strchr(last, '\n'));
}

#define LOGGED(f) cmocka_unit_test_setup_teardown(f, start, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOGGED(a_json_line_has_all_fields_with_their_types),
		LOGGED(a_readable_line_is_one_line),
		LOGGED(lower_levels_are_not_written),
		LOGGED(personal_values_show_only_their_length_and_a_hash),
		LOGGED(a_developer_may_ask_for_them_in_clear),
		LOGGED(odd_bytes_do_not_break_the_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

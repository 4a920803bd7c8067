/* settings and .env files: what is missing or wrong is told, all at once. */
#include "unit.h"

#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "job/job.h"

static struct settings s;
static struct buf faults;
static char path[64];

static int setup(void **state)
{
	(void)state;
	clearenv(); /* the machine's own settings are none of ours */
	str_copy(path, sizeof path, "/tmp/fd_dotenv_XXXXXX");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	settings_free(&s);
	buf_free(&faults);
	unlink(path);
	return 0;
}

static int load(const struct clinic *needs)
{
	settings_free(&s);
	buf_reset(&faults);
	return settings_load(&s, needs, &faults);
}

static void set_all(void)
{
	setenv("ENVIRONMENT", "production", 1);
	setenv("LIVEKIT_URL", "wss://clinic.livekit.cloud", 1);
	setenv("LIVEKIT_API_KEY", "key", 1);
	setenv("LIVEKIT_API_SECRET", "a secret", 1);
	setenv("LIVEKIT_AGENT_NAME", "reception", 1);
	setenv("SUPABASE_URL", "https://clinic.supabase.co", 1);
	setenv("SUPABASE_SERVICE_ROLE_KEY", "service", 1);
	setenv("OPENAI_API_KEY", "sk-1", 1);
	setenv("DEEPGRAM_API_KEY", "dg-1", 1);
}

static int n_faults(void)
{
	int n = 0;

	for (const char *at = buf_str(&faults); *at; at++)
		n += *at == '\n';
	return n;
}

static void told(const char *what)
{
	if (!strstr(buf_str(&faults), what))
		fail_msg("\"%s\" is not in:\n%s", what, buf_str(&faults));
}

/* ---- production ------------------------------------------------------------- */

static void a_whole_environment_is_taken(void **state)
{
	(void)state;
	set_all();
	assert_int_equal(load(NULL), 0);
	assert_int_equal(faults.len, 0);
	assert_true(s.production);
	assert_false(s.personal);
	assert_false(s.loopback);
	assert_string_equal(s.livekit_url, "wss://clinic.livekit.cloud");
	assert_string_equal(s.livekit_secret, "a secret");
	assert_string_equal(s.agent_names[0], "reception");
	assert_null(s.agent_names[1]);
	assert_string_equal(s.supabase_key, "service");
	assert_null(s.deepgram_url); /* the provider's own address */
	assert_null(s.openai_url);
	assert_int_equal(s.max_calls, 0);
	assert_int_equal(s.grace_ms, 1800000);
}

static void production_requires_all_and_tells_all_at_once(void **state)
{
	(void)state;
	setenv("ENVIRONMENT", "production", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	assert_int_equal(n_faults(), 8);
	told("LIVEKIT_URL is not set");
	told("LIVEKIT_API_KEY is not set");
	told("LIVEKIT_API_SECRET is not set");
	told("LIVEKIT_AGENT_NAME is not set");
	told("SUPABASE_URL is not set");
	told("SUPABASE_SERVICE_ROLE_KEY is not set");
	told("OPENAI_API_KEY is not set");
	told("DEEPGRAM_API_KEY is not set");
}

static void blank_is_missing(void **state)
{
	(void)state;
	set_all();
	setenv("OPENAI_API_KEY", " ", 1);
	setenv("DEEPGRAM_API_KEY", "", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	assert_int_equal(n_faults(), 2);
	told("OPENAI_API_KEY is not set");
	told("DEEPGRAM_API_KEY is not set");
}

static void a_near_miss_is_answered_with_the_right_name(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
		{ "SUPABASE_KEY", "SUPABASE_SERVICE_ROLE_KEY" },
		{ "SUPABASE_SERVICE_KEY", "SUPABASE_SERVICE_ROLE_KEY" },
		{ "LIVEKIT_SECRET", "LIVEKIT_API_SECRET" },
		{ "LIVEKIT_KEY", "LIVEKIT_API_KEY" },
		{ "LIVEKIT_HOST", "LIVEKIT_URL" },
		{ "AGENT_NAME", "LIVEKIT_AGENT_NAME" },
		{ "OPENAI_KEY", "OPENAI_API_KEY" },
		{ "DEEPGRAM_KEY", "DEEPGRAM_API_KEY" },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char want[128];
		clearenv();
		set_all();
		unsetenv(pairs[i][1]);
		setenv(pairs[i][0], "https://value", 1);
		assert_int_equal(load(NULL), ERR_CONFIG);
		assert_int_equal(n_faults(), 1);
		snprintf(want, sizeof want, "%s is set: rename it to %s",
			 pairs[i][0], pairs[i][1]);
		told(want);
	}
}

static void faults_never_show_a_secret(void **state)
{
	(void)state;
	set_all();
	unsetenv("SUPABASE_SERVICE_ROLE_KEY");
	setenv("SUPABASE_KEY", "very-secret", 1);
	setenv("LIVEKIT_URL", "nonsense", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	assert_null(strstr(buf_str(&faults), "very-secret"));
	assert_null(strstr(buf_str(&faults), "a secret"));
}

static void a_clinic_needs_less(void **state)
{
	(void)state;
	struct clinic needs = { .needs_deepgram = true };

	set_all();
	unsetenv("SUPABASE_URL");
	unsetenv("SUPABASE_SERVICE_ROLE_KEY");
	unsetenv("OPENAI_API_KEY");
	assert_int_equal(load(&needs), 0);
	assert_null(s.supabase_url);
	unsetenv("DEEPGRAM_API_KEY");
	assert_int_equal(load(&needs), ERR_CONFIG);
	assert_int_equal(n_faults(), 1);
	told("DEEPGRAM_API_KEY is not set");
}

static void cloud_run_without_an_environment_is_not_development(void **state)
{
	(void)state;
	set_all();
	unsetenv("ENVIRONMENT");
	setenv("CLOUD_RUN_JOB", "frontdesk", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	told("ENVIRONMENT is not set");
	assert_true(s.production);
	setenv("ENVIRONMENT", "production", 1);
	assert_int_equal(load(NULL), 0);
	assert_int_equal(s.grace_ms, 8000); /* of the 10 s it leaves us */
}

static void an_unknown_environment_is_a_fault(void **state)
{
	(void)state;
	setenv("ENVIRONMENT", "prod", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	told("ENVIRONMENT is \"prod\"");
}

/* ---- development --------------------------------------------------------------- */

static void development_needs_nothing(void **state)
{
	(void)state;
	assert_int_equal(load(NULL), 0);
	assert_false(s.production);
	assert_true(s.personal);
	assert_true(s.loopback);
	assert_string_equal(s.livekit_url, "ws://127.0.0.1:7880");
	assert_string_equal(s.livekit_key, "devkey");
	assert_string_equal(s.livekit_secret, "secret");
	assert_string_equal(s.agent_names[0], "frontdesk");
	/* without keys the stand-ins answer */
	assert_string_equal(s.deepgram_url, "ws://127.0.0.1:8765");
	assert_string_equal(s.openai_url, "http://127.0.0.1:8766/v1");
}

static void a_key_in_development_means_the_real_provider(void **state)
{
	(void)state;
	setenv("DEEPGRAM_API_KEY", "dg-1", 1);
	assert_int_equal(load(NULL), 0);
	assert_null(s.deepgram_url);
	assert_string_equal(s.deepgram_key, "dg-1");
	assert_string_equal(s.openai_url, "http://127.0.0.1:8766/v1");
}

static void a_given_address_wins(void **state)
{
	(void)state;
	set_all();
	setenv("DEEPGRAM_URL", "ws://10.0.0.7:9000", 1);
	setenv("OPENAI_BASE_URL", "http://10.0.0.7:9001/v1", 1);
	setenv("SPEECH_BASE_URL", "http://10.0.0.7:9002/v1", 1);
	setenv("SPEECH_API_KEY", "voice", 1);
	assert_int_equal(load(NULL), 0);
	assert_string_equal(s.deepgram_url, "ws://10.0.0.7:9000");
	assert_string_equal(s.openai_url, "http://10.0.0.7:9001/v1");
	assert_string_equal(s.speech_url, "http://10.0.0.7:9002/v1");
	assert_string_equal(s.speech_key, "voice");
}

/* ---- wrong values ----------------------------------------------------------------- */

static void addresses_must_be_addresses(void **state)
{
	(void)state;
	set_all();
	setenv("LIVEKIT_URL", "clinic.livekit.cloud", 1);
	setenv("SUPABASE_URL", "wss://clinic.supabase.co", 1);
	setenv("DEEPGRAM_URL", "https://api.deepgram.com", 1);
	setenv("OPENAI_BASE_URL", "http://host:port/v1", 1);
	setenv("SPEECH_BASE_URL", "tp://host", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	assert_int_equal(n_faults(), 5);
	told("LIVEKIT_URL is \"clinic.livekit.cloud\"");
	told("SUPABASE_URL is");
	told("DEEPGRAM_URL is");
	told("OPENAI_BASE_URL is");
	told("SPEECH_BASE_URL is");
}

static void numbers_must_be_numbers_in_range(void **state)
{
	(void)state;
	static const char *const wrong[] = { "0", "1001", "-1", "ten", "5x",
					     "99999999999999999999", "1.5" };

	set_all();
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		setenv("FRONTDESK_MAX_CALLS", wrong[i], 1);
		assert_int_equal(load(NULL), ERR_CONFIG);
		assert_int_equal(n_faults(), 1);
		told("FRONTDESK_MAX_CALLS is");
		told("from 1 to 1000");
	}
	setenv("FRONTDESK_MAX_CALLS", "30", 1);
	setenv("FRONTDESK_GRACE", "0", 1);
	setenv("FRONTDESK_NO_UDP", "1", 1);
	assert_int_equal(load(NULL), 0);
	assert_int_equal(s.max_calls, 30);
	assert_int_equal(s.grace_ms, 0);
	assert_true(s.no_udp);
	setenv("FRONTDESK_NO_UDP", "yes", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	told("FRONTDESK_NO_UDP is \"yes\"");
}

static void the_log_knows_four_levels(void **state)
{
	(void)state;
	static const char *const right[] = { "debug", "info", "warn", "error" };

	set_all();
	for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
		setenv("FRONTDESK_LOG", right[i], 1);
		assert_int_equal(load(NULL), 0);
	}
	setenv("FRONTDESK_LOG", "verbose", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	assert_int_equal(n_faults(), 1);
	told("FRONTDESK_LOG is \"verbose\"");
}

static void certificates_must_be_there(void **state)
{
	(void)state;
	set_all();
	setenv("SSL_CERT_FILE", "/nowhere/ca.pem", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	assert_int_equal(n_faults(), 1);
	told("SSL_CERT_FILE is \"/nowhere/ca.pem\": cannot be read");
	setenv("FRONTDESK_CA_FILE", "/etc/hostname", 1); /* comes first */
	assert_int_equal(load(NULL), 0);
	unsetenv("SSL_CERT_FILE");
}

static void all_faults_are_told_together(void **state)
{
	(void)state;
	set_all();
	unsetenv("OPENAI_API_KEY");
	unsetenv("LIVEKIT_API_SECRET");
	setenv("LIVEKIT_SECRET", "x", 1);
	setenv("LIVEKIT_URL", "nonsense", 1);
	setenv("FRONTDESK_GRACE", "long", 1);
	setenv("FRONTDESK_CA_FILE", "/nowhere/ca.pem", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	assert_int_equal(n_faults(), 5);
	told("FRONTDESK_CA_FILE is \"/nowhere/ca.pem\": cannot be read");
}

static void earlier_faults_are_kept_and_not_ours(void **state)
{
	(void)state;
	set_all();
	buf_puts(&faults, ".env:3: not a NAME=value line\n");
	assert_int_equal(settings_load(&s, NULL, &faults), 0);
	assert_int_equal(n_faults(), 1);
}

static void agents_are_a_list(void **state)
{
	(void)state;
	set_all();
	setenv("LIVEKIT_AGENT_NAME", " reception , booking,,reception,night ",
	       1);
	assert_int_equal(load(NULL), 0);
	assert_string_equal(s.agent_names[0], "reception");
	assert_string_equal(s.agent_names[1], "booking");
	assert_string_equal(s.agent_names[2], "night");
	assert_null(s.agent_names[3]);
	setenv("LIVEKIT_AGENT_NAME", " , ,", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	told("LIVEKIT_AGENT_NAME");
	setenv("LIVEKIT_AGENT_NAME", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", 1);
	assert_int_equal(load(NULL), ERR_CONFIG);
	told("more than 16 names");
}

static void a_newline_behind_a_secret_is_dropped(void **state)
{
	(void)state;
	set_all();
	setenv("OPENAI_API_KEY", "sk-1\n", 1);
	setenv("LIVEKIT_URL", " wss://clinic.livekit.cloud\r\n", 1);
	assert_int_equal(load(NULL), 0);
	assert_string_equal(s.openai_key, "sk-1");
	assert_string_equal(s.livekit_url, "wss://clinic.livekit.cloud");
}

/* ---- .env --------------------------------------------------------------------------- */

static int dotenv(const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return settings_dotenv(path, &faults);
}

static void env_is(const char *name, const char *want)
{
	const char *got = getenv(name);

	assert_non_null(got);
	assert_string_equal(got, want);
}

static void a_dotenv_file_fills_the_environment(void **state)
{
	(void)state;
	assert_int_equal(dotenv("# keys\n"
				"\n"
				"A=plain\n"
				"  export B = spaced \n"
				"C=\"in quotes # whole\"\n"
				"D='single'\r\n"
				"E=value # comment\n"
				"F=\"quoted\" # comment\n"
				"G=a#b\n"
				"H=\n"
				"I=x=y\n"
				"J=\"half\n"
				"K=last"), 0);
	env_is("A", "plain");
	env_is("B", "spaced");
	env_is("C", "in quotes # whole");
	env_is("D", "single");
	env_is("E", "value");
	env_is("F", "quoted");
	env_is("G", "a#b");
	env_is("H", "");
	env_is("I", "x=y");
	env_is("J", "\"half");
	env_is("K", "last");
}

static void the_environment_wins_over_the_file(void **state)
{
	(void)state;
	setenv("A", "set", 1);
	assert_int_equal(dotenv("A=file\nB=file\n"), 0);
	env_is("A", "set");
	env_is("B", "file");
}

static void wrong_lines_are_told_by_number_and_the_rest_is_taken(void **state)
{
	(void)state;
	assert_int_equal(dotenv("A=1\nnonsense\n9B=2\nC D=3\nE=4\n"),
			 ERR_CONFIG);
	assert_int_equal(n_faults(), 3);
	told(":2: not a NAME=value line");
	told(":3: ");
	told(":4: ");
	env_is("A", "1");
	env_is("E", "4");
	assert_null(getenv("9B"));
}

static void no_file_is_no_fault(void **state)
{
	(void)state;
	assert_int_equal(settings_dotenv("/nowhere/.env", &faults), -ENOENT);
	assert_int_equal(faults.len, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_environment_is_taken),
		TEST(production_requires_all_and_tells_all_at_once),
		TEST(blank_is_missing),
		TEST(a_near_miss_is_answered_with_the_right_name),
		TEST(faults_never_show_a_secret),
		TEST(a_clinic_needs_less),
		TEST(cloud_run_without_an_environment_is_not_development),
		TEST(an_unknown_environment_is_a_fault),
		TEST(development_needs_nothing),
		TEST(a_key_in_development_means_the_real_provider),
		TEST(a_given_address_wins),
		TEST(addresses_must_be_addresses),
		TEST(numbers_must_be_numbers_in_range),
		TEST(the_log_knows_four_levels),
		TEST(certificates_must_be_there),
		TEST(all_faults_are_told_together),
		TEST(earlier_faults_are_kept_and_not_ours),
		TEST(agents_are_a_list),
		TEST(a_newline_behind_a_secret_is_dropped),
		TEST(a_dotenv_file_fills_the_environment),
		TEST(the_environment_wins_over_the_file),
		TEST(wrong_lines_are_told_by_number_and_the_rest_is_taken),
		TEST(no_file_is_no_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Addresses as operators write them. */
#include "unit.h"

#include "base/err.h"
#include "livekit/address_int.h"

static void any_spelling_leads_to_the_same_place(void **state)
{
	(void)state;
	static const struct { const char *base, *ws, *http; } table[] = {
		{ "ws://h:7880", "ws://h:7880/agent", "http://h:7880/agent" },
		{ "http://h:7880/", "ws://h:7880/agent", "http://h:7880/agent" },
		{ "HTTPS://h//", "wss://h/agent", "https://h/agent" },
		{ "wss://h.livekit.cloud", "wss://h.livekit.cloud/agent",
		  "https://h.livekit.cloud/agent" },
		{ "https://h/lk/", "wss://h/lk/agent", "https://h/lk/agent" },
		{ "wss://h/?x=1#y", "wss://h/agent", "https://h/agent" },
		{ "ws://[::1]:7880", "ws://[::1]:7880/agent", "http://[::1]:7880/agent" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct buf a = { 0 }, b = { 0 };
		assert_int_equal(address_ws(&a, table[i].base, "/agent"), 0);
		assert_int_equal(address_http(&b, table[i].base, "/agent"), 0);
		assert_string_equal(buf_str(&a), table[i].ws);
		assert_string_equal(buf_str(&b), table[i].http);
		buf_free(&a);
		buf_free(&b);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = { "", "h:7880", "ftp://h", "ws://",
					   "ws:///x", "wsx://h", "://h" };
	struct buf b = { 0 };

	assert_int_equal(address_ws(&b, NULL, "/"), ERR_CONFIG);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(address_ws(&b, bad[i], "/"), ERR_CONFIG);
	assert_int_equal(b.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_spelling_leads_to_the_same_place),
		cmocka_unit_test(what_is_no_address_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Addresses of services. */
#include "unit.h"

#include "base/err.h"
#include "io/io.h"

static void whole_addresses_come_apart(void **state)
{
	(void)state;
	static const struct {
		const char *text, *scheme, *host;
		int port;
		const char *path;
		bool tls;
	} good[] = {
		{ "http://a.example", "http", "a.example", 80, "/", false },
		{ "https://a.example/", "https", "a.example", 443, "/", true },
		{ "WSS://a.example/x/y?q=1&r=%20", "wss", "a.example", 443,
		  "/x/y?q=1&r=%20", true },
		{ "ws://127.0.0.1:7880/rtc", "ws", "127.0.0.1", 7880, "/rtc",
		  false },
		{ "https://[2001:db8::1]:8443", "https", "2001:db8::1", 8443,
		  "/", true },
		{ "http://h?q=1", "http", "h", 80, "/?q=1", false },
		{ "http://h/a#part", "http", "h", 80, "/a", false },
		{ "http://h#part", "http", "h", 80, "/", false },
		{ "http://h:65535/", "http", "h", 65535, "/", false },
	};

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct url u;
		assert_int_equal(url_parse(&u, good[i].text), 0);
		assert_string_equal(u.scheme, good[i].scheme);
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
		assert_string_equal(u.path, good[i].path);
		assert_int_equal(u.tls, good[i].tls);
	}
}

static void everything_else_is_refused_and_leaves_no_trace(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "example.com", "//example.com", "ftp://example.com",
		"http://", "http:///path", "http://:80", "http://h:0",
		"http://h:65536", "http://h:99999999999", "http://h:",
		"http://h:80x", "http://user@h/", "http://user:pw@h/",
		"http://[::1", "http://[]/", "http://h/a b", "http://h/\n",
		"http://h\r\nX: y/", "http://h\\x", "httpx://h", "http:/h",
	};
	struct url u = { .port = 77 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(url_parse(&u, bad[i]), ERR_CONFIG);
	assert_int_equal(url_parse(&u, NULL), ERR_CONFIG);
	assert_int_equal(u.port, 77);
}

static void lengths_have_an_end(void **state)
{
	(void)state;
	struct url u;
	char text[sizeof u.path + 100];

	for (size_t host = 250; host < 262; host++) {
		size_t n = (size_t)sprintf(text, "http://");
		memset(text + n, 'h', host);
		text[n + host] = 0;
		assert_int_equal(url_parse(&u, text),
				 host < sizeof u.host ? 0 : ERR_CONFIG);
	}
	for (size_t path = sizeof u.path - 8; path < sizeof u.path + 8;
	     path++) {
		size_t n = (size_t)sprintf(text, "http://h/");
		memset(text + n, 'p', path - 1);
		text[n + path - 1] = 0;
		assert_int_equal(url_parse(&u, text),
				 path < sizeof u.path ? 0 : ERR_CONFIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_addresses_come_apart),
		cmocka_unit_test(
			everything_else_is_refused_and_leaves_no_trace),
		cmocka_unit_test(lengths_have_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

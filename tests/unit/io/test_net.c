/* Which proxy, and lists of header lines. */
#include "unit.h"

#include "base/err.h"
#include "io/net_int.h"

static struct proxy find(const char *url)
{
	struct proxy p = { .port = -1 };
	struct url u;

	assert_int_equal(url_parse(&u, url), 0);
	assert_int_equal(proxy_find(&p, &u), 0);
	return p;
}

static void tls_takes_the_proxy_of_the_environment(void **state)
{
	(void)state;
	assert_string_equal(find("https://a.example").host, "");
	setenv("HTTPS_PROXY", "http://proxy.local:3128", 1);
	assert_string_equal(find("https://a.example").host, "proxy.local");
	assert_int_equal(find("wss://a.example").port, 3128);
	assert_string_equal(find("http://a.example").host, "");
	assert_string_equal(find("ws://a.example").host, "");
	/* the lower-case name wins, the scheme may be absent */
	setenv("https_proxy", "u:p@w@10.0.0.1:80", 1);
	assert_string_equal(find("https://a.example").host, "10.0.0.1");
	assert_string_equal(find("https://a.example").auth, "u:p@w");
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
}

static void exempt_hosts_go_directly(void **state)
{
	(void)state;
	static const struct {
		const char *list, *url;
		bool direct;
	} cases[] = {
		{ "a.example", "https://a.example", true },
		{ "a.example", "https://b.a.example", true },
		{ ".a.example", "https://b.a.example", true },
		{ ".a.example", "https://a.example", true },
		{ "a.example", "https://ba.example", false },
		{ "x, A.Example ,y", "https://a.example", true },
		{ "127.0.0.1,localhost", "wss://127.0.0.1:8443", true },
		{ "*", "https://a.example", true },
		{ "", "https://a.example", false },
		{ ",,", "https://a.example", false },
	};

	setenv("https_proxy", "http://proxy:1", 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		setenv("no_proxy", cases[i].list, 1);
		bool direct = !find(cases[i].url).host[0];
		assert_int_equal(direct, cases[i].direct);
	}
	unsetenv("no_proxy");
	unsetenv("https_proxy");
}

static void a_proxy_that_cannot_be_read_is_a_mistake(void **state)
{
	(void)state;
	struct proxy p = { .port = 5 };
	struct url u;

	assert_int_equal(url_parse(&u, "https://a.example"), 0);
	setenv("https_proxy", "socks5://x:1080", 1);
	assert_int_equal(proxy_find(&p, &u), ERR_CONFIG);
	setenv("https_proxy", "http://x:port", 1);
	assert_int_equal(proxy_find(&p, &u), ERR_CONFIG);
	assert_int_equal(p.port, 5);
	unsetenv("https_proxy");
}

static void headers_are_found_by_name(void **state)
{
	(void)state;
	struct buf h = { 0 };

	assert_null(headers_find(&h, "a"));
	headers_add(&h, "HTTP/1.1 200 OK\r\n", 17);
	headers_add(&h, "Content-Type:text/plain\r\n", 25);
	headers_add(&h, "X-Id:   7 a\n", 12);
	headers_add(&h, "Empty:\r\n", 8);
	headers_add(&h, "\r\n", 2);
	assert_string_equal(headers_find(&h, "content-type"), "text/plain");
	assert_string_equal(headers_find(&h, "x-id"), "7 a");
	assert_string_equal(headers_find(&h, "Empty"), "");
	assert_null(headers_find(&h, "X-I"));
	assert_null(headers_find(&h, "Id"));
	buf_free(&h);
}

static void lists_are_copied_or_refused(void **state)
{
	(void)state;
	const char *list[] = { "A: 1", "B: 2", NULL };
	char **copy = headers_copy(list);

	assert_string_equal(copy[1], "B: 2");
	assert_ptr_not_equal(copy[1], list[1]);
	assert_null(copy[2]);
	headers_free(copy);
	copy = headers_copy(NULL);
	assert_null(copy[0]);
	headers_free(copy);
	list[1] = "B: 2\nC: 3";
	assert_null(headers_copy(list));
	headers_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tls_takes_the_proxy_of_the_environment),
		cmocka_unit_test(exempt_hosts_go_directly),
		cmocka_unit_test(a_proxy_that_cannot_be_read_is_a_mistake),
		cmocka_unit_test(headers_are_found_by_name),
		cmocka_unit_test(lists_are_copied_or_refused),
	};
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* URLs of relays. */
#include "unit.h"

#include "base/err.h"
#include "rtc/turn_int.h"

static void the_forms_that_servers_send_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum turn_kind kind;
		const char *host;
		int port;
	} all[] = {
		{ "turn:relay.test:3478?transport=udp", TURN_UDP, "relay.test", 3478 },
		{ "turn:relay.test", TURN_UDP, "relay.test", 3478 },
		{ "turn:10.0.0.1:80?transport=tcp", TURN_TCP, "10.0.0.1", 80 },
		{ "turns:relay.test:443?transport=tcp", TURN_TLS, "relay.test", 443 },
		{ "turns:relay.test", TURN_TLS, "relay.test", 5349 },
		{ "turns:[fd00::1]:443", TURN_TLS, "fd00::1", 443 },
		{ "turn:[fd00::1]", TURN_UDP, "fd00::1", 3478 },
		{ "stun:stun.test:19302", TURN_STUN, "", 0 },
	};
	struct turn_url u;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_int_equal(turn_url_parse(&u, all[i].text), 0);
		assert_int_equal(u.kind, all[i].kind);
		assert_string_equal(u.host, all[i].host);
		assert_int_equal(u.port, all[i].port);
	}
}

static void others_are_refused(void **state)
{
	(void)state;
	static const char *const all[] = {
		"", "http://relay.test", "turn:", "turn::3478", "turn:a:0",
		"turn:a:65536", "turn:a:12x", "turn:[fd00::1", "turn:[fd00::1]x",
		"turns:a?transport=udp", "turn:?transport=tcp",
	};
	struct turn_url u = { .port = 7 };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		assert_int_equal(turn_url_parse(&u, all[i]), ERR_CONFIG);
	assert_int_equal(u.port, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_forms_that_servers_send_are_read),
		cmocka_unit_test(others_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

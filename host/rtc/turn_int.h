/* TURN and STUN URLs (RFC 7064, 7065). Pure. */
#ifndef FD_RTC_TURN_INT_H
#define FD_RTC_TURN_INT_H

enum turn_kind { TURN_STUN, TURN_UDP, TURN_TCP, TURN_TLS };

struct turn_url {
	enum turn_kind kind;
	char host[256];
	int port;
};

/* 0, or ERR_CONFIG when text is none that we can use. */
int turn_url_parse(struct turn_url *ret, const char *text);

#endif

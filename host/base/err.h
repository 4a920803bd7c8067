/*
 * Results. Every function that can fail returns int: 0 or more is success,
 * below 0 is a negative errno (libuv's codes are the same numbers on Linux)
 * or one of the codes here. Out parameters named ret_* stay untouched on
 * failure. Only the layer that decides what to do logs.
 */
#ifndef FD_BASE_ERR_H
#define FD_BASE_ERR_H

#include <errno.h>

enum {
	ERR_AUTH = -10001,     /* credentials refused (HTTP 401, 403) */
	ERR_LIMIT = -10002,    /* rate or quota exceeded (HTTP 429) */
	ERR_REQUEST = -10003,  /* our request was wrong (other HTTP 4xx) */
	ERR_SERVER = -10004,   /* the other side failed (HTTP 5xx) */
	ERR_PROTOCOL = -10005, /* the other side said what we cannot read */
	ERR_CLOSED = -10006,   /* the other side closed before the end */
	ERR_STALLED = -10007,  /* open, but nothing came for too long */
	ERR_EMPTY = -10008,    /* finished without any result */
	ERR_CONFIG = -10009,   /* configuration missing or wrong */
	ERR_FULL = -10010,     /* no capacity left; try later or elsewhere */
	ERR_GONE = -10011,     /* the call, room or object is over */
};

/* [any] Short constant name ("ERR_AUTH", "ETIMEDOUT"). Never NULL. */
const char *err_name(int r);

/* [any] One phrase for people ("credentials refused"). Never NULL. */
const char *err_text(int r);

/* [any] The code for an HTTP status: 0 for 1xx-3xx, else ERR_* as above. */
int err_from_http(long status);

#endif

/* One request and the multi handle that carries all, inside the folder. */
#ifndef FD_IO_HTTP_INT_H
#define FD_IO_HTTP_INT_H

#include <curl/curl.h>

#include "base/buf.h"
#include "io/loop_int.h"
#include "io/net_int.h"

struct http_host {
	struct loop *loop;
	CURLM *multi;
	struct timer timer;    /* curl's own */
	struct timer deliver;  /* news made outside a socket event */
	struct http *all;
	bool in_curl;
	bool closing;
};

struct http {
	struct http_host *host;
	struct http *next, **at;
	/* NULL after http_cancel() or on_done */
	const struct http_ops *ops;
	void *arg;

	/* the request */
	CURL *easy;
	bool added;             /* to the multi handle */
	struct curl_slist *lines, *pinned;
	uint8_t *body;
	struct url url;
	struct proxy proxy;
	struct resolve *req;
	int first_byte_ms, idle_ms;
	size_t max_body;
	struct timer first_byte, idle, total;

	/* the answer, as curl hands it over and not yet told */
	struct buf headers;
	struct buf data;
	long status;
	bool headers_whole, headers_told;
	bool done;
	int err;
};

/* http_curl.c: curl over uv. Callbacks of curl only note; http_news() tells
 * the owners, outside of curl, where starting and cancelling are allowed. */
int http_curl_create(struct http_host *h);
void http_curl_destroy(struct http_host *h);
void http_news(struct http_host *h);
size_t http_take_header(char *p, size_t size, size_t n, void *arg);
size_t http_take_body(char *p, size_t size, size_t n, void *arg);
int http_err_from_curl(CURLcode c, CURL *easy);

#endif

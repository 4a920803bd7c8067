/* The listener and the bridges of a TURN over TLS tunnel. [media] */
#include "rtc/turn_tls_int.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <glib-unix.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/str.h"
#include "rtc/bridge_int.h"

/* libnice opens one connection for each local address of the family. */
enum { BRIDGES_MAX = 8 };

struct tunnel {
	struct tunnel *next;
	GMainContext *context;
	SSL_CTX *ctx;
	char name[256];
	struct sockaddr_storage to;
	tunnel_failed_h *fn;
	void *arg;
	int listener;
	GSource *source;
	struct bridge *bridges[BRIDGES_MAX];
};

static void on_bridge_end(void *arg, struct bridge *b, const char *why)
{
	struct tunnel *t = arg;

	for (size_t i = 0; i < BRIDGES_MAX; i++) {
		if (t->bridges[i] == b)
			t->bridges[i] = NULL;
	}
	bridge_destroy(b);
	if (why && t->fn)
		t->fn(t->arg, why);
}

static size_t free_place(const struct tunnel *t)
{
	size_t i = 0;

	while (i < BRIDGES_MAX && t->bridges[i])
		i++;
	return i;
}

static gboolean on_connection(gint fd, GIOCondition cond, gpointer arg)
{
	struct tunnel *t = arg;
	int local = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	size_t place = free_place(t);

	(void)cond;
	if (local < 0)
		return G_SOURCE_CONTINUE;
	if (place == BRIDGES_MAX) {
		close(local);
		return G_SOURCE_CONTINUE;
	}
	int r = bridge_create(&t->bridges[place], t->context, local, t->ctx,
			      t->name, &t->to, on_bridge_end, t);
	if (r < 0 && t->fn)
		t->fn(t->arg, "cannot connect");
	return G_SOURCE_CONTINUE;
}

static int open_listener(struct tunnel *t, int *ret_port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof at;

	t->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			     0);
	if (t->listener < 0)
		return -errno;
	if (bind(t->listener, (struct sockaddr *)&at, sizeof at) < 0 ||
	    listen(t->listener, BRIDGES_MAX) < 0 ||
	    getsockname(t->listener, (struct sockaddr *)&at, &len) < 0)
		return -errno;
	*ret_port = ntohs(at.sin_port);
	return 0;
}

static void tunnel_destroy(struct tunnel *t)
{
	for (size_t i = 0; i < BRIDGES_MAX; i++)
		bridge_destroy(t->bridges[i]);
	if (t->source) {
		g_source_destroy(t->source);
		g_source_unref(t->source);
	}
	if (t->listener >= 0)
		close(t->listener);
	g_main_context_unref(t->context);
	SSL_CTX_free(t->ctx);
	free(t);
}

int tunnel_create(struct tunnel **list, struct _GMainContext *context,
		  struct ssl_ctx_st *ctx, const char *name,
		  const struct sockaddr_storage *to, tunnel_failed_h *fn,
		  void *arg, int *ret_port)
{
	struct tunnel *t = calloc(1, sizeof *t);
	int port = 0;

	if (!t)
		return -ENOMEM;
	t->context = g_main_context_ref(context);
	SSL_CTX_up_ref(ctx);
	t->ctx = ctx;
	t->to = *to;
	t->fn = fn;
	t->arg = arg;
	t->listener = -1;
	int r = str_copy(t->name, sizeof t->name, name) ? 0 : -ENAMETOOLONG;
	if (r == 0)
		r = open_listener(t, &port);
	if (r < 0) {
		tunnel_destroy(t);
		return r;
	}
	t->source = g_unix_fd_source_new(t->listener, G_IO_IN);
	g_source_set_callback(t->source, (GSourceFunc)(void (*)(void))on_connection,
			      t, NULL);
	g_source_attach(t->source, context);
	t->next = *list;
	*list = t;
	*ret_port = port;
	return 0;
}

void tunnels_forget_owner(struct tunnel *list)
{
	for (; list; list = list->next)
		list->fn = NULL;
}

void tunnels_destroy(struct tunnel *list)
{
	while (list) {
		struct tunnel *next = list->next;
		tunnel_destroy(list);
		list = next;
	}
}

/*
 * TURN over TLS for libnice, which has none: a listener on 127.0.0.1 that
 * libnice takes for a TURN server on TCP; what it writes goes on through a TLS
 * connection whose certificate must bear the server's name. Non-blocking, on
 * the media thread's GLib context. [media] unless noted
 */
#ifndef FD_RTC_TURN_TLS_INT_H
#define FD_RTC_TURN_TLS_INT_H

#include <stddef.h>

struct sockaddr_storage;
struct tunnel;
struct _GMainContext;
struct ssl_ctx_st;

/* A connection through the tunnel failed; why is one phrase. */
typedef void (tunnel_failed_h)(void *arg, const char *why);

/* [loop] The SSL_CTX for that bundle (NULL: the system's), made once and kept;
 * 0 or ERR_CONFIG. */
int tunnel_ctx(struct ssl_ctx_st **ret_ctx, const char *ca_file);
/* [loop] Drops all of them. */
void tunnel_ctx_stop(void);

/* Opens a tunnel to the address (port included) of the server called name
 * and puts it at the head of list. ret_port: where libnice finds it. */
int tunnel_create(struct tunnel **list, struct _GMainContext *context,
		  struct ssl_ctx_st *ctx, const char *name,
		  const struct sockaddr_storage *to, tunnel_failed_h *fn,
		  void *arg, int *ret_port);
/* No more failures are reported. NULL is fine in both. */
void tunnels_forget_owner(struct tunnel *list);
void tunnels_destroy(struct tunnel *list);

#endif

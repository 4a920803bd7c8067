/* One connection of a tunnel: an accepted local socket on one side, TLS on the
 * other, bytes moved both ways with bounded buffers. [media] */
#ifndef FD_RTC_BRIDGE_INT_H
#define FD_RTC_BRIDGE_INT_H

struct bridge;
struct sockaddr_storage;
struct ssl_ctx_st;
struct _GMainContext;

/* The bridge is over; why is NULL when a side simply closed. The callee
 * destroys b. */
typedef void (bridge_end_h)(void *arg, struct bridge *b, const char *why);

/* Takes local (also on failure). name: what the certificate must bear. */
int bridge_create(struct bridge **ret_bridge, struct _GMainContext *context,
		  int local, struct ssl_ctx_st *ctx, const char *name,
		  const struct sockaddr_storage *to, bridge_end_h *fn,
		  void *arg);
void bridge_destroy(struct bridge *b); /* NULL is fine */

#endif

/*
 * The path of one peer: a libnice agent with one stream and one component,
 * controlling, trickling. Host candidates are known when ice_create() returns;
 * relays come later. All of it on one media thread's GLib context. [media]
 */
#ifndef FD_RTC_ICE_INT_H
#define FD_RTC_ICE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ice;
struct _GMainContext;

enum ice_state { ICE_WORKING, ICE_READY, ICE_FAILED };

/* No callback runs inside ice_create() or after ice_close(). */
struct ice_ops {
	/* One datagram; its bytes may be changed in place. */
	void (*on_packet)(void *arg, uint8_t *p, size_t n);
	/* A local candidate found later (relay), as "candidate:..." text. */
	void (*on_candidate)(void *arg, const char *candidate);
	void (*on_state)(void *arg, enum ice_state state);
	/* The pair in use changed: "udp host 127.0.0.1:7882"; how we send
	 * (udp, tcp, tls), our end's kind, whom we reach. */
	void (*on_pair)(void *arg, const char *pair);
};

struct ice_cfg {
	bool no_udp;     /* no UDP sockets of ours: ICE/TCP and relays */
	bool relay_only;
	bool loopback;   /* 127.0.0.1 is a local address too */
};

/* 0, or -EADDRNOTAVAIL when the machine has no usable address. */
int ice_create(struct ice **ret_ice, struct _GMainContext *ctx,
	       const struct ice_cfg *cfg, const struct ice_ops *ops, void *arg);
/* Releases relays and sockets. With relays that takes a round trip: released
 * (may be NULL) runs when nothing of it is left, at once or later on the same
 * thread. i NULL is fine. */
typedef void (ice_released_h)(void *arg);
void ice_close(struct ice *i, ice_released_h *released, void *arg);

/* Our credentials; borrowed until ice_restart(). */
const char *ice_ufrag(const struct ice *i);
const char *ice_pwd(const struct ice *i);
/* Candidates so far that may be told to the other side; borrowed. */
const char *const *ice_candidates(const struct ice *i, size_t *ret_n);

/* Opens and closes a path once for the process: what libnice and GLib do at
 * their first use (types, the machine's addresses) no call has to wait for,
 * and no two threads do it at once. Failure is not told. [loop] */
void ice_warm(void);

/* What the answer says; repeating the same is harmless. */
int ice_set_remote(struct ice *i, const char *ufrag, const char *pwd);
/* One remote candidate; kept until ice_set_remote(). 0 also for those that we
 * cannot use; ERR_PROTOCOL for what is none; -ENOSPC beyond 64. */
int ice_add_remote(struct ice *i, const char *candidate);
enum ice_relay {
	ICE_RELAY_UDP,
	ICE_RELAY_TCP,
	ICE_RELAY_TLS, /* TCP to our own tunnel (turn_tls.c) */
};
/* One TURN server by address; gathers from it at once. */
int ice_add_relay(struct ice *i, enum ice_relay kind, const char *ip, int port,
		  const char *username, const char *credential);
/* New credentials of ours on the same sockets; the remote ones are forgotten
 * until the next ice_set_remote(). */
int ice_restart(struct ice *i);

/* Sends one datagram over the pair in use; 0, or -EAGAIN when there is none
 * or the socket is full (the packet is lost then). Safe on the beat as far as
 * a system call is. */
int ice_send(struct ice *i, const uint8_t *p, size_t n);

/* Agents that are still releasing relays, of all threads (for rtc_stop). */
int ice_closing(void);

#endif

/*
 * robot: a caller made of the same code as the agent: joins a room, asks for
 * the agent, speaks WAV files when it is its turn, listens and measures. On
 * the loop. Private to cli.
 */
#ifndef FD_CLI_ROBOT_H
#define FD_CLI_ROBOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "livekit/livekit.h"

enum { ROBOT_TURNS_MAX = 32 };

struct robot_speech { /* 24 kHz mono, shared by all robots */
	int16_t *pcm;
	size_t n;
};

struct robot_cfg {
	struct lk_account account;
	const char *agent, *metadata;
	const char *ca_file;
	const struct robot_speech *speech;
	size_t n_speech;
	const char *record;  /* stereo WAV: caller left, agent right; NULL */
	int over_ms;         /* speak this long after the agent began; 0: wait */
	int limit_ms;        /* of the whole call */
	bool show;           /* print words as they happen */
	bool no_udp;
};

struct robot_turn { /* -1: never came */
	int reply_ms;        /* end of our speech to the agent's first voice */
	int cut_ms;          /* our first packet over the agent to its silence */
	int64_t said_us;     /* our first packet left, clock_mono_us() */
	int64_t heard_us;    /* the agent's first voice after it */
};

struct robot_result {
	char room[32];
	bool joined, greeted, ended_by_agent;
	int join_ms;         /* start to media connected */
	int greeting_ms;     /* start to the agent's first voice */
	int first_rtp_ms;    /* start to the agent's first packet */
	int longest_gap_ms;  /* longest silence after our speech */
	struct robot_turn turns[ROBOT_TURNS_MAX];
	size_t n_turns;
	struct rtc_stats link;
	uint64_t lost, concealed;
	const char *why;     /* when it failed */
};

struct robot;
/* Told once when the call is over; the robot is freed after it. */
typedef void (robot_h)(void *arg, struct robot *r,
		       const struct robot_result *res);
int robot_start(struct robot **ret_robot, struct loop *l, struct media *m,
		const struct robot_cfg *cfg, robot_h *fn, void *arg);
/* Hangs up now. */
void robot_stop(struct robot *r);

#endif

/* frontdesk call: robots that phone the agent, and their figures. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/figures.h"
#include "cli/robot.h"
#include "cli/wav.h"
#include "job/job.h"

static const char help[] =
"usage: frontdesk call [options] [SPEECH.wav ...]\n\n"
"Phones the agent through LiveKit, speaks each WAV file when it is its turn,\n"
"prints both sides' words and figures.\n\n"
"  --agent NAME    which agent (LIVEKIT_AGENT_NAME, or frontdesk)\n"
"  --metadata JSON of the dispatch, such as {\"clinic\":\"bright-smile\"}\n"
"  --calls N       this many at once (1)\n"
"  --stagger MS    between their starts (0)\n"
"  --over MS       speak over the agent this long after it began\n"
"  --record FILE   stereo WAV of the first call: caller left, agent right\n"
"  --limit SECONDS of each call (120)\n"
"  --no-udp        ICE over TCP only\n"
"  --json          one line of figures instead of the table\n"
"  --token         print a token for a browser that calls the agent, and end\n";

enum { SPEECH_MAX = ROBOT_TURNS_MAX, MEDIA_MAX = 2 };

struct run {
	struct robot_cfg cfg;
	struct robot_speech speech[SPEECH_MAX];
	struct loop *loop;
	struct media *media[MEDIA_MAX];
	struct robot **robots;
	int calls, started, open, stagger_ms;
	bool json, token, help;
	struct timer start;
	uv_signal_t sigint, sigterm;
	struct figures *figures;
};

static int load_speech(struct run *r, char **files, int n)
{
	for (int i = 0; i < n; i++) {
		const char *why = NULL;
		struct robot_speech *s = &r->speech[i];
		if (i == SPEECH_MAX) {
			fprintf(stderr, "at most %d WAV files\n", SPEECH_MAX);
			return ERR_REQUEST;
		}
		int err = wav_read(files[i], 24000, &s->pcm, &s->n, &why);
		if (err < 0) {
			fprintf(stderr, "%s: %s\n", files[i],
				why ? why : err_text(err));
			return err;
		}
		r->cfg.n_speech++;
	}
	r->cfg.speech = r->speech;
	return 0;
}

static bool number(const char *text, int least, int most, int *out)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < least || n > most) {
		fprintf(stderr, "\"%s\": a whole number from %d to %d is "
			"wanted\n", text, least, most);
		return false;
	}
	*out = (int)n;
	return true;
}

static int parse(struct run *r, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "agent", required_argument, NULL, 'a' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "calls", required_argument, NULL, 'n' },
		{ "stagger", required_argument, NULL, 's' },
		{ "over", required_argument, NULL, 'o' },
		{ "record", required_argument, NULL, 'r' },
		{ "limit", required_argument, NULL, 'l' },
		{ "no-udp", no_argument, NULL, 'u' },
		{ "json", no_argument, NULL, 'j' },
		{ "token", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 } };
	int opt, seconds = 120;
	bool ok = true;

	optind = 1;
	while (ok && (opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (opt) {
		case 'a':
			r->cfg.agent = optarg;
			break;
		case 'm':
			r->cfg.metadata = optarg;
			break;
		case 'n':
			ok = number(optarg, 1, 200, &r->calls);
			break;
		case 's':
			ok = number(optarg, 0, 60000, &r->stagger_ms);
			break;
		case 'o':
			ok = number(optarg, 1, 60000, &r->cfg.over_ms);
			break;
		case 'r':
			r->cfg.record = optarg;
			break;
		case 'l':
			ok = number(optarg, 1, 3600, &seconds);
			break;
		case 'u':
			r->cfg.no_udp = true;
			break;
		case 'j':
			r->json = true;
			break;
		case 't':
			r->token = true;
			break;
		case 'h':
			r->help = true;
			break;
		default:
			ok = false;
		}
	}
	r->cfg.limit_ms = seconds * 1000;
	return ok ? optind : ERR_REQUEST;
}

/* ---- running ----------------------------------------------------------------- */

static void on_robot(void *arg, struct robot *robot,
		     const struct robot_result *res)
{
	struct run *r = arg;

	for (int i = 0; i < r->started; i++) {
		if (r->robots[i] == robot)
			r->robots[i] = NULL;
	}
	figures_add(r->figures, res);
	r->open--;
	if (!r->open && r->started == r->calls)
		loop_stop(r->loop);
}

static void start_next(void *arg)
{
	struct run *r = arg;

	do {
		struct robot_cfg cfg = r->cfg;
		int i = r->started++;
		cfg.show = r->calls == 1 && !r->json;
		if (i > 0)
			cfg.record = NULL;
		int err = robot_start(&r->robots[i], r->loop,
				      r->media[i % MEDIA_MAX], &cfg, on_robot, r);
		if (err < 0) {
			fprintf(stderr, "call %d: %s\n", i + 1, err_text(err));
			struct robot_result none = { .why = err_text(err) };
			r->open++;
			on_robot(r, NULL, &none);
			continue;
		}
		r->open++;
	} while (!r->stagger_ms && r->started < r->calls);
	if (r->started < r->calls)
		timer_start(&r->start, r->stagger_ms);
}

static void on_signal(uv_signal_t *h, int signum)
{
	struct run *r = h->data;

	(void)signum;
	timer_stop(&r->start);
	r->calls = r->started;
	for (int i = 0; i < r->started; i++) {
		if (r->robots[i])
			robot_stop(r->robots[i]);
	}
	if (!r->open)
		loop_stop(r->loop);
}

static void listen_for_signals(struct run *r)
{
	uv_signal_init(loop_uv(r->loop), &r->sigint);
	uv_signal_init(loop_uv(r->loop), &r->sigterm);
	r->sigint.data = r->sigterm.data = r;
	uv_signal_start(&r->sigint, on_signal, SIGINT);
	uv_signal_start(&r->sigterm, on_signal, SIGTERM);
}

static int run_calls(struct run *r)
{
	int err = loop_create(&r->loop, r->cfg.ca_file);

	for (int i = 0; i < MEDIA_MAX && err >= 0; i++)
		err = media_create(&r->media[i], i);
	if (err >= 0)
		err = rtc_start(r->loop, r->media[0]);
	if (err >= 0) {
		timer_init(&r->start, loop_clock(r->loop), start_next, r);
		timer_start(&r->start, 0);
		listen_for_signals(r);
		loop_run(r->loop);
		/* open handles would make the loop wait for them */
		uv_close((uv_handle_t *)&r->sigint, NULL);
		uv_close((uv_handle_t *)&r->sigterm, NULL);
		rtc_stop();
	}
	for (int i = 0; i < MEDIA_MAX; i++)
		media_destroy(r->media[i]);
	loop_destroy(r->loop);
	return err;
}

static int print_token(const struct run *r)
{
	char *room = random_id("call-", 10);
	struct lk_grant grant = {
		.identity = "you", .name = "You", .room = room,
		.room_join = true, .update_metadata = true,
		.dispatch_agent = r->cfg.agent,
		.dispatch_metadata = r->cfg.metadata, .ttl_s = 3600 };
	char *token = lk_token(&r->cfg.account, &grant, clock_wall_ms() / 1000);

	printf("url    %s\ntoken  %s\n", r->cfg.account.url, token);
	free(token);
	free(room);
	return EXIT_DONE;
}

int cli_call(int argc, char **argv)
{
	struct run r = { .calls = 1 };
	struct settings s = { 0 };
	struct clinic needs = { 0 };
	struct buf faults = { 0 };
	int code = EXIT_DONE;

	int first = parse(&r, argc, argv);
	if (first < 0 || r.help) {
		fputs(help, r.help ? stdout : stderr);
		return r.help ? EXIT_DONE : EXIT_USAGE_WRONG;
	}
	settings_dotenv(".env", &faults);
	log_set(LOG_WARN, false);
	if (settings_load(&s, &needs, &faults) < 0) {
		fprintf(stderr, "frontdesk call cannot start:\n%s",
			buf_str(&faults));
		code = EXIT_CONFIGURATION;
		goto out;
	}
	r.cfg.account = (struct lk_account){ s.livekit_url, s.livekit_key,
					     s.livekit_secret };
	r.cfg.ca_file = s.ca_file;
	if (!r.cfg.agent)
		r.cfg.agent = s.agent_names[0];
	if (r.token) {
		code = print_token(&r);
		goto out;
	}
	if (load_speech(&r, argv + first, argc - first) < 0) {
		code = EXIT_USAGE_WRONG;
		goto out;
	}
	r.robots = calloc((size_t)r.calls, sizeof *r.robots);
	r.figures = figures_create();
	if (run_calls(&r) < 0)
		code = EXIT_INTERNAL;
	else
		code = figures_print(r.figures, stdout, r.json) ?
		       EXIT_DONE : EXIT_UNREACHABLE;
out:
	for (size_t i = 0; i < r.cfg.n_speech; i++)
		free(r.speech[i].pcm);
	figures_destroy(r.figures);
	free(r.robots);
	settings_free(&s);
	buf_free(&faults);
	return code;
}

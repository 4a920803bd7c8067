/*
 * Plays a .call fixture on virtual time against the turn machine: events in,
 * expected actions out. Usage: run_call [-v] file.call
 *
 *	# a comment; the first line says why the fixture is there
 *	cfg idle_ms=3000 uninterruptible=1      before the first event
 *	watch state arm flush                    shown and expected only then
 *	+900  speech.on                         900 ms later
 *	5000  stt.final "Wednesday please"      at 5 s
 *	      expect turn "Wednesday please" interrupted
 *	+300  expect line filler                came within these 300 ms
 *	      expect line hold within 2000      comes within the next 2 s
 *	      expect nothing within 2000
 *
 * Events: start speech.on speech.off paused [epoch] resumed [epoch]
 * stt.interim stt.final stt.end typed dtmf sound [filler] sound.end [more]
 * quiet work failed hangup END await KIND [DIGITS] lock unlock; greeted stands for a
 * start whose greeting has been heard 2 s later. Actions are matched in
 * order; one that nobody expects before the next event fails the fixture.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "call/turn.h"

enum { TRACE_MAX = 512, SAME_MOMENT_MAX = 50 };

struct entry {
	int64_t at_ms;
	char *text;
	bool event; /* went in; else an action that came out */
};

struct run {
	const char *path;
	int line;
	struct turn turn;
	bool begun;
	int64_t now_ms;
	struct turn_cfg cfg;
	bool watch_state, watch_arm, watch_flush;
	struct entry trace[TRACE_MAX];
	int n_trace;
	int seen; /* entries before this one are matched */
};

/* ---- what the machine does, as text ------------------------------------------ */

static const char *const end_names[] = {
	[CALL_END_CALLER] = "caller", [CALL_END_AGENT] = "agent",
	[CALL_END_TRANSFERRED] = "transferred", [CALL_END_SILENT] = "silent",
	[CALL_END_LONGEST] = "longest", [CALL_END_SHUTDOWN] = "shutdown",
	[CALL_END_NO_CALLER] = "no_caller", [CALL_END_LOST] = "lost",
	[CALL_END_ERROR] = "error",
};
enum { N_ENDS = sizeof end_names / sizeof *end_names };

static char *action_text(const struct turn_action *a)
{
	switch (a->type) {
	case TA_ARM:
		return str_printf("arm %s", a->flag ? "on" : "off");
	case TA_RESUME:
		return str_dup("resume");
	case TA_CUT:
		return str_dup("cut");
	case TA_FLUSH:
		return str_dup("flush");
	case TA_SPECULATE:
		return str_printf("speculate \"%s\"", a->text);
	case TA_UNSPECULATE:
		return str_dup("unspeculate");
	case TA_CANCEL:
		return str_dup("cancel");
	case TA_TURN:
		return str_printf("turn \"%s\"%s%s", a->text,
				  a->n ? " typed" : "",
				  a->flag ? " interrupted" : "");
	case TA_LINE:
		return str_printf("line %s", a->text);
	case TA_STATE:
		return str_printf("state %s", a->text);
	case TA_SILENCE:
		return str_printf("silence %d", a->n);
	case TA_END:
		return str_printf("end %s", end_names[a->n]);
	case TA_FAREWELL:
		return str_printf("farewell %s", end_names[a->n]);
	}
	abort();
}

static bool watched(const struct run *r, const struct turn_action *a)
{
	if (a->type == TA_STATE)
		return r->watch_state;
	if (a->type == TA_ARM)
		return r->watch_arm;
	return a->type != TA_FLUSH || r->watch_flush;
}

/* ---- the trace ------------------------------------------------------------------ */

static void show_trace(const struct run *r)
{
	fprintf(stderr, "  what happened (> in, < out, * not expected yet):\n");
	for (int i = 0; i < r->n_trace; i++) {
		const struct entry *e = &r->trace[i];
		fprintf(stderr, "  %c%c %7lld  %s\n",
			!e->event && i >= r->seen ? '*' : ' ',
			e->event ? '>' : '<', (long long)e->at_ms, e->text);
	}
}

static void end_run(struct run *r)
{
	for (int i = 0; i < r->n_trace; i++)
		free(r->trace[i].text);
	if (r->begun)
		turn_finish(&r->turn);
}

static void fail(struct run *r, const char *what, const char *detail)
{
	fprintf(stderr, "%s:%d: %s%s%s\n", r->path, r->line, what,
		detail ? ": " : "", detail ? detail : "");
	show_trace(r);
	end_run(r);
	exit(1);
}

static void trace(struct run *r, bool event, char *text)
{
	if (r->n_trace == TRACE_MAX) {
		free(text);
		fail(r, "the trace is too long", NULL);
	}
	r->trace[r->n_trace++] = (struct entry){
		.at_ms = r->now_ms, .text = text, .event = event };
}

/* The first action that nobody has expected yet, NULL if none. */
static const struct entry *unseen(struct run *r)
{
	while (r->seen < r->n_trace && r->trace[r->seen].event)
		r->seen++;
	return r->seen < r->n_trace ? &r->trace[r->seen] : NULL;
}

/* ---- time and events ------------------------------------------------------------- */

static void begin(struct run *r)
{
	if (!r->begun)
		turn_init(&r->turn, &r->cfg);
	r->begun = true;
}

static void take_out(struct run *r, struct turn_out *out)
{
	for (int i = 0; i < out->n; i++) {
		if (watched(r, &out->v[i]))
			trace(r, false, action_text(&out->v[i]));
	}
	turn_out_clear(out);
}

static void step(struct run *r, struct turn_event *e)
{
	struct turn_out out = { 0 };

	begin(r);
	e->at_ms = r->now_ms;
	turn_step(&r->turn, e, &out);
	take_out(r, &out);
}

/* Lets time pass until then, or until an action comes if to_action. */
static void advance(struct run *r, int64_t until_ms, bool to_action)
{
	int at_once = 0;

	begin(r);
	while (!to_action || !unseen(r)) {
		int64_t due = turn_due(&r->turn);
		if (due < 0 || due > until_ms)
			break;
		at_once = due > r->now_ms ? 0 : at_once + 1;
		if (at_once > SAME_MOMENT_MAX)
			fail(r, "ticks for ever at one moment", NULL);
		if (due > r->now_ms)
			r->now_ms = due;
		step(r, &(struct turn_event){ .type = TE_TICK });
	}
	if (!to_action || !unseen(r))
		r->now_ms = until_ms;
}

/* ---- the language ------------------------------------------------------------------- */

static char *word(char **at)
{
	char *s = *at;

	while (isspace((unsigned char)*s))
		s++;
	char *start = s;
	while (*s && !isspace((unsigned char)*s))
		s++;
	if (*s)
		*s++ = 0;
	*at = s;
	return start;
}

static char *trimmed(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	size_t n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = 0;
	return s;
}

/* The text between the quotes. */
static char *quoted(struct run *r, char *s)
{
	s = trimmed(s);
	size_t n = strlen(s);

	if (n < 2 || s[0] != '"' || s[n - 1] != '"')
		fail(r, "a text in quotes is wanted", s);
	s[n - 1] = 0;
	return s + 1;
}

struct number_row {
	const char *name;
	size_t offset;
};
#define ROW(f) { #f, offsetof(struct turn_cfg, f) }

static void configure(struct run *r, char *rest)
{
	static const struct number_row rows[] = {
		ROW(endpointing_ms), ROW(digits_ms), ROW(long_ms),
		ROW(short_ms), ROW(filler_ms), ROW(again_ms), ROW(give_up_ms),
		ROW(verdict_ms), ROW(over_ms), ROW(idle_ms), ROW(idle_times),
		ROW(longest_ms), ROW(speech_off_ms),
	};
	const struct { const char *name; bool *field; } flags[] = {
		{ "uninterruptible", &r->cfg.uninterruptible },
		{ "patient", &r->cfg.patient },
	};
	char *pair;

	if (r->begun)
		fail(r, "cfg comes before the first event", NULL);
	while (*(pair = word(&rest))) {
		char *eq = strchr(pair, '=');
		bool known = false;
		if (!eq)
			fail(r, "name=number is wanted", pair);
		*eq = 0;
		for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
			if (!str_eq(flags[i].name, pair))
				continue;
			known = true;
			*flags[i].field = atoi(eq + 1);
		}
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			if (!str_eq(rows[i].name, pair))
				continue;
			known = true;
			*(int *)(void *)((char *)&r->cfg + rows[i].offset) =
				atoi(eq + 1);
		}
		if (!known)
			fail(r, "no such setting", pair);
	}
}

static void watch(struct run *r, char *rest)
{
	char *what;

	while (*(what = word(&rest))) {
		if (str_eq(what, "state"))
			r->watch_state = true;
		else if (str_eq(what, "arm"))
			r->watch_arm = true;
		else if (str_eq(what, "flush"))
			r->watch_flush = true;
		else
			fail(r, "cannot watch", what);
	}
}

/* Takes " within N" off the end of s; -1 without it. */
static int64_t within_ms(char *s)
{
	char *at = strstr(s, " within ");

	if (!at)
		return -1;
	*at = 0;
	return atoll(at + strlen(" within "));
}

static void expect(struct run *r, char *rest)
{
	char *want = trimmed(rest);
	int64_t limit = within_ms(want);
	want = trimmed(want);
	bool nothing = str_eq(want, "nothing");

	if (limit >= 0)
		advance(r, r->now_ms + limit, true);
	const struct entry *e = unseen(r);
	if (nothing && e)
		fail(r, "expected nothing, but there is", e->text);
	if (nothing)
		return;
	if (!e)
		fail(r, "this did not come", want);
	if (!str_eq(e->text, want)) {
		fprintf(stderr, "  - expected  %s\n  + got       %s\n", want,
			e->text);
		fail(r, "another action came", NULL);
	}
	r->seen++;
}

static int end_by_name(struct run *r, const char *name)
{
	for (int i = 0; i < N_ENDS; i++) {
		if (str_eq(end_names[i], name))
			return i;
	}
	fail(r, "no such end", name);
	return -1;
}

static void await(struct run *r, char *rest)
{
	static const char *const kinds[] = {
		[CALL_AWAIT_ANY] = "any", [CALL_AWAIT_SHORT] = "short",
		[CALL_AWAIT_DIGITS] = "digits", [CALL_AWAIT_LONG] = "long" };

	const char *kind = word(&rest);

	begin(r);
	for (int i = 0; i < 4; i++) {
		if (str_eq(kinds[i], kind)) {
			r->turn.await = (enum call_await)i;
			r->turn.await_digits = atoi(rest);
			return;
		}
	}
	fail(r, "no such answer can be awaited", kind);
}

static void lock(struct run *r, bool on)
{
	struct turn_out out = { 0 };

	begin(r);
	turn_lock(&r->turn, on, &out);
	take_out(r, &out);
}

static const struct {
	const char *name;
	enum turn_event_type type;
	char arg; /* t text, e epoch, f flag word, n end, else none */
	const char *flag;
} events[] = {
	{ "start", TE_START },
	{ "speech.on", TE_SPEECH_ON },
	{ "speech.off", TE_SPEECH_OFF },
	{ "paused", TE_PAUSED, 'e' },
	{ "resumed", TE_RESUMED, 'e' },
	{ "stt.interim", TE_INTERIM, 't' },
	{ "stt.final", TE_FINAL, 't' },
	{ "stt.end", TE_END },
	{ "typed", TE_TYPED, 't' },
	{ "dtmf", TE_DTMF },
	{ "sound", TE_SOUND, 'f', "filler" },
	{ "sound.end", TE_SOUND_END, 'f', "more" },
	{ "quiet", TE_QUIET },
	{ "work", TE_WORK },
	{ "failed", TE_FAILED },
	{ "hangup", TE_HANGUP, 'n' },
};

static void event(struct run *r, const char *name, char *rest)
{
	size_t i = 0;

	rest = trimmed(rest);
	while (i < sizeof events / sizeof *events &&
	       !str_eq(events[i].name, name))
		i++;
	if (i == sizeof events / sizeof *events)
		fail(r, "no such event", name);
	trace(r, true, str_printf("%s %s", name, rest));
	struct turn_event e = { .type = events[i].type };
	switch (events[i].arg) {
	case 't':
		e.text = quoted(r, rest);
		break;
	case 'e':
		e.epoch = *rest ? (uint32_t)atoi(rest) : r->turn.epoch;
		break;
	case 'f':
		e.flag = str_eq(rest, events[i].flag);
		if (*rest && !e.flag)
			fail(r, "what is this", rest);
		break;
	case 'n':
		e.n = end_by_name(r, rest);
		break;
	default:
		if (*rest)
			fail(r, "what is this", rest);
	}
	step(r, &e);
}

/* The usual beginning. */
static void greeted(struct run *r)
{
	event(r, "start", (char[]){ "" });
	advance(r, r->now_ms + 500, false);
	event(r, "sound", (char[]){ "" });
	event(r, "quiet", (char[]){ "" });
	advance(r, r->now_ms + 1500, false);
	event(r, "sound.end", (char[]){ "" });
}

static void run_line(struct run *r, char *line)
{
	char *rest = line;
	char *verb = word(&rest);

	if (!*verb || *verb == '#')
		return;
	if (*verb == '+' || isdigit((unsigned char)*verb)) {
		int64_t until = *verb == '+' ? r->now_ms + atoll(verb + 1)
					     : atoll(verb);
		if (until < r->now_ms)
			fail(r, "time does not go back", NULL);
		advance(r, until, false);
		verb = word(&rest);
	}
	if (str_eq(verb, "expect")) {
		expect(r, rest);
		return;
	}
	const struct entry *e = unseen(r);
	if (e)
		fail(r, "nobody expected", e->text);
	if (str_eq(verb, "cfg"))
		configure(r, rest);
	else if (str_eq(verb, "watch"))
		watch(r, rest);
	else if (str_eq(verb, "greeted"))
		greeted(r);
	else if (str_eq(verb, "await"))
		await(r, trimmed(rest));
	else if (str_eq(verb, "lock") || str_eq(verb, "unlock"))
		lock(r, *verb == 'l');
	else
		event(r, verb, rest);
}

int main(int argc, char **argv)
{
	static struct run r;
	bool verbose = argc == 3 && str_eq(argv[1], "-v");
	char *line = NULL;
	size_t cap = 0;

	if (argc != 2 + verbose) {
		fprintf(stderr, "usage: run_call [-v] file.call\n");
		return 64;
	}
	r.path = argv[argc - 1];
	FILE *f = fopen(r.path, "re");
	if (!f) {
		perror(r.path);
		return 1;
	}
	for (r.line = 1; getline(&line, &cap, f) >= 0; r.line++) {
		if (r.line == 1 && *line != '#')
			fail(&r, "the first line says why", NULL);
		run_line(&r, line);
	}
	free(line);
	fclose(f);
	if (unseen(&r))
		fail(&r, "nobody expected", unseen(&r)->text);
	if (verbose)
		show_trace(&r);
	if (!r.n_trace)
		fail(&r, "nothing happened", NULL);
	end_run(&r);
	return 0;
}

/* Medians and worst cases over all calls. */
#include "cli/figures.h"

#include <stdlib.h>

enum { ROWS = 6 };

static const char *const names[ROWS] = {
	"join to media connected", "start to the agent's first packet",
	"start to the agent's first voice", "end of speech to the answer",
	"speaking over the agent to its silence",
	"longest silence after speech",
};
static const char *const keys[ROWS] = {
	"join_ms", "first_packet_ms", "greeting_ms", "reply_ms", "cut_ms",
	"longest_silence_ms",
};

struct series {
	int *v;
	size_t n;
};

struct figures {
	struct series rows[ROWS];
	size_t calls, answered, failed;
	uint64_t received, lost, concealed;
	struct robot_result *talks; /* all of them, for --json */
	char pair[96];
	const char *why;
};

struct figures *figures_create(void)
{
	struct figures *f = calloc(1, sizeof *f);

	if (!f)
		abort();
	return f;
}

void figures_destroy(struct figures *f)
{
	if (!f)
		return;
	for (int i = 0; i < ROWS; i++)
		free(f->rows[i].v);
	free(f->talks);
	free(f);
}

static void add(struct figures *f, int row, int value)
{
	struct series *s = &f->rows[row];
	int *v = realloc(s->v, (s->n + 1) * sizeof *v);

	if (!v)
		abort();
	s->v = v;
	v[s->n++] = value;
}

static void keep(struct figures *f, const struct robot_result *r)
{
	struct robot_result *v =
		realloc(f->talks, (f->calls + 1) * sizeof *v);

	if (!v)
		abort();
	f->talks = v;
	v[f->calls] = *r;
}

void figures_add(struct figures *f, const struct robot_result *r)
{
	keep(f, r);
	f->calls++;
	if (r->greeted)
		f->answered++;
	if (r->why) {
		f->failed++;
		f->why = r->why;
	}
	if (r->joined)
		add(f, 0, r->join_ms);
	if (r->first_rtp_ms)
		add(f, 1, r->first_rtp_ms);
	if (r->greeted)
		add(f, 2, r->greeting_ms);
	for (size_t i = 0; i < r->n_turns; i++) {
		if (r->turns[i].reply_ms >= 0)
			add(f, 3, r->turns[i].reply_ms);
		if (r->turns[i].cut_ms >= 0)
			add(f, 4, r->turns[i].cut_ms);
	}
	if (r->n_turns)
		add(f, 5, r->longest_gap_ms);
	f->received += r->link.packets_received;
	f->lost += r->lost;
	f->concealed += r->concealed;
	snprintf(f->pair, sizeof f->pair, "%s", r->link.pair);
}

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static int at(const struct series *s, double q)
{
	size_t i = (size_t)(q * (double)s->n);

	return s->v[i < s->n ? i : s->n - 1];
}

/* One call: its turns with moments on the machine's monotonic clock. */
static void print_talk(const struct robot_result *r, FILE *out)
{
	fprintf(out, "{\"room\":\"%s\",\"answered\":%s,\"longest_ms\":%d,"
		"\"turns\":[", r->room, r->greeted ? "true" : "false",
		r->longest_gap_ms);
	for (size_t i = 0; i < r->n_turns; i++) {
		const struct robot_turn *t = &r->turns[i];
		fprintf(out, "%s{\"said_us\":%lld,\"heard_us\":%lld,"
			"\"reply_ms\":%d,\"cut_ms\":%d}", i ? "," : "",
			(long long)t->said_us, (long long)t->heard_us,
			t->reply_ms, t->cut_ms);
	}
	fprintf(out, "]}");
}

static void print_json(const struct figures *f, FILE *out)
{
	fprintf(out, "{\"calls\":%zu,\"answered\":%zu,\"failed\":%zu",
		f->calls, f->answered, f->failed);
	for (int i = 0; i < ROWS; i++) {
		const struct series *s = &f->rows[i];
		if (s->n)
			fprintf(out, ",\"%s\":{\"n\":%zu,\"median\":%d,"
				"\"p95\":%d,\"max\":%d}", keys[i], s->n,
				at(s, .5), at(s, .95), s->v[s->n - 1]);
	}
	fprintf(out, ",\"talks\":[");
	for (size_t i = 0; i < f->calls; i++) {
		if (i)
			fputc(',', out);
		print_talk(&f->talks[i], out);
	}
	fprintf(out, "],\"packets\":%llu,\"lost\":%llu,\"concealed\":%llu}\n",
		(unsigned long long)f->received, (unsigned long long)f->lost,
		(unsigned long long)f->concealed);
}

bool figures_print(const struct figures *f, FILE *out, bool json)
{
	for (int i = 0; i < ROWS; i++) {
		if (f->rows[i].n)
			qsort(f->rows[i].v, f->rows[i].n, sizeof(int), compare);
	}
	if (json) {
		print_json(f, out);
		return f->answered == f->calls;
	}
	fprintf(out, "\n%-42s %6s %8s %8s %8s\n", "milliseconds", "n", "median",
		"p95", "max");
	for (int i = 0; i < ROWS; i++) {
		const struct series *s = &f->rows[i];
		if (s->n)
			fprintf(out, "%-42s %6zu %8d %8d %8d\n", names[i], s->n,
				at(s, .5), at(s, .95), s->v[s->n - 1]);
	}
	fprintf(out, "calls %zu, answered %zu, failed %zu; packets heard %llu, "
		"lost %llu, concealed %llu; %s\n", f->calls, f->answered,
		f->failed, (unsigned long long)f->received,
		(unsigned long long)f->lost, (unsigned long long)f->concealed,
		f->pair);
	if (f->why)
		fprintf(out, "a call failed: %s\n", f->why);
	return f->answered == f->calls;
}

/* Log events as JSON or readable lines. */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

static enum log_level least = LOG_INFO;
static bool as_json;
static bool personal;
static log_sink_h *sink;
static void *sink_arg;

static const char *const severity[] = { "DEBUG", "INFO", "WARNING", "ERROR" };

void log_set(enum log_level lowest, bool json)
{
	least = lowest;
	as_json = json;
}

void log_set_personal(bool clear)
{
	personal = clear;
}

bool log_wants(enum log_level level)
{
	return level >= least;
}

void log_set_sink(log_sink_h *fn, void *arg)
{
	sink = fn;
	sink_arg = arg;
}

/* FNV-1a: enough to see that two values are the same, not to find them. */
static uint32_t short_hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static void add_text(struct buf *out, const char *s)
{
	if (as_json)
		str_json_quote(out, s ? s : "");
	else
		buf_puts(out, s ? s : "-");
}

static void add_value(struct buf *out, const struct log_field *f)
{
	char masked[48];

	switch (f->kind) {
	case LOG_KIND_STR:
		add_text(out, f->v.str);
		break;
	case LOG_KIND_INT:
		buf_printf(out, "%lld", (long long)f->v.num);
		break;
	case LOG_KIND_REAL:
		buf_printf(out, "%.3f", f->v.real);
		break;
	case LOG_KIND_PII:
		if (personal) {
			add_text(out, f->v.str);
			break;
		}
		snprintf(masked, sizeof masked, "[%zu bytes #%08x]",
			 f->v.str ? strlen(f->v.str) : 0,
			 f->v.str ? short_hash(f->v.str) : 0);
		add_text(out, masked);
		break;
	case LOG_KIND_ERR:
		if (as_json)
			buf_printf(out, "\"%s: %s\"", err_name((int)f->v.num),
				   err_text((int)f->v.num));
		else
			buf_printf(out, "%s (%s)", err_text((int)f->v.num),
				   err_name((int)f->v.num));
		break;
	}
}

static void add_time(struct buf *out)
{
	int64_t ms = clock_wall_ms();
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];

	gmtime_r(&s, &tm);
	strftime(text, sizeof text, as_json ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S",
		 &tm);
	buf_printf(out, "%s.%03d%s", text, (int)(ms % 1000),
		   as_json ? "Z" : "");
}

void log_write(enum log_level level, const char *name,
	       const struct log_field *fields)
{
	struct buf line = { 0 };

	if (level < least)
		return;
	if (as_json) {
		buf_printf(&line, "{\"severity\":\"%s\",\"time\":\"",
			   severity[level]);
		add_time(&line);
		buf_printf(&line, "\",\"message\":\"%s\"", name);
	} else {
		add_time(&line);
		buf_printf(&line, " %-7s %s", severity[level], name);
	}
	for (const struct log_field *f = fields; f->key; f++) {
		buf_printf(&line, as_json ? ",\"%s\":" : " %s=", f->key);
		add_value(&line, f);
	}
	if (as_json)
		buf_puts(&line, "}");
	if (sink) {
		sink(sink_arg, level, buf_str(&line));
	} else {
		buf_puts(&line, "\n");
		fwrite(line.p, 1, line.len, stderr);
	}
	buf_free(&line);
}

/*
 * Events, not sentences: a constant name and typed fields. In production one
 * JSON object a line on stderr (severity, time, message, fields), in
 * development one readable line. What a caller said, names, numbers, tool
 * arguments and script error values go through LOG_PII(): it prints a length
 * and a short hash unless log_set_personal(true) was called (development).
 *
 *	log_event(LOG_WARN, "stt.reconnect", LOG_STR("call", id),
 *		  LOG_INT("attempt", n), LOG_ERR("why", r));
 *
 * Never called from the beat. Safe from any other thread.
 */
#ifndef FD_BASE_LOG_H
#define FD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_kind { LOG_KIND_STR, LOG_KIND_INT, LOG_KIND_REAL, LOG_KIND_PII,
		LOG_KIND_ERR };

struct log_field {
	const char *key;
	enum log_kind kind;
	union {
		const char *str;
		int64_t num;
		double real;
	} v;
};

#define LOG_STR(k, s) { (k), LOG_KIND_STR, { .str = (s) } }
#define LOG_INT(k, i) { (k), LOG_KIND_INT, { .num = (int64_t)(i) } }
#define LOG_REAL(k, d) { (k), LOG_KIND_REAL, { .real = (d) } }
#define LOG_PII(k, s) { (k), LOG_KIND_PII, { .str = (s) } }
#define LOG_ERR(k, r) { (k), LOG_KIND_ERR, { .num = (r) } }

#define log_event(level, ...) log_event_first_(level, __VA_ARGS__, { 0 })
#define log_event_first_(level, name, ...) \
	log_write((level), (name), (const struct log_field[]){ __VA_ARGS__ })

/* [any] Writes one event; the list ends with a field whose key is NULL. Use
 * log_event(). */
void log_write(enum log_level level, const char *name,
	       const struct log_field *fields);

/* [main, before threads] Lowest level written; JSON or readable lines. */
void log_set(enum log_level least, bool json);
/* [main, before threads] Whether LOG_PII fields are written in clear. */
void log_set_personal(bool clear);
/* [any] Whether the level is written (to skip costly fields). */
bool log_wants(enum log_level level);
/* [main] Sends lines elsewhere (tests, the demo's terminal); NULL: stderr. */
typedef void (log_sink_h)(void *arg, enum log_level level, const char *line);
void log_set_sink(log_sink_h *fn, void *arg);

#endif

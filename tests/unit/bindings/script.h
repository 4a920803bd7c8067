/* Clinics written to a temporary folder from texts, and a policy on them. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "bindings/bindings.h"
#include "fake_call.h"

/* A clinic.lua that is right; more is put in front of its end. */
#define CLINIC_WITH(more) \
	"return {\n" \
	"  title = 'Test',\n" \
	"  zone = 'Asia/Karachi', llm = { { provider = 'openai', model = 'm' } },\n" \
	"  languages = { { tag = 'en',\n" \
	"    stt = { { provider = 'deepgram', model = 'nova-3' } },\n" \
	"    tts = { { provider = 'aura', model = 'aura-2-thalia-en' } } } },\n" \
	more \
	"}\n"
#define CLINIC CLINIC_WITH("")

struct script {
	char folder[64];
	struct bundle *bundle;
	struct policy *policy;
	struct call call;
	char *why;
};

static char script_lines[16384]; /* all log lines since script_log_clear() */

static inline void script_sink(void *arg, enum log_level level, const char *line)
{
	size_t n = strlen(script_lines);

	(void)arg;
	(void)level;
	snprintf(script_lines + n, sizeof script_lines - n, "%s\n", line);
}

static inline int script_remove_one(const char *path, const struct stat *st,
				    int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void script_write(const char *folder, const char *file,
				const char *text)
{
	char *path = str_printf("%s/%s", folder, file);

	for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(path, 0700);
		*p = '/';
	}
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

/* files: { name, text, name, text, ..., NULL } */
static inline int script_load(struct script *s, const char *const *files)
{
	memset(s, 0, sizeof *s);
	bindings_set_memory_limit(0);
	snprintf(s->folder, sizeof s->folder, "/tmp/fd_clinic_XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	for (; *files; files += 2)
		script_write(s->folder, files[0], files[1]);
	return bundle_load(&s->bundle, s->folder, &s->why);
}

static inline void script_end(struct script *s)
{
	lua_policy_ops.close(s->policy);
	if (s->policy)
		fake_finish(&s->call);
	bundle_unref(s->bundle);
	free(s->why);
	nftw(s->folder, script_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	memset(s, 0, sizeof *s);
	assert_int_equal(bindings_memory(), 0);
	assert_int_equal(clock_timers(fake_clock), 0);
}

/* A clinic with this policy.lua, opened for a call. */
static inline void script_open(struct script *s, const char *policy)
{
	const char *const files[] = { "clinic.lua", CLINIC, "policy.lua", policy,
				      NULL };

	int r = script_load(s, files);
	if (r < 0)
		print_error("%s\n", s->why);
	assert_int_equal(r, 0);
	fake_init(&s->call, bundle_clinic(s->bundle));
	assert_int_equal(lua_policy_ops.open(&s->policy, s->bundle, &s->call), 0);
	s->call.policy = s->policy;
}

/* The same with one tool in tools/<name>.lua. */
static inline void script_open_tool(struct script *s, const char *clinic,
				    const char *name, const char *tool)
{
	char *file = str_printf("tools/%s.lua", name);
	const char *const files[] = { "clinic.lua", clinic, file, tool, NULL };

	int r = script_load(s, files);
	if (r < 0)
		print_error("%s\n", s->why);
	assert_int_equal(r, 0);
	free(file);
	fake_init(&s->call, bundle_clinic(s->bundle));
	assert_int_equal(lua_policy_ops.open(&s->policy, s->bundle, &s->call), 0);
	s->call.policy = s->policy;
}

static inline void script_turn(struct script *s, uint32_t id, const char *text)
{
	lua_policy_ops.on_turn(s->policy, &(struct policy_turn){
		.id = id, .text = text, .language = "en", .confidence = 0.9f });
}

static inline int script_setup(void **state)
{
	(void)state;
	log_set(LOG_DEBUG, true);
	log_set_sink(script_sink, NULL);
	return clock_create_virtual(&fake_clock, 0);
}

static inline int script_teardown(void **state)
{
	(void)state;
	clock_destroy(fake_clock);
	return 0;
}

#endif

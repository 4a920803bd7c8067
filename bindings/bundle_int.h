/*
 * A clinic's folder, compiled: what its calls share. Private to bindings/.
 */
#ifndef FD_BINDINGS_BUNDLE_INT_H
#define FD_BINDINGS_BUNDLE_INT_H

#include "base/buf.h"
#include "bindings/bindings.h"
#include "bindings/policy_int.h"

struct zone;

struct chunk {
	char *module;   /* "policy", "tools.find_slots", as for require() */
	char *file;     /* "tools/find_slots.lua", in errors */
	char *source;
	size_t source_len;
	char *code;     /* compiled; NULL when it does not compile */
	size_t code_len;
};

/* Memory that lives as long as the bundle: the strings of its clinic. */
struct arena {
	struct arena_block *blocks;
};
void *arena_alloc(struct arena *a, size_t n); /* zeroed; aborts without */
char *arena_str(struct arena *a, const char *s); /* NULL stays NULL */
void arena_free(struct arena *a);

struct bundle {
	int refs;
	char *folder;
	struct chunk *chunks;   /* sorted by file */
	size_t n_chunks;
	struct tool *tools;     /* sorted by name */
	size_t n_tools;
	char hash[13];
	struct arena arena;
	struct clinic clinic;
	struct zone *zone;
	bool has_on_turn, has_on_silence;
};

/* Compiler-like messages, one a line: "tools/x.lua:3: what". */
struct faults {
	struct buf text;
	int n;
};
void fault_add(struct faults *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The clinic's name: the last part of its folder. Fresh, free(). */
char *bundle_name(const char *folder);
/* The same text, fresh, where each word that is a file of the clinic and a
 * line names the clinic before it: "bright-smile/policy.lua:77: ...". */
char *bundle_place(const struct bundle *b, const char *text);
const struct chunk *bundle_chunk(const struct bundle *b, const char *module);
const struct tool *bundle_tool(const struct bundle *b, const char *name);
/* Pushes the table of a tool's file (loaded once a state); raises. */
void bundle_push_tool(lua_State *L, const struct tool *t);
/* Pushes what a module returned, running it at its first use; raises. */
void bundle_require(lua_State *L, const char *module);

/* ---- files.c: reads the folder ------------------------------------------------- */

/* All *.lua below folder but tests/; sorted, hashed. Adds faults. */
int files_read(struct bundle *b, struct faults *f);

/* ---- clinic.c, clinic_lines.c ----------------------------------------------------- */

/* Reads the checked table of clinic.lua (at i) into b->clinic. Adds faults. */
void clinic_read(struct bundle *b, lua_State *L, int i, struct faults *f);
/* The line where the value of a path ("languages[1].tts[2].model") stands in
 * a data file, or that of its nearest parent; 0 when it is not to be found. */
int clinic_line(const char *source, size_t n, const char *path);

/* ---- zone.c: civil time of a zone --------------------------------------------------- */

struct tm;
/* Reads /usr/share/zoneinfo (TZDIR). -ENOENT for an unknown name. */
int zone_create(struct zone **ret_zone, const char *name);
void zone_destroy(struct zone *z);
/* Civil time of a moment; tm_gmtoff and tm_zone are set (borrowed). */
void zone_tm(const struct zone *z, int64_t t_s, struct tm *out);
/* The moment of a civil time (fields may be out of range, as in mktime). In
 * a gap the offset before it counts; in an overlap the first. */
int64_t zone_time(const struct zone *z, const struct tm *tm);

#endif

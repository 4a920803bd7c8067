/*
 * bindings: clinics in Lua. The only folder that includes lua.h. Loads a
 * clinic's folder into a bundle (compiled once, shared), and opens one policy
 * (one Lua state) a call. On the loop.
 *
 * Lua is entered by vm_enter() only and resumed by task.c only. A script may
 * fail in any way: its task ends with a traceback in the log, the call goes
 * on with the fallback.
 */
#ifndef FD_BINDINGS_H
#define FD_BINDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "call/call.h"

struct bundle;

/* Reads clinic.lua, policy.lua, tools/ of a folder: compiles, checks and runs
 * them once. ERR_CONFIG with *ret_why (fresh, free()) naming file, line and
 * what is allowed. */
int bundle_load(struct bundle **ret_bundle, const char *folder, char **ret_why);
/* Calls hold references; the last one frees. NULL is fine. */
struct bundle *bundle_ref(struct bundle *b);
void bundle_unref(struct bundle *b);
const struct clinic *bundle_clinic(const struct bundle *b);

/* The clinics below a folder (each with a clinic.lua), or the clinic that the
 * folder is itself. */
struct bundles {
	struct bundle **v;
	size_t n;
};
/* Loads all; every fault of every clinic in *ret_why, one a line with the
 * clinic's name in front. ERR_CONFIG when any is broken or there is none. */
int bundles_load(struct bundles *out, const char *folder, char **ret_why);
void bundles_free(struct bundles *b);
/* The clinic of that name, else (name NULL or "") the only one, else NULL. */
struct bundle *bundles_find(const struct bundles *b, const char *name);

/* The table that a call_host wants. */
extern const struct policy_ops lua_policy_ops;

/* Memory of all Lua states of the process: present bytes, and the ceiling. */
size_t bindings_memory(void);
void bindings_set_memory_limit(size_t bytes); /* 0: 512 MiB */

#endif

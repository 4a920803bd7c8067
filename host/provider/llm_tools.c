/* Tool calls from fragments, as every OpenAI-shaped server sends them: with
 * indexes, without, whole, in pieces, or two under one index. Pure. */
#include "provider/llm_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static struct tool_call *add(struct tool_calls *t, int index)
{
	if (t->n == TOOL_CALLS_MAX)
		return NULL;
	struct tool_call *c = &t->call[t->n++];
	*c = (struct tool_call){ .index = index };
	return c;
}

/* The newest call of an index: an index may have been taken over. */
static struct tool_call *newest(struct tool_calls *t, int index)
{
	for (size_t i = t->n; i-- > 0;) {
		if (t->call[i].index == index)
			return &t->call[i];
	}
	return NULL;
}

static struct tool_call *by_id(struct tool_calls *t, const char *id)
{
	for (size_t i = 0; i < t->n; i++) {
		if (str_eq(t->call[i].id, id))
			return &t->call[i];
	}
	return NULL;
}

struct tool_call *tool_calls_for(struct tool_calls *t, int index,
				 const char *id)
{
	bool has_id = !str_blank(id);
	struct tool_call *c;

	if (index >= 0) {
		c = newest(t, index);
		if (!c || (has_id && c->id && !str_eq(c->id, id)))
			return add(t, index);
		return c;
	}
	if (has_id) {
		c = by_id(t, id);
		return c ? c : add(t, -1);
	}
	return t->n ? &t->call[t->n - 1] : add(t, -1);
}

int tool_call_add(struct tool_call *c, const char *id, const char *name,
		  const char *args)
{
	if (!c->id && !str_blank(id))
		c->id = str_dup(id);
	if (!c->name && !str_blank(name))
		c->name = str_dup(name);
	if (!args)
		return 0;
	if (c->args.len + strlen(args) > TOOL_ARGS_MAX)
		return ERR_PROTOCOL;
	buf_puts(&c->args, args);
	return 0;
}

void tool_calls_free(struct tool_calls *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->call[i].id);
		free(t->call[i].name);
		buf_free(&t->call[i].args);
	}
	t->n = 0;
}

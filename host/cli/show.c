/* The conversation on the terminal, a line a note. On the loop. */
#include <stdio.h>

#include "cli/cli.h"

static void line(const struct call *c, const struct call_note *n,
		 const char *who, const char *text)
{
	const char *id = call_id(c);
	size_t len = 0;

	while (id[len])
		len++;
	printf("%6.1f s  %-6.6s %-8s %s\n", (double)n->at_ms / 1000,
	       len > 6 ? id + len - 6 : id, who, text ? text : "");
	fflush(stdout);
}

void show_note(void *arg, struct call *c, const struct call_note *n)
{
	char text[64];

	(void)arg;
	switch (n->type) {
	case NOTE_JOINED:
		line(c, n, "room", "joined");
		break;
	case NOTE_ANSWERED:
		line(c, n, "room", "the caller hears us");
		break;
	case NOTE_CALLER_TEXT:
		line(c, n, "caller:", n->text);
		break;
	case NOTE_AGENT_TEXT:
		line(c, n, "agent:", n->text);
		break;
	case NOTE_TOOL:
		line(c, n, "tool", n->text);
		break;
	case NOTE_TOOL_DONE:
		line(c, n, "done", n->text);
		break;
	case NOTE_INTERRUPTED:
		line(c, n, "cut", n->text);
		break;
	case NOTE_LATENCY:
		snprintf(text, sizeof text, "%d ms to the first sound", n->ms);
		line(c, n, "latency", text);
		break;
	case NOTE_TROUBLE:
		line(c, n, "trouble", n->text);
		break;
	case NOTE_ENDED:
		line(c, n, "ended", n->text);
		break;
	}
}

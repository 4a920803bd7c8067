/* Language models, inside: putting tool calls together, reading the two kinds
 * of stream, building the two kinds of request (all pure), and the HTTP
 * exchange that both share. */
#ifndef FD_PROVIDER_LLM_INT_H
#define FD_PROVIDER_LLM_INT_H

#include "provider/provider_int.h"

/* ---- tool calls (llm_tools.c) ---------------------------------------------- */

#define TOOL_CALLS_MAX 32
#define TOOL_ARGS_MAX (256 * 1024)

struct tool_call {
	int index;       /* the stream's name for it; -1: it gave none */
	char *id, *name; /* NULL until they come */
	struct buf args;
};

struct tool_calls {
	struct tool_call call[TOOL_CALLS_MAX];
	size_t n;
};
/* The call that a fragment belongs to, new where need be; NULL: too many. A
 * new id on a used index begins a new call, so do absent indexes with an id. */
struct tool_call *tool_calls_for(struct tool_calls *t, int index,
				 const char *id);
/* id and name are set once; 0 or ERR_PROTOCOL when arguments grow too long. */
int tool_call_add(struct tool_call *c, const char *id, const char *name,
		  const char *args);
void tool_calls_free(struct tool_calls *t);

/* ---- an answer (llm_answer.c) --------------------------------------------------- */

/* The state of one answer while it is read. emit gets TEXT, ALIVE, TOOL, DONE;
 * a reader that fails fills failure instead. */
struct llm_answer {
	llm_conn_h *emit;
	void *arg;
	struct tool_calls tools;
	char finish[32];
	int tokens_in, tokens_cached, tokens_out;
	bool any;     /* text or a tool call came */
	bool ended;   /* DONE was emitted */
	struct failure failure;
};
void llm_answer_init(struct llm_answer *a, llm_conn_h *emit, void *arg);
void llm_answer_text(struct llm_answer *a, const char *text);
void llm_answer_alive(struct llm_answer *a);
/* Hands out the tool calls, then DONE; whatever finish says. */
void llm_answer_end(struct llm_answer *a);
/* Reads a usage object; kinds: "prompt" and "completion", or "input" and
 * "output" tokens. What is absent stays as it is. */
void llm_answer_usage(struct llm_answer *a, const cJSON *usage,
		      const char *in, const char *out);
/* Sets failure; ERR_* for convenience. */
int llm_answer_fail(struct llm_answer *a, int err, const char *why);
/* failure from an error object of the stream: its code or type, no message. */
int llm_answer_refused(struct llm_answer *a, const cJSON *error);
void llm_answer_free(struct llm_answer *a);

/* ---- the two dialects ------------------------------------------------------------- */

struct llm_dialect {
	const char *path;         /* below the base address */
	/* The request's body (free()). openai: the full set of fields. */
	char *(*body)(const struct llm_request *q, bool openai);
	/* One event of the stream; 0 or below 0 with a->failure filled. */
	int (*event)(struct llm_answer *a, const char *data, size_t n);
	/* The whole answer as one JSON object (a server that does not stream). */
	int (*whole)(struct llm_answer *a, const char *body, size_t n);
	/* The stream is over: complete (DONE emitted), or below 0. */
	int (*end)(struct llm_answer *a);
};
extern const struct llm_dialect llm_chat_dialect, llm_responses_dialect;

/* Text of a message's content: a string, or the text parts of an array. */
void llm_content_text(struct buf *out, const cJSON *content);
/* Whether the temperature may be sent. */
bool llm_temperature_ok(const struct llm_request *q, bool openai);
int llm_check(const struct provider_choice *c, const char **ret_why);

/* ---- the exchange (llm_http.c) ------------------------------------------------------- */

int llm_http_start(void **ret_conn, struct providers *p,
		   const struct llm_request *q, const struct llm_dialect *d,
		   llm_conn_h *fn, void *arg);
void llm_http_cancel(void *conn);
void llm_http_drop_lingering(struct providers *p);

#endif

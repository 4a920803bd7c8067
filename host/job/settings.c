/* Settings from the environment, with all faults told at once. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/str.h"
#include "io/io.h"
#include "job/job.h"

/* What a name is for, its local default in development, and names that people
 * write instead. */
struct row {
	const char *name;
	size_t field;
	const char *local;
	const char *where; /* to find the value */
	const char *near[4];
};

#define FIELD(f) offsetof(struct settings, f)

static const struct row rows[] = {
	{ "LIVEKIT_URL", FIELD(livekit_url), "ws://127.0.0.1:7880",
	  "LiveKit project settings, wss://...",
	  { "LIVEKIT_HOST", "LIVEKIT_WS_URL", "LIVEKIT_SERVER_URL" } },
	{ "LIVEKIT_API_KEY", FIELD(livekit_key), "devkey",
	  "LiveKit project settings, Keys", { "LIVEKIT_KEY", "LIVEKIT_APIKEY" } },
	{ "LIVEKIT_API_SECRET", FIELD(livekit_secret), "secret",
	  "LiveKit project settings, Keys",
	  { "LIVEKIT_SECRET", "LIVEKIT_SECRET_KEY", "LIVEKIT_APISECRET" } },
	{ "SUPABASE_URL", FIELD(supabase_url), "",
	  "Supabase project settings, API", { "SUPABASE_HOST" } },
	{ "SUPABASE_SERVICE_ROLE_KEY", FIELD(supabase_key), "",
	  "Supabase project settings, API keys",
	  { "SUPABASE_KEY", "SUPABASE_SERVICE_KEY", "SUPABASE_SECRET_KEY" } },
	{ "OPENAI_API_KEY", FIELD(openai_key), "local",
	  "platform.openai.com, API keys", { "OPENAI_KEY", "OPENAI_APIKEY" } },
	{ "DEEPGRAM_API_KEY", FIELD(deepgram_key), "local",
	  "console.deepgram.com, API keys",
	  { "DEEPGRAM_KEY", "DEEPGRAM_APIKEY" } },
};

static char **field(struct settings *s, const struct row *r)
{
	return (char **)((char *)s + r->field);
}

static const char *env(const char *name)
{
	const char *v = getenv(name);

	return str_blank(v) ? NULL : v;
}

/* Secrets that were stored with a newline behind them are common. */
static char *trimmed_copy(const char *v)
{
	while (isspace((unsigned char)*v))
		v++;
	char *copy = str_dup(v);
	size_t n = strlen(copy);
	while (n && isspace((unsigned char)copy[n - 1]))
		copy[--n] = 0;
	return copy;
}

static bool needed(const struct row *r, const struct clinic *needs)
{
	if (!needs)
		return true;
	if (str_has_prefix(r->name, "SUPABASE"))
		return needs->needs_supabase;
	if (str_has_prefix(r->name, "OPENAI"))
		return needs->needs_openai;
	if (str_has_prefix(r->name, "DEEPGRAM"))
		return needs->needs_deepgram;
	return true;
}

static void missing(const char *name, const char *where,
		    const char *const near[4], struct buf *faults)
{
	buf_printf(faults, "%s is not set (%s)", name, where);
	for (int i = 0; i < 4 && near && near[i]; i++) {
		if (env(near[i])) {
			buf_printf(faults, "; %s is set: rename it to %s",
				   near[i], name);
			break;
		}
	}
	buf_puts(faults, "\n");
}

static void load_row(struct settings *s, const struct row *r,
		     const struct clinic *needs, struct buf *faults)
{
	const char *v = env(r->name);

	if (!v && !s->production)
		v = r->local;
	if (v)
		*field(s, r) = trimmed_copy(v);
	else if (needed(r, needs))
		missing(r->name, r->where, r->near, faults);
}

static void load_url(char **out, const char *name, const char *local,
		     const char *schemes, struct buf *faults)
{
	const char *v = env(name);
	struct url u;

	if (!v)
		v = local;
	if (!v)
		return;
	*out = trimmed_copy(v);
	if (url_parse(&u, *out) < 0 || !strstr(schemes, u.scheme))
		buf_printf(faults, "%s is \"%s\": not an address of the form "
			   "%s://host:port\n", name, *out, schemes);
}

static void check_url(const char *name, const char *v, const char *schemes,
		      struct buf *faults)
{
	char *copy = NULL;

	if (v && *v)
		load_url(&copy, name, v, schemes, faults);
	free(copy);
}

static int load_number(const char *name, int least, int most, int otherwise,
		       struct buf *faults)
{
	const char *v = env(name);
	char *end;

	if (!v)
		return otherwise;
	long n = strtol(v, &end, 10);
	if (*end || n < least || n > most) {
		buf_printf(faults, "%s is \"%s\": a whole number from %d to %d "
			   "is wanted\n", name, v, least, most);
		return otherwise;
	}
	return (int)n;
}

/* "reception, booking" -> names; blanks around commas do not count. */
static void load_agents(struct settings *s, struct buf *faults)
{
	static const char *const near[4] = { "AGENT_NAME", "LIVEKIT_AGENT" };
	const char *v = env("LIVEKIT_AGENT_NAME");
	int n = 0;

	if (!v && !s->production)
		v = "frontdesk";
	if (!v) {
		missing("LIVEKIT_AGENT_NAME",
			"the name that your dispatch rule asks for", near,
			faults);
		return;
	}
	char *copy = str_dup(v), *save = NULL;
	for (char *name = strtok_r(copy, ",", &save); name;
	     name = strtok_r(NULL, ",", &save)) {
		while (isspace((unsigned char)*name))
			name++;
		size_t len = strlen(name);
		while (len && isspace((unsigned char)name[len - 1]))
			name[--len] = 0;
		bool known = false;
		for (int i = 0; i < n; i++)
			known |= str_eq(s->agent_names[i], name);
		if (known || !*name)
			continue;
		if (n == AGENT_NAMES_MAX) {
			buf_printf(faults, "LIVEKIT_AGENT_NAME lists more than "
				   "%d names\n", AGENT_NAMES_MAX);
			break;
		}
		s->agent_names[n++] = str_dup(name);
	}
	free(copy);
	if (!n)
		buf_printf(faults, "LIVEKIT_AGENT_NAME is \"%s\": no name in "
			   "it\n", v);
}

static void load_environment(struct settings *s, struct buf *faults)
{
	const char *v = env("ENVIRONMENT");

	s->production = str_eq(v, "production");
	if (v && !s->production && !str_eq(v, "development"))
		buf_printf(faults, "ENVIRONMENT is \"%s\": \"production\" or "
			   "\"development\" is wanted\n", v);
	/* on Cloud Run, forgetting it must not mean development */
	if (!v && env("CLOUD_RUN_JOB")) {
		s->production = true;
		buf_puts(faults, "ENVIRONMENT is not set (\"production\" on "
			 "Cloud Run)\n");
	}
}

/* The log reads it by itself, before anything else is read. */
static void check_log_level(struct buf *faults)
{
	const char *v = env("FRONTDESK_LOG");

	if (v && !str_eq(v, "debug") && !str_eq(v, "info") &&
	    !str_eq(v, "warn") && !str_eq(v, "error"))
		buf_printf(faults, "FRONTDESK_LOG is \"%s\": \"debug\", "
			   "\"info\", \"warn\" or \"error\" is wanted\n", v);
}

static void check_certificates(const char *ca_file, struct buf *faults)
{
	const char *other = env("SSL_CERT_FILE");

	if (loop_find_ca(ca_file))
		return;
	if (ca_file || other)
		buf_printf(faults, "%s is \"%s\": cannot be read\n",
			   ca_file ? "FRONTDESK_CA_FILE" : "SSL_CERT_FILE",
			   ca_file ? ca_file : other);
	else
		buf_puts(faults, "no certificates to trust were found: install "
			 "ca-certificates, or set FRONTDESK_CA_FILE\n");
}

static bool is_local(const char *text)
{
	struct url u;

	return text && url_parse(&u, text) == 0 &&
	       (str_has_prefix(u.host, "127.") || str_eq(u.host, "localhost") ||
		str_eq(u.host, "::1"));
}

int settings_load(struct settings *s, const struct clinic *needs,
		  struct buf *faults)
{
	size_t before = faults->len;

	*s = (struct settings){ 0 };
	load_environment(s, faults);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		load_row(s, &rows[i], needs, faults);
	check_url("LIVEKIT_URL", s->livekit_url, "wss|ws|https|http", faults);
	check_url("SUPABASE_URL", s->supabase_url, "https|http", faults);
	load_agents(s, faults);
	bool dev_keys = !s->production && !env("DEEPGRAM_API_KEY");
	load_url(&s->deepgram_url, "DEEPGRAM_URL",
		 dev_keys ? "ws://127.0.0.1:8765" : NULL, "wss|ws", faults);
	dev_keys = !s->production && !env("OPENAI_API_KEY");
	load_url(&s->openai_url, "OPENAI_BASE_URL",
		 dev_keys ? "http://127.0.0.1:8766/v1" : NULL, "https|http",
		 faults);
	load_url(&s->speech_url, "SPEECH_BASE_URL", NULL, "https|http", faults);
	s->speech_key = str_dup(env("SPEECH_API_KEY"));
	s->ca_file = str_dup(env("FRONTDESK_CA_FILE"));
	check_log_level(faults);
	s->max_calls = load_number("FRONTDESK_MAX_CALLS", 1, 1000, 0, faults);
	s->grace_ms = 1000 * load_number("FRONTDESK_GRACE", 0, 7200,
					 env("CLOUD_RUN_JOB") ? 8 : 1800,
					 faults);
	s->no_udp = load_number("FRONTDESK_NO_UDP", 0, 1, 0, faults);
	s->personal = !s->production;
	s->loopback = is_local(s->livekit_url);
	check_certificates(s->ca_file, faults);
	return faults->len > before ? ERR_CONFIG : 0;
}

void settings_free(struct settings *s)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		free(*field(s, &rows[i]));
	for (int i = 0; s->agent_names[i]; i++)
		free(s->agent_names[i]);
	free(s->deepgram_url);
	free(s->openai_url);
	free(s->speech_url);
	free(s->speech_key);
	free(s->ca_file);
	*s = (struct settings){ 0 };
}

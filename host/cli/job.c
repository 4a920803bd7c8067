/* frontdesk job: checks everything, then answers calls. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/str.h"
#include "bindings/bindings.h"
#include "cli/cli.h"
#include "job/job.h"

static const char help[] =
"usage: frontdesk job [--clinics DIR] [--env FILE] [--max-calls N]\n"
"                     [--grace SECONDS] [--check]\n\n"
"Registers with LiveKit and answers calls until SIGTERM.\n\n"
"  --clinics DIR   folder of clinics, or one clinic (scripts/clinics)\n"
"  --env FILE      read settings from FILE first (.env when it exists,\n"
"                  in development)\n"
"  --max-calls N   calls at once (25 a core)\n"
"  --grace SECONDS what SIGTERM leaves running calls\n"
"  --check         check settings and clinics, then exit\n";

struct options {
	const char *clinics, *env;
	bool check, help;
};

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "clinics", required_argument, NULL, 'c' },
		{ "env", required_argument, NULL, 'e' },
		{ "max-calls", required_argument, NULL, 'm' },
		{ "grace", required_argument, NULL, 'g' },
		{ "check", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 } };
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->clinics = optarg;
			break;
		case 'e':
			o->env = optarg;
			break;
		case 'm': /* flags win over the environment */
			setenv("FRONTDESK_MAX_CALLS", optarg, 1);
			break;
		case 'g':
			setenv("FRONTDESK_GRACE", optarg, 1);
			break;
		case 'k':
			o->check = true;
			break;
		case 'h':
			o->help = true;
			break;
		default:
			return ERR_REQUEST;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "frontdesk job: \"%s\" is not an option\n",
			argv[optind]);
		return ERR_REQUEST;
	}
	return 0;
}

static struct clinic needs_of_all(const struct bundles *b)
{
	struct clinic all = { 0 };

	for (size_t i = 0; i < b->n; i++) {
		const struct clinic *c = bundle_clinic(b->v[i]);
		all.needs_supabase |= c->needs_supabase;
		all.needs_openai |= c->needs_openai;
		all.needs_deepgram |= c->needs_deepgram;
	}
	return all;
}

static void check_models(const struct bundles *b)
{
	char today[16];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(today, sizeof today, "%Y-%m-%d", &tm);
	for (size_t i = 0; i < b->n; i++) {
		const struct clinic *c = bundle_clinic(b->v[i]);
		for (size_t k = 0; k < c->n_llm; k++) {
			int left = model_days_left(c->llm[k].model, today);
			if (left <= 60)
				log_event(LOG_WARN, "job.model_ends",
					  LOG_STR("clinic", c->name),
					  LOG_STR("model", c->llm[k].model),
					  LOG_INT("days", left));
		}
	}
}

/* {"clinic":"name"} in the dispatch's metadata, or the only clinic. */
static struct bundle *find(void *arg, const struct lk_job *job)
{
	const struct bundles *b = arg;
	cJSON *meta = cJSON_Parse(job->metadata ? job->metadata : "");
	const cJSON *name = cJSON_GetObjectItem(meta, "clinic");
	struct bundle *found = bundles_find(b, cJSON_IsString(name) ?
						       name->valuestring : NULL);

	cJSON_Delete(meta);
	if (!found && !cJSON_IsString(name))
		found = bundles_find(b, job->agent_name);
	return found;
}

static void set_log(void)
{
	const char *level = getenv("FRONTDESK_LOG");
	bool production = str_eq(getenv("ENVIRONMENT"), "production") ||
			  getenv("CLOUD_RUN_JOB");

	log_set(str_eq(level, "debug") ? LOG_DEBUG :
		str_eq(level, "warn") ? LOG_WARN :
		str_eq(level, "error") ? LOG_ERROR : LOG_INFO, production);
}

static void tell_faults(const struct buf *faults)
{
	if (str_eq(getenv("ENVIRONMENT"), "production") ||
	    getenv("CLOUD_RUN_JOB"))
		log_event(LOG_ERROR, "job.configuration",
			  LOG_STR("faults", buf_str(faults)));
	else
		fprintf(stderr, "frontdesk job cannot start:\n%s",
			buf_str(faults));
}

static int configure(const struct options *o, struct settings *s,
		     struct bundles *clinics, struct buf *faults)
{
	char *why = NULL;
	int r = 0;

	if (o->env && settings_dotenv(o->env, faults) == -ENOENT)
		buf_printf(faults, "%s: no such file\n", o->env);
	else if (!o->env && !str_eq(getenv("ENVIRONMENT"), "production"))
		settings_dotenv(".env", faults);
	set_log();
	const char *folder = o->clinics ? o->clinics :
			     getenv("FRONTDESK_CLINICS");
	r = bundles_load(clinics, folder ? folder : "scripts/clinics", &why);
	if (r < 0)
		buf_printf(faults, "%s\n", why ? why : err_text(r));
	free(why);
	struct clinic needs = needs_of_all(clinics);
	settings_load(s, r < 0 ? NULL : &needs, faults);
	return faults->len ? ERR_CONFIG : 0;
}

int cli_job(int argc, char **argv)
{
	struct options o = { 0 };
	struct settings s = { 0 };
	struct bundles clinics = { 0 };
	struct buf faults = { 0 };
	int code = EXIT_DONE;

	if (parse(&o, argc, argv) < 0) {
		fputs(help, stderr);
		return EXIT_USAGE_WRONG;
	}
	if (o.help) {
		fputs(help, stdout);
		return EXIT_DONE;
	}
	if (configure(&o, &s, &clinics, &faults) < 0) {
		tell_faults(&faults);
		code = EXIT_CONFIGURATION;
	} else if (!o.check) {
		log_set_personal(s.personal);
		check_models(&clinics);
		struct job_cfg cfg = {
			.settings = &s, .policy = &lua_policy_ops,
			.find = find, .clinic = bundle_clinic, .arg = &clinics,
			.on_note = s.production ? NULL : show_note };
		code = job_run(&cfg);
	} else {
		printf("settings and %zu clinic%s are in order\n", clinics.n,
		       clinics.n == 1 ? "" : "s");
	}
	bundles_free(&clinics);
	settings_free(&s);
	buf_free(&faults);
	return code;
}

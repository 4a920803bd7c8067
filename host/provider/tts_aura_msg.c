/* Aura's /v1/speak as text: address, our messages, theirs. Pure. */
#include "provider/tts_int.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"

static const struct {
	const char *name;
	enum aura_type type;
} types[] = {
	{ "Metadata", AURA_METADATA },
	{ "Flushed", AURA_FLUSHED },
	{ "Cleared", AURA_CLEARED },
	{ "Warning", AURA_WARNING },
	{ "Error", AURA_ERROR },
};

int aura_message_read(const void *p, size_t n, char *code)
{
	cJSON *tree = json_parse(p, n);
	const char *type = json_str(tree, "type");
	int r = type ? AURA_OTHER : ERR_PROTOCOL;

	for (size_t i = 0; type && i < sizeof types / sizeof *types; i++) {
		if (strcmp(type, types[i].name) == 0)
			r = types[i].type;
	}
	if (r >= 0 && code) {
		const char *found = json_str(tree, "code");
		if (!found) /* older servers */
			found = json_str(tree, "warn_code");
		str_copy(code, 48, found ? found : "");
	}
	cJSON_Delete(tree);
	return r;
}

void aura_speak_text(struct buf *out, const char *text, size_t n)
{
	struct buf part = { 0 };

	buf_add(&part, text, n);
	buf_puts(out, "{\"type\":\"Speak\",\"text\":");
	str_json_quote(out, buf_str(&part));
	buf_puts(out, "}");
	buf_free(&part);
}

void aura_speak_path(struct buf *out, const struct provider_choice *c,
		     bool rest)
{
	buf_puts(out, "/v1/speak?model=");
	str_url_quote(out, c->model);
	buf_printf(out, "&encoding=linear16&sample_rate=%d", TTS_RATE_HZ);
	/* a WAV header would be heard as a click */
	if (rest)
		buf_puts(out, "&container=none");
	buf_puts(out, "&mip_opt_out=true");
}

/* The voice's language is the end of its name: "aura-2-thalia-en". */
int aura_check(const struct provider_choice *c, const char **ret_why)
{
	const char *suffix = strrchr(c->model, '-');

	if (!str_has_prefix(c->model, "aura-"))
		return check_fail(ret_why, "model \"%s\" is no Aura voice; like "
				  "aura-2-thalia-en", c->model);
	if (c->voice)
		return check_fail(ret_why, "Aura's voice is part of the model "
				  "name (aura-2-thalia-en); voice must be "
				  "absent");
	if (c->language && strlen(suffix) == 3 &&
	    strncmp(c->language, suffix + 1, 2) != 0)
		return check_fail(ret_why, "voice \"%s\" does not speak \"%s\"",
				  c->model, c->language);
	return 0;
}

/*
 * The lines that ship in the binary, made ready at first use and kept as long
 * as the process. Any thread but the beat (the first use allocates).
 */
#include <pthread.h>
#include <stdlib.h>

#include "audio/line_int.h"
#include "base/str.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct audio_line **ready; /* beside audio_shipped_lines[] */

static void make_ready(void)
{
	size_t n = 0;

	while (audio_shipped_lines[n].language)
		n++;
	ready = calloc(n + 1, sizeof(struct audio_line *));
	if (!ready)
		return;
	/* A damaged entry stays NULL and is found by its test. */
	for (size_t i = 0; i < n; i++)
		(void)audio_line_create(&ready[i], audio_shipped_lines[i].bytes,
					audio_shipped_lines[i].size);
}

static const struct audio_line *find(const char *language, const char *name,
				     const char **ret_text)
{
	for (size_t i = 0; audio_shipped_lines[i].language; i++) {
		const struct audio_shipped *s = &audio_shipped_lines[i];

		if (!str_eq(s->language, language) || !str_eq(s->name, name))
			continue;
		if (!ready[i])
			return NULL;
		if (ret_text)
			*ret_text = s->text;
		return ready[i];
	}
	return NULL;
}

const struct audio_line *audio_line_shipped(const char *language,
					    const char *name,
					    const char **ret_text)
{
	pthread_once(&once, make_ready);
	if (!ready)
		return NULL;
	const struct audio_line *l = find(language, name, ret_text);

	return l ? l : find("en", name, ret_text);
}

/* A .env file into the environment. Before any thread. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "job/job.h"

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	size_t n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = 0;
	return s;
}

/* Takes one pair of quotes off; behind them only a comment may stand. An
 * unquoted value ends at " #". */
static char *unquote(char *v)
{
	char *close = *v == '"' || *v == '\'' ? strchr(v + 1, *v) : NULL;

	if (close) {
		char *rest = trim(close + 1);
		if (!*rest || *rest == '#') {
			*close = 0;
			return v + 1;
		}
	}
	char *comment = *v == '#' ? v : strstr(v, " #");
	if (comment)
		*comment = 0;
	return trim(v);
}

static bool is_name(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	}
	return true;
}

static int take_line(char *line)
{
	char *at = trim(line);

	if (!*at || *at == '#')
		return 0;
	if (str_has_prefix(at, "export "))
		at = trim(at + 7);
	char *eq = strchr(at, '=');
	if (!eq)
		return ERR_CONFIG;
	*eq = 0;
	char *name = trim(at);
	if (!is_name(name))
		return ERR_CONFIG;
	setenv(name, unquote(trim(eq + 1)), 0);
	return 0;
}

int settings_dotenv(const char *path, struct buf *faults)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	int result = 0;

	if (!f)
		return -errno;
	for (int n = 1; getline(&line, &cap, f) >= 0; n++) {
		if (take_line(line) == 0)
			continue;
		buf_printf(faults, "%s:%d: not a NAME=value line\n", path, n);
		result = ERR_CONFIG;
	}
	free(line);
	fclose(f);
	return result;
}

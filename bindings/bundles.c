/* The clinics below a folder. On the loop, before or beside calls. */
#include "bindings/bindings.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

static int is_clinic(const char *folder, const char *name)
{
	char *path = str_printf("%s/%s/clinic.lua", folder, name);
	int there = name[0] != '.' && access(path, F_OK) == 0;

	free(path);
	return there;
}

/* "name/file:line: what" for every line of why. */
static void add_why(struct buf *out, const char *name, char *why)
{
	char *save = NULL;

	for (char *line = strtok_r(why, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		buf_printf(out, "%s%s/%s", out->len ? "\n" : "", name, line);
	free(why);
}

static void load_one(struct bundles *out, const char *folder,
		     const char *name, struct buf *faults)
{
	char *path = str_printf("%s/%s", folder, name);
	struct bundle *b;
	char *why = NULL;

	if (bundle_load(&b, path, &why) < 0) {
		add_why(faults, name, why ? why : str_dup("out of memory"));
	} else {
		out->v = realloc(out->v, (out->n + 1) * sizeof *out->v);
		if (!out->v)
			abort();
		out->v[out->n++] = b;
	}
	free(path);
}

int bundles_load(struct bundles *out, const char *folder, char **ret_why)
{
	struct bundles all = { 0 };
	struct buf faults = { 0 };
	struct dirent **names = NULL;
	int n = scandir(folder, &names, NULL, alphasort);

	if (n < 0)
		buf_printf(&faults, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (is_clinic(folder, names[i]->d_name))
			load_one(&all, folder, names[i]->d_name, &faults);
		free(names[i]);
	}
	free(names);
	if (!faults.len && !all.n)
		buf_printf(&faults, "%s: no folder with a clinic.lua in it",
			   folder);
	if (faults.len) {
		*ret_why = buf_take(&faults);
		bundles_free(&all);
		return ERR_CONFIG;
	}
	*out = all;
	return 0;
}

void bundles_free(struct bundles *b)
{
	for (size_t i = 0; i < b->n; i++)
		bundle_unref(b->v[i]);
	free(b->v);
	*b = (struct bundles){ 0 };
}

struct bundle *bundles_find(const struct bundles *b, const char *name)
{
	if (!name || !*name)
		return b->n == 1 ? b->v[0] : NULL;
	for (size_t i = 0; i < b->n; i++) {
		if (!strcmp(bundle_clinic(b->v[i])->name, name))
			return b->v[i];
	}
	return NULL;
}

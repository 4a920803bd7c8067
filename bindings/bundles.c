/* The clinics below a folder. On the loop, before or beside calls. */
#include "bindings/bundle_int.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

static bool is_clinic(const char *folder, const char *name)
{
	char *path = str_printf("%s/%s/clinic.lua", folder, name);
	bool there = access(path, F_OK) == 0;

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
		     struct buf *faults)
{
	struct bundle *b;
	char *why = NULL;

	if (bundle_load(&b, folder, &why) < 0) {
		char *name = bundle_name(folder);
		add_why(faults, name, why ? why : str_dup("out of memory"));
		free(name);
	} else {
		out->v = realloc(out->v, (out->n + 1) * sizeof *out->v);
		if (!out->v)
			abort();
		out->v[out->n++] = b;
	}
}

static void load_below(struct bundles *out, const char *folder,
		       struct buf *faults)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, NULL, alphasort);

	if (n < 0)
		buf_printf(faults, "%s: %s", folder, strerror(errno));
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		char *path = str_printf("%s/%s", folder, name);
		if (name[0] != '.' && is_clinic(folder, name))
			load_one(out, path, faults);
		free(path);
		free(names[i]);
	}
	free(names);
}

int bundles_load(struct bundles *out, const char *folder, char **ret_why)
{
	struct bundles all = { 0 };
	struct buf faults = { 0 };

	if (is_clinic(folder, "."))
		load_one(&all, folder, &faults);
	else
		load_below(&all, folder, &faults);
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

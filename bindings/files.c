/*
 * Reads a clinic's folder: every *.lua below it but tests/, sorted by name,
 * compiled and hashed. The only place of bindings/ that opens a clinic's
 * files; never in a call.
 */
#include "bindings/bundle_int.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "base/err.h"
#include "base/str.h"
#include "bindings/api_int.h"

#define MOST_FILES 256
#define FILE_BYTES (512 << 10)
#define MOST_DEPTH 4

void fault_add(struct faults *f, const char *fmt, ...)
{
	va_list ap;
	char line[1024];

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	for (char *p = line; *p; p++) {
		if (*p == '\n')
			*p = ' ';
	}
	buf_printf(&f->text, "%s%s", f->n++ ? "\n" : "", line);
}

/* "tools/find_slots.lua" is "tools.find_slots" for require(). */
static char *module_of(const char *file)
{
	char *m = str_dup(file);

	assert(strlen(file) > strlen(".lua"));
	m[strlen(m) - 4] = 0;
	for (char *p = m; *p; p++) {
		if (*p == '/')
			*p = '.';
	}
	return m;
}

static int read_all(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return -errno;
	do {
		n = fread(buf_reserve(out, 16384), 1, 16384, f);
		out->len += n;
	} while (n > 0 && out->len <= FILE_BYTES);
	int r = ferror(f) ? -EIO : out->len > FILE_BYTES ? -EFBIG : 0;
	fclose(f);
	return r;
}

static void add_file(struct bundle *b, const char *file, struct faults *f)
{
	char *path = str_printf("%s/%s", b->folder, file);
	struct buf text = { 0 };
	int r = read_all(path, &text);

	free(path);
	if (r == 0 && b->n_chunks >= MOST_FILES)
		r = -E2BIG;
	if (r < 0) {
		fault_add(f, "%s: %s", file, r == -E2BIG ? "more than 256 files" :
			  r == -EFBIG ? "larger than 512 KiB" : err_text(r));
		buf_free(&text);
		return;
	}
	b->chunks = realloc(b->chunks, (b->n_chunks + 1) * sizeof *b->chunks);
	if (!b->chunks)
		abort();
	struct chunk *c = &b->chunks[b->n_chunks++];
	*c = (struct chunk){ .module = module_of(file), .file = str_dup(file),
			     .source_len = text.len };
	c->source = buf_take(&text);
}

static bool is_lua(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && !strcmp(name + n - 4, ".lua");
}

static void walk(struct bundle *b, const char *below, int depth,
		 struct faults *f)
{
	char *path = str_printf("%s/%s", b->folder, below);
	DIR *d = opendir(path);
	const struct dirent *e;

	if (!d)
		fault_add(f, "%s: %s", *below ? below : b->folder, strerror(errno));
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' ||
		    (depth == 0 && !strcmp(e->d_name, "tests")))
			continue;
		struct stat st;
		char *at = str_printf("%s/%s", path, e->d_name);
		char *file = str_printf("%s%s%s", below, *below ? "/" : "",
					e->d_name);
		if (stat(at, &st) == 0 && S_ISDIR(st.st_mode) &&
		    depth < MOST_DEPTH)
			walk(b, file, depth + 1, f);
		else if (is_lua(e->d_name))
			add_file(b, file, f);
		free(file);
		free(at);
	}
	if (d)
		closedir(d);
	free(path);
}

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct chunk *)a)->file,
		      ((const struct chunk *)b)->file);
}

/* Over names and contents, each with its length in front. */
static void hash_files(struct bundle *b)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char sum[EVP_MAX_MD_SIZE];

	if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		abort();
	for (size_t i = 0; i < b->n_chunks; i++) {
		const struct chunk *c = &b->chunks[i];
		uint64_t lens[2] = { strlen(c->file), c->source_len };
		EVP_DigestUpdate(md, lens, sizeof lens);
		EVP_DigestUpdate(md, c->file, lens[0]);
		EVP_DigestUpdate(md, c->source, lens[1]);
	}
	EVP_DigestFinal_ex(md, sum, NULL);
	EVP_MD_CTX_free(md);
	for (int i = 0; i < 6; i++)
		snprintf(b->hash + 2 * i, 3, "%02x", sum[i]);
}

int files_read(struct bundle *b, struct faults *f)
{
	walk(b, "", 0, f);
	if (b->n_chunks)
		qsort(b->chunks, b->n_chunks, sizeof *b->chunks, by_file);
	hash_files(b);
	for (size_t i = 0; i < b->n_chunks; i++) {
		if (shipped_lua_find(b->chunks[i].module))
			fault_add(f, "%s: the name is that of a shipped module",
				  b->chunks[i].file);
	}
	return f->n ? ERR_CONFIG : 0;
}

/* Small text helpers: copies, random ids, base64url, hex, JSON quoting. */
#ifndef FD_BASE_STR_H
#define FD_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Copy of s, NULL for NULL; aborts without memory. Free with free(). */
char *str_dup(const char *s);
/* Frees *dst and sets it to a copy of src (which may be NULL). */
void str_set(char **dst, const char *src);
/* Formatted text in fresh memory; free with free(). */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_has_prefix(const char *s, const char *prefix);
/* "", NULL or only blanks. */
bool str_blank(const char *s);
/* Copies into out[cap], always ended with NUL; returns false when cut. */
bool str_copy(char *out, size_t cap, const char *s);

/* Fills p with n random bytes from the kernel; aborts if there are none. */
void random_bytes(void *p, size_t n);
/* prefix followed by n letters and digits in fresh memory ("SG_" + 12). */
char *random_id(const char *prefix, size_t n);

/* Appends base64url; pad adds '='. */
void base64url_add(struct buf *out, const void *p, size_t n, bool pad);
/* Appends the bytes of standard or url-safe base64 text; 0 or ERR_PROTOCOL. */
int base64_decode(struct buf *out, const char *text);
/* Appends text as a quoted JSON string; invalid UTF-8 becomes U+FFFD. */
void str_json_quote(struct buf *out, const char *s);
/* Appends text percent-encoded for a query value (RFC 3986 unreserved kept). */
void str_url_quote(struct buf *out, const char *s);
/* A fresh copy of s without malformed UTF-8: each bad byte becomes U+FFFD.
 * NULL for NULL. */
char *utf8_clean(const char *s);
/* Length of the longest prefix of s[0..n) that ends on a UTF-8 boundary. */
size_t utf8_whole(const char *s, size_t n);

#endif

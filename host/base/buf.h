/*
 * A growable run of bytes, always followed by a NUL that is not counted, so
 * that (char *)b->p may be used as a string once anything was added.
 * Embedded struct: init with {0}, end with buf_free(). Running out of memory
 * aborts: nothing that may run on the beat uses it.
 */
#ifndef FD_BASE_BUF_H
#define FD_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *p;
	size_t len;
	size_t cap;
};

/* Makes room for extra more bytes and returns where they would begin. */
uint8_t *buf_reserve(struct buf *b, size_t extra);
/* Appends n bytes. */
void buf_add(struct buf *b, const void *p, size_t n);
/* Appends a C string without its NUL. */
void buf_puts(struct buf *b, const char *s);
/* Appends formatted text. */
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Drops n bytes from the front (n at most b->len). */
void buf_shift(struct buf *b, size_t n);
/* Empties it and keeps the memory. */
void buf_reset(struct buf *b);
/* Gives the memory back; b is empty and usable again. */
void buf_free(struct buf *b);
/* The text so far, "" when nothing was added. Borrowed until the next call. */
const char *buf_str(const struct buf *b);
/* Hands the memory to the caller (free()) and empties b. Never NULL. */
char *buf_take(struct buf *b);

#endif

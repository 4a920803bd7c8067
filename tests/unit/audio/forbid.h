/*
 * While forbid_on is set on a thread, allocation, locks and I/O of that
 * thread are counted. The real functions are found behind ours; sanitizers
 * bring their own allocator, where only the lock and I/O counters work.
 */
#ifndef FD_AUDIO_FORBID_H
#define FD_AUDIO_FORBID_H

/* The tree hides symbols; libopus and others must find these. */
#pragma GCC visibility push(default)

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>

static _Thread_local bool forbid_on;
static _Thread_local int forbid_allocs __attribute__((unused));
static _Thread_local int forbid_locks __attribute__((unused));
static _Thread_local int forbid_io __attribute__((unused));
/* Above 0: so many more allocations succeed, then one fails. */
static _Thread_local int forbid_fail_in __attribute__((unused));
/* Blocks and bytes that live, of all threads together. */
static _Atomic long forbid_blocks __attribute__((unused));
static _Atomic long forbid_bytes __attribute__((unused));

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FORBID_SEES_ALLOCS 0
#else
#define FORBID_SEES_ALLOCS 1
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
extern void __libc_free(void *p);

static bool forbid_fails(void)
{
	return forbid_fail_in > 0 && --forbid_fail_in == 0;
}

static void *forbid_note(void *p)
{
	forbid_blocks += p != NULL;
	forbid_bytes += p ? (long)malloc_usable_size(p) : 0;
	return p;
}

void *malloc(size_t n)
{
	forbid_allocs += forbid_on;
	return forbid_fails() ? NULL : forbid_note(__libc_malloc(n));
}

void *calloc(size_t n, size_t size)
{
	forbid_allocs += forbid_on;
	return forbid_fails() ? NULL :
		forbid_note(__libc_calloc(n, size));
}

void *realloc(void *p, size_t n)
{
	long old = p ? (long)malloc_usable_size(p) : 0;

	forbid_allocs += forbid_on;
	if (forbid_fails())
		return NULL;
	void *q = __libc_realloc(p, n);
	if (q || !n) {
		forbid_blocks -= p != NULL;
		forbid_bytes -= old;
		forbid_note(q);
	}
	return q;
}

void *aligned_alloc(size_t align, size_t n)
{
	forbid_allocs += forbid_on;
	return forbid_fails() ? NULL :
		forbid_note(__libc_memalign(align, n));
}

void free(void *p)
{
	forbid_allocs += forbid_on && p;
	forbid_blocks -= p != NULL;
	forbid_bytes -= p ? (long)malloc_usable_size(p) : 0;
	__libc_free(p);
}
#endif

#if !defined(__SANITIZE_THREAD__)
int pthread_mutex_lock(pthread_mutex_t *m)
{
	static int (*real)(pthread_mutex_t *);

	forbid_locks += forbid_on;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	return real(m);
}
#endif

ssize_t write(int fd, const void *p, size_t n)
{
	static ssize_t (*real)(int, const void *, size_t);

	forbid_io += forbid_on;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "write");
	return real(fd, p, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	static ssize_t (*real)(int, const struct iovec *, int);

	forbid_io += forbid_on;
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "writev");
	return real(fd, v, n);
}

#pragma GCC visibility pop

#endif

/*
 * vad_heap: a VAD step must not touch the heap or a lock. The linker sends
 * the calls of every object of ours through the counters below (--wrap, see
 * tests.cmake).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/audio.h"
#include "audio/vad_int.h"

static long calls;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
int __real_pthread_mutex_lock(pthread_mutex_t *m);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);

void *__wrap_malloc(size_t n)
{
	calls++;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	calls++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	calls++;
	return __real_realloc(p, n);
}

void __wrap_free(void *p)
{
	calls++;
	__real_free(p);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	calls++;
	return __real_pthread_mutex_lock(m);
}

static long calls_of_steps(struct audio_vad *v)
{
	float pcm[AUDIO_VAD_WINDOW];
	long before = calls;

	for (int w = 0; w < 100; w++) {
		for (int i = 0; i < AUDIO_VAD_WINDOW; i++)
			pcm[i] = (float)((w * 7919 + i * 104729) % 2001 - 1000) /
				 4000;
		audio_vad_step(v, pcm);
	}
	audio_vad_reset(v);
	return calls - before;
}

int main(void)
{
	struct audio_vad *v;

	if (audio_vad_create(&v) < 0)
		return 1;
	if (calls == 0) {
		fprintf(stderr, "vad_heap: create's own allocation was not "
				"counted: --wrap is not in force\n");
		return 1;
	}
	long bad = calls_of_steps(v);
	vad_use_plain(v);
	bad += calls_of_steps(v);
	audio_vad_destroy(v);
	printf("vad_heap: %ld calls to heap or lock in 200 steps\n", bad);
	return bad == 0 ? 0 : 1;
}

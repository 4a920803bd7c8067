/*
 * Which thread is this? Two kinds are named: the loop (libuv: signalling,
 * providers, turn machine, Lua) and media (GLib: sockets of the media path
 * and the beat). Functions open with ON_LOOP() or ON_MEDIA(); threads that
 * never took a role (unit tests, main before start) pass both.
 */
#ifndef FD_BASE_THREAD_H
#define FD_BASE_THREAD_H

#include <assert.h>

enum thread_role { THREAD_NONE, THREAD_LOOP, THREAD_MEDIA };

extern _Thread_local enum thread_role thread_role;

#define ON_LOOP() assert(thread_role != THREAD_MEDIA)
#define ON_MEDIA() assert(thread_role != THREAD_LOOP)

#endif

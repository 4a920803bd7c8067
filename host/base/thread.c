/* The role of the current thread. */
#include "base/thread.h"

_Thread_local enum thread_role thread_role;

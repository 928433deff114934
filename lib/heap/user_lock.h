/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The program's lock on a heap: HeapLock. */
#ifndef PRIVHEAP_USER_LOCK_H
#define PRIVHEAP_USER_LOCK_H

#include "alloc/types.h"

/*
 * Stops all other threads at their next operation on the heap until heap_user_unlock; as often as
 * it was locked. Nothing on a HEAP_F_NO_SERIALIZE heap. 0; -EDEADLK; -EINVAL: destroyed while
 * waiting; -EPERM: not locked by this thread.
 */
int heap_user_lock(struct heap *heap);
int heap_user_unlock(struct heap *heap);

#endif

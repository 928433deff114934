/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Stopping a heap: no other thread is inside a serialised operation on it, or starts one, until
 * it is resumed. See freeze.c.
 *
 * Not for heaps whose caller serialises. One thread at a time: heap/user_lock.c sees to that.
 */
#ifndef PRIVHEAP_FREEZE_H
#define PRIVHEAP_FREEZE_H

#include "alloc/types.h"

/* The calling thread goes on; others wait in their next operation. */
void heap_stop(struct heap *heap);
void heap_resume(struct heap *heap);

/*
 * The heap is destroyed, but held by somebody: nobody waits for it any more, in heap_lock() or because
 * it is stopped. And it is not, after all: as new, locked by nobody.
 */
void heap_dismiss(struct heap *heap);
void heap_recall(struct heap *heap);

/*
 * With the heap's lock held and the heap running: until heap_rejoin() nobody is inside a shard,
 * and nobody gets inside without the lock.
 */
void heap_hush(struct heap *heap);
void heap_rejoin(struct heap *heap);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Freezing a heap: no other thread is in a serialised operation on it, or starts one, until it is
 * thawed. See freeze.c.
 *
 * Not for heaps whose caller serialises. One thread at a time, which heap/user_lock.c ensures.
 */
#ifndef PRIVHEAP_FREEZE_H
#define PRIVHEAP_FREEZE_H

#include "alloc/types.h"

/* The calling thread goes on; others wait at their next operation. */
void heap_freeze(struct heap *heap);
void heap_thaw(struct heap *heap);

/*
 * dismiss: the heap is destroyed while references remain: wakes all waiters, of heap_user_lock()
 * and of the freeze, and lets none wait again. recall: destroying failed; thawed and not locked by
 * the program.
 */
void heap_dismiss(struct heap *heap);
void heap_recall(struct heap *heap);

/*
 * Under the heap's lock, of a heap that is not frozen: until heap_resume() no thread is in a shard,
 * nor gets there without the lock.
 */
void heap_quiesce(struct heap *heap);
void heap_resume(struct heap *heap);

#endif

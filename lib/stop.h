/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Stopping a heap: no other thread is inside a serialised operation on it, or starts one, until
 * it is resumed. See stop.c.
 *
 * Not for heaps whose caller serialises. One thread at a time: heaplock.c sees to that.
 */
#ifndef PRIVHEAP_STOP_H
#define PRIVHEAP_STOP_H

#include "heap_internal.h"

/* The calling thread goes on; others wait in their next operation. */
void heap_stop(struct heap *heap);
void heap_resume(struct heap *heap);

/*
 * The heap is destroyed, but held by somebody: nobody waits for it any more, in heap_lock() or because
 * it is stopped. And it is not, after all: as new, locked by nobody.
 */
void heap_dismiss(struct heap *heap);
void heap_recall(struct heap *heap);

/* Waits while another thread has stopped the heap; a signal handler that must not wait goes on. */
void heap_pass_slow(struct heap *heap);

static inline void heap_pass(struct heap *heap)
{
	if (unlikely(atomic_load_explicit(&heap->stopped, memory_order_relaxed)))
		heap_pass_slow(heap);
}

/* heap_enter for an operation that does not pass a stopped heap. */
void heap_enter_passing(struct heap *heap);

/* heap_enter_safely for an operation with these flags of the call. */
static inline bool heap_enter_call(struct heap *heap, unsigned int flags)
{
	if (heap_would_hang(heap))
		return lock_try(&heap->lock);
	if (flags & HEAP_F_NO_SERIALIZE)
		heap_enter(heap);
	else
		heap_enter_passing(heap);
	return true;
}

/*
 * With the heap's lock held and the heap running: until heap_rejoin() nobody is inside a shard,
 * and nobody gets inside without the lock.
 */
void heap_hush(struct heap *heap);
void heap_rejoin(struct heap *heap);

#endif

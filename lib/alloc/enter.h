/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The ways into an operation that needs the heap's lock. */
#ifndef PRIVHEAP_ENTER_H
#define PRIVHEAP_ENTER_H

#include "alloc/types.h"

static inline void heap_enter(struct heap *heap)
{
	if (!heap_exclusive(heap))
		lock_take(&heap->lock);
}

static inline void heap_leave(struct heap *heap)
{
	if (!heap_exclusive(heap))
		lock_drop(&heap->lock);
}

/*
 * A signal handler that interrupted this library on its own thread must not wait for it. On an
 * exclusive heap no lock is taken and the caller serialises, handlers included.
 */
static inline bool heap_would_hang(const struct heap *heap)
{
	return !heap_exclusive(heap) && lock_any_held();
}

/* Enters, unless that could hang. */
static inline bool heap_enter_safely(struct heap *heap)
{
	if (heap_would_hang(heap))
		return lock_try(&heap->lock);
	heap_enter(heap);
	return true;
}

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

#endif

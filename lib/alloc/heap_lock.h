/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The heap's lock, and the ways to take it. All of these are nothing on an exclusive heap, whose
 * caller serialises. Reentry: a signal handler that interrupted this library on its own thread,
 * which holds some lock of it; to wait for another could hang.
 *
 *				waits for	on a frozen heap	in reentry
 *	heap_lock		the lock	goes on			must not be called
 *	heap_lock_unless_in_signal	the lock	goes on			tries once
 *	heap_lock_thawed	lock, thaw	waits			must not be called
 *	heap_lock_call		lock, thaw	waits; goes on with	tries once
 *						HEAP_F_NO_SERIALIZE
 *	heap_wait_thawed	thaw		waits, takes no lock	goes on
 */
#ifndef PRIVHEAP_HEAP_LOCK_H
#define PRIVHEAP_HEAP_LOCK_H

#include "alloc/types.h"

static inline void heap_lock(struct heap *heap)
{
	if (!heap_exclusive(heap))
		lock_take(&heap->lock);
}

static inline void heap_unlock(struct heap *heap)
{
	if (!heap_exclusive(heap))
		lock_drop(&heap->lock);
}

/* On an exclusive heap the caller serialises signal handlers, too. */
static inline bool heap_in_signal_reentry(const struct heap *heap)
{
	return !heap_exclusive(heap) && lock_any_held();
}

/* False: in reentry, and another thread or the interrupted code has the lock. */
static inline bool heap_lock_unless_in_signal(struct heap *heap)
{
	if (heap_in_signal_reentry(heap))
		return lock_try(&heap->lock);
	heap_lock(heap);
	return true;
}

void heap_wait_thawed_slow(struct heap *heap);

static inline void heap_wait_thawed(struct heap *heap)
{
	if (unlikely(atomic_load_explicit(&heap->frozen, memory_order_relaxed)))
		heap_wait_thawed_slow(heap);
}

void heap_lock_thawed(struct heap *heap);

/* For an operation with these flags of the call. False as heap_lock_unless_in_signal(). */
static inline bool heap_lock_call(struct heap *heap, unsigned int flags)
{
	if (heap_in_signal_reentry(heap))
		return lock_try(&heap->lock);
	if (flags & HEAP_F_NO_SERIALIZE)
		heap_lock(heap);
	else
		heap_lock_thawed(heap);
	return true;
}

#endif

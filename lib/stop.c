// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Stopping a heap.
 *
 *   stopped  0 ──heap_stop──▶ the stopper's number ──heap_resume──▶ 0, and everybody is woken
 *
 * Every operation reads the word when it begins. One that is beyond that when the heap is stopped
 * is let finish: with the lock in hand none is in a slow path, and a fast path is a few
 * instructions.
 */
#include "stop.h"

void heap_stop(struct heap *heap)
{
	atomic_store(&heap->stopped, lock_thread());
	lock_take(&heap->lock);
	lock_drop(&heap->lock);
}

void heap_resume(struct heap *heap)
{
	atomic_store(&heap->stopped, 0);
	lock_wake_all(&heap->stopped);
}

void heap_pass_slow(struct heap *heap)
{
	uint32_t me = lock_thread(), seen;

	if (heap_would_hang(heap))
		return;
	while ((seen = atomic_load(&heap->stopped)) && seen != me)
		lock_sleep(&heap->stopped, seen);
}

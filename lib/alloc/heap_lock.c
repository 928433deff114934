// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Taking the lock of a heap that another thread may have frozen (see freeze.c).
 */
#include "alloc/heap_lock.h"

void heap_wait_thawed_slow(struct heap *heap)
{
	uint32_t me = lock_thread(), seen;

	if (heap_in_signal_reentry(heap))
		return;
	while ((seen = atomic_load(&heap->frozen)) && seen != me && seen != HEAP_GONE)
		lock_sleep(&heap->frozen, seen);
}

void heap_lock_thawed(struct heap *heap)
{
	uint32_t seen;

	for (;;) {
		heap_lock(heap);
		seen = atomic_load(&heap->frozen);
		if (likely(!seen) || seen == lock_thread() || seen == HEAP_GONE)
			return;
		heap_unlock(heap);
		heap_wait_thawed_slow(heap);
	}
}

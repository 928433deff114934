// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Getting into a heap that another thread may have stopped (see freeze.c).
 */
#include "alloc/enter.h"

void heap_pass_slow(struct heap *heap)
{
	uint32_t me = lock_thread(), seen;

	if (heap_would_hang(heap))
		return;
	while ((seen = atomic_load(&heap->stopped)) && seen != me && seen != HEAP_GONE)
		lock_sleep(&heap->stopped, seen);
}

void heap_enter_passing(struct heap *heap)
{
	uint32_t seen;

	for (;;) {
		heap_enter(heap);
		seen = atomic_load(&heap->stopped);
		if (likely(!seen) || seen == lock_thread() || seen == HEAP_GONE)
			return;
		heap_leave(heap);
		heap_pass_slow(heap);
	}
}

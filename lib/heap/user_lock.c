// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HeapLock: which thread has a heap to itself, and how often.
 *
 *   owner 0 ──▶ a thread's number ── heap_freeze ─▶ … the program … ─▶ heap_thaw ── 0, all woken
 *                relocks 0, 1, 2 … 1, 0                         HEAP_GONE: destroyed
 *
 * Held across the program's own code, so it is no lock of the library: it does not count in
 * lock_any_held(). Only taking and giving it up does, because a signal handler must not come in
 * between owner and stop. A thread that ends while it owns a heap leaves it locked: its number
 * is never given again.
 */
#include <errno.h>
#include "alloc/freeze.h"
#include "heap/registry.h"
#include "heap/user_lock.h"

static bool user_lock_try(struct heap *heap, uint32_t me, uint32_t *seen)
{
	bool mine;

	lock_depth++;
	atomic_signal_fence(memory_order_seq_cst);
	*seen = 0;
	mine = atomic_compare_exchange_strong(&heap->owner, seen, me);
	if (mine)
		heap_freeze(heap);
	atomic_signal_fence(memory_order_seq_cst);
	lock_depth--;
	return mine;
}

int heap_user_lock(struct heap *heap)
{
	uint32_t me = lock_thread(), seen;

	if (heap_exclusive(heap))
		return 0;
	if (lock_any_held())
		return -EDEADLK;
	if (atomic_load(&heap->owner) == me) {
		heap->relocks++;
		return 0;
	}
	while (!user_lock_try(heap, me, &seen)) {
		if (seen == HEAP_GONE)
			return -EINVAL;
		lock_sleep(&heap->owner, seen);
	}
	return heap_gone(heap) ? -EINVAL : 0;
}

int heap_user_unlock(struct heap *heap)
{
	uint32_t me = lock_thread();

	if (heap_exclusive(heap))
		return 0;
	if (atomic_load(&heap->owner) != me)
		return -EPERM;
	if (heap->relocks) {
		heap->relocks--;
		return 0;
	}
	lock_depth++;
	atomic_signal_fence(memory_order_seq_cst);
	heap_thaw(heap);
	atomic_compare_exchange_strong(&heap->owner, &me, 0);
	atomic_signal_fence(memory_order_seq_cst);
	lock_depth--;
	lock_wake_all(&heap->owner);
	return 0;
}

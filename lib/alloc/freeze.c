// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Freezing a heap.
 *
 *   frozen    0 ──heap_freeze──▶ the freezing thread's number ──heap_thaw──▶ 0, all waiters woken
 *   quiesced  no ──────────────▶ yes ─────────────────────────────────────▶ no
 *	       any ─heap_dismiss─▶ HEAP_GONE, for good, all waiters woken
 *
 * Where another thread's operation can be, and why it is complete or not started when heap_freeze()
 * returns:
 *
 *   rseq sequence	percpu_limit is cleared first, then the fence aborts every sequence that
 *   (per-CPU heap)	has not committed; restarted, it finds the limit 0. One that has committed
 *			is complete: canary and slack of a block are written before the commit.
 *   shard's lock	quiesced is set first, then the lock of each shard is taken and dropped. A
 *   (shared heap)	thread that had it has left; one that takes it later sees quiesced.
 *   heap's lock	heap_freeze() has held it in between: a thread that had it before has left;
 *			one that takes it later sees frozen (heap_lock_thawed) and waits.
 *   elsewhere		has only read so far, and must pass one of the three before it writes.
 *
 * The freezing thread's own operations find the limit 0, too: they take the heap's lock and use
 * plain stores on the shards, as no other thread is in one. So do operations that the program
 * serialises itself: the lock keeps them apart.
 */
#include "alloc/freeze.h"
#include "alloc/shard.h"

static void freeze_drain_shards(struct heap *heap)
{
	if (heap->mode == HEAP_PERCPU) {
		shard_fence(heap);
		return;
	}
	for (uint32_t i = 0; i < heap->shard_count; i++) {
		struct shard *shard = shard_at(heap, i);

		if (shard == &shard_none)
			continue;
		lock_spin_take(&shard->lock);
		lock_spin_drop(&shard->lock);
	}
}

void heap_quiesce(struct heap *heap)
{
	if (heap->percpu_off)
		return;
	atomic_store(&heap->percpu_limit, 0);
	/* Per-CPU sequences do not read it; shared shards read it under their lock. */
	if (heap->mode == HEAP_SHARED)
		atomic_store(&heap->quiesced, true);
	freeze_drain_shards(heap);
	atomic_store(&heap->quiesced, true);
}

void heap_resume(struct heap *heap)
{
	if (heap->percpu_off)
		return;
	atomic_store(&heap->quiesced, false);
	if (heap->mode == HEAP_PERCPU)
		atomic_store(&heap->percpu_limit, heap->shard_count);
}

void heap_freeze(struct heap *heap)
{
	uint32_t running = 0;

	/* Stays HEAP_GONE once the heap is destroyed. */
	atomic_compare_exchange_strong(&heap->frozen, &running, lock_thread());
	lock_take(&heap->lock);
	heap_quiesce(heap);
	lock_drop(&heap->lock);
}

void heap_thaw(struct heap *heap)
{
	uint32_t me = lock_thread();

	lock_take(&heap->lock);
	heap_resume(heap);
	lock_drop(&heap->lock);
	if (atomic_compare_exchange_strong(&heap->frozen, &me, 0))
		lock_wake_all(&heap->frozen);
}

void heap_dismiss(struct heap *heap)
{
	if (atomic_exchange(&heap->frozen, HEAP_GONE))
		lock_wake_all(&heap->frozen);
	if (atomic_exchange(&heap->owner, HEAP_GONE))
		lock_wake_all(&heap->owner);
}

void heap_recall(struct heap *heap)
{
	heap->relocks = 0;
	heap_resume(heap);
	atomic_store(&heap->owner, 0);
	atomic_store(&heap->frozen, 0);
}

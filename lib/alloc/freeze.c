// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Stopping a heap.
 *
 *   stopped  0 ──heap_stop──▶ the stopper's number ──heap_resume──▶ 0, and everybody is woken
 *   quiet    no ─────────────▶ yes ───────────────────────────────▶ no
 *	      any ─heap_dismiss─▶ HEAP_GONE, for good, and everybody is woken
 *
 * Where an operation can be, and why it is over or not begun when heap_stop() returns:
 *
 *   in a sequence (owned heap)	the gate is closed first, then the barrier aborts every sequence
 *				that has not committed; when it starts again it finds the gate
 *				closed. One that has committed is over: the canary and the slack of
 *				a block are written before the commit.
 *	inside a shard by its	quiet is set first, then the lock of each shard is taken and given
 *	lock (shared heap)	back. Who was inside has left; who comes later sees quiet, inside.
 *	under the heap's lock	heap_stop() has held it between: who held it before has left; who
 *				takes it later sees quiet (heap_enter_passing) and waits.
 *	elsewhere		has read what it needs but changed nothing, and must pass one of
 *				the three before it does.
 *
 * The stopper's own operations find the gate closed too; they go through the heap's lock and work
 * on the shards with plain stores, as nobody else is inside. So do operations that the program
 * serialises itself: the lock keeps them apart.
 */
#include "alloc/shard.h"
#include "alloc/freeze.h"

static void heap_empty_shards(struct heap *heap)
{
	if (heap->mode == HEAP_OWNED) {
		shard_barrier(heap);
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

void heap_hush(struct heap *heap)
{
	if (heap->disowned)
		return;
	atomic_store(&heap->gate, 0);
	/* Sequences do not look at it, locked operations look inside only. */
	if (heap->mode == HEAP_SHARED)
		atomic_store(&heap->quiet, true);
	heap_empty_shards(heap);
	atomic_store(&heap->quiet, true);
}

void heap_rejoin(struct heap *heap)
{
	if (heap->disowned)
		return;
	atomic_store(&heap->quiet, false);
	if (heap->mode == HEAP_OWNED)
		atomic_store(&heap->gate, heap->shard_count);
}

void heap_stop(struct heap *heap)
{
	uint32_t running = 0;

	/* Unless it is gone. */
	atomic_compare_exchange_strong(&heap->stopped, &running, lock_thread());
	lock_take(&heap->lock);
	heap_hush(heap);
	lock_drop(&heap->lock);
}

void heap_resume(struct heap *heap)
{
	uint32_t me = lock_thread();

	lock_take(&heap->lock);
	heap_rejoin(heap);
	lock_drop(&heap->lock);
	if (atomic_compare_exchange_strong(&heap->stopped, &me, 0))
		lock_wake_all(&heap->stopped);
}

void heap_dismiss(struct heap *heap)
{
	if (atomic_exchange(&heap->stopped, HEAP_GONE))
		lock_wake_all(&heap->stopped);
	if (atomic_exchange(&heap->owner, HEAP_GONE))
		lock_wake_all(&heap->owner);
}

void heap_recall(struct heap *heap)
{
	heap->relocks = 0;
	heap_rejoin(heap);
	atomic_store(&heap->owner, 0);
	atomic_store(&heap->stopped, 0);
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Getting inside a shard with the heap's lock held, waiting for others to leave it, and the next
 * group without the lock.
 */
#define _GNU_SOURCE
#include <sched.h>
#include "alloc/meta.h"
#include "alloc/shard.h"

#if !__has_include(<sys/rseq.h>)
uint32_t shard_cpu(void)
{
	return (uint32_t)sched_getcpu();
}
#endif

struct group group_none;

struct shard shard_none = {
	.current = { [0 ... CLASSES - 1] = &group_none },
};

struct shard *shard_make(struct heap *heap, uint32_t *i, int *error)
{
	struct shard *shard = shard_at(heap, *i);

	if (shard != &shard_none)
		return shard;
	shard = heap_meta_alloc(heap, sizeof(*shard), error);
	if (shard) {
		for (unsigned int class = 0; class < CLASSES; class++)
			shard->current[class] = &group_none;
		atomic_store_explicit(&heap->shards[*i], shard, memory_order_release);
		return shard;
	}
	for (*i = 0; *i < shard_total(heap); (*i)++)
		if (shard_made(heap, *i))
			return shard_at(heap, *i);
	return NULL;
}

bool shard_advance(struct heap *heap, unsigned int class)
{
	uint32_t here = shard_here(heap);
	struct group *group, *next;
	struct shard *shard;

	/* Not without the lock. */
	if (heap->mode == HEAP_PERCPU && here == heap->shard_count)
		return false;
	shard = shard_at(heap, here);
	group = shard_current(shard, class);
	if (group == &group_none)
		return false;
	next = group->next;
	while (next != group && !(atomic_load(&next->free) | atomic_load(&next->local_free)))
		next = next->next;
	return next != group &&
	       atomic_compare_exchange_strong(&shard->current[class], &group, next);
}

void shard_fence(struct heap *heap)
{
	if (percpu_fence())
		return;
	atomic_store(&heap->percpu_limit, 0);
	percpu_last_fence();
	heap->percpu_off = true;
	atomic_store(&heap->quiesced, true);
}

void shard_quiesce(struct heap *heap, uint32_t i)
{
	struct shard *shard = shard_at(heap, i);

	if (shard_alone(heap, i))
		return;
	if (heap->mode == HEAP_PERCPU) {
		shard_fence(heap);
		return;
	}
	lock_spin_take(&shard->lock);
	lock_spin_drop(&shard->lock);
}

bool shard_or(struct heap *heap, uint32_t i, _Atomic uint64_t *word, uint64_t bits)
{
	struct shard *shard = shard_at(heap, i);

	if (heap->mode == HEAP_PERCPU && !shard_alone(heap, i))
		return percpu_or(i, word, bits);
	if (heap->mode == HEAP_SHARED)
		lock_spin_take(&shard->lock);
	atomic_store_explicit(word, *word | bits, memory_order_release);
	if (heap->mode == HEAP_SHARED)
		lock_spin_drop(&shard->lock);
	return true;
}

void *shard_take(struct heap *heap, uint32_t i, unsigned int class, size_t n)
{
	struct shard *shard = shard_at(heap, i);
	void *p;

	if (heap->mode == HEAP_PERCPU && !shard_alone(heap, i))
		return percpu_alloc(heap, class, n, &p) ? p : NULL;
	if (heap->mode == HEAP_SHARED)
		lock_spin_take(&shard->lock);
	p = slab_group_alloc(shard_current(shard, class), class, n, heap->canary);
	if (heap->mode == HEAP_SHARED)
		lock_spin_drop(&shard->lock);
	return p;
}

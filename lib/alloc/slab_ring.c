// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Where slabs are. A slab with pages is in exactly one of three places:
 *
 *     ┌─── current of its shard ───┐  no block is free   ┌── ring of its shard and class ──┐
 *     │ one group of it serves     │ ──────────────────▶ │   all others, partial or full   │
 *     │ allocations                │ ◀────────────────── │                                 │
 *     └─────────────┬──────────────┘  1/10 of it is free └────────────────▲────────────────┘
 *                   │ no block is free, low on space                      │ a block was freed
 *                   └──────────────▶ full ring of its class ──────────────┘
 *
 * Only the holder of the heap's lock moves a slab; allocating and freeing blocks needs no lock.
 * Frees in a ring are not counted: a thread that needs a block scans the next few slabs from the
 * cursor on, as the hand of a clock, and takes one with at least min_free blocks, which pay for the
 * lock.
 *
 * Low on space no free block may be missed. slab_recheck_full() then marks the full slabs of a
 * class notify_free, and slab_put() those that become full: a thread that frees a block in such a
 * slab puts it back into its ring. The two must not miss each other. Marking does
 *     local = none;  notify_free = 1;  waits until the shard is quiescent;  reads the bits,
 * a free from inside the shard does
 *     reads local;  sets a bit,
 * and one from outside
 *     sets a bit;  then reads notify_free.
 * A free from inside is seen by the first, or finds that it has to go outside. There the bit and
 * notify_free are set by atomic operations, so at least one side sees the other. On the shard's own
 * CPU there is nothing to wait for: no other thread is in a sequence there.
 */
#include "alloc/heap_lock.h"
#include "alloc/shard.h"
#include "alloc/slab_ring.h"

#define SCAN_GROUPS	64	/* of slabs below min_free, before a scan ends */
#define STEAL_TIMES	4	/* four tenths of a slab have to be free */
#define STEAL_MOST	2	/* slabs for one wait */

static struct slab **slab_ring(struct heap *heap, const struct slab *slab)
{
	return &shard_at(heap, slab->owner)->ring[slab->class];
}

bool slab_any_free(const struct slab *slab)
{
	for (unsigned int i = 0; i < slab->count; i++)
		if (group_free_bits(&slab->groups[i]))
			return true;
	return false;
}

bool slab_has_min_free(const struct slab *slab, unsigned int blocks)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < slab->count && found < blocks; i++)
		found += (unsigned int)__builtin_popcountll(group_free_bits(&slab->groups[i]));
	return found >= blocks;
}

struct slab_scan slab_scan(struct heap *heap, struct shard *shard, unsigned int class,
			   unsigned int times)
{
	return (struct slab_scan){
		.ring = &shard->ring[class],
		.low_space = heap->classes[class].low_space,
		.times = times,
		.groups = SCAN_GROUPS / times,
	};
}

struct slab *slab_scan_next(struct slab_scan *scan)
{
	struct slab *slab;

	while ((slab = *scan->ring) && slab != scan->first && (scan->low_space || scan->groups)) {
		if (slab_has_min_free(slab, scan->low_space ? 1 : scan->times * slab->min_free)) {
			ring_remove(scan->ring, slab);
			return slab;
		}
		scan->groups -= scan->groups < slab->count ? scan->groups : slab->count;
		scan->first = scan->first ? scan->first : slab;
		*scan->ring = slab->next;
	}
	return NULL;
}

/* Moves what others freed to where it is given out, unless this thread is on another CPU. */
static void group_collect(struct heap *heap, uint32_t shard, struct group *group)
{
	uint64_t remote = atomic_load(&group->remote_free) & group->mask, both;

	if (!remote)
		return;
	/* Freed twice at one moment: the other bit is enough. */
	both = remote & (atomic_load(&group->local_free) | atomic_load(&group->free));
	if (remote & ~both && !shard_or(heap, shard, &group->free, remote & ~both))
		return;
	atomic_fetch_and(&group->remote_free, ~remote);
}

struct group *slab_collect(struct heap *heap, struct slab *slab)
{
	struct group *usable = NULL;

	/* All of them: the others come after this one without the lock, see shard_advance(). */
	for (unsigned int i = slab->count; i-- > 0;) {
		struct group *group = &slab->groups[i];

		group_collect(heap, slab->owner, group);
		if (atomic_load(&group->free) || atomic_load(&group->local_free))
			usable = group;
	}
	return usable;
}

static void slab_notify_on(struct slab *slab)
{
	atomic_store(&slab->local, SLAB_NOBODY);
	atomic_exchange(&slab->notify_free, 1);
}

static void slab_notify_off(struct slab *slab)
{
	atomic_store(&slab->notify_free, 0);
	atomic_store(&slab->local, slab->owner);
}

bool slab_put(struct heap *heap, struct slab *slab)
{
	struct class_state *state = slab_state(heap, slab);

	if (!state->low_space) {
		ring_add(slab_ring(heap, slab), slab);
		return true;
	}
	slab_notify_on(slab);
	if (heap->mode == HEAP_SHARED ||
	    (heap->mode == HEAP_PERCPU && percpu_cpu() != slab->owner))
		shard_quiesce(heap, slab->owner);
	if (slab_any_free(slab)) {
		slab_notify_off(slab);
		return false;
	}
	ring_add(&state->full, slab);
	return true;
}

void slab_notify_freed(struct heap *heap, struct slab *slab)
{
	/* In a signal handler that must not wait: the next one to free a block here comes by. */
	if (heap_in_signal_reentry(heap))
		return;
	heap_lock(heap);
	if (atomic_load(&slab->notify_free)) {
		ring_remove(&slab_state(heap, slab)->full, slab);
		slab_notify_off(slab);
		ring_add_first(slab_ring(heap, slab), slab);
	}
	heap_unlock(heap);
}

void slab_recheck_full(struct heap *heap, unsigned int class)
{
	struct class_state *state = &heap->classes[class];
	struct slab *full = NULL, *slab;

	/* While it is set nothing is missed: once is enough. */
	if (state->low_space)
		return;
	state->low_space = true;
	for (uint32_t i = 0; i < shard_total(heap); i++) {
		struct shard *shard = shard_at(heap, i);

		while ((slab = shard->ring[class])) {
			ring_remove(&shard->ring[class], slab);
			slab_notify_on(slab);
			ring_add(&state->full, slab);
		}
	}
	if (!state->full)
		return;
	for (uint32_t i = 0; i < shard_total(heap); i++)
		if (shard_made(heap, i))
			shard_quiesce(heap, i);
	while ((slab = state->full)) {
		ring_remove(&state->full, slab);
		if (slab_any_free(slab)) {
			slab_notify_off(slab);
			ring_add(slab_ring(heap, slab), slab);
		} else {
			ring_add(&full, slab);
		}
	}
	state->full = full;
}

void slab_collect_all(struct slab *slab)
{
	for (unsigned int i = 0; i < slab->count; i++) {
		struct group *group = &slab->groups[i];
		uint64_t bits = group_free_bits(group);

		atomic_store(&group->free, bits);
		atomic_store(&group->local_free, 0);
		atomic_fetch_and(&group->remote_free, ~bits);
	}
}

void slab_adopt(struct heap *heap, struct slab *slab, uint32_t shard)
{
	uint32_t old = slab->owner;

	if (old == shard)
		return;
	if (old != SLAB_NOBODY) {
		slab_set_owner(slab, SLAB_NOBODY);
		shard_quiesce(heap, old);
		slab_collect_all(slab);
	}
	slab_set_owner(slab, shard);
}

bool slab_steal(struct heap *heap, unsigned int class, uint32_t from, uint32_t to)
{
	struct slab_scan scan = slab_scan(heap, shard_at(heap, from), class, STEAL_TIMES);
	struct slab *picked = NULL, *slab;

	for (int i = 0; i < STEAL_MOST && (slab = slab_scan_next(&scan)); i++) {
		slab_set_owner(slab, SLAB_NOBODY);
		ring_add(&picked, slab);
	}
	if (!picked)
		return false;
	shard_quiesce(heap, from);
	while ((slab = picked)) {
		ring_remove(&picked, slab);
		slab_collect_all(slab);
		slab_set_owner(slab, to);
		ring_add_first(slab_ring(heap, slab), slab);
	}
	return true;
}

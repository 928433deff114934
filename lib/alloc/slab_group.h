/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A slab: a run of pages cut into blocks of one class. Its record is in the metadata region:
 *
 *   | struct slab | group 0 | group 1 | … | slack of block 0, 1, 2 … |		a group: 64 blocks
 *
 *   group  free         bits of free blocks, allocated next      ─┐ a block is free if its bit
 *          local_free   freed by the slab's shard; becomes free   │ is set in one of the three, on
 *                       when that is empty                        │ its way back if it is set in
 *          remote_free  freed from elsewhere                     ─┘ two
 *   slack  class size - requested, of live blocks
 *
 * free and local_free are separate words, so that an allocation right after a free does not stall
 * on store forwarding. Bits beyond the last block are always set in remote_free: the end of a slab,
 * too short for a block, cannot be freed; it has a slack entry that is not used.
 *
 * A slab belongs to a shard. free and local_free are written only inside the shard (shard.h says
 * how one gets there), remote_free by any thread with an atomic operation. The owner collects it
 * under the heap's lock: bits are set in free first, then cleared in remote_free, so a free block
 * reads as free at any moment and is allocated only when its bit is in one place.
 *
 * Of two threads that free one block at the same moment, one inside its shard and one outside, both
 * may succeed; the block is still free once, because collecting merges the two bits.
 *
 * A record is type-stable: for as long as the heap lives it describes slabs of one class and one
 * length, and while it has no pages all its bits are 0: nothing can be allocated from it.
 */
#ifndef PRIVHEAP_SLAB_GROUP_H
#define PRIVHEAP_SLAB_GROUP_H

#include "alloc/canary.h"
#include "alloc/types.h"

#define SLAB_ORDER_BYTES(order)	(PAGE_BYTES << 2 * (order))	/* 4, 16, 64 KiB */
#define SLAB_ORDERS		3
#define SLAB_NOBODY		UINT32_MAX	/* as owner */
#define SLAB_QUARANTINED	UINT16_MAX	/* as slack: freed, not reusable (debug/check.c) */

static_assert(SLAB_ORDER_BYTES(SLAB_ORDERS - 1) <= 1 << 16, "reciprocals are exact to 2^16");
static_assert(SLAB_ORDER_BYTES(SLAB_ORDERS - 1) / 2 == CLASS_MAX, "every class has a slab");

static inline char *slab_base(const struct slab *slab)
{
	return atomic_load_explicit(&slab->base, memory_order_relaxed);
}

static inline size_t slab_pages(const struct slab *slab)
{
	return (size_t)1 << 2 * slab->order;
}

static inline uint32_t slab_blocks(const struct slab *slab)
{
	return slab->bytes / slab->size;
}

static inline struct group *slab_group(const struct slab *slab, uint32_t i)
{
	return (struct group *)slab->groups + i / 64;
}

static inline size_t slab_slack(const struct slab *slab, uint32_t i)
{
	return atomic_load_explicit(&slab->slack[i], memory_order_relaxed);
}

static inline void slab_set_slack(struct slab *slab, uint32_t i, size_t slack)
{
	atomic_store_explicit(&slab->slack[i], (uint16_t)slack,
			      memory_order_relaxed);
}

/*
 * Free blocks, and the bits beyond the last block. Reads remote_free, local_free, free in this
 * order: bits only migrate towards free, so a lock-free reader misses none.
 */
static inline uint64_t group_unused(const struct group *group)
{
	uint64_t bits = atomic_load_explicit(&group->remote_free, memory_order_acquire);

	bits |= atomic_load_explicit(&group->local_free, memory_order_acquire);
	return bits | atomic_load_explicit(&group->free, memory_order_acquire);
}

static inline uint64_t group_free_bits(const struct group *group)
{
	return group_unused(group) & group->mask;
}

static inline bool slab_has_free(const struct slab *slab, uint32_t i)
{
	return group_free_bits(slab_group(slab, i)) >> i % 64 & 1;
}

/* For the program; the slab may not have it back yet. */
static inline bool slab_is_free(const struct slab *slab, uint32_t i)
{
	return slab_has_free(slab, i) || slab_slack(slab, i) == SLAB_QUARANTINED;
}

/*
 * A block of the group, its slack noted and its canary written. Inside the shard. NULL: none is
 * free.
 */
static inline void *slab_group_alloc(struct group *group, unsigned int class, size_t n,
			       const uint64_t canary[2])
{
	uint64_t seen = atomic_load_explicit(&group->free, memory_order_relaxed), twice;
	size_t size = class_sizes[class];
	unsigned int i;
	char *p;

	if (unlikely(!seen)) {
		seen = atomic_load_explicit(&group->local_free, memory_order_relaxed);
		twice = seen & atomic_load_explicit(&group->remote_free, memory_order_relaxed);
		seen &= ~twice;
		if (!seen)
			return NULL;
		atomic_store_explicit(&group->free, seen, memory_order_release);
		atomic_store_explicit(&group->local_free, twice, memory_order_release);
	}
	i = (unsigned int)__builtin_ctzll(seen);
	p = atomic_load_explicit(&group->base, memory_order_relaxed) + i * size;
	atomic_store_explicit(&group->slack[i], (uint16_t)(size - n), memory_order_relaxed);
	canary_put_new(p, size, size - n, canary);
	atomic_store_explicit(&group->free, seen & (seen - 1), memory_order_release);
	return p;
}

/* Marks the block free. Inside the shard. False: it was free already. */
static inline bool slab_group_free(struct group *group, unsigned int i)
{
	uint64_t bit = 1ULL << i, freed;

	if (unlikely(group_unused(group) & bit))
		return false;
	freed = atomic_load_explicit(&group->local_free, memory_order_relaxed);
	atomic_store_explicit(&group->local_free, freed | bit, memory_order_release);
	return true;
}

/* The same from outside the shard. */
static inline bool slab_group_free_remote(struct group *group, unsigned int i)
{
	uint64_t bit = 1ULL << i;

	return !(group_unused(group) & bit) && !(atomic_fetch_or(&group->remote_free, bit) & bit);
}

/* The slab that a group is of. */
static inline struct slab *group_slab(struct heap *heap, const struct group *group)
{
	return page_slab(heap_tag(heap, group->base));
}

/*
 * The one way from a pointer to a block: page map ▸ slab ▸ index ▸ state. (heap/fast.h has its own,
 * of fewer instructions.) HEAP_OK: block *i of *slab, live; or *slab is NULL: p is inside the range
 * and in no slab, and large.h knows what it is. Lock-free.
 */
static inline enum heap_fault ptr_to_block(struct heap *heap, const void *p, struct slab **slab,
					   uint32_t *i)
{
	size_t offset = (size_t)((uintptr_t)p - (uintptr_t)heap->base);
	uint64_t tag, product;

	*slab = NULL;
	if (unlikely(offset >= heap->maximum))
		return HEAP_FOREIGN;
	tag = heap_tag(heap, p);
	if (page_kind(tag) != PAGE_SLAB)
		return HEAP_OK;
	*slab = page_slab(tag);
	offset = (size_t)((uintptr_t)p - (uintptr_t)slab_base(*slab));
	product = offset * (*slab)->reciprocal;
	/* The unused end of the slab; a remainder, see classes.h. */
	if (unlikely(offset >= (*slab)->bytes || (uint32_t)product >= (*slab)->reciprocal))
		return HEAP_INTERIOR;
	*i = (uint32_t)(product >> 32);
	return unlikely(slab_is_free(*slab, *i)) ? HEAP_DOUBLE_FREE : HEAP_OK;
}

#endif

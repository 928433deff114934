// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Slabs made, and given back when no block of theirs is live.
 *
 *   run_alloc ▸ record ▸ page map ▸ … blocks … ▸ no shard's ▸ quiescent: still all free? ▸ run_free
 *               new, or one that had pages before            else back to its ring
 */
#include <errno.h>
#include "alloc/meta.h"
#include "alloc/redzone.h"
#include "alloc/shard.h"
#include "alloc/slab.h"
#include "alloc/slab_ring.h"

#define RECLAIM_MIN	((size_t)256 << 10)

unsigned int slab_class(const struct heap *heap, size_t n, size_t align)
{
	unsigned int class;

	if (n > heap->slab_limit || align > PAGE_BYTES)
		return CLASSES;
	for (class = class_of(n); class < CLASSES; class++) {
		if (class_sizes[class] > heap->slab_limit)
			break;
		if (class_sizes[class] % align == 0)
			return class;
	}
	return CLASSES;
}

static struct slab *slab_cached(struct class_state *state, unsigned int order)
{
	struct slab **link = &state->cached, *slab;

	for (; (slab = *link); link = &slab->next) {
		if (slab->order == order) {
			*link = slab->next;
			return slab;
		}
	}
	return NULL;
}

static struct slab *slab_record(struct heap *heap, unsigned int class, unsigned int order,
				int *error)
{
	struct slab *slab = slab_cached(&heap->classes[class], order);
	uint32_t size = class_sizes[class], room, blocks, count;

	if (slab)
		return slab;
	room = (uint32_t)(SLAB_ORDER_BYTES(order) - redzone_margin(heap, size));
	blocks = room / size;
	/* What is left at the end, too short for a block, has a bit, too. */
	count = (blocks + (room % size ? 1 : 0) + 63) / 64;
	slab = heap_meta_alloc(heap, sizeof(*slab) + count * sizeof(slab->groups[0]) +
			       (blocks + 1) * sizeof(slab->slack[0]), error);
	if (!slab)
		return NULL;
	slab_set_owner(slab, SLAB_NOBODY);
	slab->size = size;
	slab->reciprocal = class_reciprocals[class];
	slab->bytes = blocks * size;
	slab->count = (uint16_t)count;
	slab->slack = (_Atomic uint16_t *)&slab->groups[count];
	for (uint32_t i = 0; i < count; i++) {
		struct group *group = &slab->groups[i];

		group->slack = slab->slack + (size_t)i * 64;
		group->size = size;
		group->mask = blocks >= (i + 1) * 64 ? ~0ULL : (1ULL << blocks % 64) - 1;
		group->next = &slab->groups[(i + 1) % count];
	}
	slab->min_free = (uint16_t)((blocks + 9) / 10);
	slab->class = (uint8_t)class;
	slab->order = (uint8_t)order;
	return slab;
}

struct slab *slab_make(struct heap *heap, uint32_t shard, unsigned int class, unsigned int order,
		       enum run_commit commit, int *error)
{
	size_t margin = redzone_margin(heap, class_sizes[class]);
	size_t pages = (size_t)1 << 2 * order, fresh, at;
	struct slab *slab;
	char *base;

	*error = -ENOMEM;
	if (margin + class_sizes[class] > SLAB_ORDER_BYTES(order))
		return NULL;
	at = run_alloc(heap, pages, 1, commit, &fresh, error);
	if (at == RUN_NONE)
		return NULL;
	slab = slab_record(heap, class, order, error);
	if (!slab) {
		run_free(heap, at, pages);
		return NULL;
	}
	base = heap->base + (at << PAGE_SHIFT) + margin;
	atomic_store_explicit(&slab->base, base, memory_order_relaxed);
	if (unlikely(heap->flags & HEAP_F_CHECK))
		redzone_slab_made(heap, slab);
	for (unsigned int i = 0; i < slab->count; i++) {
		struct group *group = &slab->groups[i];

		atomic_store_explicit(&group->base, base + (size_t)i * 64 * slab->size,
				      memory_order_relaxed);
		atomic_store_explicit(&group->remote_free, ~group->mask, memory_order_relaxed);
		atomic_store_explicit(&group->free, group->mask, memory_order_release);
	}
	slab_set_owner(slab, shard);
	for (size_t i = 0; i < pages; i++)
		page_set_slab(heap_page(heap, at + i), slab);
	heap->classes[class].slabs++;
	heap->classes[class].low_space = false;
	return slab;
}

/* Slabs grow with the number their class has: a heap of few blocks stays small. */
unsigned int slab_order(const struct heap *heap, unsigned int class)
{
	uint32_t slabs = heap->classes[class].slabs;
	unsigned int order = 0;

	while (order < heap->order_max && class_sizes[class] * 4 > SLAB_ORDER_BYTES(order))
		order++;
	order += slabs < 1 ? 0 : slabs < 8 ? 1 : 2;
	return order < heap->order_max ? order : heap->order_max;
}

static bool slab_all_free(const struct slab *slab)
{
	for (unsigned int i = 0; i < slab->count; i++)
		if (group_free_bits(&slab->groups[i]) != slab->groups[i].mask)
			return false;
	return true;
}

static void slab_release(struct heap *heap, struct slab *slab)
{
	size_t at = (size_t)(slab_base(slab) - heap->base) >> PAGE_SHIFT;
	struct class_state *state = slab_state(heap, slab);

	if (unlikely(heap->flags & HEAP_F_CHECK))
		redzone_slab_gone(heap, slab);
	for (unsigned int i = 0; i < slab->count; i++)
		atomic_store(&slab->groups[i].free, 0);
	for (size_t i = 0; i < slab_pages(slab); i++)
		page_set(heap_page(heap, at + i), PAGE_NONE, 0);
	run_free(heap, at, slab_pages(slab));
	state->slabs--;
	slab->next = state->cached;
	state->cached = slab;
}

/*
 * Takes the slabs of one shard and class that seem empty off all lists, and puts those with
 * min_free before the others.
 */
static void slab_pick(struct heap *heap, struct shard *shard, unsigned int class,
		      struct slab **picked)
{
	struct group *group = shard_current(shard, class);
	struct slab *slab = group != &group_none ? group_slab(heap, group) : NULL, *rest = NULL;

	if (slab && slab_all_free(slab)) {
		atomic_store(&shard->current[class], &group_none);
		slab_set_owner(slab, SLAB_NOBODY);
		ring_add(picked, slab);
	}
	while ((slab = shard->ring[class])) {
		ring_remove(&shard->ring[class], slab);
		if (slab_all_free(slab)) {
			slab_set_owner(slab, SLAB_NOBODY);
			ring_add(picked, slab);
		} else if (slab_has_min_free(slab, slab->min_free)) {
			ring_add_first(&rest, slab);
		} else {
			ring_add(&rest, slab);
		}
	}
	shard->ring[class] = rest;
}

/* Of one shard. A slab that was not empty after all goes back. */
static bool slab_reclaim_shard(struct heap *heap, uint32_t i)
{
	struct shard *shard = shard_at(heap, i);
	struct slab *picked = NULL, *slab;
	bool any = false;

	for (unsigned int class = 0; class < CLASSES; class++)
		slab_pick(heap, shard, class, &picked);
	if (picked)
		shard_quiesce(heap, i);
	while ((slab = picked)) {
		ring_remove(&picked, slab);
		slab_collect_all(slab);
		if (slab_all_free(slab)) {
			slab_release(heap, slab);
			any = true;
		} else {
			slab_set_owner(slab, i);
			ring_add_first(&shard->ring[slab->class], slab);
		}
	}
	return any;
}

bool slab_reclaim_empty(struct heap *heap)
{
	bool any = false;

	for (uint32_t i = 0; i < shard_total(heap); i++)
		if (shard_made(heap, i))
			any |= slab_reclaim_shard(heap, i);
	return any;
}

bool slab_reclaim_due(struct heap *heap)
{
	struct runs *runs = &heap->runs;
	size_t grown = heap->range.committed - runs->reclaimed_at;

	if (grown < RECLAIM_MIN || grown < heap->range.committed / 8)
		return false;
	runs->reclaimed_at = heap->range.committed;
	return slab_reclaim_empty(heap);
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The search for a block when the current group has none, nearest first:
 *
 *   own slab ▸ own ring ▸ left behind ▸ new slab ▸ other shards ▸ every slab of the class ▸
 *   empty slabs reclaimed ▸ larger classes
 *
 * New slabs come before the other shards', so that slabs stay with their CPUs while there is space:
 * to steal one costs a fence. But mostly free ones come first: a migrated thread would otherwise
 * leave its slabs behind and make as many anew. Reclaiming comes before larger classes: a heap
 * whose blocks of 4 KiB were all freed would otherwise use those for 48 bytes each.
 *
 * The search ends with a group that has a free block and becomes current. Then the block is
 * allocated as always. If the thread was migrated in between, or other threads were faster, the
 * search starts again.
 */
#include <errno.h>
#include "alloc/freeze.h"
#include "alloc/run.h"
#include "alloc/shard.h"
#include "alloc/slab.h"
#include "alloc/slab_ring.h"
#include "alloc/slab_search.h"

#define SCAN_SHARDS	8	/* for what was left behind, before a new slab is made */

/* One search: for which thread's shard, and for what. */
struct search {
	struct heap *heap;
	struct shard *shard;
	uint32_t at;		/* its number */
	unsigned int class;
	int *error;
};

static void search_set_current(struct search *search, struct group *group)
{
	atomic_store_explicit(&search->shard->current[search->class], group, memory_order_release);
}

/* Makes a slab that is on no list and not current the current one. False: it is full, and put. */
static bool search_use(struct search *search, struct slab *slab)
{
	struct group *group;

	slab_adopt(search->heap, slab, search->at);
	while (!(group = slab_collect(search->heap, slab))) {
		if (slab_any_free(slab)) {
			/* This thread was migrated, and cannot collect for that CPU: quiesce it. */
			slab_adopt(search->heap, slab, SLAB_NOBODY);
			slab_adopt(search->heap, slab, search->at);
		} else if (slab_put(search->heap, slab)) {
			return false;
		}
	}
	search_set_current(search, group);
	return true;
}

/* Another group of the current slab; if that is full it is put. */
static bool search_current(struct search *search)
{
	struct group *group = shard_current(search->shard, search->class);

	if (group == &group_none)
		return false;
	search_set_current(search, &group_none);
	return search_use(search, group_slab(search->heap, group));
}

static bool search_ring_of(struct search *search, struct shard *shard)
{
	struct slab_scan scan = slab_scan(search->heap, shard, search->class, 1);
	struct slab *slab;

	while ((slab = slab_scan_next(&scan)))
		if (search_use(search, slab))
			return true;
	return false;
}

static bool search_own(struct search *search)
{
	return search_current(search) || search_ring_of(search, search->shard);
}

/* Mostly free slabs that a thread which was migrated to this CPU left behind. */
static bool search_left_behind(struct search *search)
{
	struct heap *heap = search->heap;
	uint32_t total = shard_total(heap), count = total < SCAN_SHARDS ? total : SCAN_SHARDS;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t from = heap->cursor++ % total;

		if (from != search->at && slab_steal(heap, search->class, from, search->at))
			return search_own(search);
	}
	return false;
}

/* From other shards: from their rings, then their current slabs. */
static bool search_others(struct search *search)
{
	struct heap *heap = search->heap;

	for (uint32_t i = 0; i < shard_total(heap); i++)
		if (i != search->at && search_ring_of(search, shard_at(heap, i)))
			return true;
	for (uint32_t i = 0; i < shard_total(heap); i++) {
		struct shard *shard = shard_at(heap, i);
		struct group *group = shard_current(shard, search->class);
		struct slab *slab;

		if (i == search->at || group == &group_none)
			continue;
		slab = group_slab(heap, group);
		if (!slab_any_free(slab))
			continue;
		atomic_store_explicit(&shard->current[search->class], &group_none,
				      memory_order_release);
		if (search_use(search, slab))
			return true;
	}
	return false;
}

/* A slab of the right length if there is any way to have it, else a shorter one. */
static bool search_new(struct search *search)
{
	struct heap *heap = search->heap;
	unsigned int class = search->class, order = slab_order(heap, class);
	struct slab *slab = slab_make(heap, search->at, class, order, RUN_COMMITTED, search->error);

	if (!slab && slab_reclaim_due(heap))
		slab = slab_make(heap, search->at, class, order, RUN_COMMITTED, search->error);
	while (!slab && SLAB_ORDER_BYTES(order) >= class_sizes[class]) {
		slab = slab_make(heap, search->at, class, order, RUN_POPULATE, search->error);
		if (order-- == 0)
			break;
	}
	return slab && search_use(search, slab);
}

static bool search_class(struct search *search)
{
	if (search_own(search) || search_left_behind(search) || search_new(search) ||
	    search_others(search))
		return true;
	slab_recheck_full(search->heap, search->class);
	return search_own(search) || search_others(search) ||
	       (slab_reclaim_empty(search->heap) && search_new(search));
}

/* A free block of a larger class, if its slabs have one. */
static bool search_larger(struct search *search, size_t align)
{
	struct heap *heap = search->heap;

	while (++search->class < CLASSES && class_sizes[search->class] <= heap->slab_limit) {
		if (class_sizes[search->class] % align)
			continue;
		slab_recheck_full(heap, search->class);
		if (search_own(search) || search_others(search))
			return true;
	}
	return false;
}

/*
 * The shard to search for. Where there is no metadata for this thread's own it is another CPU's:
 * quiescent then until the search is over, *quiesced.
 */
static bool search_begin(struct search *search, unsigned int class, bool *quiesced)
{
	struct heap *heap = search->heap;
	uint32_t here = shard_here(heap);

	search->class = class;
	search->at = here;
	search->shard = shard_make(heap, &search->at, search->error);
	if (search->shard && search->at != here && heap->mode == HEAP_PERCPU && !heap->quiesced) {
		heap_quiesce(heap);
		*quiesced = true;
	}
	return search->shard;
}

void *slab_alloc_slow(struct heap *heap, unsigned int class, size_t n, size_t align, int *error)
{
	struct search search = { .heap = heap, .error = error };
	bool quiesced = false;
	void *p = NULL;

	while (!p && search_begin(&search, class, &quiesced)) {
		/* Such a shard is reached under the lock only: not tried yet. */
		if (shard_alone(heap, search.at))
			p = shard_take(heap, search.at, class, n);
		if (p)
			break;
		if (!search_class(&search) && !search_larger(&search, align))
			break;
		p = shard_take(heap, search.at, search.class, n);
	}
	if (quiesced)
		heap_resume(heap);
	return p;
}

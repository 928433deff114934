// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The search for a block when the current group has none, nearest first:
 *
 *   own slab ▸ own ring ▸ left behind ▸ new slab ▸ other shards ▸ every slab of the class ▸
 *   swept slabs ▸ larger classes
 *
 * New slabs come before the other shards' so that slabs stay with their CPUs while there is room:
 * to take one from another CPU costs a barrier. But those of which much is free come first: a
 * thread that is moved would else leave all its slabs behind and make as many anew. Sweeping comes
 * before larger classes: else a heap whose blocks of 4 KiB were all freed would give those out for
 * 48 bytes each.
 *
 * What is searched for is a group with a free block, which becomes current. Then the block is
 * taken as always. If the thread was moved to another CPU meanwhile, or others were faster, the
 * search begins again.
 */
#include <errno.h>
#include "alloc/freeze.h"
#include "alloc/run.h"
#include "alloc/shard.h"
#include "alloc/slab.h"
#include "alloc/slab_ring.h"
#include "alloc/slab_search.h"

#define LOOK_SHARDS	8	/* for what was left behind, before a new slab is made */

/* Who searches, and for what. */
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

/*
 * Makes a slab that is on no list and in no shard's hands the current one. False: it has no free
 * block, and is full now.
 */
static bool search_use(struct search *search, struct slab *slab)
{
	struct group *group;

	slab_adopt(search->heap, slab, search->at);
	do {
		group = slab_usable(search->heap, slab);
		/* Moved to another CPU: out of reach from here, except by the longer way. */
		if (!group && slab_any_free(slab)) {
			slab_adopt(search->heap, slab, SLAB_NOBODY);
			slab_adopt(search->heap, slab, search->at);
			continue;
		}
		if (group) {
			search_set_current(search, group);
			return true;
		}
	} while (!slab_retire(search->heap, slab));
	return false;
}

/* Another group of the current slab; or the shard gives the slab up. */
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
	struct slab_look look = slab_look(search->heap, shard, search->class, 1);
	struct slab *slab;

	while ((slab = slab_look_next(&look)))
		if (search_use(search, slab))
			return true;
	return false;
}

static bool search_own(struct search *search)
{
	return search_current(search) || search_ring_of(search, search->shard);
}

/* What a thread has left behind that was moved to this CPU, before it has as much here. */
static bool search_left_behind(struct search *search)
{
	struct heap *heap = search->heap;
	uint32_t total = shard_total(heap), looks = total < LOOK_SHARDS ? total : LOOK_SHARDS;

	for (uint32_t i = 0; i < looks; i++) {
		uint32_t from = heap->hand++ % total;

		if (from != search->at && slab_bring(heap, search->class, from, search->at))
			return search_own(search);
	}
	return false;
}

/* What other shards have: in their rings, then their current slabs. */
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
	unsigned int class = search->class, level = slab_level(heap, class);
	struct slab *slab = slab_make(heap, search->at, class, level, RUN_COMMITTED, search->error);

	if (!slab && slab_sweep_due(heap))
		slab = slab_make(heap, search->at, class, level, RUN_COMMITTED, search->error);
	while (!slab && SLAB_LEVEL_BYTES(level) >= class_sizes[class]) {
		slab = slab_make(heap, search->at, class, level, RUN_POPULATE, search->error);
		if (level-- == 0)
			break;
	}
	return slab && search_use(search, slab);
}

static bool search_class(struct search *search)
{
	if (search_own(search) || search_left_behind(search) || search_new(search) ||
	    search_others(search))
		return true;
	slab_reveal(search->heap, search->class);
	return search_own(search) || search_others(search) ||
	       (slab_sweep(search->heap) && search_new(search));
}

/* A free block of a larger class, if its slabs have one. */
static bool search_larger(struct search *search, size_t align)
{
	struct heap *heap = search->heap;

	while (++search->class < CLASSES && class_sizes[search->class] <= heap->slab_limit) {
		if (class_sizes[search->class] % align)
			continue;
		slab_reveal(heap, search->class);
		if (search_own(search) || search_others(search))
			return true;
	}
	return false;
}

/*
 * The shard to search for. When there is no metadata for this thread's it is another CPU's: then until
 * the search is over, *hushed, nobody is in there.
 */
static bool search_begin(struct search *search, unsigned int class, bool *hushed)
{
	struct heap *heap = search->heap;
	uint32_t here = shard_here(heap);

	search->class = class;
	search->at = here;
	search->shard = shard_make(heap, &search->at, search->error);
	if (search->shard && search->at != here && heap->mode == HEAP_OWNED && !heap->quiet) {
		heap_hush(heap);
		*hushed = true;
	}
	return search->shard;
}

void *slab_alloc_slow(struct heap *heap, unsigned int class, size_t n, size_t align, int *error)
{
	struct search search = { .heap = heap, .error = error };
	bool hushed = false;
	void *p = NULL;

	while (!p && search_begin(&search, class, &hushed)) {
		/* Who comes with the lock only has not looked yet. */
		if (shard_alone(heap, search.at))
			p = shard_take(heap, search.at, class, n);
		if (p)
			break;
		if (!search_class(&search) && !search_larger(&search, align))
			break;
		p = shard_take(heap, search.at, search.class, n);
	}
	if (hushed)
		heap_rejoin(heap);
	return p;
}

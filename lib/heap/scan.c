// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Looking at a heap as a whole: counting it, validating it, finding its largest free block.
 *
 *   |####|..|######|.....|##|####|...|#####|. . . . top
 *    ^ locked: 1 MiB ^ not ^ locked     ^ not ^ …
 *
 * With millions of blocks that takes long, so the lock is dropped after every piece. What others
 * do in between cannot confuse: a run that starts below the place reached and ends beyond it was
 * made in between, and is skipped; a block that lives throughout is visited once.
 */
#include <errno.h>
#include <sched.h>
#include "alloc/heap_lock.h"
#include "alloc/large.h"
#include "alloc/redzone.h"
#include "alloc/run_walk.h"
#include "alloc/slab.h"
#include "heap/heap.h"
#include "heap/range.h"
#include "heap/scan.h"
#include "os/annotate.h"

#define SCAN_CHUNK_PAGES	256
#define VALIDATE_TRIES	64

struct scan {
	/* One run, whose head is described. Locked. */
	enum heap_fault (*visit)(struct heap *heap, size_t head, struct scan *scan);
	struct heap_stats *stats;
	size_t largest;
	const void *bad;
};

/* From *page on, and on to where the next piece starts: RUN_NONE at the end. Locked. */
static enum heap_fault scan_chunk(struct heap *heap, size_t *page, struct scan *scan)
{
	size_t end = *page + SCAN_CHUNK_PAGES, head, pages;
	enum heap_fault fault = HEAP_OK;

	while (fault == HEAP_OK && *page < end) {
		head = run_from(heap, *page);
		if (head == heap->runs.top) {
			*page = RUN_NONE;
			return HEAP_OK;
		}
		scan->bad = heap->base + (*page << PAGE_SHIFT);
		pages = head == RUN_NONE ? 0 : run_pages(heap, head);
		if (!pages)
			return HEAP_METADATA;
		fault = scan->visit(heap, head, scan);
		*page = head + pages;
	}
	return fault;
}

/* False: a signal handler that may not wait for the lock. */
static bool scan_heap(struct heap *heap, struct scan *scan, enum heap_fault *fault)
{
	size_t page = 0;

	*fault = HEAP_OK;
	while (page != RUN_NONE && *fault == HEAP_OK) {
		if (!heap_lock_unless_in_signal(heap))
			return false;
		*fault = scan_chunk(heap, &page, scan);
		heap_unlock(heap);
	}
	return true;
}

/*
 * True if the canary of block i is damaged, read while other threads may allocate and free it. What
 * seems damaged may be two moments of two lives, so it has to be the same in many reads.
 */
static bool slab_overrun(const struct heap *heap, const struct slab *slab, uint32_t i)
{
	const char *p = slab_base(slab) + (size_t)i * slab->size;
	size_t slack = slab_slack(slab, i);

	for (int try = 0; try < VALIDATE_TRIES; try++) {
		if (canary_intact(p, slab->size, slack, heap->canary))
			return false;
		if (try % 8 == 7)
			sched_yield();
		if (slab_is_free(slab, i) || slab_slack(slab, i) != slack)
			return false;
	}
	return true;
}

/* Record, bits and canaries; *bad = where. Other threads may allocate. */
static enum heap_fault slab_validate(const struct heap *heap, const struct slab *slab,
				     const void **bad)
{
	uint32_t blocks = slab_blocks(slab);

	*bad = slab_base(slab);
	if (slab->class >= CLASSES || slab->size != class_sizes[slab->class])
		return HEAP_METADATA;
	for (uint32_t i = 0; i < slab->count; i++) {
		const struct group *group = &slab->groups[i];

		if (group->base != slab_base(slab) + (size_t)i * 64 * slab->size ||
		    (group->free | group->local_free) & ~group->mask)
			return HEAP_METADATA;
	}
	for (uint32_t i = 0; i < blocks; i++) {
		*bad = slab_base(slab) + (size_t)i * slab->size;
		if (slab_is_free(slab, i))
			continue;
		if (slab_slack(slab, i) > slab->size)
			return HEAP_METADATA;
		if (slab_overrun(heap, slab, i))
			return HEAP_OVERRUN;
	}
	return HEAP_OK;
}

static enum heap_fault scan_validate_run(struct heap *heap, size_t head, struct scan *scan)
{
	const char *p = heap->base + (head << PAGE_SHIFT);
	uint64_t tag = page_tag(heap_page(heap, head));
	struct slab *slab = page_slab(tag);
	enum heap_fault fault;

	scan->bad = p;
	if (page_kind(tag) == PAGE_QUARANTINED)
		return HEAP_OK;
	if (page_kind(tag) == PAGE_FREE)
		return run_consistent(heap, head) ? HEAP_OK : HEAP_METADATA;
	if (page_kind(tag) == PAGE_LARGE)
		return large_intact(heap, head) ? HEAP_OK : HEAP_OVERRUN;
	for (size_t i = 0; i < slab_pages(slab); i++)
		if (page_tag(heap_page(heap, head + i)) != tag)
			return HEAP_METADATA;
	if (slab_base(slab) != p + redzone_margin(heap, slab->size))
		return HEAP_METADATA;
	fault = slab_validate(heap, slab, &scan->bad);
	return fault == HEAP_OK && heap->check ? redzone_check_slab(heap, slab, &scan->bad) : fault;
}

enum heap_fault scan_validate(struct heap *heap, const void **bad)
{
	struct scan scan = { .visit = scan_validate_run };
	enum heap_fault fault;

	annotate_quiet();
	scan_heap(heap, &scan, &fault);
	annotate_loud();
	*bad = fault == HEAP_OK ? NULL : scan.bad;
	return fault;
}

/* Live blocks and their requested bytes; exact while the heap is frozen. */
static void slab_count(const struct slab *slab, size_t *blocks, size_t *bytes)
{
	for (uint32_t i = 0; i < slab_blocks(slab); i++) {
		if (slab_is_free(slab, i))
			continue;
		*blocks += 1;
		*bytes += slab->size - slab_slack(slab, i);
	}
}

static enum heap_fault scan_count_run(struct heap *heap, size_t head, struct scan *scan)
{
	uint64_t tag = page_tag(heap_page(heap, head));
	struct heap_stats *stats = scan->stats;
	size_t size;

	if (page_kind(tag) == PAGE_SLAB)
		slab_count(page_slab(tag), &stats->blocks, &stats->allocated);
	if (page_kind(tag) == PAGE_LARGE &&
	    large_size(heap, heap->base + (head << PAGE_SHIFT), &size) == HEAP_OK) {
		stats->allocated += size;
		stats->blocks++;
	}
	return HEAP_OK;
}

int heap_stats(struct heap *heap, struct heap_stats *stats)
{
	struct scan scan = { .visit = scan_count_run, .stats = stats };
	enum heap_fault fault;

	*stats = (struct heap_stats){ .maximum = heap->maximum };
	if (!scan_heap(heap, &scan, &fault) || !heap_lock_unless_in_signal(heap))
		return -EDEADLK;
	stats->committed = heap->range.committed;
	stats->reserved = heap_reserved(heap);
	stats->high_water = heap->runs.dirty << PAGE_SHIFT;
	stats->metadata = heap->meta_bytes;
	heap_unlock(heap);
	return 0;
}

/* The size of a free block, if the run is a slab that has one. */
static enum heap_fault scan_free_run(struct heap *heap, size_t head, struct scan *scan)
{
	uint64_t tag = page_tag(heap_page(heap, head));
	struct slab *slab = page_slab(tag);

	if (page_kind(tag) != PAGE_SLAB || slab->size <= scan->largest)
		return HEAP_OK;
	for (uint32_t i = 0; i < slab_blocks(slab); i++) {
		if (slab_is_free(slab, i)) {
			scan->largest = slab->size;
			break;
		}
	}
	return HEAP_OK;
}

size_t heap_compact(struct heap *heap)
{
	struct scan scan = { .visit = scan_free_run };
	enum heap_fault fault;

	heap_wait_thawed(heap);
	/* Sweeping gets inside shards, where an interrupted operation may be. */
	if (heap_in_signal_reentry(heap) || !heap_lock_call(heap, 0))
		return 0;
	slab_reclaim_empty(heap);
	scan.largest = run_longest(heap) << PAGE_SHIFT;
	heap_unlock(heap);
	if (!scan.largest)
		scan_heap(heap, &scan, &fault);
	return scan.largest;
}

static void scan_reclaim(struct heap *heap)
{
	if (heap_exclusive(heap) || atomic_load(&heap->frozen) || !lock_try(&heap->lock))
		return;
	slab_reclaim_empty(heap);
	heap_unlock(heap);
}

void heap_compact_all(void)
{
	/* A signal handler that interrupted the library: see heap_compact. */
	if (lock_any_held())
		return;
	heap_each(scan_reclaim);
}

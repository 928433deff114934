// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * One step of a walk over a heap, in the order of addresses.
 *
 *   REGION ▸ |block|free|block|free run|block ……… |free tail| ▸ uncommitted
 *   base                                          top       committed      maximum
 *
 * A step knows nothing but the item before it: it looks up what its address is now, and goes to
 * what comes after. If that has changed since (freed, merged, handed out again, grown) then by
 * a call during the walk; what stayed where it is comes later, or came before.
 */
#include <errno.h>
#include "alloc/heap_lock.h"
#include "alloc/large.h"
#include "alloc/run_walk.h"
#include "alloc/slab_group.h"
#include "heap/range.h"
#include "heap/walk.h"

static void walk_set(struct heap *heap, struct heap_item *item, enum heap_item_kind kind,
		     size_t offset, size_t bytes)
{
	*item = (struct heap_item){
		.start = heap->base + offset, .bytes = bytes, .kind = kind,
	};
}

static int walk_uncommitted(struct heap *heap, struct heap_item *item)
{
	size_t committed = heap->range.committed;

	if (committed == heap->maximum)
		return 0;
	walk_set(heap, item, HEAP_ITEM_UNCOMMITTED, committed, heap_reserved(heap) - committed);
	return 1;
}

/* What is committed beyond the top, as long as it is. */
static int walk_tail(struct heap *heap, struct heap_item *item)
{
	size_t top = heap->runs.top << PAGE_SHIFT;

	if (top == heap->range.committed)
		return walk_uncommitted(heap, item);
	walk_set(heap, item, HEAP_ITEM_FREE, top, heap->range.committed - top);
	return 1;
}

static void walk_block(struct heap *heap, struct slab *slab, uint32_t i, struct heap_item *item)
{
	size_t offset = (size_t)(slab_base(slab) - heap->base) + (size_t)i * slab->size;

	if (slab_is_free(slab, i)) {
		walk_set(heap, item, HEAP_ITEM_FREE, offset, slab->size);
		return;
	}
	walk_set(heap, item, HEAP_ITEM_BLOCK, offset, slab->size);
	item->beyond = slab_slack(slab, i);
	item->bytes -= item->beyond;
}

static void walk_large(struct heap *heap, size_t head, size_t pages, struct heap_item *item)
{
	size_t offset = head << PAGE_SHIFT;

	walk_set(heap, item, HEAP_ITEM_BLOCK, offset, pages << PAGE_SHIFT);
	if (large_size(heap, heap->base + offset, &item->bytes) == HEAP_OK)
		item->beyond = (pages << PAGE_SHIFT) - item->bytes;
}

/* The first item of the first run that starts at page or later. */
static int walk_run(struct heap *heap, size_t page, struct heap_item *item)
{
	size_t head = run_from(heap, page), pages;
	uint64_t tag;

	if (head == RUN_NONE || head == heap->runs.top)
		return walk_tail(heap, item);
	tag = page_tag(heap_page(heap, head));
	pages = run_pages(heap, head);
	if (page_kind(tag) == PAGE_SLAB)
		walk_block(heap, page_slab(tag), 0, item);
	else if (page_kind(tag) == PAGE_LARGE)
		walk_large(heap, head, pages, item);
	else
		walk_set(heap, item, HEAP_ITEM_FREE, head << PAGE_SHIFT, pages << PAGE_SHIFT);
	return 1;
}

/* What comes after the block or free part at offset. */
static int walk_beyond(struct heap *heap, size_t offset, struct heap_item *item)
{
	size_t page = offset >> PAGE_SHIFT, inside, begins;
	uint64_t tag = page_tag(heap_page(heap, page));
	struct slab *slab = page_slab(tag);
	uint32_t i;

	if (page >= heap->runs.top)
		return walk_uncommitted(heap, item);
	if (page_kind(tag) != PAGE_SLAB)
		return walk_run(heap, page + 1, item);
	/* Before its first block: it is a checked heap's, and was made since. */
	if (heap->base + offset < slab_base(slab)) {
		walk_block(heap, slab, 0, item);
		return 1;
	}
	begins = (size_t)(slab_base(slab) - heap->base) >> PAGE_SHIFT;
	inside = (size_t)(heap->base + offset - slab_base(slab));
	i = (uint32_t)(inside * slab->reciprocal >> 32) + 1;
	if (i >= slab_blocks(slab))
		return walk_run(heap, begins + slab_pages(slab), item);
	walk_block(heap, slab, i, item);
	return 1;
}

static int walk_step(struct heap *heap, struct heap_item *item)
{
	size_t offset = (size_t)((uintptr_t)item->start - (uintptr_t)heap->base);

	if (!item->start) {
		walk_set(heap, item, HEAP_ITEM_REGION, 0, heap->range.committed);
		item->beyond = heap_reserved(heap) - heap->range.committed;
		return 1;
	}
	if (offset >= heap->maximum)
		return -EINVAL;
	switch (item->kind) {
	case HEAP_ITEM_REGION:
		return walk_run(heap, 0, item);
	case HEAP_ITEM_BLOCK:
	case HEAP_ITEM_FREE:
		return walk_beyond(heap, offset, item);
	case HEAP_ITEM_UNCOMMITTED:
		return 0;
	}
	return -EINVAL;
}

int heap_walk(struct heap *heap, struct heap_item *item)
{
	int result;

	if (!heap_lock_unless_in_signal(heap))
		return -EDEADLK;
	result = walk_step(heap, item);
	heap_unlock(heap);
	return result;
}

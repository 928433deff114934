// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Reading the page map as what it should be: runs one after the other, from 0 to the top, each
 * starting where the one before ends. Nothing here writes.
 */
#include "alloc/run_walk.h"
#include "alloc/slab_group.h"

size_t run_pages(struct heap *heap, size_t head)
{
	uint64_t tag = page_tag(heap_page(heap, head));
	size_t pages;

	switch (page_kind(tag)) {
	case PAGE_FREE:
	case PAGE_LARGE:
	case PAGE_QUARANTINED:
		pages = page_count(tag);
		return pages <= heap->runs.top - head ? pages : 0;
	case PAGE_SLAB:
		return slab_pages(page_slab(tag));
	default:
		return 0;
	}
}

size_t run_head(struct heap *heap, size_t page)
{
	size_t head = page;
	uint64_t tag;

	if (page >= heap->runs.top)
		return RUN_NONE;
	for (;; head--) {
		/* Descriptors that were never made are NONE: skip the chunk. */
		while (head >= CHUNK_PAGES && !heap_page(heap, head))
			head = (head & ~(CHUNK_PAGES - 1)) - 1;
		tag = page_tag(heap_page(heap, head));
		if (page_kind(tag) == PAGE_SLAB)
			return ((uintptr_t)slab_base(page_slab(tag)) - (uintptr_t)heap->base) >>
				PAGE_SHIFT;
		if (page_kind(tag) == PAGE_FREE_TAIL)
			return head + 1 - page_count(tag);
		if (page_kind(tag) != PAGE_NONE)
			return head;
		if (head == 0)
			return RUN_NONE;
	}
}

size_t run_from(struct heap *heap, size_t page)
{
	size_t head, pages;

	if (page >= heap->runs.top)
		return heap->runs.top;
	head = run_head(heap, page);
	if (head == RUN_NONE || head == page)
		return head;
	pages = run_pages(heap, head);
	return head < page && head + pages > page ? head + pages : RUN_NONE;
}

bool run_consistent(struct heap *heap, size_t head)
{
	size_t pages = run_pages(heap, head), end = head + pages;
	uint64_t tail = page_tag(heap_page(heap, end - 1));

	if (pages > 1 && (page_kind(tail) != PAGE_FREE_TAIL || page_count(tail) != pages))
		return false;
	return end < heap->runs.top && page_kind(page_tag(heap_page(heap, end))) != PAGE_FREE;
}

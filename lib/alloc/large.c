// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Large blocks, and the answer to what a pointer is that is no block at all (see large.h).
 */
#include <errno.h>
#include <string.h>
#include "alloc/heap_lock.h"
#include "alloc/canary.h"
#include "alloc/large.h"
#include "alloc/run_walk.h"
#include "alloc/slab.h"

#define POPULATE_LIMIT	((size_t)1 << 20)	/* from here on resident on touch */
#define UNSEALED	((size_t)1 << 63)	/* beside the size: no canary is there yet */

static size_t large_pages(size_t n)
{
	return n ? (n + PAGE_BYTES - 1) >> PAGE_SHIFT : 1;
}

static size_t large_page(const struct heap *heap, const void *p)
{
	return (size_t)((uintptr_t)p - (uintptr_t)heap->base) >> PAGE_SHIFT;
}

static enum run_commit large_commit(const struct heap *heap, size_t bytes)
{
	return bytes < POPULATE_LIMIT || heap->flags & HEAP_F_POPULATE ? RUN_POPULATE : RUN_CHARGE;
}

static size_t large_link(const struct page *page)
{
	return atomic_load_explicit(&page->link, memory_order_acquire);
}

static size_t large_bytes(const struct page *page)
{
	return large_link(page) & ~UNSEALED;
}

static size_t large_slack(const struct page *page)
{
	return (page_count(page_tag(page)) << PAGE_SHIFT) - large_bytes(page);
}

static void large_set_bytes(struct page *page, size_t n, size_t seal)
{
	atomic_store_explicit(&page->link, n | seal, memory_order_release);
}

/* The block is n bytes large from now on, but not sealed if it has a canary. Locked. */
static void large_mark(struct page *page, size_t pages, size_t n)
{
	large_set_bytes(page, n, pages << PAGE_SHIFT == n ? 0 : UNSEALED);
}

/* Under the lock, so that canary and size are never seen to disagree. */
static void large_put(struct heap *heap, char *p, size_t bytes, size_t n, unsigned int flags)
{
	struct page *page;
	bool locked;

	if (bytes == n)
		return;
	/* The page may have to be fetched: not under the lock. */
	canary_put(p, bytes, bytes - n, heap->canary);
	locked = heap_lock_call(heap, flags);
	page = heap_page(heap, large_page(heap, p));
	if (page)
		large_set_bytes(page, n, 0);
	if (locked)
		heap_unlock(heap);
}

/* The block has its pages and is marked; zeroes what is new and not zero yet, and seals it. */
static void large_finish(struct heap *heap, char *p, size_t pages, size_t old, size_t n,
			 size_t fresh, unsigned int flags)
{
	char *end = heap->base + (fresh << PAGE_SHIFT);
	size_t bytes = pages << PAGE_SHIFT;

	if (end > p + n)
		end = p + n;
	if (flags & HEAP_F_ZERO && end > p + old)
		memset(p + old, 0, (size_t)(end - p) - old);
	large_put(heap, p, bytes, n, flags);
}

size_t large_seen(struct heap *heap, const void *p, size_t *bytes)
{
	struct page *page = heap_page(heap, large_page(heap, p));

	*bytes = page_count(page_tag(page)) << PAGE_SHIFT;
	return large_slack(page);
}

static size_t large_take(struct heap *heap, size_t n, size_t pages, size_t align, size_t *fresh,
			 int *error)
{
	enum run_commit commit = large_commit(heap, pages << PAGE_SHIFT);
	size_t at = run_alloc(heap, pages, align, RUN_COMMITTED, fresh, error);

	if (at == RUN_NONE && slab_reclaim_due(heap))
		at = run_alloc(heap, pages, align, RUN_COMMITTED, fresh, error);
	if (at == RUN_NONE)
		at = run_alloc(heap, pages, align, commit, fresh, error);
	if (at == RUN_NONE && slab_reclaim_empty(heap))
		at = run_alloc(heap, pages, align, commit, fresh, error);
	if (at != RUN_NONE) {
		large_mark(heap_page(heap, at), pages, n);
		page_set(heap_page(heap, at), PAGE_LARGE, pages);
	}
	return at;
}

void *large_alloc(struct heap *heap, size_t n, size_t more, size_t align, unsigned int flags,
		  int *error)
{
	size_t pages = large_pages(n + more), fresh, at;
	char *p;

	heap_lock_call(heap, flags);
	at = large_take(heap, n, pages, align > PAGE_BYTES ? align >> PAGE_SHIFT : 1, &fresh,
			error);
	heap_unlock(heap);
	if (at == RUN_NONE)
		return NULL;
	p = heap->base + (at << PAGE_SHIFT);
	large_finish(heap, p, pages, 0, n, fresh, flags);
	return p;
}

/* Why p, in a page that starts no large block, is none. Locked. */
static enum heap_fault large_explain(struct heap *heap, const void *p)
{
	size_t page = large_page(heap, p), head = run_head(heap, page);
	uint64_t tag = head == RUN_NONE ? PAGE_NONE : page_tag(heap_page(heap, head));

	if (page_kind(tag) == PAGE_LARGE && page - head < page_count(tag))
		return HEAP_INTERIOR;
	tag = page_tag(heap_page(heap, page));
	if ((uintptr_t)p & (PAGE_BYTES - 1))
		return HEAP_UNALLOCATED;
	return page_kind(tag) == PAGE_QUARANTINED || tag & PAGE_WAS_BLOCK ? HEAP_DOUBLE_FREE :
									     HEAP_UNALLOCATED;
}

/* p is the first byte of a live large block, or what it is. Locked. */
static enum heap_fault large_check(struct heap *heap, const void *p)
{
	size_t page = large_page(heap, p);

	if (page_kind(page_tag(heap_page(heap, page))) != PAGE_LARGE)
		return large_explain(heap, p);
	return (uintptr_t)p & (PAGE_BYTES - 1) ? HEAP_INTERIOR : HEAP_OK;
}

bool large_intact(struct heap *heap, size_t head)
{
	struct page *page = heap_page(heap, head);
	size_t slack = large_slack(page);

	return slack == 0 || large_link(page) & UNSEALED ||
	       canary_intact(heap->base + (head << PAGE_SHIFT),
					   page_count(page->tag) << PAGE_SHIFT, slack,
					   heap->canary);
}

enum heap_fault large_quarantine(struct heap *heap, void *p)
{
	size_t page = large_page(heap, p);
	enum heap_fault fault = large_check(heap, p);

	if (fault == HEAP_OK && !large_intact(heap, page))
		fault = HEAP_OVERRUN;
	if (fault == HEAP_OK)
		page_set(heap_page(heap, page), PAGE_QUARANTINED,
			 page_count(page_tag(heap_page(heap, page))));
	return fault;
}

void large_release(struct heap *heap, void *p)
{
	size_t page = large_page(heap, p);

	run_free(heap, page, page_count(page_tag(heap_page(heap, page))));
	page_set_was_block(heap_page(heap, page));
}

enum heap_fault large_free(struct heap *heap, void *p, unsigned int flags)
{
	enum heap_fault fault;

	/* A signal handler that may not wait: the block is lost until the heap is destroyed. */
	if (!heap_lock_call(heap, flags))
		return HEAP_OK;
	fault = large_quarantine(heap, p);
	if (fault == HEAP_OK)
		large_release(heap, p);
	heap_unlock(heap);
	return fault;
}

enum heap_fault large_size(struct heap *heap, const void *p, size_t *size)
{
	struct page *page = heap_page(heap, large_page(heap, p));
	uint64_t tag = page_tag(page);

	if (page_kind(tag) != PAGE_LARGE || (uintptr_t)p & (PAGE_BYTES - 1)) {
		enum heap_fault fault = large_validate(heap, p);

		/* In signal reentry, not checked: it is none all the same. */
		return fault == HEAP_OK ? HEAP_UNALLOCATED : fault;
	}
	*size = large_bytes(page);
	return HEAP_OK;
}

/* The pages' part of a resize. Locked. RUN_NONE in *fresh: it must move. */
static void large_resize_run(struct heap *heap, size_t at, size_t n, size_t more, size_t *pages,
			     size_t *fresh)
{
	size_t want = large_pages(n + more), old = *pages;
	int error = run_resize(heap, at, old, want,
			       large_commit(heap, (want - old) << PAGE_SHIFT), fresh);

	/* Shrinking fails for want of metadata only: the block then keeps its pages. */
	if (error && want > old) {
		*fresh = RUN_NONE;
		return;
	}
	if (!error)
		*pages = want;
	large_mark(heap_page(heap, at), *pages, n);
}

enum heap_fault large_resize(struct heap *heap, void *p, size_t n, size_t more, unsigned int flags,
			     void **out, size_t *old)
{
	size_t at = large_page(heap, p), pages = 0, fresh = RUN_NONE;
	struct page *page = heap_page(heap, at);
	enum heap_fault fault;

	*out = NULL;
	heap_lock_call(heap, flags);
	fault = large_check(heap, p);
	if (fault == HEAP_OK && !large_intact(heap, at))
		fault = HEAP_OVERRUN;
	if (fault == HEAP_OK) {
		pages = page_count(page_tag(page));
		*old = large_bytes(page);
		if (n <= heap->maximum)
			large_resize_run(heap, at, n, more, &pages, &fresh);
	}
	heap_unlock(heap);
	if (fault == HEAP_OK && fresh != RUN_NONE) {
		large_finish(heap, p, pages, n > *old ? *old : n, n, fresh, flags);
		*out = p;
	}
	return fault;
}

enum heap_fault large_validate(struct heap *heap, const void *p)
{
	enum heap_fault fault;

	if (!heap_lock_unless_in_signal(heap))
		return HEAP_OK;
	fault = large_check(heap, p);
	if (fault == HEAP_OK && !large_intact(heap, large_page(heap, p)))
		fault = HEAP_OVERRUN;
	heap_unlock(heap);
	return fault;
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Which pages of the heap are free.
 *
 *   0          used and free runs            top        committed                     pages
 *   |##|####|....|##|......|###|####|..|#####|. . . . . . .|. . . . . . . . . . . . . . .|
 *            free       free         free        the tail: given out last, bottom up
 *
 * Free runs hang in bins by length: exact to 32 pages, then four bins per doubling. A run that
 * becomes free merges with its free neighbours, which it finds through the descriptors beside
 * it, or with the tail. Free runs never touch each other nor the tail. What is below the top was
 * committed once and stays so; taking free runs before the tail keeps the commit small.
 */
#include <errno.h>
#include "alloc/meta.h"
#include "alloc/run.h"

#define EXACT_BINS	32
#define SEARCH_LIMIT	32	/* runs looked at in one bin before a larger bin is tried */
#define SMALL_HEAP	256	/* pages: below 1 MiB every fit is the best fit */
#define STEP_MIN	((size_t)64 << 10)
#define STEP_MAX	((size_t)2 << 20)

struct run_fit {
	size_t start, pages;	/* the free run */
	size_t at;		/* where in it the allocation goes */
};

static unsigned int bin_of(size_t pages)
{
	unsigned int top;

	if (pages <= EXACT_BINS)
		return (unsigned int)pages - 1;
	top = 63 - (unsigned int)__builtin_clzll(pages);
	return EXACT_BINS + (top - 5) * 4 + ((pages >> (top - 2)) & 3);
}

static_assert(EXACT_BINS + (31 - 5) * 4 + 3 < RUN_BINS, "the largest run has a bin");

/* The links of a free run: page numbers plus 1, 0 ends the list. */
static uint32_t link_next(uint64_t link)
{
	return (uint32_t)link;
}

static uint32_t link_previous(uint64_t link)
{
	return (uint32_t)(link >> 32);
}

static void link_set(struct page *page, uint32_t previous, uint32_t next)
{
	atomic_store_explicit(&page->link, (uint64_t)previous << 32 | next, memory_order_relaxed);
}

static void bin_insert(struct heap *heap, size_t start, size_t pages)
{
	struct runs *runs = &heap->runs;
	unsigned int bin = bin_of(pages);
	uint32_t old = runs->bin[bin];
	struct page *head = heap_page(heap, start), *next;

	if (pages > 1)
		page_set_free(heap_page(heap, start + pages - 1), PAGE_FREE_TAIL, pages);
	page_set_free(head, PAGE_FREE, pages);
	link_set(head, 0, old);
	if (old) {
		next = heap_page(heap, old - 1);
		link_set(next, (uint32_t)start + 1, link_next(next->link));
	}
	runs->bin[bin] = (uint32_t)start + 1;
	runs->nonempty[bin / 64] |= 1ULL << bin % 64;
}

static void bin_remove(struct heap *heap, size_t start, size_t pages)
{
	struct runs *runs = &heap->runs;
	unsigned int bin = bin_of(pages);
	struct page *head = heap_page(heap, start), *other;
	uint32_t next = link_next(head->link), previous = link_previous(head->link);

	if (next) {
		other = heap_page(heap, next - 1);
		link_set(other, previous, link_next(other->link));
	}
	if (previous) {
		other = heap_page(heap, previous - 1);
		link_set(other, link_previous(other->link), next);
	} else {
		runs->bin[bin] = next;
		if (!next)
			runs->nonempty[bin / 64] &= ~(1ULL << bin % 64);
	}
	page_set_free(heap_page(heap, start + pages - 1), PAGE_NONE, 0);
	page_set_free(head, PAGE_NONE, 0);
}

/* The first non-empty bin from this one on; RUN_BINS if there is none. */
static unsigned int bin_next(const struct runs *runs, unsigned int bin)
{
	for (unsigned int word = bin / 64; word < sizeof(runs->nonempty) / 8; word++) {
		uint64_t bits = runs->nonempty[word];

		if (word == bin / 64)
			bits &= ~0ULL << bin % 64;
		if (bits)
			return word * 64 + (unsigned int)__builtin_ctzll(bits);
	}
	return RUN_BINS;
}

/* The first page from start on whose address is a multiple of align pages. */
static size_t run_align(const struct heap *heap, size_t start, size_t align)
{
	size_t base = (uintptr_t)heap->base >> PAGE_SHIFT;

	return ((base + start + align - 1) & ~(align - 1)) - base;
}

/* The best fit among the first `limit` runs of a bin. */
static bool bin_search(struct heap *heap, unsigned int bin, size_t n, size_t align, size_t limit,
		       struct run_fit *fit)
{
	uint32_t link = heap->runs.bin[bin];

	fit->pages = SIZE_MAX;
	for (; link && limit; limit--) {
		struct page *head = heap_page(heap, link - 1);
		size_t pages = page_count(head->tag), start = link - 1;
		size_t at = run_align(heap, start, align);

		if (pages < fit->pages && at - start + n <= pages)
			*fit = (struct run_fit){ .start = start, .pages = pages, .at = at };
		link = link_next(head->link);
	}
	return fit->pages != SIZE_MAX;
}

static bool run_search(struct heap *heap, size_t n, size_t align, size_t limit,
		       struct run_fit *fit)
{
	unsigned int bin = bin_next(&heap->runs, bin_of(n));

	for (; bin < RUN_BINS; bin = bin_next(&heap->runs, bin + 1))
		if (bin_search(heap, bin, n, align, limit, fit))
			return true;
	return false;
}

/* The descriptors that a run [at, at + n) cut out of [start, end) needs. */
static int run_describe(struct heap *heap, size_t start, size_t at, size_t n, size_t end)
{
	int error = 0;

	if (!heap_page_make(heap, at, &error) || !heap_page_make(heap, at + n - 1, &error))
		return error;
	if (at > start && (!heap_page_make(heap, start, &error) ||
			   !heap_page_make(heap, at - 1, &error)))
		return error;
	if (at + n < end && (!heap_page_make(heap, at + n, &error) ||
			     !heap_page_make(heap, end - 1, &error)))
		return error;
	return 0;
}

static int run_take(struct heap *heap, const struct run_fit *fit, size_t n)
{
	size_t end = fit->start + fit->pages, after = fit->at + n;
	int error = run_describe(heap, fit->start, fit->at, n, end);

	if (error)
		return error;
	bin_remove(heap, fit->start, fit->pages);
	if (fit->at > fit->start)
		bin_insert(heap, fit->start, fit->at - fit->start);
	if (after < end)
		bin_insert(heap, after, end - after);
	return 0;
}

/*
 * Commits the pages below end: by a step if allowed, exactly that far if not. What an alignment
 * skips before start has to be committed, too, but not resident.
 */
static int run_commit(struct heap *heap, size_t start, size_t end, enum run_commit commit)
{
	struct backend_range *range = &heap->range;
	size_t need = end << PAGE_SHIFT, step = range->committed / 4 & ~(PAGE_BYTES - 1), want;

	if (need <= range->committed)
		return 0;
	if (commit == RUN_COMMITTED)
		return -ENOMEM;
	if (commit == RUN_POPULATE && start << PAGE_SHIFT > range->committed + STEP_MAX) {
		int error = range->backend->commit(range, start << PAGE_SHIFT, false);

		if (error)
			return error;
	}
	step = step < STEP_MIN ? STEP_MIN : step > STEP_MAX ? STEP_MAX : step;
	want = range->committed + step;
	if (want > range->maximum)
		want = range->maximum;
	if (commit == RUN_POPULATE && want > need &&
	    range->backend->commit(range, want, true) == 0)
		return 0;
	return range->backend->commit(range, need, commit == RUN_POPULATE);
}

static void run_raise(struct runs *runs, size_t top)
{
	runs->top = top;
	if (runs->dirty < top)
		runs->dirty = top;
}

static int run_take_tail(struct heap *heap, size_t n, size_t align, enum run_commit commit,
			 size_t *at)
{
	struct runs *runs = &heap->runs;
	size_t top = runs->top;
	int error;

	*at = run_align(heap, top, align);
	if (*at > runs->pages || n > runs->pages - *at)
		return -ENOMEM;
	error = run_describe(heap, top, *at, n, *at + n);
	if (!error)
		error = run_commit(heap, *at, *at + n, commit);
	if (error)
		return error;
	run_raise(runs, *at + n);
	if (*at > top)
		run_free(heap, top, *at - top);
	return 0;
}

size_t run_alloc(struct heap *heap, size_t n, size_t align, enum run_commit commit,
		 size_t *fresh, int *error)
{
	size_t limit = heap->runs.pages < SMALL_HEAP || align > 1 ? SIZE_MAX : SEARCH_LIMIT, at;
	struct run_fit fit;

	*fresh = heap->runs.dirty;
	*error = -ENOMEM;
	if (n > heap->runs.pages)
		return RUN_NONE;
	if (run_search(heap, n, align, limit, &fit)) {
		*error = run_take(heap, &fit, n);
		return *error ? RUN_NONE : fit.at;
	}
	*error = run_take_tail(heap, n, align, commit, &at);
	if (*error == 0)
		return at;
	/* The limit may have hidden a fit. */
	if (limit != SIZE_MAX && run_search(heap, n, align, SIZE_MAX, &fit)) {
		*error = run_take(heap, &fit, n);
		return *error ? RUN_NONE : fit.at;
	}
	return RUN_NONE;
}

void run_free(struct heap *heap, size_t page, size_t n)
{
	struct runs *runs = &heap->runs;
	uint64_t tag = page ? page_tag(heap_page(heap, page - 1)) : PAGE_NONE;
	size_t pages;

	page_set_free(heap_page(heap, page), PAGE_NONE, 0);
	if (page_kind(tag) == PAGE_FREE || page_kind(tag) == PAGE_FREE_TAIL) {
		pages = page_count(tag);
		bin_remove(heap, page - pages, pages);
		page -= pages;
		n += pages;
	}
	if (page + n == runs->top) {
		runs->top = page;
		return;
	}
	tag = page_tag(heap_page(heap, page + n));
	if (page_kind(tag) == PAGE_FREE) {
		pages = page_count(tag);
		bin_remove(heap, page + n, pages);
		n += pages;
	}
	bin_insert(heap, page, n);
}

size_t run_longest(struct heap *heap)
{
	struct runs *runs = &heap->runs;
	size_t longest = (heap->range.committed >> PAGE_SHIFT) - runs->top, pages;
	unsigned int bin = RUN_BINS;
	uint32_t link = 0;

	while (!link && bin > 0)
		link = runs->bin[--bin];
	/* In a bin for one length the first will do. */
	for (; link; link = bin < EXACT_BINS ? 0 : link_next(heap_page(heap, link - 1)->link)) {
		pages = page_count(heap_page(heap, link - 1)->tag);
		if (pages > longest)
			longest = pages;
	}
	return longest;
}

static int run_shrink(struct heap *heap, size_t page, size_t old, size_t n)
{
	int error = run_describe(heap, page, page, n, page + old);

	if (error)
		return error;
	page_set(heap_page(heap, page), PAGE_LARGE, n);
	run_free(heap, page + n, old - n);
	return 0;
}

static int run_grow(struct heap *heap, size_t page, size_t old, size_t n, enum run_commit commit)
{
	struct runs *runs = &heap->runs;
	size_t end = page + old, more = n - old;
	struct run_fit fit = { .start = end, .at = end };
	uint64_t tag;
	int error;

	if (end == runs->top) {
		if (more > runs->pages - end)
			return -ENOMEM;
		error = run_describe(heap, page, page, n, page + n);
		if (!error)
			error = run_commit(heap, end, page + n, commit);
		if (!error)
			run_raise(runs, page + n);
		return error;
	}
	tag = page_tag(heap_page(heap, end));
	fit.pages = page_count(tag);
	if (page_kind(tag) != PAGE_FREE || fit.pages < more)
		return -ENOMEM;
	return run_take(heap, &fit, more);
}

int run_resize(struct heap *heap, size_t page, size_t old, size_t n, enum run_commit commit,
	       size_t *fresh)
{
	int error = 0;

	*fresh = heap->runs.dirty;
	if (n < old)
		return run_shrink(heap, page, old, n);
	if (n > old) {
		error = run_grow(heap, page, old, n, commit);
		if (!error)
			page_set(heap_page(heap, page), PAGE_LARGE, n);
	}
	return error;
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Full checking (see check.h).
 *
 *   alloc ─▶ slab_alloc_slow ─▶ still as filled when freed? ─▶ fill, tail
 *   free ──▶ live, tail and head intact? ─▶ fill ─▶ hold … ─▶ back to its slab, when others
 *                                                            push it out or space is short
 *
 * The last 16 bytes of every block of a slab, and of the margin before the first, hold the tail
 * byte, whether the block is live, held or free. So what is before a block can be checked
 * without knowing what it is. The tail byte is all bytes of heap->canary, of this process's
 * random ones: the canary of unchecked heaps fits into the tail wherever it begins.
 *
 * New and freed bytes hold what Windows' debug heap puts there, which people know by sight.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "annotate.h"
#include "canary.h"
#include "check.h"
#include "guard.h"
#include "hold.h"
#include "large.h"
#include "slab.h"

#define CHECK_NEW	0xBAADF00DU
#define CHECK_FREED	0xFEEEFEEEU
#define CHECK_FILL_MAX	((size_t)1 << 20)	/* larger blocks need not be resident yet */
#define CHECK_HOLD_MAX	((size_t)16 << 20)

struct check {
	bool tail, freed;
	struct hold hold;
};

/* A block of a slab. */
struct spot {
	struct slab *slab;
	uint32_t i;
	char *p;
	size_t size;		/* with its tail */
};

static _Thread_local const void *found;	/* what this thread's last EUCLEAN is about */

const void *heap_stale(void)
{
	return found;
}

unsigned int check_wanted(void)
{
	const char *mode = secure_getenv("PRIVHEAP_CHECK");

	if (mode ? strcmp(mode, "full") == 0 : annotate_any())
		return HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE;
	return 0;
}

int check_init(struct heap *heap)
{
	struct check *check;
	int error = 0;

	if (!(heap->flags & (HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE)))
		return 0;
	check = heap_meta_alloc(heap, sizeof(*check), &error);
	if (!check)
		return error;
	check->tail = heap->flags & HEAP_F_CHECK_TAIL;
	check->freed = heap->flags & HEAP_F_CHECK_FREE;
	hold_init(&check->hold, heap->maximum / 8 < CHECK_HOLD_MAX ? heap->maximum / 8 :
		  CHECK_HOLD_MAX);
	memset(heap->canary, heap->canary[0] & 0xff ? (int)(heap->canary[0] & 0xff) : 0xab,
	       sizeof(heap->canary));
	heap->check = check;
	/* Nothing without the heap's lock. */
	heap->gate = 0;
	heap->reach = 0;
	if (heap->mode == HEAP_OWNED)
		heap->mode = HEAP_SHARED;
	annotate_pool(heap->base);
	guard_install();
	return 0;
}

void check_fini(struct heap *heap)
{
	annotate_pool_gone(heap->base, heap->runs.dirty << PAGE_SHIFT);
}

static unsigned char tail_byte(const struct heap *heap)
{
	return (unsigned char)heap->canary[0];
}

static bool bytes_are(const char *p, unsigned char byte, size_t n)
{
	while (n--)
		if ((unsigned char)*p++ != byte)
			return false;
	return true;
}

/* p is 16-aligned; n need not be. */
static void pattern_put(char *p, uint32_t pattern, size_t n)
{
	size_t i;

	for (i = 0; i + sizeof(pattern) <= n; i += sizeof(pattern))
		memcpy(p + i, &pattern, sizeof(pattern));
	memcpy(p + i, &pattern, n - i);
}

static bool pattern_intact(const char *p, uint32_t pattern, size_t n)
{
	size_t i;

	for (i = 0; i + sizeof(pattern) <= n; i += sizeof(pattern))
		if (memcmp(p + i, &pattern, sizeof(pattern)))
			return false;
	return memcmp(p + i, &pattern, n - i) == 0;
}

/* From `from` on to n, with a pattern that is the same whereever it is begun. */
static void fill_new(char *p, size_t from, size_t n, unsigned int flags)
{
	size_t aligned = (from + 3) & ~(size_t)3;

	if (from >= n)
		return;
	if (flags & HEAP_F_ZERO) {
		memset(p + from, 0, n - from);
		return;
	}
	if (aligned > n)
		aligned = n;
	memset(p + from, 0xad, aligned - from);
	pattern_put(p + aligned, CHECK_NEW, n - aligned);
}

/* The block that is, or was, at p, which is the first byte of one. */
static struct spot spot_at(const struct heap *heap, struct slab *slab, const void *p)
{
	struct spot spot = { .slab = slab, .size = slab->size };

	spot.i = (uint32_t)((size_t)((const char *)p - slab_base(slab)) / slab->size);
	spot.p = slab_base(slab) + (size_t)spot.i * slab->size;
	(void)heap;
	return spot;
}

/* What p is: HEAP_OK with spot->slab NULL if it is in no slab. Locked. */
static enum heap_fault spot_find(struct heap *heap, const void *p, struct spot *spot)
{
	size_t offset = (size_t)((uintptr_t)p - (uintptr_t)heap->base);
	enum heap_fault fault;
	struct slab *slab;
	uint64_t tag;
	uint32_t i;

	spot->slab = NULL;
	if (offset >= heap->maximum)
		return HEAP_FOREIGN;
	tag = page_tag(heap_page(heap, offset >> PAGE_SHIFT));
	if (page_kind(tag) != PAGE_SLAB)
		return HEAP_OK;
	slab = page_slab(tag);
	fault = slab_find(slab, p, &i);
	if (fault == HEAP_OK && slab_is_free(slab, i))
		fault = HEAP_FREED;
	if (fault == HEAP_OK)
		*spot = spot_at(heap, slab, p);
	return fault;
}

/* How many of the bytes before the block are a tail for certain: a full block may have none. */
static size_t spot_before(const struct spot *spot)
{
	size_t slack;

	if (spot->i == 0 || slab_is_free(spot->slab, spot->i - 1))
		return CHECK_TAIL_BYTES;
	slack = slab_slack(spot->slab, spot->i - 1);
	return slack < CHECK_TAIL_BYTES ? slack : CHECK_TAIL_BYTES;
}

/* The library is about to work on the block and the bytes before it; it is done. */
static void spot_show(const struct spot *spot)
{
	annotate_show(spot->p - CHECK_TAIL_BYTES, spot->size + CHECK_TAIL_BYTES);
}

static void spot_hide(const struct spot *spot, size_t n)
{
	size_t before = spot_before(spot);

	annotate_hide(spot->p - before, before);
	annotate_hide(spot->p + n, spot->size - n);
}

static enum heap_fault spot_intact(const struct heap *heap, const struct spot *spot)
{
	size_t before = spot_before(spot), slack = slab_slack(spot->slab, spot->i);
	unsigned char tail = tail_byte(heap);

	if (!bytes_are(spot->p + spot->size - slack, tail, slack))
		return HEAP_OVERRUN;
	return bytes_are(spot->p - before, tail, before) ? HEAP_OK : HEAP_UNDERRUN;
}

static bool spot_untouched(const struct heap *heap, const struct spot *spot, size_t n)
{
	return !heap->check->freed || pattern_intact(spot->p, CHECK_FREED, n);
}

static void spot_wipe(const struct heap *heap, const struct spot *spot)
{
	size_t n = spot->size - CHECK_TAIL_BYTES;

	if (heap->check->freed)
		pattern_put(spot->p, CHECK_FREED, n);
	memset(spot->p + n, tail_byte(heap), CHECK_TAIL_BYTES);
}

/* Makes the block n bytes large, whose first `old` are the program's. Locked. */
static void spot_resize(struct heap *heap, const struct spot *spot, size_t old, size_t n,
			unsigned int flags)
{
	slab_set_slack(spot->slab, spot->i, 0);
	fill_new(spot->p, old, n, flags);
	memset(spot->p + n, tail_byte(heap), spot->size - n);
	slab_set_slack(spot->slab, spot->i, spot->size - n);
}

void check_slab_made(struct heap *heap, struct slab *slab)
{
	char *first = slab_base(slab);
	struct spot spot;

	annotate_quiet();
	annotate_show(first - CHECK_TAIL_BYTES, slab->bytes + CHECK_TAIL_BYTES);
	memset(first - CHECK_TAIL_BYTES, tail_byte(heap), CHECK_TAIL_BYTES);
	for (uint32_t at = 0; at < slab->bytes; at += slab->size) {
		spot = spot_at(heap, slab, first + at);
		spot_wipe(heap, &spot);
	}
	annotate_hide(first - CHECK_TAIL_BYTES, slab->bytes + CHECK_TAIL_BYTES);
	annotate_loud();
}

void check_slab_gone(struct heap *heap, struct slab *slab)
{
	(void)heap;
	annotate_show(slab_base(slab) - CHECK_TAIL_BYTES, slab->bytes + CHECK_TAIL_BYTES);
}

/*
 * Gives a block that nobody has back to its slab; the second part not locked. All in one hold of
 * the lock, so that it is free at every moment to who frees it once more.
 */
static void spot_give(struct heap *heap, const struct spot *spot)
{
	(void)heap;
	group_give_remote(slab_group(spot->slab, spot->i), spot->i % 64);
	slab_set_slack(spot->slab, spot->i, 0);
}

static void spot_given(struct heap *heap, const struct spot *spot)
{
	if (atomic_load(&spot->slab->full))
		slab_freed_in_full(heap, spot->slab);
}

static char *alloc_small(struct heap *heap, unsigned int class, size_t n, size_t align,
			 unsigned int flags, int *reason)
{
	size_t asked = class_sizes[class], filled;
	bool intact = false;
	struct spot spot;
	char *p;

	heap_enter(heap);
	/* As if all of the class were wanted: then the slab writes no more than the tail. */
	p = slab_alloc_slow(heap, class, asked, align, reason);
	if (p) {
		spot = spot_at(heap, page_slab(page_tag(heap_page(heap, (size_t)(p - heap->base) >>
								  PAGE_SHIFT))), p);
		spot_show(&spot);
		filled = spot.size > asked ? asked : asked - CHECK_TAIL_BYTES;
		intact = spot_untouched(heap, &spot, filled);
		if (intact) {
			spot_resize(heap, &spot, 0, n, flags);
			annotate_alloc(heap->base, p, n, flags & HEAP_F_ZERO);
		} else {
			spot_wipe(heap, &spot);
			spot_give(heap, &spot);
		}
		spot_hide(&spot, intact ? n : 0);
	}
	heap_leave(heap);
	if (!p || intact)
		return p;
	spot_given(heap, &spot);
	found = p;
	*reason = -EUCLEAN;
	return NULL;
}

/* The guard page of a large block: the last one, if so many bytes were added. */
static bool large_guarded(const struct heap *heap, size_t slack)
{
	return heap->check->tail && slack >= CHECK_TAIL_BYTES + PAGE_BYTES;
}

static void large_guard(struct heap *heap, char *p, bool shut)
{
	size_t bytes, slack = large_seen(heap, p, &bytes);

	if (!large_guarded(heap, slack))
		return;
	if (shut)
		guard_shut(heap, p + bytes - PAGE_BYTES, PAGE_BYTES);
	else
		guard_open(heap, p + bytes - PAGE_BYTES, PAGE_BYTES);
}

/* A large block is n bytes from now on, of which the first `old` were there. */
static void large_arm(struct heap *heap, char *p, size_t old, size_t n, unsigned int flags)
{
	size_t bytes;

	large_seal(heap, p, n);
	large_seen(heap, p, &bytes);
	if (bytes < CHECK_FILL_MAX && !(flags & HEAP_F_ZERO))
		fill_new(p, old, n, 0);
	large_guard(heap, p, true);
}

static char *alloc_large(struct heap *heap, size_t n, size_t more, size_t align,
			 unsigned int flags, int *reason)
{
	char *p = large_alloc(heap, n + more, align, flags, reason);
	size_t bytes;

	if (!p)
		return NULL;
	large_arm(heap, p, 0, n, flags);
	large_seen(heap, p, &bytes);
	annotate_alloc(heap->base, p, n, flags & HEAP_F_ZERO);
	annotate_hide(p + n, bytes - n);
	return p;
}

/* With a tail, and a guard page, or without if they do not fit. */
static char *alloc_once(struct heap *heap, size_t n, bool tail, size_t align, unsigned int flags,
			int *reason)
{
	size_t more = tail ? CHECK_TAIL_BYTES : 0;
	unsigned int class = align > CHECK_MARGIN_MAX ? CLASSES : block_class(heap, n + more, align);
	char *p = NULL;

	if (class < CLASSES)
		p = alloc_small(heap, class, n, align, flags, reason);
	if (!p && *reason != -EUCLEAN)
		p = alloc_large(heap, n, tail ? more + PAGE_BYTES : 0, align, flags, reason);
	return p;
}

/* Ends the stay of the block that is held longest, if more than `most` bytes are. */
static bool hold_end(struct heap *heap, size_t most)
{
	struct hold *hold = &heap->check->hold;
	struct spot spot = { 0 };
	uint64_t tag;
	char *p;

	if (!heap_enter_safely(heap))
		return false;
	p = hold_pop(hold, most);
	if (p) {
		tag = page_tag(heap_page(heap, (size_t)(p - heap->base) >> PAGE_SHIFT));
		if (page_kind(tag) == PAGE_SLAB) {
			spot = spot_at(heap, page_slab(tag), p);
			hold_popped(hold, spot.size);
			spot_give(heap, &spot);
		} else {
			hold_popped(hold, page_count(tag) << PAGE_SHIFT);
			/* Not to be opened: then these pages are lost until the heap ends. */
			if (guard_open(heap, p, page_count(tag) << PAGE_SHIFT)) {
				annotate_show(p, page_count(tag) << PAGE_SHIFT);
				large_release(heap, p);
			}
		}
	}
	heap_leave(heap);
	if (spot.slab)
		spot_given(heap, &spot);
	return p;
}

void *check_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error)
{
	int reason = -ENOMEM;
	char *p;

	annotate_quiet();
	do {
		p = alloc_once(heap, n, heap->check->tail, align, flags, &reason);
	} while (!p && reason != -EUCLEAN && hold_end(heap, 0));
	if (!p && reason != -EUCLEAN)
		p = alloc_once(heap, n, false, align, flags, &reason);
	annotate_loud();
	*error = reason == -EDQUOT ? EDQUOT : reason == -EUCLEAN ? EUCLEAN : ENOMEM;
	return p;
}

/* spot->slab is NULL if it is held. */
static void free_small(struct heap *heap, struct spot *spot)
{
	size_t n = spot->size - slab_slack(spot->slab, spot->i);

	spot_show(spot);
	slab_set_slack(spot->slab, spot->i, SLAB_HELD);
	spot_wipe(heap, spot);
	annotate_free(heap->base, spot->p, n);
	spot_hide(spot, 0);
	if (heap->check->freed && hold_push(&heap->check->hold, spot->p, spot->size))
		spot->slab = NULL;
	else
		spot_give(heap, spot);
}

static void free_large(struct heap *heap, char *p)
{
	size_t bytes, slack = large_seen(heap, p, &bytes);

	annotate_free(heap->base, p, bytes - slack);
	if (heap->check->freed && guard_shut(heap, p, bytes)) {
		if (hold_push(&heap->check->hold, p, bytes))
			return;
	}
	if (guard_open(heap, p, bytes)) {
		annotate_show(p, bytes);
		large_release(heap, p);
	}
}

enum heap_fault check_free(struct heap *heap, void *p)
{
	enum heap_fault fault;
	struct spot spot;

	/* A signal handler that may not wait: the block is lost until the heap is destroyed. */
	if (!heap_enter_safely(heap))
		return HEAP_OK;
	annotate_quiet();
	fault = spot_find(heap, p, &spot);
	if (fault == HEAP_OK && spot.slab) {
		spot_show(&spot);
		fault = spot_intact(heap, &spot);
		if (fault == HEAP_OK)
			free_small(heap, &spot);
		else
			spot_hide(&spot, spot.size - slab_slack(spot.slab, spot.i));
	} else if (fault == HEAP_OK) {
		fault = large_hold(heap, p);
		if (fault == HEAP_OK)
			free_large(heap, p);
	}
	heap_leave(heap);
	if (fault == HEAP_OK && spot.slab)
		spot_given(heap, &spot);
	while (fault == HEAP_OK && hold_end(heap, heap->check->hold.limit))
		;
	annotate_loud();
	return fault;
}

/* *done: resized where it is. Locked. */
static void resize_small(struct heap *heap, const struct spot *spot, size_t n,
			 unsigned int flags, size_t *old, bool *done)
{
	size_t more = heap->check->tail && !(flags & HEAP_F_IN_PLACE) ? CHECK_TAIL_BYTES : 0;

	*old = spot->size - slab_slack(spot->slab, spot->i);
	/* Shrinking is always possible. */
	*done = n <= *old || (n <= spot->size && n + more <= spot->size);
	if (!*done)
		return;
	spot_resize(heap, spot, *old, n, flags);
	annotate_resize(heap->base, spot->p, *old, n, flags & HEAP_F_ZERO);
}

static enum heap_fault resize_large(struct heap *heap, char *p, size_t n, unsigned int flags,
				    size_t *old, bool *done)
{
	size_t more = heap->check->tail ? CHECK_TAIL_BYTES + PAGE_BYTES : 0, bytes;
	enum heap_fault fault = large_size(heap, p, old);
	void *out = NULL;

	*done = false;
	if (fault != HEAP_OK || n > heap->maximum)
		return fault == HEAP_OK ? large_validate(heap, p) : fault;
	large_guard(heap, p, false);
	large_seen(heap, p, &bytes);
	annotate_show(p, bytes);
	fault = large_resize(heap, p, n + more, flags, &out, old);
	if (fault == HEAP_OK && !out && more)
		fault = large_resize(heap, p, n, flags, &out, old);
	*done = out;
	if (out) {
		large_arm(heap, p, *old, n, flags);
		annotate_resize(heap->base, p, *old, n, flags & HEAP_F_ZERO);
	} else {
		large_guard(heap, p, true);
	}
	large_seen(heap, p, &bytes);
	annotate_hide(p + (out ? n : *old), bytes - (out ? n : *old));
	return fault;
}

/* Resizes it where it is if it can. */
static enum heap_fault resize(struct heap *heap, void *p, size_t n, unsigned int flags,
			      size_t *old, bool *done)
{
	enum heap_fault fault;
	struct spot spot;

	*done = false;
	*old = 0;
	if (!heap_enter_safely(heap))
		return HEAP_OK;
	fault = spot_find(heap, p, &spot);
	if (fault == HEAP_OK && spot.slab) {
		spot_show(&spot);
		fault = spot_intact(heap, &spot);
		if (fault == HEAP_OK)
			resize_small(heap, &spot, n, flags, old, done);
		spot_hide(&spot, spot.size - slab_slack(spot.slab, spot.i));
	}
	heap_leave(heap);
	if (fault == HEAP_OK && !spot.slab)
		fault = resize_large(heap, p, n, flags, old, done);
	return fault;
}

enum heap_fault check_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			      void **out, int *error)
{
	enum heap_fault fault;
	size_t old;
	bool done;

	*out = NULL;
	*error = ENOMEM;
	annotate_quiet();
	fault = resize(heap, p, n, flags, &old, &done);
	annotate_loud();
	if (fault != HEAP_OK)
		return fault;
	if (done) {
		*out = p;
	} else if (!(flags & HEAP_F_IN_PLACE) && n <= heap->maximum && !heap_would_hang(heap)) {
		*out = check_alloc(heap, n, CHECK_TAIL_BYTES, flags & HEAP_F_ZERO, error);
		if (*out) {
			memcpy(*out, p, old < n ? old : n);
			fault = check_free(heap, p);
		}
	}
	return fault;
}

enum heap_fault check_block(struct heap *heap, const void *p)
{
	enum heap_fault fault;
	struct spot spot;

	if (!heap_enter_safely(heap))
		return HEAP_OK;
	annotate_quiet();
	fault = spot_find(heap, p, &spot);
	if (fault == HEAP_OK && spot.slab) {
		spot_show(&spot);
		fault = spot_intact(heap, &spot);
		spot_hide(&spot, spot.size - slab_slack(spot.slab, spot.i));
	}
	annotate_loud();
	heap_leave(heap);
	return fault == HEAP_OK && !spot.slab ? large_validate(heap, p) : fault;
}

enum heap_fault check_slab(struct heap *heap, struct slab *slab, const void **bad)
{
	enum heap_fault fault = HEAP_OK;
	bool live;

	annotate_quiet();
	for (uint32_t i = 0; i < slab->bytes / slab->size && fault == HEAP_OK; i++) {
		struct spot spot = spot_at(heap, slab, slab_base(slab) + (size_t)i * slab->size);

		*bad = spot.p;
		live = !slab_is_free(slab, i);
		spot_show(&spot);
		if (live)
			fault = spot_intact(heap, &spot);
		else if (!spot_untouched(heap, &spot, spot.size - CHECK_TAIL_BYTES))
			fault = HEAP_STALE;
		spot_hide(&spot, live ? spot.size - slab_slack(slab, i) : 0);
	}
	annotate_loud();
	return fault;
}

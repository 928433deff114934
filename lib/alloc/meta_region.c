// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The metadata region: where metadata lives, apart from the blocks that programs overrun.
 *
 *   | guard |== in use and free blocks ==|== committed ==|. . . . reserved . . . . . . |
 *   4 KiB                              used                                as reservation.h says
 *
 * One per process and backend, charged like a heap. Blocks are powers of two of pages; a freed one
 * is kept on the list of its order, linked through its first word, and split when a smaller one is
 * wanted. Nothing is merged: what a heap gave back fits the next heap. Records have a list of their
 * own.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include "os/process.h"
#include "os/reservation.h"
#include "alloc/meta_region.h"

#define META_STEP_MIN	((size_t)32 << 10)
#define META_STEP_MAX	((size_t)1 << 20)

static int meta_region_open(struct meta_region *region, const struct backend *backend)
{
	int saved = errno, error = -ENOMEM;
	struct room room = { 0 };

	room_now(&room);
	for (size_t size = room_for_metadata(&room); size >= ROOM_LEAST;
	     size = room_smaller(size)) {
		error = backend->reserve(&region->range, META_STEP_MIN, size, 0, "side");
		if (error != -ENOMEM && error != -EINVAL)
			break;
	}
	if (error) {
		region->range.backend = NULL;
		return error;
	}
	/* What runs over the end of a mapping below must not reach metadata. */
	mprotect(region->range.base, META_PAGE, PROT_NONE);
	errno = saved;
	region->range.backend = backend;
	region->used = META_PAGE;
	return 0;
}

static struct meta_region *meta_region_of(struct process *process,
					  const struct backend *backend, int *error)
{
	struct meta_region *region = NULL;

	for (int i = 0; i < META_REGIONS; i++) {
		region = &process->meta[i];
		if (region->range.backend == backend)
			return region;
		if (!region->range.backend) {
			*error = meta_region_open(region, backend);
			return *error ? NULL : region;
		}
	}
	*error = -ENOMEM;
	return NULL;
}

static size_t meta_clamp(size_t n, size_t low, size_t high)
{
	return n < low ? low : n > high ? high : n;
}

/* Makes [used, used + size) committed; a whole step if the quota allows. */
static int meta_region_grow(struct meta_region *region, size_t size)
{
	struct backend_range *range = &region->range;
	size_t need = region->used + size;
	size_t step = meta_clamp(range->committed / 32, META_STEP_MIN, META_STEP_MAX);
	size_t want = range->committed + (step & ~(META_PAGE - 1));

	if (need <= range->committed)
		return 0;
	if (need > range->maximum)
		return -ENOMEM;
	if (want >= need && want <= range->maximum &&
	    range->backend->commit(range, want, true) == 0)
		return 0;
	return range->backend->commit(range, need, true);
}

static void meta_pages_push(struct meta_region *region, void *p, unsigned int order)
{
	*(void **)p = region->free[order];
	region->free[order] = p;
}

static void *meta_pages_pop(struct meta_region *region, unsigned int order)
{
	void *p = region->free[order];

	if (p)
		region->free[order] = *(void **)p;
	return p;
}

/* The smallest free block that is large enough, its upper halves given back. */
static void *meta_pages_split(struct meta_region *region, unsigned int order)
{
	for (unsigned int o = order; o < META_ORDERS; o++) {
		char *p = meta_pages_pop(region, o);

		if (!p)
			continue;
		while (o-- > order)
			meta_pages_push(region, p + (META_PAGE << o), o);
		return p;
	}
	return NULL;
}

void *meta_pages_alloc(const struct backend *backend, unsigned int order, int *error)
{
	struct process *process = process_get();
	struct meta_region *region;
	char *p = NULL;

	*error = -ENOMEM;
	if (!process || order >= META_ORDERS)
		return NULL;
	lock_take(&process->meta_region_lock);
	region = meta_region_of(process, backend, error);
	if (region)
		p = meta_pages_split(region, order);
	if (region && !p) {
		*error = meta_region_grow(region, META_PAGE << order);
		if (*error == 0) {
			p = region->range.base + region->used;
			region->used += META_PAGE << order;
		}
	}
	lock_drop(&process->meta_region_lock);
	return p;
}

void meta_pages_free(const struct backend *backend, void *p, unsigned int order)
{
	struct process *process = process_get();
	int error = 0;

	lock_take(&process->meta_region_lock);
	meta_pages_push(meta_region_of(process, backend, &error), p, order);
	lock_drop(&process->meta_region_lock);
}

void *meta_record_alloc(const struct backend *backend, int *error)
{
	struct process *process = process_get();
	struct meta_region *region;
	void *p = NULL;

	*error = -ENOMEM;
	if (!process)
		return NULL;
	lock_take(&process->meta_region_lock);
	region = meta_region_of(process, backend, error);
	if (region && region->records) {
		p = region->records;
		region->records = *(void **)p;
	}
	lock_drop(&process->meta_region_lock);
	if (p || !region)
		return p;
	p = meta_pages_alloc(backend, 0, error);
	return p ? memset(p, 0, META_PAGE) : NULL;
}

void meta_record_free(const struct backend *backend, void *p)
{
	struct process *process = process_get();
	struct meta_region *region;
	int error = 0;

	lock_take(&process->meta_region_lock);
	region = meta_region_of(process, backend, &error);
	*(void **)p = region->records;
	region->records = p;
	lock_drop(&process->meta_region_lock);
}

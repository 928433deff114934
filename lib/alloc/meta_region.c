// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The side region: where metadata lives, apart from the blocks that programs overrun.
 *
 *   | guard |== in use and free blocks ==|== committed ==|. . . . reserved . . . . . . |
 *   4 KiB                              used                                as reservation.h says
 *
 * One per process and backend, charged like a heap. Blocks are powers of two of pages; a freed
 * one is kept on the list of its order, linked through its first word, and split when a smaller
 * one is wanted. Nothing is merged: what a heap gave back fits the next heap. Records have a list of
 * their own.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include "os/process.h"
#include "os/reservation.h"
#include "alloc/meta_region.h"

#define SIDE_STEP_MIN	((size_t)32 << 10)
#define SIDE_STEP_MAX	((size_t)1 << 20)

static int side_open(struct side *side, const struct backend *backend)
{
	int saved = errno, error = -ENOMEM;
	struct room room = { 0 };

	room_now(&room);
	for (size_t size = room_for_side(&room); size >= ROOM_LEAST; size = room_smaller(size)) {
		error = backend->reserve(&side->range, SIDE_STEP_MIN, size, 0, "side");
		if (error != -ENOMEM && error != -EINVAL)
			break;
	}
	if (error) {
		side->range.backend = NULL;
		return error;
	}
	/* What runs over the end of a mapping below must not reach metadata. */
	mprotect(side->range.base, SIDE_PAGE, PROT_NONE);
	errno = saved;
	side->range.backend = backend;
	side->used = SIDE_PAGE;
	return 0;
}

static struct side *side_of(struct process *process, const struct backend *backend, int *error)
{
	struct side *side = NULL;

	for (int i = 0; i < SIDE_REGIONS; i++) {
		side = &process->side[i];
		if (side->range.backend == backend)
			return side;
		if (!side->range.backend) {
			*error = side_open(side, backend);
			return *error ? NULL : side;
		}
	}
	*error = -ENOMEM;
	return NULL;
}

static size_t side_clamp(size_t n, size_t low, size_t high)
{
	return n < low ? low : n > high ? high : n;
}

/* Makes [used, used + size) committed; a whole step if the quota allows. */
static int side_grow(struct side *side, size_t size)
{
	struct backend_range *range = &side->range;
	size_t need = side->used + size;
	size_t step = side_clamp(range->committed / 32, SIDE_STEP_MIN, SIDE_STEP_MAX);
	size_t want = range->committed + (step & ~(SIDE_PAGE - 1));

	if (need <= range->committed)
		return 0;
	if (need > range->maximum)
		return -ENOMEM;
	if (want >= need && want <= range->maximum &&
	    range->backend->commit(range, want, true) == 0)
		return 0;
	return range->backend->commit(range, need, true);
}

static void side_push(struct side *side, void *p, unsigned int order)
{
	*(void **)p = side->free[order];
	side->free[order] = p;
}

static void *side_pop(struct side *side, unsigned int order)
{
	void *p = side->free[order];

	if (p)
		side->free[order] = *(void **)p;
	return p;
}

/* The smallest free block that is large enough, its upper halves given back. */
static void *side_split(struct side *side, unsigned int order)
{
	for (unsigned int o = order; o < SIDE_ORDERS; o++) {
		char *p = side_pop(side, o);

		if (!p)
			continue;
		while (o-- > order)
			side_push(side, p + (SIDE_PAGE << o), o);
		return p;
	}
	return NULL;
}

void *side_alloc(const struct backend *backend, unsigned int order, int *error)
{
	struct process *process = process_get();
	struct side *side;
	char *p = NULL;

	*error = -ENOMEM;
	if (!process || order >= SIDE_ORDERS)
		return NULL;
	lock_take(&process->side_lock);
	side = side_of(process, backend, error);
	if (side)
		p = side_split(side, order);
	if (side && !p) {
		*error = side_grow(side, SIDE_PAGE << order);
		if (*error == 0) {
			p = side->range.base + side->used;
			side->used += SIDE_PAGE << order;
		}
	}
	lock_drop(&process->side_lock);
	return p;
}

void side_free(const struct backend *backend, void *p, unsigned int order)
{
	struct process *process = process_get();
	int error = 0;

	lock_take(&process->side_lock);
	side_push(side_of(process, backend, &error), p, order);
	lock_drop(&process->side_lock);
}

void *side_alloc_record(const struct backend *backend, int *error)
{
	struct process *process = process_get();
	struct side *side;
	void *p = NULL;

	*error = -ENOMEM;
	if (!process)
		return NULL;
	lock_take(&process->side_lock);
	side = side_of(process, backend, error);
	if (side && side->records) {
		p = side->records;
		side->records = *(void **)p;
	}
	lock_drop(&process->side_lock);
	if (p || !side)
		return p;
	p = side_alloc(backend, 0, error);
	return p ? memset(p, 0, SIDE_PAGE) : NULL;
}

void side_free_record(const struct backend *backend, void *p)
{
	struct process *process = process_get();
	struct side *side;
	int error = 0;

	lock_take(&process->side_lock);
	side = side_of(process, backend, &error);
	*(void **)p = side->records;
	side->records = p;
	lock_drop(&process->side_lock);
}

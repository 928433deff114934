// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The addresses of a heap: how many, and where not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include "heap/range.h"
#include "heap/registry.h"
#include "os/reservation.h"

#define GROWABLE_SHOWN	((size_t)64 << 20)

/* What a growable heap reserves: it can never hold more than RAM and swap. */
static size_t range_growable(struct process *process, size_t initial)
{
	struct room room = { .heaps = process->growable };
	size_t bytes;

	room_now(&room);
	bytes = room_for_heap(&room);
	return bytes < initial ? initial : bytes;
}

/* Bytes to reserve, and the least that will do. 0 or -EINVAL, -ENOMEM. */
static int range_sizes(struct process *process, const struct heap_attr *attr, size_t *initial,
		      size_t *maximum, size_t *least)
{
	size_t top = HEAP_PAGES_MAX << PAGE_SHIFT;

	if (attr->maximum && attr->initial > attr->maximum)
		return -EINVAL;
	if (attr->initial > top || attr->maximum > top)
		return -ENOMEM;
	*initial = (attr->initial + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	if (*initial == 0)
		*initial = PAGE_BYTES;
	*maximum = (attr->maximum + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	*least = *maximum;
	if (*maximum == 0) {
		*maximum = range_growable(process, *initial);
		*least = *initial < ROOM_LEAST ? ROOM_LEAST : *initial;
	}
	return 0;
}

/* A page that keeps the address from being had again. */
static int range_block_address(void *base)
{
	void *p = mmap(base, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		       MAP_FIXED_NOREPLACE, -1, 0);

	/* Else it is in use already. */
	return p == MAP_FAILED && errno != EEXIST ? -ENOMEM : 0;
}

/*
 * Nothing committed yet, at an address that no handle has which the process knows from its parent.
 */
static int range_reserve_apart(struct backend_range *range, const struct backend *backend,
			      size_t maximum, unsigned int flags, const char *name)
{
	int saved = errno, error;

	for (;;) {
		error = backend->reserve(range, 0, maximum, flags, name);
		if (error || !registry_inherited(range->base))
			break;
		backend->release(range);
		error = range_block_address(range->base);
		if (error)
			break;
	}
	errno = saved;
	return error;
}

/*
 * In two steps. So it shows whether addresses cannot be had, then a growable heap takes less, or
 * memory for what is initial.
 */
static int range_reserve_slowly(struct backend_range *range, const struct backend *backend,
			       size_t initial, size_t maximum, size_t least, unsigned int flags,
			       const char *name)
{
	int error = -ENOMEM;

	for (; (error == -ENOMEM || error == -EINVAL) && maximum >= least;
	     maximum = room_smaller(maximum)) {
		error = range_reserve_apart(range, backend, maximum, flags, name);
		if (error)
			continue;
		error = backend->commit(range, initial, true);
		if (error)
			backend->release(range);
		break;
	}
	return error;
}

int range_reserve(struct backend_range *range, const struct backend *backend,
			const struct heap_attr *attr, struct process *process)
{
	unsigned int flags = (attr->flags & HEAP_F_EXEC ? BACKEND_EXEC : 0) |
			     (attr->flags & HEAP_F_SECRET ? BACKEND_SECRET : 0) |
			     (attr->flags & HEAP_F_LOCKED ? BACKEND_LOCKED : 0);
	const char *name = attr->name ? attr->name : "heap";
	size_t initial, maximum, least;
	int error = range_sizes(process, attr, &initial, &maximum, &least);
	bool slowly = registry_inherits();

	if (error)
		return error;
	if (!slowly) {
		error = backend->reserve(range, initial, maximum, flags, name);
		slowly = (error == -ENOMEM || error == -EINVAL) && maximum > least;
	}
	if (slowly)
		error = range_reserve_slowly(range, backend, initial, maximum, least, flags, name);
	return error;
}

/*
 * As far as anybody is told, a growable heap reserves as it grows. In truth its addresses are taken
 * at once: no backend can be sure of having the next ones later.
 */
size_t heap_reserved(const struct heap *heap)
{
	size_t bytes = GROWABLE_SHOWN;

	if (!heap->growable)
		return heap->maximum;
	while (bytes <= heap->range.committed)
		bytes *= 2;
	return bytes < heap->maximum ? bytes : heap->maximum;
}

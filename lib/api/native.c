// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The native API, heaps and blocks: thin wrappers that speak errno.
 *
 *	privheap_t * --heap_hold--> struct heap --heap_*--> result --heap_drop-->
 *	       \- no heap: EINVAL	     \- no memory: ENOMEM, EDQUOT
 *					      \- bad pointer: corruption_found, then EINVAL
 *
 * Structures begin with their size, so that they may grow: a program built against an older
 * header passes a smaller one, and the rest reads as 0, or is not written.
 */
#define _GNU_SOURCE
#include "api/native.h"

#include "api/oom.h"
#include "api/open.h"
#include "debug/check.h"
#include "debug/corruption.h"
#include "heap/block.h"
#include "heap/fast.h"
#include "heap/registry.h"
#include "os/backend_anon.h"
#include "os/backend_device.h"
#include "../uapi/privheap.h"

#define LEAST_ALIGN	16
/* The structure as first released: the least that a program can pass. */
#define ATTR_SIZE_0	sizeof(struct privheap_attr)

static void *null(int error)
{
	errno = error;
	return NULL;
}

static bool attr_flags(const struct privheap_attr *attr, unsigned int *flags)
{
	switch (attr->on_corruption) {
	case PRIVHEAP_CORRUPTION_ABORT:
		*flags = 0;
		break;
	case PRIVHEAP_CORRUPTION_RETURN:
		*flags = HEAP_F_RETURN;
		break;
	default:
		return false;
	}
	*flags |= (attr->executable ? HEAP_F_EXEC : 0) | (attr->secret ? HEAP_F_SECRET : 0) |
		  (attr->no_serialize ? HEAP_F_NO_SERIALIZE : 0) |
		  (attr->populate ? HEAP_F_POPULATE : 0) |
		  (attr->locked ? HEAP_F_LOCKED : 0) |
		  (attr->full_check ? HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE : 0);
	return true;
}

static bool attr_backend(const struct privheap_attr *attr, const struct backend **backend)
{
	switch (attr->backend) {
	case PRIVHEAP_BACKEND_DEFAULT:
		*backend = NULL;
		return true;
	case PRIVHEAP_BACKEND_DEVICE:
		*backend = &backend_device;
		return true;
	case PRIVHEAP_BACKEND_ANON:
		*backend = &backend_anon;
		return true;
	}
	return false;
}

/* Of a newer header: accepted if what we do not know is 0. */
static bool tail_is_zero(const struct privheap_attr *attr)
{
	const unsigned char *bytes = (const unsigned char *)attr;
	size_t i;

	for (i = sizeof(*attr); i < attr->size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* What the device takes, on every backend. */
static bool name_is_good(const char *name)
{
	size_t i;

	for (i = 0; name && name[i]; i++)
		if (i + 1 == PRIVHEAP_NAME_LEN || name[i] < ' ' || name[i] > '~' || name[i] == '/')
			return false;
	return true;
}

privheap_t *privheap_create(const struct privheap_attr *attr)
{
	static const struct privheap_attr defaults = PRIVHEAP_ATTR_INIT;
	struct heap_attr internal = { 0 };
	int saved = errno;
	struct heap *heap;
	int error;

	if (!attr)
		attr = &defaults;
	if (attr->size < ATTR_SIZE_0 || !tail_is_zero(attr) ||
	    !attr_flags(attr, &internal.flags) || !attr_backend(attr, &internal.backend) ||
	    !name_is_good(attr->name))
		return null(EINVAL);
	internal.initial = attr->initial;
	internal.maximum = attr->maximum;
	internal.name = attr->name;
	error = open_heap(&internal, &heap);
	if (error)
		return null(-error);
	errno = saved;
	return heap_handle(heap);
}

int privheap_destroy(privheap_t *handle)
{
	int saved = errno;
	int error = heap_destroy_handle(handle);

	errno = saved;
	return result(error);
}

/* Drops the heap, as the two below. */
static void *bad_block(const char *call, struct heap *heap, const void *block,
		       enum heap_fault fault)
{
	/* Dropped first: a SIGABRT handler may not return. The record stays readable. */
	heap_drop(heap);
	corruption_found(call, heap, block, fault);
	return null(EINVAL);
}

static void *got(struct heap *heap, void *p)
{
	/* Destroyed while this thread waited for its turn. */
	bool gone = heap_gone(heap);

	heap_drop(heap);
	return likely(!gone) ? p : null(EINVAL);
}

static void *not_allocated(const char *call, struct heap *heap, int error)
{
	if (error == EUCLEAN)
		return bad_block(call, heap, check_stale_block(), HEAP_USE_AFTER_FREE);
	heap_drop(heap);
	return null(error);
}

/* Of a heap that is held, and dropped here. */
static void *alloc_held(const char *call, struct heap *heap, size_t bytes, size_t align,
			unsigned int flags, bool refill)
{
	int error;
	void *p = oom_alloc(heap, bytes, align, flags, refill, &error);

	return p ? got(heap, p) : not_allocated(call, heap, error);
}

static __attribute__((noinline))
void *alloc(const char *call, privheap_t *handle, size_t bytes, size_t align, unsigned int flags)
{
	struct heap *heap = heap_hold(handle);

	return heap ? alloc_held(call, heap, bytes, align, flags, false) : null(EINVAL);
}

static __attribute__((noinline)) void *alloc_refill(struct heap *heap, size_t bytes)
{
	privheap_t *handle = heap_handle(heap);
	void *p;

	if (heap->mode != HEAP_PERCPU || bytes > CLASS_SMALL)
		return alloc("privheap_alloc", handle, bytes, LEAST_ALIGN, 0);
	if (likely(fast_alloc_next(heap, bytes, &p)))
		return p;
	return heap_hold_found(heap, handle) ?
	       alloc_held("privheap_alloc", heap, bytes, LEAST_ALIGN, 0, true) :
	       alloc("privheap_alloc", handle, bytes, LEAST_ALIGN, 0);
}

void *privheap_alloc(privheap_t *handle, size_t bytes)
{
	struct heap *heap = fast_lookup(handle);
	void *p;

	if (unlikely(!heap))
		return alloc("privheap_alloc", handle, bytes, LEAST_ALIGN, 0);
	return likely(fast_alloc(heap, bytes, &p)) ? p : alloc_refill(heap, bytes);
}

void *privheap_zalloc(privheap_t *heap, size_t bytes)
{
	return alloc("privheap_zalloc", heap, bytes, LEAST_ALIGN, HEAP_F_ZERO);
}

void *privheap_aligned_alloc(privheap_t *heap, size_t align, size_t bytes)
{
	if (!align || align & (align - 1))
		return null(EINVAL);
	return alloc("privheap_aligned_alloc", heap, bytes,
		     align < LEAST_ALIGN ? LEAST_ALIGN : align, 0);
}

/* The resized block; NULL with errno. */
static void *resize(const char *call, privheap_t *handle, void *block, size_t bytes,
		    unsigned int flags)
{
	struct heap *heap = heap_hold(handle);
	enum heap_fault fault;
	int error;
	void *p;

	if (!heap)
		return null(EINVAL);
	do {
		fault = heap_realloc(heap, block, bytes, flags, &p, &error);
		if (fault)
			return bad_block(call, heap, block, fault);
	} while (!p && !(flags & HEAP_F_IN_PLACE) && oom_retry(heap, bytes));
	return p ? got(heap, p) : not_allocated(call, heap, error);
}

void *privheap_realloc(privheap_t *heap, void *block, size_t bytes)
{
	if (!block)
		return alloc("privheap_realloc", heap, bytes, LEAST_ALIGN, 0);
	return resize("privheap_realloc", heap, block, bytes, 0);
}

int privheap_realloc_inplace(privheap_t *heap, void *block, size_t bytes)
{
	if (!block)
		return result(-EINVAL);
	return resize("privheap_realloc_inplace", heap, block, bytes, HEAP_F_IN_PLACE) ? 0 : -1;
}

static __attribute__((noinline))
int free_slow(privheap_t *handle, void *block)
{
	struct heap *heap;
	enum heap_fault fault;

	if (!block)
		return 0;
	heap = heap_hold(handle);
	if (!heap)
		return result(-EINVAL);
	fault = heap_free(heap, block);
	if (fault != HEAP_OK) {
		bad_block("privheap_free", heap, block, fault);
		return -1;
	}
	heap_drop(heap);
	return 0;
}

static __attribute__((noinline))
int free_remote(struct heap *heap, struct slab *slab, struct group *group, size_t i, void *block)
{
	struct fast_block found = { .slab = slab, .group = group, .i = i };

	return fast_free_remote(heap, &found) ? 0 : free_slow(heap_handle(heap), block);
}

int privheap_free(privheap_t *handle, void *block)
{
	struct heap *heap = fast_lookup(handle);
	struct fast_block found;

	if (unlikely(!heap || !fast_ptr_to_block(heap, block, &found)))
		return free_slow(handle, block);
	if (unlikely(!fast_free_local(heap, &found)))
		return free_remote(heap, found.slab, found.group, found.i, block);
	return 0;
}

size_t privheap_usable_size(privheap_t *handle, const void *block)
{
	struct heap *heap = heap_hold(handle);
	enum heap_fault fault = HEAP_FOREIGN;
	size_t bytes;

	if (heap) {
		fault = heap_size(heap, block, &bytes);
		heap_drop(heap);
	}
	if (fault == HEAP_OK)
		return bytes;
	errno = EINVAL;
	return (size_t)-1;
}

bool privheap_validate(privheap_t *handle, const void *block)
{
	struct heap *heap = heap_hold(handle);
	enum heap_fault fault;
	const void *bad;

	if (!heap)
		return false;
	fault = heap_validate(heap, block, &bad);
	heap_drop(heap);
	return fault == HEAP_OK;
}

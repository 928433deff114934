// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The Win32 Heap API, heaps and blocks: thin wrappers that speak its flags and its errors.
 *
 *	HANDLE --heap_hold--> struct heap --heap_*--> result --heap_drop-->
 *	   \- no heap: 6		   \- no memory: 8, or STATUS_NO_MEMORY
 *					    \- bad pointer: corruption_found, then 87
 *
 * Nothing here holds a lock, so raising is safe wherever it happens, once the heap is dropped. The
 * fast paths do not hold the heap: the program must not destroy it while it allocates and frees.
 */
#define _GNU_SOURCE
#include "api/oom.h"
#include "api/open.h"
#include "api/win32.h"
#include "debug/check.h"
#include "debug/corruption.h"
#include "exception/exception.h"
#include "heap/block.h"
#include "heap/fast.h"
#include "heap/registry.h"

#define LEAST_ALIGN	16

/* All that the Win32 headers name. HEAP_CREATE_ALIGN_16 holds for every heap. */
#define CREATE_OPTIONS	(HEAP_NO_SERIALIZE | HEAP_GENERATE_EXCEPTIONS | HEAP_ZERO_MEMORY |	\
			 HEAP_TAIL_CHECKING_ENABLED | HEAP_FREE_CHECKING_ENABLED |		\
			 HEAP_CREATE_ALIGN_16 | HEAP_CREATE_ENABLE_EXECUTE | CREATE_IGNORED)
#define CREATE_IGNORED	(HEAP_GROWABLE | HEAP_REALLOC_IN_PLACE_ONLY |			\
			 HEAP_DISABLE_COALESCE_ON_FREE | HEAP_CREATE_SEGMENT_HEAP |	\
			 HEAP_CREATE_HARDENED | HEAP_CREATE_ENABLE_TRACING |		\
			 HEAP_PSEUDO_TAG_FLAG | HEAP_MAXIMUM_TAG << HEAP_TAG_SHIFT)

/* error: a negative errno of heap creation. */
static HANDLE not_created(int error)
{
	fail(error == -EINVAL ? ERROR_INVALID_PARAMETER : ERROR_NOT_ENOUGH_MEMORY, -error);
	return NULL;
}

static unsigned int create_flags(DWORD options)
{
	return (options & HEAP_NO_SERIALIZE ? HEAP_F_NO_SERIALIZE : 0) |
	       (options & HEAP_GENERATE_EXCEPTIONS ? HEAP_F_EXCEPTIONS : 0) |
	       (options & HEAP_ZERO_MEMORY ? HEAP_F_ZERO : 0) |
	       (options & HEAP_TAIL_CHECKING_ENABLED ? HEAP_F_CHECK_TAIL : 0) |
	       (options & HEAP_FREE_CHECKING_ENABLED ? HEAP_F_CHECK_FREE : 0) |
	       (options & HEAP_CREATE_ENABLE_EXECUTE ? HEAP_F_EXEC : 0);
}

static inline unsigned int call_flags(DWORD flags)
{
	return (flags & HEAP_NO_SERIALIZE ? HEAP_F_NO_SERIALIZE : 0) |
	       (flags & HEAP_ZERO_MEMORY ? HEAP_F_ZERO : 0) |
	       (flags & HEAP_REALLOC_IN_PLACE_ONLY ? HEAP_F_IN_PLACE : 0);
}

HANDLE HeapCreate(DWORD options, SIZE_T initial, SIZE_T maximum)
{
	struct heap_attr attr = {
		.initial = initial,
		.maximum = maximum,
		.flags = create_flags(options),
	};
	int saved = errno;
	struct heap *heap;
	int error;

	if (options & ~(DWORD)CREATE_OPTIONS)
		return not_created(-EINVAL);
	error = open_heap(&attr, &heap);
	if (error)
		return not_created(error);
	errno = saved;
	return heap_handle(heap);
}

BOOL HeapDestroy(HANDLE handle)
{
	int saved = errno;
	int error = heap_destroy_handle(handle);

	if (error)
		return fail(error == -EINVAL ? ERROR_INVALID_HANDLE : ERROR_GEN_FAILURE, -error);
	errno = saved;
	return TRUE;
}

HANDLE GetProcessHeap(void)
{
	int saved = errno;
	struct heap *heap;
	int error = open_process_heap(&heap);

	if (error) {
		fail(ERROR_NOT_ENOUGH_MEMORY, -error);
		return NULL;
	}
	errno = saved;
	return heap_handle(heap);
}

/* Drops the heap, as the two below. */
static LPVOID bad_block(const char *call, struct heap *heap, const void *block,
			enum heap_fault fault)
{
	/* Dropped first: a SIGABRT handler may not return. The record stays readable. */
	heap_drop(heap);
	corruption_found(call, heap, block, fault);
	fail(ERROR_INVALID_PARAMETER, EINVAL);
	return NULL;
}

static LPVOID no_memory(const char *call, struct heap *heap, DWORD flags, SIZE_T bytes, int error,
			void *caller)
{
	HANDLE handle = heap_handle(heap);

	if (error == EUCLEAN)
		return bad_block(call, heap, check_stale_block(), HEAP_USE_AFTER_FREE);
	flags |= heap_flags(heap) & HEAP_F_EXCEPTIONS ? HEAP_GENERATE_EXCEPTIONS : 0;
	heap_drop(heap);
	if (flags & HEAP_GENERATE_EXCEPTIONS)
		exception_no_memory(handle, bytes, caller);
	/*
	 * A filter chose EXCEPTION_CONTINUE_EXECUTION. Set the errors last: handlers may overwrite
	 * them.
	 */
	fail(ERROR_NOT_ENOUGH_MEMORY, error);
	return NULL;
}

static LPVOID got(struct heap *heap, void *p)
{
	/* Destroyed while this thread waited for its turn. */
	bool gone = heap_gone(heap);

	heap_drop(heap);
	if (likely(!gone))
		return p;
	fail(ERROR_INVALID_HANDLE, EINVAL);
	return NULL;
}

/* Of a heap that is held, and dropped here. */
static LPVOID alloc_held(struct heap *heap, DWORD flags, SIZE_T bytes, void *caller, bool refill)
{
	int error;
	void *p = oom_alloc(heap, bytes, LEAST_ALIGN, call_flags(flags), refill, &error);

	return p ? got(heap, p) : no_memory("HeapAlloc", heap, flags, bytes, error, caller);
}

/* Apart, so that HeapAlloc itself needs no stack. */
static __attribute__((noinline))
LPVOID alloc_slow(HANDLE handle, DWORD flags, SIZE_T bytes, void *caller)
{
	struct heap *heap = heap_hold(handle);

	if (likely(heap))
		return alloc_held(heap, flags, bytes, caller, false);
	fail(ERROR_INVALID_HANDLE, EINVAL);
	return NULL;
}

/* Here and in free_remote what a caller has stays in its register: a move less in each call. */
static __attribute__((noinline))
LPVOID alloc_refill(struct heap *heap, void *caller, SIZE_T bytes)
{
	HANDLE handle = heap->base;
	void *p;

	if (heap->mode != HEAP_PERCPU || bytes > CLASS_SMALL)
		return alloc_slow(handle, 0, bytes, caller);
	if (likely(fast_alloc_next(heap, bytes, &p)))
		return p;
	return heap_hold_found(heap, handle) ? alloc_held(heap, 0, bytes, caller, true) :
					       alloc_slow(handle, 0, bytes, caller);
}

LPVOID HeapAlloc(HANDLE handle, DWORD flags, SIZE_T bytes)
{
	struct heap *heap = fast_lookup(handle);
	void *p;

	if (unlikely(!heap || flags))
		return alloc_slow(handle, flags, bytes, __builtin_return_address(0));
	if (unlikely(!fast_alloc(heap, bytes, &p)))
		return alloc_refill(heap, __builtin_return_address(0), bytes);
	return p;
}

LPVOID HeapReAlloc(HANDLE handle, DWORD flags, LPVOID block, SIZE_T bytes)
{
	struct heap *heap = heap_hold(handle);
	enum heap_fault fault;
	int error;
	void *p;

	if (!heap || !block) {
		if (heap)
			heap_drop(heap);
		fail(heap ? NO_ERROR : ERROR_INVALID_HANDLE, EINVAL);
		return NULL;
	}
	do {
		fault = heap_realloc(heap, block, bytes, call_flags(flags), &p, &error);
		if (fault)
			return bad_block("HeapReAlloc", heap, block, fault);
		if (likely(p))
			return got(heap, p);
	} while (!(flags & HEAP_REALLOC_IN_PLACE_ONLY) && oom_retry(heap, bytes));
	return no_memory("HeapReAlloc", heap, flags, bytes, error, __builtin_return_address(0));
}

static __attribute__((noinline))
BOOL free_slow(HANDLE handle, DWORD flags, LPVOID block)
{
	struct heap *heap;
	enum heap_fault fault;

	if (!block)
		return TRUE;
	heap = heap_hold(handle);
	if (!heap)
		return fail(ERROR_INVALID_HANDLE, EINVAL);
	fault = flags & HEAP_NO_SERIALIZE ? heap_free_unserialised(heap, block)
					  : heap_free(heap, block);
	if (fault != HEAP_OK) {
		bad_block("HeapFree", heap, block, fault);
		return FALSE;
	}
	heap_drop(heap);
	return TRUE;
}

static __attribute__((noinline))
BOOL free_remote(size_t i, struct slab *slab, struct group *group, struct heap *heap, LPVOID block)
{
	struct fast_block found = { .slab = slab, .group = group, .i = i };

	return fast_free_remote(heap, &found) ? TRUE : free_slow(heap->base, 0, block);
}

BOOL HeapFree(HANDLE handle, DWORD flags, LPVOID block)
{
	struct heap *heap = fast_lookup(handle);
	struct fast_block found;

	if (unlikely(!heap || flags))
		return free_slow(handle, flags, block);
	if (unlikely(!fast_ptr_to_block(heap, block, &found)))
		return free_slow(heap->base, 0, block);
	if (unlikely(!fast_free_local(heap, &found)))
		return free_remote(found.i, found.slab, found.group, heap, block);
	return TRUE;
}

SIZE_T HeapSize(HANDLE handle, DWORD flags, LPCVOID block)
{
	struct heap *heap = heap_hold(handle);
	SIZE_T bytes = (SIZE_T)-1;
	enum heap_fault fault;

	(void)flags;
	if (!heap) {
		fail(ERROR_INVALID_HANDLE, EINVAL);
		return bytes;
	}
	fault = heap_size(heap, block, &bytes);
	heap_drop(heap);
	if (fault == HEAP_OK)
		return bytes;
	fail(ERROR_INVALID_PARAMETER, EINVAL);
	return (SIZE_T)-1;
}

BOOL HeapValidate(HANDLE handle, DWORD flags, LPCVOID block)
{
	struct heap *heap = heap_hold(handle);
	enum heap_fault fault;
	const void *bad;

	(void)flags;
	if (!heap)
		return FALSE;
	fault = heap_validate(heap, block, &bad);
	heap_drop(heap);
	return fault == HEAP_OK;
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The Win32 Heap API, heaps as a whole: HeapLock, HeapWalk, HeapSummary, HeapCompact, what is asked
 * of a heap and which there are. Thin wrappers as in heapapi.c.
 */
#define _GNU_SOURCE
#include "api/win32.h"
#include "debug/corruption.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/scan.h"
#include "heap/user_lock.h"
#include "heap/walk.h"

_Static_assert(sizeof(PROCESS_HEAP_ENTRY) == 40 && sizeof(HEAP_SUMMARY) == 40, "as on Win64");

static BOOL no_heap(void)
{
	return fail(ERROR_INVALID_HANDLE, EINVAL);
}

/* A signal handler that interrupted the library, and may not wait for it. */
static BOOL may_not_wait(void)
{
	return fail(ERROR_POSSIBLE_DEADLOCK, EDEADLK);
}

BOOL HeapLock(HANDLE handle)
{
	struct heap *heap = heap_hold(handle);
	int error;

	if (!heap)
		return no_heap();
	error = heap_user_lock(heap);
	heap_drop(heap);
	if (error == -EINVAL)
		return no_heap();
	return error ? may_not_wait() : TRUE;
}

BOOL HeapUnlock(HANDLE handle)
{
	struct heap *heap = heap_hold(handle);
	int error;

	if (!heap)
		return no_heap();
	error = heap_user_unlock(heap);
	heap_drop(heap);
	return error ? fail(ERROR_NOT_OWNER, EPERM) : TRUE;
}

static DWORD saturate(size_t n)
{
	return n < UINT32_MAX ? (DWORD)n : UINT32_MAX;
}

static const struct {
	WORD flags;
	enum heap_item_kind kind;
} kinds[] = {
	{ PROCESS_HEAP_REGION, HEAP_ITEM_REGION },
	{ PROCESS_HEAP_UNCOMMITTED_RANGE, HEAP_ITEM_UNCOMMITTED },
	{ PROCESS_HEAP_ENTRY_BUSY, HEAP_ITEM_BLOCK },
	{ 0, HEAP_ITEM_FREE },
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

static bool item_from_entry(const PROCESS_HEAP_ENTRY *entry, struct heap_item *item)
{
	item->start = entry->lpData;
	if (!item->start)
		return true;
	for (size_t i = 0; i < KINDS; i++) {
		item->kind = kinds[i].kind;
		if (kinds[i].flags == entry->wFlags)
			return entry->iRegionIndex == 0;
	}
	return false;
}

static void item_to_entry(const struct heap_item *item, PROCESS_HEAP_ENTRY *entry)
{
	*entry = (PROCESS_HEAP_ENTRY){ .lpData = item->start, .cbData = saturate(item->bytes) };
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == item->kind)
			entry->wFlags = kinds[i].flags;
	if (item->kind == HEAP_ITEM_REGION) {
		entry->cbData = saturate(item->bytes + item->beyond);
		entry->Region.dwCommittedSize = saturate(item->bytes);
		entry->Region.dwUnCommittedSize = saturate(item->beyond);
		entry->Region.lpFirstBlock = item->start;
		entry->Region.lpLastBlock = (char *)item->start + item->bytes + item->beyond;
		return;
	}
	entry->cbOverhead = item->beyond < UINT8_MAX ? (BYTE)item->beyond : UINT8_MAX;
}

BOOL HeapWalk(HANDLE handle, LPPROCESS_HEAP_ENTRY entry)
{
	struct heap *heap = heap_hold(handle);
	struct heap_item item;
	int result = -EINVAL;

	if (!heap)
		return no_heap();
	if (entry && item_from_entry(entry, &item))
		result = heap_walk(heap, &item);
	heap_drop(heap);
	switch (result) {
	case 1:
		item_to_entry(&item, entry);
		return TRUE;
	case 0:
		return fail(ERROR_NO_MORE_ITEMS, ENOENT);
	case -EDEADLK:
		return may_not_wait();
	default:
		return fail(ERROR_INVALID_PARAMETER, EINVAL);
	}
}

BOOL HeapSummary(HANDLE handle, DWORD flags, LPHEAP_SUMMARY summary)
{
	struct heap *heap = heap_hold(handle);
	struct heap_stats stats;
	int error = -EINVAL;

	(void)flags;
	if (!heap)
		return no_heap();
	if (summary && summary->cb == sizeof(*summary))
		error = heap_stats(heap, &stats);
	heap_drop(heap);
	if (error == -EINVAL)
		return fail(ERROR_INVALID_PARAMETER, EINVAL);
	if (error)
		return may_not_wait();
	summary->cbAllocated = stats.allocated;
	summary->cbCommitted = stats.committed;
	summary->cbReserved = stats.reserved;
	summary->cbMaxReserve = stats.maximum;
	return TRUE;
}

SIZE_T HeapCompact(HANDLE handle, DWORD flags)
{
	struct heap *heap = heap_hold(handle);
	SIZE_T largest;

	(void)flags;
	if (!heap) {
		no_heap();
		return 0;
	}
	largest = heap_compact(heap);
	heap_drop(heap);
	if (!largest)
		SetLastError(NO_ERROR);
	return largest;
}

DWORD GetProcessHeaps(DWORD n, PHANDLE handles)
{
	ssize_t count;

	if (n && !handles)
		return (DWORD)fail(ERROR_INVALID_PARAMETER, EINVAL);
	/* It comes first, and every process has it. */
	if (!GetProcessHeap())
		return 0;
	count = heap_list(handles, n);
	return count < 0 ? (DWORD)may_not_wait() : (DWORD)count;
}

static BOOL set_compatibility(struct heap *heap, const void *info, SIZE_T length)
{
	ULONG value;

	if (!heap)
		return no_heap();
	if (length < sizeof(value))
		return fail(ERROR_INSUFFICIENT_BUFFER, EINVAL);
	if (!info)
		return fail(ERROR_NOACCESS, EFAULT);
	value = *(const ULONG *)info;
	if (heap_flags(heap) & HEAP_F_NO_SERIALIZE)
		return fail(ERROR_INVALID_PARAMETER, EINVAL);
	if (value != HEAP_COMPATIBILITY_STANDARD && value != HEAP_COMPATIBILITY_LFH)
		return fail(ERROR_GEN_FAILURE, EINVAL);
	return heap_set_compatibility(heap, value) ? TRUE : fail(ERROR_GEN_FAILURE, EINVAL);
}

static BOOL set_termination(const void *info, SIZE_T length)
{
	if (info || length)
		return fail(ERROR_INVALID_PARAMETER, EINVAL);
	corruption_terminate();
	return TRUE;
}

static BOOL optimise(struct heap *heap, const void *info, SIZE_T length)
{
	const HEAP_OPTIMIZE_RESOURCES_INFORMATION *wish = info;

	if (!wish || length < sizeof(*wish) || wish->Flags ||
	    wish->Version != HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION)
		return fail(ERROR_INVALID_PARAMETER, EINVAL);
	if (heap)
		heap_compact(heap);
	else
		heap_compact_all();
	return TRUE;
}

static BOOL set_information(struct heap *heap, HEAP_INFORMATION_CLASS class, PVOID info,
			    SIZE_T length)
{
	switch ((int)class) {
	case HeapCompatibilityInformation:
		return set_compatibility(heap, info, length);
	case HeapEnableTerminationOnCorruption:
		return set_termination(info, length);
	case HeapOptimizeResources:
		return optimise(heap, info, length);
	default:
		return fail(ERROR_INVALID_PARAMETER, EINVAL);
	}
}

BOOL HeapSetInformation(HANDLE handle, HEAP_INFORMATION_CLASS class, PVOID info, SIZE_T length)
{
	struct heap *heap = heap_hold(handle);
	BOOL done;

	if (!heap)
		return handle ? no_heap() : set_information(NULL, class, info, length);
	done = set_information(heap, class, info, length);
	heap_drop(heap);
	return done;
}

BOOL HeapQueryInformation(HANDLE handle, HEAP_INFORMATION_CLASS class, PVOID info, SIZE_T length,
			  PSIZE_T needed)
{
	struct heap *heap;
	ULONG value;

	if ((int)class != HeapCompatibilityInformation)
		return fail(ERROR_INVALID_PARAMETER, EINVAL);
	heap = heap_hold(handle);
	if (!heap)
		return handle ? no_heap() : fail(ERROR_NOACCESS, EFAULT);
	value = heap_compatibility(heap);
	heap_drop(heap);
	if (needed)
		*needed = sizeof(ULONG);
	if (length < sizeof(ULONG))
		return fail(ERROR_INSUFFICIENT_BUFFER, EINVAL);
	if (!info)
		return fail(ERROR_NOACCESS, EFAULT);
	*(ULONG *)info = value;
	return TRUE;
}

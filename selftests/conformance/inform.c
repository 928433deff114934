// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapSetInformation, HeapQueryInformation, HeapSummary, HeapCompact, GetProcessHeaps. */
#include "check.h"

#include <string.h>

#define LOW_FRAGMENTATION	2
#define UNKNOWN_CLASS		((HEAP_INFORMATION_CLASS)77)

static void low_fragmentation(void)
{
	HANDLE heap = make_heap(0, 0, 0), unserialized = make_heap(HEAP_NO_SERIALIZE, 0, 0);
	ULONG value = 77;
	SIZE_T length = 0;

	check(HeapQueryInformation(heap, HeapCompatibilityInformation, &value, sizeof(value),
				   &length), TRUE, "query.fresh");
	check(value == 0 || value == LOW_FRAGMENTATION, 1, "query.fresh.value");
	check(length, 4, "query.fresh.length");
	value = LOW_FRAGMENTATION;
	CHECK_ERROR(HeapSetInformation(heap, HeapCompatibilityInformation, &value, sizeof(value)),
		    TRUE, UNTOUCHED, "set.lfh");
	value = 77;
	check(HeapQueryInformation(heap, HeapCompatibilityInformation, &value, sizeof(value),
				   NULL), TRUE, "query.lfh");
	check(value, LOW_FRAGMENTATION, "query.lfh.value");
	for (value = 0; value < 2; value++)
		CHECK_ERROR(HeapSetInformation(heap, HeapCompatibilityInformation, &value,
					       sizeof(value)),
			    FALSE, ERROR_GEN_FAILURE, "set.lfh.back.%u", (unsigned int)value);
	check(HeapQueryInformation(heap, HeapCompatibilityInformation, &value, sizeof(value),
				   NULL) && value == LOW_FRAGMENTATION, 1, "query.lfh.still");
	value = LOW_FRAGMENTATION;
	check(HeapSetInformation(heap, HeapCompatibilityInformation, &value, sizeof(value)), TRUE,
	      "set.lfh.twice");
	CHECK_ERROR(HeapSetInformation(unserialized, HeapCompatibilityInformation, &value,
				       sizeof(value)),
		    FALSE, ERROR_INVALID_PARAMETER, "set.lfh.no-serialize");
	check(GOT(HeapAlloc(heap, 0, 100)), 1, "set.lfh.alloc");
	HeapDestroy(unserialized);
	HeapDestroy(heap);
}

static void wrong_queries(void)
{
	HANDLE heap = make_heap(0, 0, 0), gone = make_heap(0, 0, 0);
	SIZE_T length = 0;
	ULONG value = 77;

	HeapDestroy(gone);
	CHECK_ERROR(HeapQueryInformation(heap, HeapCompatibilityInformation, &value, 2, &length),
		    FALSE, ERROR_INSUFFICIENT_BUFFER, "query.short");
	check(length, 4, "query.short.length");
	check(value, 77, "query.short.value");
	CHECK_ERROR(HeapQueryInformation(NULL, HeapCompatibilityInformation, &value,
					 sizeof(value), &length),
		    FALSE, ERROR_NOACCESS, "query.heap.null");
	CHECK_ERROR(HeapQueryInformation(gone, HeapCompatibilityInformation, &value,
					 sizeof(value), &length),
		    FALSE, ERROR_INVALID_HANDLE, "query.heap.gone");
	CHECK_ERROR(HeapQueryInformation(heap, UNKNOWN_CLASS, &value, sizeof(value), &length),
		    FALSE, ERROR_INVALID_PARAMETER, "query.unknown");
	HeapDestroy(heap);
}

static void other_classes(void)
{
	HEAP_OPTIMIZE_RESOURCES_INFORMATION optimize = {
		HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION, 0
	};
	HANDLE heap = make_heap(0, 0, 0);
	void *p = HeapAlloc(heap, 0, 1000);
	ULONG value = LOW_FRAGMENTATION;

	mark(p, 1000, 4);
	CHECK_ERROR(HeapSetInformation(heap, UNKNOWN_CLASS, &value, sizeof(value)), FALSE,
		    ERROR_INVALID_PARAMETER, "set.unknown");
	check(HeapSetInformation(heap, HeapOptimizeResources, &optimize, sizeof(optimize)), TRUE,
	      "set.optimize");
	check(HeapSetInformation(NULL, HeapOptimizeResources, &optimize, sizeof(optimize)), TRUE,
	      "set.optimize.all");
	optimize.Version = 9;
	CHECK_ERROR(HeapSetInformation(heap, HeapOptimizeResources, &optimize, sizeof(optimize)),
		    FALSE, ERROR_INVALID_PARAMETER, "set.optimize.version");
	check(marked(p, 1000, 4), 1, "set.optimize.kept");
	check(HeapValidate(heap, 0, NULL), TRUE, "set.optimize.valid");
	CHECK_ERROR(HeapQueryInformation(heap, HeapCompatibilityInformation, NULL, sizeof(value),
					 NULL),
		    FALSE, ERROR_NOACCESS, "query.nowhere");
	CHECK_ERROR(HeapSetInformation(heap, HeapCompatibilityInformation, NULL, sizeof(value)),
		    FALSE, ERROR_NOACCESS, "set.lfh.nothing");
	CHECK_ERROR(HeapSetInformation(heap, HeapCompatibilityInformation, &value, 2), FALSE,
		    ERROR_INSUFFICIENT_BUFFER, "set.lfh.short");
	HeapDestroy(heap);
}

static void summary(void)
{
	HANDLE heap = make_heap(0, MIB, 16 * MIB), gone = make_heap(0, 0, 0);
	HEAP_SUMMARY s;

	HeapDestroy(gone);
	HeapAlloc(heap, 0, 1000);
	HeapAlloc(heap, 0, 100000);
	memset(&s, 0, sizeof(s));
	s.cb = sizeof(s);
	check(RESULT(HeapSummary(heap, 0, &s)), TRUE, "summary");
	check(s.cbAllocated >= 101000 && s.cbAllocated <= s.cbCommitted, 1, "summary.allocated");
	check(s.cbCommitted >= MIB && s.cbCommitted <= s.cbReserved, 1, "summary.committed");
	check(s.cbReserved, 16 * MIB, "summary.reserved");
	check(s.cbMaxReserve, 16 * MIB, "summary.maximum");
	check(s.cb, sizeof(s), "summary.cb");
	s.cb = 0;
	CHECK_ERROR(HeapSummary(heap, 0, &s), FALSE, ERROR_INVALID_PARAMETER, "summary.cb.none");
	s.cb = sizeof(s) - 1;
	CHECK_ERROR(HeapSummary(heap, 0, &s), FALSE, ERROR_INVALID_PARAMETER, "summary.cb.short");
	s.cb = sizeof(s);
	CHECK_ERROR(HeapSummary(NULL, 0, &s), FALSE, ERROR_INVALID_HANDLE, "summary.heap.null");
	CHECK_ERROR(HeapSummary(gone, 0, &s), FALSE, ERROR_INVALID_HANDLE, "summary.heap.gone");
	HeapDestroy(heap);
}

static void compact(void)
{
	HANDLE heap = make_heap(0, 512 * KIB, MIB), gone = make_heap(0, 0, 0);
	SIZE_T most;
	void *p;

	HeapDestroy(gone);
	most = HeapCompact(heap, 0);
	check(most >= 400 * KIB && most <= MIB, 1, "compact.fresh");
	p = HeapAlloc(heap, 0, 300 * KIB);
	HeapAlloc(heap, 0, 100);
	check(HeapCompact(heap, 0) < most, 1, "compact.less");
	HeapFree(heap, 0, p);
	check(HeapCompact(heap, 0) >= 300 * KIB, 1, "compact.freed");
	while (HeapAlloc(heap, 0, 4000))
		;
	while (HeapAlloc(heap, 0, 1))
		;
	CHECK_ERROR(HeapCompact(heap, 0), 0, NO_ERROR, "compact.full");
	check(HeapValidate(heap, 0, NULL), TRUE, "compact.valid");
	CHECK_ERROR(HeapCompact(NULL, 0), 0, ERROR_INVALID_HANDLE, "compact.heap.null");
	CHECK_ERROR(HeapCompact(gone, 0), 0, ERROR_INVALID_HANDLE, "compact.heap.gone");
	HeapDestroy(heap);
}

void checks_of_inform(void)
{
	low_fragmentation();
	wrong_queries();
	other_classes();
	summary();
	compact();
}

void check_process_heaps(void)
{
	HANDLE made[3], list[64], empty = (HANDLE)UNTOUCHED;
	DWORD before = GetProcessHeaps(0, NULL), count, i;

	check(before >= 1 && before < 32, 1, "heaps.before");
	for (i = 0; i < COUNT(made); i++)
		made[i] = make_heap(0, 0, 0);
	count = GetProcessHeaps(COUNT(list), list);
	check(count - before, COUNT(made), "heaps.more");
	check(list[0] == GetProcessHeap(), 1, "heaps.first");
	for (i = 0; i < COUNT(made); i++)
		check(list[before + i] == made[i], 1, "heaps.order.%u", (unsigned int)i);
	for (i = 0; i < COUNT(list); i++)
		list[i] = empty;
	check(GetProcessHeaps(2, list) - count, 0, "heaps.short");
	check(list[0] == GetProcessHeap(), 1, "heaps.short.first");
	check(list[1] != empty, 1, "heaps.short.second");
	check(list[2] == empty, 1, "heaps.short.third");
	check(GetProcessHeaps(0, NULL) - count, 0, "heaps.none");
	HeapDestroy(made[1]);
	check(count - GetProcessHeaps(COUNT(list), list), 1, "heaps.destroyed");
	check(list[before + 1] == made[2], 1, "heaps.destroyed.order");
	HeapDestroy(made[0]);
	HeapDestroy(made[2]);
	check(GetProcessHeaps(0, NULL) - before, 0, "heaps.after");
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HEAP_CONTRACT section 4 where corruption is reported by return: FALSE or NULL, 87, and the heap
 * is what it was.
 */
#include "check.h"

#include <string.h>

static void refused(HANDLE heap, void *p, const char *name)
{
	CHECK_ERROR(HeapFree(heap, 0, p), FALSE, ERROR_INVALID_PARAMETER, "corrupt.free.%s", name);
	CHECK_ERROR(HeapReAlloc(heap, 0, p, 50) != NULL, 0, ERROR_INVALID_PARAMETER,
		    "corrupt.realloc.%s", name);
}

void checks_of_corrupt(void)
{
	HANDLE heap = make_heap(0, 0, 0), other = make_heap(0, 0, 0);
	char *p = HeapAlloc(heap, HEAP_ZERO_MEMORY, 1000), *freed = HeapAlloc(heap, 0, 1000);
	char *large = HeapAlloc(heap, HEAP_ZERO_MEMORY, 3000000);
	char *freed_large = HeapAlloc(heap, 0, 3000000), *others = HeapAlloc(other, 0, 1000);
	static char variable[256];
	char stack[256];

	memset(stack, 0, sizeof(stack));
	HeapFree(heap, 0, freed);
	HeapFree(heap, 0, freed_large);
	refused(heap, freed, "twice");
	refused(heap, freed_large, "large-twice");
	refused(heap, p + 160, "interior");
	refused(heap, p + 3, "misaligned");
	refused(heap, large + 4096, "large-interior");
	refused(heap, others, "other-heap");
	refused(heap, stack + 128, "stack");
	refused(heap, variable + 128, "variable");
	refused(heap, port_unmapped(), "unmapped");
	refused(heap, (void *)16, "small");
	refused(heap, (void *)0x8000000000000000, "kernel");
	check(HeapSize(heap, 0, p), 1000, "corrupt.size");
	check(HeapSize(other, 0, others), 1000, "corrupt.other.size");
	check(GOT(HeapAlloc(heap, 0, 1000)), 1, "corrupt.alloc");
	check(RESULT(HeapFree(heap, 0, p)), TRUE, "corrupt.freed");
	check(RESULT(HeapFree(heap, 0, large)), TRUE, "corrupt.large.freed");
	check(RESULT(HeapValidate(heap, 0, NULL)), TRUE, "corrupt.valid");
	check(RESULT(HeapValidate(other, 0, NULL)), TRUE, "corrupt.other.valid");
	check(RESULT(HeapDestroy(other)), TRUE, "corrupt.other.destroyed");
	check(RESULT(HeapDestroy(heap)), TRUE, "corrupt.destroyed");
	/* From here on corruption would end the process. */
	CHECK_ERROR(HeapSetInformation(NULL, HeapEnableTerminationOnCorruption, stack, 4), FALSE,
		    ERROR_INVALID_PARAMETER, "set.terminate.argument");
	CHECK_ERROR(HeapSetInformation(NULL, HeapEnableTerminationOnCorruption, NULL, 0), TRUE,
		    UNTOUCHED, "set.terminate");
	check(HeapSetInformation(NULL, HeapEnableTerminationOnCorruption, NULL, 0), TRUE,
	      "set.terminate.twice");
}

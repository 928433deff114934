// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapFree, HeapSize and HeapValidate, of what they can be given. */
#include "check.h"

void checks_of_free(void)
{
	HANDLE heap = make_heap(0, 0, 0), gone = make_heap(0, 0, 0);
	void *p = HeapAlloc(heap, 0, 10);

	HeapDestroy(gone);
	CHECK_ERROR(HeapFree(heap, 0, NULL), TRUE, UNTOUCHED, "free.null");
	CHECK_ERROR(HeapFree(NULL, 0, NULL), TRUE, UNTOUCHED, "free.null.heap.null");
	CHECK_ERROR(HeapFree(gone, 0, NULL), TRUE, UNTOUCHED, "free.null.heap.gone");
	CHECK_ERROR(HeapFree(NULL, 0, p), FALSE, ERROR_INVALID_HANDLE, "free.heap.null");
	CHECK_ERROR(HeapFree(gone, 0, p), FALSE, ERROR_INVALID_HANDLE, "free.heap.gone");
	CHECK_ERROR(HeapFree(port_unmapped(), 0, p), FALSE, ERROR_INVALID_HANDLE,
		    "free.heap.unmapped");
	check(HeapSize(heap, 0, p), 10, "free.kept.size");
	CHECK_ERROR(HeapFree(heap, 0, p), TRUE, UNTOUCHED, "free.block");
	HeapDestroy(heap);
}

static void of_no_block(HANDLE heap)
{
	HANDLE other = make_heap(0, 0, 0);
	char *p = HeapAlloc(heap, HEAP_ZERO_MEMORY, 100), *freed = HeapAlloc(heap, 0, 100);
	char *large = HeapAlloc(heap, HEAP_ZERO_MEMORY, 3000000), stack[64] = "";
	static char variable[64];
	const struct {
		const char *name;
		void *p;
	} rows[] = {
		{ "interior-1", p + 1 },
		{ "interior-16", p + 16 },
		{ "before", p - 16 },
		{ "freed", freed },
		{ "large-interior", large + 16 },
		{ "large-page", large + 4096 },
		{ "other-heap", HeapAlloc(other, 0, 100) },
		{ "stack", stack + 16 },
		{ "variable", variable + 16 },
		{ "unmapped", port_unmapped() },
		{ "small", (void *)1 },
		{ "small-aligned", (void *)16 },
		{ "endless", (void *)UINTPTR_MAX },
		{ "endless-aligned", (void *)(UINTPTR_MAX - 15) },
		{ "kernel", (void *)0x8000000000000000 },
	};
	size_t i;

	HeapFree(heap, 0, freed);
	for (i = 0; i < COUNT(rows); i++) {
		CHECK_ERROR(HeapSize(heap, 0, rows[i].p), NO_SIZE, ERROR_INVALID_PARAMETER,
			    "size.%s", rows[i].name);
		CHECK_ERROR(HeapValidate(heap, 0, rows[i].p), FALSE, UNTOUCHED,
			    "validate.%s", rows[i].name);
	}
	CHECK_ERROR(HeapSize(heap, 0, NULL), NO_SIZE, ERROR_INVALID_PARAMETER, "size.null");
	check(HeapValidate(heap, 0, NULL), TRUE, "validate.all");
	HeapFree(heap, 0, p);
	HeapFree(heap, 0, large);
	HeapDestroy(other);
}

void checks_of_size(void)
{
	HANDLE heap = make_heap(0, 0, 0), gone = make_heap(0, 0, 0);
	void *p = HeapAlloc(heap, 0, 77);

	of_no_block(heap);
	HeapDestroy(gone);
	CHECK_ERROR(HeapSize(heap, 0, p), 77, UNTOUCHED, "size.block");
	CHECK_ERROR(HeapValidate(heap, 0, p), TRUE, UNTOUCHED, "validate.block");
	CHECK_ERROR(HeapValidate(heap, HEAP_NO_SERIALIZE, NULL), TRUE, UNTOUCHED,
		    "validate.unserialized");
	CHECK_ERROR(HeapSize(NULL, 0, p), NO_SIZE, ERROR_INVALID_HANDLE, "size.heap.null");
	CHECK_ERROR(HeapSize(gone, 0, p), NO_SIZE, ERROR_INVALID_HANDLE, "size.heap.gone");
	CHECK_ERROR(HeapValidate(NULL, 0, p), FALSE, UNTOUCHED, "validate.heap.null");
	CHECK_ERROR(HeapValidate(NULL, 0, NULL), FALSE, UNTOUCHED, "validate.heap.null.all");
	CHECK_ERROR(HeapValidate(gone, 0, NULL), FALSE, UNTOUCHED, "validate.heap.gone");
	CHECK_ERROR(HeapValidate(port_unmapped(), 0, NULL), FALSE, UNTOUCHED,
		    "validate.heap.unmapped");
	HeapDestroy(heap);
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Heaps with a maximum, and what happens at it. */
#include "check.h"

#define A	(256 * KIB)

/* What fits of blocks of n bytes; *last gets the last of them. */
static unsigned int fill(HANDLE heap, SIZE_T n, void **last)
{
	unsigned int count = 0;
	void *p;

	while (count < 100000 && (p = HeapAlloc(heap, 0, n)) != NULL) {
		*last = p;
		count++;
	}
	return count;
}

static void full(unsigned int n)
{
	HANDLE heap = make_heap(0, 0, MIB);
	void *last = NULL;
	unsigned int count = fill(heap, n, &last);

	check(GetLastError(), ERROR_NOT_ENOUGH_MEMORY, "limit.full.%u.error", n);
	check(count * (SIZE_T)n <= MIB, 1, "limit.full.%u.below-maximum", n);
	check(count * (SIZE_T)n >= MIB * 6 / 10, 1, "limit.full.%u.used", n);
	check(HeapValidate(heap, 0, NULL), TRUE, "limit.full.%u.valid", n);
	check(HeapAlloc(heap, 0, n) == NULL, 1, "limit.full.%u.still", n);
	check(GOT(HeapAlloc(heap, HEAP_GENERATE_EXCEPTIONS, n)), STATUS_NO_MEMORY,
	      "limit.full.%u.raised", n);
	check(HeapFree(heap, 0, last), TRUE, "limit.full.%u.freed", n);
	check(HeapAlloc(heap, 0, n) != NULL, 1, "limit.full.%u.again", n);
	check(HeapAlloc(heap, 0, 4 * MIB) == NULL, 1, "limit.full.%u.large", n);
	check(HeapDestroy(heap), TRUE, "limit.full.%u.destroyed", n);
}

static void realloc_at_the_limit(void)
{
	HANDLE heap = make_heap(0, 0, MIB);
	char *p = HeapAlloc(heap, 0, 1000);

	mark(p, 1000, 8);
	CHECK_ERROR(HeapReAlloc(heap, 0, p, 2 * MIB) != NULL, 0, ERROR_NOT_ENOUGH_MEMORY,
		    "limit.realloc");
	check(GOT(HeapReAlloc(heap, HEAP_GENERATE_EXCEPTIONS, p, 2 * MIB)), STATUS_NO_MEMORY,
	      "limit.realloc.raised");
	check(HeapSize(heap, 0, p), 1000, "limit.realloc.size");
	check(marked(p, 1000, 8), 1, "limit.realloc.kept");
	p = HeapReAlloc(heap, 0, p, 300000);
	check(p && marked(p, 1000, 8), 1, "limit.realloc.fits");
	HeapDestroy(heap);
}

static void exceptions_of_the_heap(void)
{
	HANDLE heap = make_heap(HEAP_GENERATE_EXCEPTIONS, 0, MIB);
	void *p = HeapAlloc(heap, 0, 1000);

	check(p != NULL, 1, "limit.exceptions.fits");
	check(GOT(HeapAlloc(heap, 0, 2 * MIB)), STATUS_NO_MEMORY, "limit.exceptions.alloc");
	check(GOT(HeapReAlloc(heap, 0, p, 2 * MIB)), STATUS_NO_MEMORY,
	      "limit.exceptions.realloc");
	check(GOT(HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, p, 2 * MIB)), STATUS_NO_MEMORY,
	      "limit.exceptions.in-place");
	check(GOT(HeapAlloc(heap, 0, SIZE_MAX)), STATUS_NO_MEMORY, "limit.exceptions.endless");
	check(HeapSize(heap, 0, p), 1000, "limit.exceptions.size");
	check(RESULT(HeapFree(heap, 0, p)), TRUE, "limit.exceptions.freed");
	check(HeapValidate(heap, 0, NULL), TRUE, "limit.exceptions.valid");
	HeapDestroy(heap);
}

void checks_of_limits(void)
{
	HANDLE heap = make_heap(0, A, A);
	unsigned int i, missing = 0;

	check(HeapAlloc(heap, 0, A - 3072) != NULL, 1, "limit.nearly-all");
	check(HeapAlloc(heap, 0, A) == NULL, 1, "limit.nearly-all.no-more");
	HeapDestroy(heap);
	heap = make_heap(0, 0, 32 * MIB);
	check(HeapAlloc(heap, 0, 31 * MIB) != NULL, 1, "limit.one-block");
	check(HeapAlloc(heap, 0, 2 * MIB) == NULL, 1, "limit.one-block.no-more");
	HeapDestroy(heap);
	heap = make_heap(0, 0, 0);
	for (i = 0; i < 128; i++)
		missing += !HeapAlloc(heap, 0, A);
	check(missing, 0, "limit.growable.missing");
	check(HeapAlloc(heap, 0, 64 * MIB) != NULL, 1, "limit.growable.large");
	HeapDestroy(heap);
	full(24);
	full(1000);
	full(10000);
	full(100000);
	realloc_at_the_limit();
	exceptions_of_the_heap();
}

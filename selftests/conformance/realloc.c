// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapReAlloc. */
#include "check.h"

#include <string.h>

static const unsigned int steps[] = {
	1, 16, 100, 90, 500, 4096, 300, 5000, 70000, 66000, 300000, 2000000, 1000, 20, 0, 50,
};

static void keeps_contents(HANDLE heap)
{
	unsigned char *p = HeapAlloc(heap, 0, 0);
	unsigned int old = 0;
	size_t i;

	for (i = 0; i < COUNT(steps); i++) {
		unsigned int n = steps[i];

		p = HeapReAlloc(heap, 0, p, n);
		check(p && marked(p, old < n ? old : n, 5), 1, "realloc.%u-%u.kept", old, n);
		check(HeapSize(heap, 0, p), n, "realloc.%u-%u.size", old, n);
		check((ULONG_PTR)p % 16, 0, "realloc.%u-%u.alignment", old, n);
		mark(p, n, 5);
		old = n;
	}
	check(HeapFree(heap, 0, p), TRUE, "realloc.freed");
}

/* Shrinking leaves old bytes behind the block's end; growing again must not show them. */
static void zeroes_what_grew(HANDLE heap)
{
	unsigned char *p = HeapAlloc(heap, HEAP_ZERO_MEMORY, 0);
	unsigned int old = 0;
	size_t i;

	for (i = 0; i < COUNT(steps); i++) {
		unsigned int n = steps[i];

		p = HeapReAlloc(heap, HEAP_ZERO_MEMORY, p, n);
		check(p && all_bytes(p, 0xBB, old < n ? old : n) &&
		      (n < old || all_bytes(p + old, 0, n - old)), 1,
		      "realloc.zero.%u-%u", old, n);
		memset(p, 0xBB, n);
		old = n;
	}
	HeapFree(heap, 0, p);
}

static const unsigned int in_place[] = { 17, 100, 1000, 5000, 100000, 1000000 };

static void stays_in_place(HANDLE heap)
{
	size_t i;

	for (i = 0; i < COUNT(in_place); i++) {
		unsigned int n = in_place[i];
		char *p = HeapAlloc(heap, 0, n);

		mark(p, n, 3);
		check(HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, p, n / 2) == p, 1,
		      "realloc.in-place.%u.shrunk", n);
		check(HeapSize(heap, 0, p), n / 2, "realloc.in-place.%u.shrunk.size", n);
		check(HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, p, n) == p, 1,
		      "realloc.in-place.%u.regrown", n);
		check(HeapSize(heap, 0, p), n, "realloc.in-place.%u.regrown.size", n);
		check(marked(p, n / 2, 3), 1, "realloc.in-place.%u.kept", n);
		check(HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, p, n) == p, 1,
		      "realloc.in-place.%u.same", n);
		HeapFree(heap, 0, p);
	}
}

static void cannot_grow_in_place(HANDLE heap)
{
	char *p = HeapAlloc(heap, 0, 100), *behind = HeapAlloc(heap, 0, 100);

	mark(p, 100, 9);
	mark(behind, 100, 10);
	CHECK_ERROR(HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, p, 20 * MIB) != NULL, 0,
		    ERROR_NOT_ENOUGH_MEMORY, "realloc.in-place.no-room");
	check(HeapSize(heap, 0, p), 100, "realloc.in-place.no-room.size");
	check(marked(p, 100, 9), 1, "realloc.in-place.no-room.kept");
	check(marked(behind, 100, 10), 1, "realloc.in-place.no-room.behind");
	check(GOT(HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY | HEAP_GENERATE_EXCEPTIONS, p,
			      20 * MIB)),
	      STATUS_NO_MEMORY, "realloc.in-place.no-room.exceptions");
	check(HeapFree(heap, 0, behind), TRUE, "realloc.in-place.behind.freed");
	check(HeapFree(heap, 0, p), TRUE, "realloc.in-place.no-room.freed");
}

static const struct {
	const char *name;
	SIZE_T n;
} endless[] = {
	{ "max", SIZE_MAX }, { "max-15", SIZE_MAX - 15 }, { "max-4095", SIZE_MAX - 4095 },
	{ "half", (SIZE_T)1 << 63 }, { "addresses", (SIZE_T)1 << 48 },
};

static void never_wraps(HANDLE heap, unsigned int n)
{
	char *p = HeapAlloc(heap, 0, n);
	size_t i;

	mark(p, n, 1);
	for (i = 0; i < COUNT(endless); i++)
		CHECK_ERROR(HeapReAlloc(heap, 0, p, endless[i].n) != NULL, 0, ERROR_NOT_ENOUGH_MEMORY,
			    "realloc.endless.%u-%s", n, endless[i].name);
	check(HeapSize(heap, 0, p), n, "realloc.endless.%u.size", n);
	check(marked(p, n, 1), 1, "realloc.endless.%u.kept", n);
	check(HeapFree(heap, 0, p), TRUE, "realloc.endless.%u.freed", n);
}

static void to_nothing(HANDLE heap, unsigned int n)
{
	void *p = HeapAlloc(heap, 0, n), *q;

	q = HeapReAlloc(heap, 0, p, 0);
	check(q != NULL, 1, "realloc.%u-nothing", n);
	check(q == p, 1, "realloc.%u-nothing.same", n);
	check(HeapSize(heap, 0, q), 0, "realloc.%u-nothing.size", n);
	check(HeapValidate(heap, 0, q), TRUE, "realloc.%u-nothing.valid", n);
	check(HeapFree(heap, 0, q), TRUE, "realloc.%u-nothing.freed", n);
}

static void of_null(HANDLE heap)
{
	HANDLE gone = make_heap(0, 0, 0);
	void *p = HeapAlloc(heap, 0, 10);

	CHECK_ERROR(HeapReAlloc(heap, 0, NULL, 10) != NULL, 0, NO_ERROR, "realloc.null");
	CHECK_ERROR(HeapReAlloc(heap, 0, NULL, 0) != NULL, 0, NO_ERROR, "realloc.null-nothing");
	CHECK_ERROR(HeapReAlloc(heap, HEAP_GENERATE_EXCEPTIONS, NULL, 10) != NULL, 0, NO_ERROR,
		    "realloc.null.exceptions");
	HeapDestroy(gone);
	CHECK_ERROR(HeapReAlloc(NULL, 0, p, 20) != NULL, 0, ERROR_INVALID_HANDLE, "realloc.heap.null");
	CHECK_ERROR(HeapReAlloc(gone, 0, p, 20) != NULL, 0, ERROR_INVALID_HANDLE, "realloc.heap.gone");
	check(HeapSize(heap, 0, p), 10, "realloc.heap.size");
	HeapFree(heap, 0, p);
}

void checks_of_realloc(void)
{
	HANDLE heap = make_heap(0, 0, 0);
	void *p;

	keeps_contents(heap);
	zeroes_what_grew(heap);
	stays_in_place(heap);
	cannot_grow_in_place(heap);
	never_wraps(heap, 100);
	never_wraps(heap, 300000);
	to_nothing(heap, 1);
	to_nothing(heap, 1000);
	to_nothing(heap, 1000000);
	of_null(heap);
	SetLastError(UNTOUCHED);
	p = HeapReAlloc(heap, 0, HeapAlloc(heap, 0, 10), 1000);
	check(GetLastError(), UNTOUCHED, "realloc.success.error");
	check(HeapFree(heap, 0, p), TRUE, "realloc.success.freed");
	check(HeapValidate(heap, 0, NULL), TRUE, "realloc.valid");
	HeapDestroy(heap);
}

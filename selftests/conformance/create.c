// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapCreate, HeapDestroy, GetProcessHeap. */
#include "check.h"

#include <string.h>

static const struct {
	const char *name;
	DWORD options;
	SIZE_T initial, maximum;
} good[] = {
	{ "growable", 0, 0, 0 },
	{ "byte", 0, 1, 0 },
	{ "page", 0, 4096, 4096 },
	{ "odd", 0, 5000, 5000 },
	{ "odd-initial", 0, 4097, 8192 },
	{ "fixed", 0, 0, 1 << 20 },
	{ "fixed-full", 0, 1 << 20, 1 << 20 },
	{ "large-initial", 0, 16 << 20, 0 },
	{ "large-maximum", 0, 0, (SIZE_T)1 << 30 },
	{ "no-serialize", HEAP_NO_SERIALIZE, 0, 0 },
	{ "exceptions", HEAP_GENERATE_EXCEPTIONS, 0, 0 },
	{ "tail", HEAP_TAIL_CHECKING_ENABLED, 0, 0 },
	{ "free", HEAP_FREE_CHECKING_ENABLED, 0, 0 },
	{ "align-16", HEAP_CREATE_ALIGN_16, 0, 0 },
	{ "execute", HEAP_CREATE_ENABLE_EXECUTE, 0, 0 },
	{ "growable-option", HEAP_GROWABLE, 0, 0 },
	{ "zero", HEAP_ZERO_MEMORY, 0, 0 },
	{ "in-place", HEAP_REALLOC_IN_PLACE_ONLY, 0, 0 },
	{ "coalesce", HEAP_DISABLE_COALESCE_ON_FREE, 0, 0 },
	{ "segment", 0x100, 0, 0 },
	{ "hardened", 0x200, 0, 0 },
	{ "tracing", HEAP_CREATE_ENABLE_TRACING, 0, 0 },
	{ "pseudo-tag", HEAP_PSEUDO_TAG_FLAG, 0, 0 },
	{ "tag", 0x0FF << (HEAP_TAG_SHIFT + 1), 0, 0 },
	{ "all", HEAP_NO_SERIALIZE | HEAP_GENERATE_EXCEPTIONS | HEAP_TAIL_CHECKING_ENABLED |
		 HEAP_FREE_CHECKING_ENABLED | HEAP_CREATE_ALIGN_16 | HEAP_CREATE_ENABLE_EXECUTE,
	  1 << 16, 1 << 20 },
};

static void makes(void)
{
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		const char *name = good[i].name;
		HANDLE heap = HeapCreate(good[i].options, good[i].initial, good[i].maximum);

		check(heap != NULL, 1, "create.%s", name);
		check((ULONG_PTR)heap % (64 * KIB), 0, "create.%s.aligned", name);
		check(RESULT(HeapValidate(heap, 0, NULL)), TRUE, "create.%s.valid", name);
		check(RESULT(HeapFree(heap, 0, HeapAlloc(heap, 0, 100))), TRUE,
		      "create.%s.used", name);
		check(RESULT(HeapDestroy(heap)), TRUE, "create.%s.destroyed", name);
	}
}

static const struct {
	const char *name;
	DWORD options;
	SIZE_T initial, maximum;
	DWORD error;
} bad[] = {
	{ "initial-over-maximum", 0, 2 << 20, 1 << 20, ERROR_INVALID_PARAMETER },
	{ "initial-over-page", 0, 8192, 4096, ERROR_INVALID_PARAMETER },
	{ "initial-endless", 0, SIZE_MAX, 0, ERROR_NOT_ENOUGH_MEMORY },
	{ "maximum-endless", 0, 0, SIZE_MAX, ERROR_NOT_ENOUGH_MEMORY },
	{ "both-endless", 0, SIZE_MAX, SIZE_MAX, ERROR_NOT_ENOUGH_MEMORY },
	{ "maximum-half", 0, 0, (SIZE_T)1 << 63, ERROR_NOT_ENOUGH_MEMORY },
	{ "maximum-all-addresses", 0, 0, (SIZE_T)1 << 47, ERROR_NOT_ENOUGH_MEMORY },
	{ "option.unknown", 0x80000000, 0, 0, ERROR_INVALID_PARAMETER },
};

static void refuses(void)
{
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		HANDLE heap = NULL;

		CHECK_ERROR((heap = HeapCreate(bad[i].options, bad[i].initial, bad[i].maximum)) != NULL,
			    0, bad[i].error, "create.%s", bad[i].name);
		if (heap)
			HeapDestroy(heap);
	}
}

static void are_apart(void)
{
	HANDLE heaps[50];
	size_t i, j, same = 0, wrong = 0;

	for (i = 0; i < COUNT(heaps); i++) {
		heaps[i] = make_heap(0, 0, 0);
		*(size_t *)HeapAlloc(heaps[i], 0, sizeof(size_t)) = i;
		for (j = 0; j < i; j++)
			same += heaps[i] == heaps[j];
	}
	check(same, 0, "create.many.same-handle");
	for (i = 0; i < COUNT(heaps); i++)
		wrong += !HeapValidate(heaps[i], 0, NULL);
	for (i = 0; i < COUNT(heaps); i++)
		wrong += !HeapDestroy(heaps[i]);
	check(wrong, 0, "create.many.wrong");
}

/* The last error is the thread's own, and 0 at first. */
static void sees_its_error(void *seen)
{
	*(DWORD *)seen = GetLastError();
	SetLastError(5);
}

static void errors_are_per_thread(void)
{
	DWORD seen = 99;

	SetLastError(UNTOUCHED);
	port_join(port_start(sees_its_error, &seen));
	check(seen, 0, "error.thread.first");
	check(GetLastError(), UNTOUCHED, "error.thread.others");
}

static void executes(void)
{
	/* mov $42,%eax; ret */
	static const unsigned char code[] = { 0xB8, 42, 0, 0, 0, 0xC3 };
	HANDLE heap = make_heap(HEAP_CREATE_ENABLE_EXECUTE, 0, 0);
	void *p = HeapAlloc(heap, 0, sizeof(code));
	int (*call)(void);

	memcpy(p, code, sizeof(code));
	memcpy(&call, &p, sizeof(call));
	check(RESULT(call()), 42, "create.execute.executes");
	HeapDestroy(heap);
}

static void zeroes(void)
{
	HANDLE heap = make_heap(HEAP_ZERO_MEMORY, 0, 0);
	char *p = HeapAlloc(heap, 0, 1000), *after = HeapAlloc(heap, 0, 1000);

	memset(p, 1, 1000);
	HeapFree(heap, 0, p);
	p = HeapAlloc(heap, 0, 1000);
	check(all_bytes(p, 0, 1000), 1, "create.zero.again");
	memset(p, 1, 1000);
	p = HeapReAlloc(heap, 0, p, 100);
	p = HeapReAlloc(heap, 0, p, 1000);
	check(all_bytes(p, 1, 100) && all_bytes(p + 100, 0, 900), 1, "create.zero.grown");
	HeapFree(heap, 0, after);
	HeapDestroy(heap);
}

void checks_of_create(void)
{
	HANDLE heap;

	makes();
	refuses();
	are_apart();
	executes();
	zeroes();
	errors_are_per_thread();
	SetLastError(UNTOUCHED);
	heap = make_heap(0, 1 << 20, 0);
	check(GetLastError(), UNTOUCHED, "create.success.error");
	HeapFree(heap, 0, HeapAlloc(heap, 0, 100));
	check(GetLastError(), UNTOUCHED, "create.use.error");
	HeapDestroy(heap);
	check(GetLastError(), UNTOUCHED, "destroy.success.error");
}

static void destroys_no_heap(void)
{
	HANDLE heap = make_heap(0, 0, 0), gone = make_heap(0, 0, 0);
	static char bytes[64];
	void *first = HeapAlloc(heap, 0, 100);
	const struct {
		const char *name;
		HANDLE heap;
	} rows[] = {
		{ "null", NULL },
		{ "small", (HANDLE)1 },
		{ "unmapped", port_unmapped() },
		{ "variable", bytes },
		{ "block", HeapAlloc(heap, HEAP_ZERO_MEMORY, 100) },
		{ "gone", gone },
		{ "process", GetProcessHeap() },
	};
	size_t i;

	HeapFree(heap, 0, first);
	HeapDestroy(gone);
	for (i = 0; i < COUNT(rows); i++)
		CHECK_ERROR(HeapDestroy(rows[i].heap), FALSE, ERROR_INVALID_HANDLE,
			    "destroy.%s", rows[i].name);
	check(HeapValidate(heap, 0, NULL), TRUE, "destroy.others.valid");
	HeapDestroy(heap);
}

void checks_of_destroy(void)
{
	HANDLE heap = make_heap(0, 0, 0), process = GetProcessHeap();
	void *p;
	int i, missing = 0;

	for (i = 0; i < 1000; i++)
		missing += !HeapAlloc(heap, 0, (SIZE_T)i * 10);
	check(missing, 0, "destroy.live.missing");
	check(HeapDestroy(heap), TRUE, "destroy.live");
	destroys_no_heap();
	check(process != NULL, 1, "process.heap");
	check(process == GetProcessHeap(), 1, "process.heap.same");
	p = HeapAlloc(process, HEAP_ZERO_MEMORY, MIB);
	check(p && all_bytes(p, 0, MIB), 1, "process.heap.used");
	check(HeapSize(process, 0, p), MIB, "process.heap.size");
	check(HeapFree(process, 0, p), TRUE, "process.heap.freed");
	check(HeapValidate(process, 0, NULL), TRUE, "process.heap.valid");
}

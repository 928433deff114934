// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapAlloc. */
#include "check.h"

static const unsigned int sizes[] = {
	0, 1, 8, 15, 16, 17, 100, 500, 1024, 4095, 4096, 4097, 10000, 32768, 65537, 262144, 1000000,
	5000000,
};

static void has_any_size(HANDLE heap)
{
	unsigned char *blocks[COUNT(sizes)];
	size_t i;

	for (i = 0; i < COUNT(sizes); i++) {
		unsigned int n = sizes[i];

		blocks[i] = HeapAlloc(heap, HEAP_ZERO_MEMORY, n);
		check(blocks[i] ? (ULONG_PTR)blocks[i] % 16 : 99, 0, "alloc.%u.alignment", n);
		check(HeapSize(heap, 0, blocks[i]), n, "alloc.%u.size", n);
		check(all_bytes(blocks[i], 0, n), 1, "alloc.%u.zeroed", n);
		check(HeapValidate(heap, 0, blocks[i]), TRUE, "alloc.%u.valid", n);
		mark(blocks[i], n, (unsigned int)i);
	}
	for (i = 0; i < COUNT(sizes); i++) {
		check(marked(blocks[i], sizes[i], (unsigned int)i), 1, "alloc.%u.kept", sizes[i]);
		check(HeapFree(heap, 0, blocks[i]), TRUE, "alloc.%u.freed", sizes[i]);
	}
}

static void of_nothing(HANDLE heap)
{
	void *blocks[100];
	size_t i, j, same = 0, missing = 0;

	for (i = 0; i < COUNT(blocks); i++) {
		blocks[i] = HeapAlloc(heap, 0, 0);
		missing += !blocks[i];
		for (j = 0; j < i; j++)
			same += blocks[i] == blocks[j];
	}
	check(missing, 0, "alloc.nothing.missing");
	check(same, 0, "alloc.nothing.same");
	for (i = 0; i < COUNT(blocks); i++)
		missing += !HeapFree(heap, 0, blocks[i]);
	check(missing, 0, "alloc.nothing.not-freed");
}

static void zeroes_what_was_used(HANDLE heap)
{
	unsigned int round, dirty = 0;

	for (round = 0; round < 300; round++) {
		SIZE_T n = 1 + (SIZE_T)round * 331;
		void *p = HeapAlloc(heap, HEAP_ZERO_MEMORY, n);

		dirty += !p || !all_bytes(p, 0, n);
		mark(p, n, 0xAA);
		HeapFree(heap, 0, p);
	}
	check(dirty, 0, "alloc.reused.dirty");
}

static void keeps_blocks_apart(HANDLE heap)
{
	static struct {
		void *p;
		SIZE_T n;
	} blocks[2000];
	unsigned int i, wrong = 0;

	for (i = 0; i < COUNT(blocks); i++) {
		blocks[i].n = (i * 2654435761U) % (i % 100 ? 600 : 40000);
		blocks[i].p = HeapAlloc(heap, 0, blocks[i].n);
		if (blocks[i].p)
			mark(blocks[i].p, blocks[i].n, i);
		/* Every third makes room for others in between. */
		if (i % 3 == 2) {
			wrong += !marked(blocks[i / 2].p, blocks[i / 2].n, i / 2);
			HeapFree(heap, 0, blocks[i / 2].p);
			blocks[i / 2].p = HeapAlloc(heap, 0, blocks[i / 2].n);
			mark(blocks[i / 2].p, blocks[i / 2].n, i / 2);
		}
	}
	for (i = 0; i < COUNT(blocks); i++)
		wrong += !blocks[i].p || !marked(blocks[i].p, blocks[i].n, i) ||
			 HeapSize(heap, 0, blocks[i].p) != blocks[i].n;
	check(wrong, 0, "alloc.many.wrong");
	check(HeapValidate(heap, 0, NULL), TRUE, "alloc.many.valid");
	for (i = 0; i < COUNT(blocks); i++)
		wrong += !HeapFree(heap, 0, blocks[i].p);
	check(wrong, 0, "alloc.many.not-freed");
}

static const struct {
	const char *name;
	SIZE_T n;
} endless[] = {
	{ "max", SIZE_MAX }, { "max-1", SIZE_MAX - 1 }, { "max-15", SIZE_MAX - 15 },
	{ "max-16", SIZE_MAX - 16 }, { "max-4095", SIZE_MAX - 4095 },
	{ "max-65536", SIZE_MAX - 65536 }, { "half", (SIZE_T)1 << 63 },
	{ "below-half", ((SIZE_T)1 << 63) - 1 }, { "addresses", (SIZE_T)1 << 48 },
};

static void never_wraps(HANDLE heap)
{
	size_t i;

	for (i = 0; i < COUNT(endless); i++)
		CHECK_ERROR(HeapAlloc(heap, 0, endless[i].n) != NULL, 0, ERROR_NOT_ENOUGH_MEMORY,
			    "alloc.endless.%s", endless[i].name);
	check(HeapValidate(heap, 0, NULL), TRUE, "alloc.endless.valid");
}

static void on_no_heap(void)
{
	HANDLE gone = make_heap(0, 0, 0);

	HeapDestroy(gone);
	CHECK_ERROR(HeapAlloc(NULL, 0, 10) != NULL, 0, ERROR_INVALID_HANDLE, "alloc.heap.null");
	CHECK_ERROR(HeapAlloc(gone, 0, 10) != NULL, 0, ERROR_INVALID_HANDLE, "alloc.heap.gone");
	CHECK_ERROR(HeapAlloc(port_unmapped(), 0, 10) != NULL, 0, ERROR_INVALID_HANDLE,
		    "alloc.heap.unmapped");
	CHECK_ERROR(HeapAlloc(NULL, HEAP_GENERATE_EXCEPTIONS, 10) != NULL, 0, ERROR_INVALID_HANDLE,
		    "alloc.heap.null.exceptions");
}

void checks_of_alloc(void)
{
	HANDLE heap = make_heap(0, 0, 0);
	void *p;

	has_any_size(heap);
	of_nothing(heap);
	zeroes_what_was_used(heap);
	keeps_blocks_apart(heap);
	never_wraps(heap);
	on_no_heap();
	p = HeapAlloc(heap, HEAP_NO_SERIALIZE | HEAP_GENERATE_EXCEPTIONS, 10);
	check(HeapSize(heap, HEAP_NO_SERIALIZE, p), 10, "alloc.flags.size");
	check(HeapFree(heap, HEAP_NO_SERIALIZE, p), TRUE, "alloc.flags.freed");
	HeapDestroy(heap);
}

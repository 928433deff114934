// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapWalk. */
#include "check.h"

#include <string.h>

/* What one walk saw. */
struct seen {
	unsigned int regions, uncommitted, busy, free, other;
	uint64_t busy_bytes;
	unsigned int unknown, wrong_size, twice;	/* of the blocks it was given */
	DWORD error;
};

struct block {
	void *p;
	SIZE_T n;
	int found;
};

static void see_block(struct seen *seen, const PROCESS_HEAP_ENTRY *entry, struct block *blocks,
		      size_t count)
{
	size_t i;

	seen->busy++;
	seen->busy_bytes += entry->cbData;
	for (i = 0; i < count; i++) {
		if (blocks[i].p != entry->lpData)
			continue;
		seen->twice += blocks[i].found++ != 0;
		seen->wrong_size += blocks[i].n != entry->cbData;
		return;
	}
	seen->unknown++;
}

static struct seen walk(HANDLE heap, struct block *blocks, size_t count)
{
	PROCESS_HEAP_ENTRY entry;
	struct seen seen = { 0 };
	unsigned int steps = 0;
	size_t i;

	for (i = 0; i < count; i++)
		blocks[i].found = 0;
	memset(&entry, 0xEE, sizeof(entry));
	entry.lpData = NULL;
	SetLastError(UNTOUCHED);
	while (steps++ < 1000000 && HeapWalk(heap, &entry)) {
		if (entry.wFlags & PROCESS_HEAP_REGION)
			seen.regions++;
		else if (entry.wFlags & PROCESS_HEAP_UNCOMMITTED_RANGE)
			seen.uncommitted++;
		else if (entry.wFlags & PROCESS_HEAP_ENTRY_BUSY)
			see_block(&seen, &entry, blocks, count);
		else if (entry.wFlags == 0)
			seen.free++;
		else
			seen.other++;
	}
	seen.error = GetLastError();
	return seen;
}

static void check_blocks(HANDLE heap, struct block *blocks, size_t count, const char *name)
{
	struct seen seen = walk(heap, blocks, count);
	uint64_t missing = 0, bytes = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		missing += !blocks[i].found;
		bytes += blocks[i].n;
	}
	check(seen.error, ERROR_NO_MORE_ITEMS, "walk.%s.error", name);
	check(seen.busy, count, "walk.%s.busy", name);
	check(seen.busy_bytes, bytes, "walk.%s.bytes", name);
	check(missing, 0, "walk.%s.missing", name);
	check(seen.unknown, 0, "walk.%s.unknown", name);
	check(seen.twice, 0, "walk.%s.twice", name);
	check(seen.wrong_size, 0, "walk.%s.wrong-size", name);
	check(seen.regions >= 1, 1, "walk.%s.region", name);
	check(seen.other, 0, "walk.%s.other", name);
}

static void of_a_fresh_heap(const char *name, SIZE_T initial, SIZE_T maximum)
{
	HANDLE heap = make_heap(0, initial, maximum);
	PROCESS_HEAP_ENTRY entry;
	DWORD committed, uncommitted;
	char *first;

	memset(&entry, 0xEE, sizeof(entry));
	entry.lpData = NULL;
	check(HeapWalk(heap, &entry), TRUE, "walk.%s.1", name);
	check(entry.wFlags, PROCESS_HEAP_REGION, "walk.%s.1.flags", name);
	check(entry.lpData == heap, 1, "walk.%s.1.is-heap", name);
	committed = entry.Region.dwCommittedSize;
	uncommitted = entry.Region.dwUnCommittedSize;
	first = entry.Region.lpFirstBlock;
	check(committed % 4096, 0, "walk.%s.1.committed.pages", name);
	check(committed >= initial && committed >= 4096, 1, "walk.%s.1.committed.initial", name);
	check(first >= (char *)heap && first < (char *)heap + committed, 1,
	      "walk.%s.1.first", name);
	/* The sizes have 32 bits; a growable heap may have more before it. */
	if (maximum) {
		check(entry.cbData == maximum, 1, "walk.%s.1.reserved", name);
		check((SIZE_T)committed + uncommitted, maximum, "walk.%s.1.maximum", name);
		check((char *)entry.Region.lpLastBlock == (char *)heap + maximum, 1,
		      "walk.%s.1.last", name);
	}

	check(HeapWalk(heap, &entry), TRUE, "walk.%s.2", name);
	check(entry.wFlags, 0, "walk.%s.2.flags", name);
	check((char *)entry.lpData >= first && (char *)entry.lpData < (char *)heap + committed, 1,
	      "walk.%s.2.place", name);
	check(entry.cbData > 0 && entry.cbData <= committed, 1, "walk.%s.2.size", name);

	check(HeapWalk(heap, &entry), TRUE, "walk.%s.3", name);
	check(entry.wFlags, PROCESS_HEAP_UNCOMMITTED_RANGE, "walk.%s.3.flags", name);
	check((char *)entry.lpData == (char *)heap + committed, 1, "walk.%s.3.place", name);
	check(entry.cbData == uncommitted, 1, "walk.%s.3.size", name);

	CHECK_ERROR(HeapWalk(heap, &entry), FALSE, ERROR_NO_MORE_ITEMS, "walk.%s.end", name);
	HeapDestroy(heap);
}

static void of_blocks(void)
{
	static struct block blocks[600];
	HANDLE heap = make_heap(0, 0, 0);
	size_t i, left = 0;

	for (i = 0; i < COUNT(blocks); i++) {
		blocks[i].n = (i * 2654435761U) % (i % 50 ? 700 : 90000);
		blocks[i].p = HeapAlloc(heap, 0, blocks[i].n);
	}
	check_blocks(heap, blocks, COUNT(blocks), "many");
	for (i = 0; i < COUNT(blocks); i++) {
		if (i % 2)
			HeapFree(heap, 0, blocks[i].p);
		else
			blocks[left++] = blocks[i];
	}
	check_blocks(heap, blocks, left, "half");
	for (i = 0; i < left; i++) {
		blocks[i].n = blocks[i].n * 2 + 1;
		blocks[i].p = HeapReAlloc(heap, 0, blocks[i].p, blocks[i].n);
	}
	check_blocks(heap, blocks, left, "resized");
	check(HeapLock(heap), TRUE, "walk.locked.lock");
	check_blocks(heap, blocks, left, "locked");
	check(HeapUnlock(heap), TRUE, "walk.locked.unlock");
	for (i = 0; i < left; i++)
		HeapFree(heap, 0, blocks[i].p);
	check_blocks(heap, blocks, 0, "none");
	HeapDestroy(heap);
}

static void of_one_block(unsigned int n)
{
	HANDLE heap = make_heap(0, 0, 0);
	struct block block = { HeapAlloc(heap, 0, n), n, 0 };
	struct seen seen = walk(heap, &block, 1);

	check(seen.busy, 1, "walk.one.%u.busy", n);
	check(seen.busy_bytes, n, "walk.one.%u.size", n);
	check(block.found, 1, "walk.one.%u.found", n);
	check(seen.error, ERROR_NO_MORE_ITEMS, "walk.one.%u.error", n);
	HeapDestroy(heap);
}

/* Two walks of one heap, in turn, and a walk begun again in its middle. */
static void has_no_state_but_the_entry(void)
{
	HANDLE heap = make_heap(0, 0, 0);
	PROCESS_HEAP_ENTRY one, two;
	unsigned int i, apart = 0, steps = 0;

	for (i = 0; i < 100; i++)
		HeapAlloc(heap, 0, i);
	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	while (HeapWalk(heap, &one)) {
		apart += !HeapWalk(heap, &two) || one.lpData != two.lpData ||
			 one.wFlags != two.wFlags || one.cbData != two.cbData;
		steps++;
	}
	check(HeapWalk(heap, &two), FALSE, "walk.two.end");
	check(apart, 0, "walk.two.apart");
	check(steps >= 102, 1, "walk.two.steps");
	memset(&one, 0, sizeof(one));
	for (i = 0; i < 10; i++)
		HeapWalk(heap, &one);
	one.lpData = NULL;
	check(HeapWalk(heap, &one) && one.lpData == heap, 1, "walk.again");
	HeapDestroy(heap);
}

static void on_no_heap(void)
{
	HANDLE gone = make_heap(0, 0, 0);
	PROCESS_HEAP_ENTRY entry;

	HeapDestroy(gone);
	memset(&entry, 0, sizeof(entry));
	CHECK_ERROR(HeapWalk(NULL, &entry), FALSE, ERROR_INVALID_HANDLE, "walk.heap.null");
	memset(&entry, 0, sizeof(entry));
	CHECK_ERROR(HeapWalk(gone, &entry), FALSE, ERROR_INVALID_HANDLE, "walk.heap.gone");
}

/* What no walk has stored, and no entry at all. */
static void from_nowhere(void)
{
	HANDLE heap = make_heap(0, 0, 0);
	PROCESS_HEAP_ENTRY entry;
	static char variable[64];

	HeapAlloc(heap, 0, 100);
	memset(&entry, 0, sizeof(entry));
	entry.lpData = variable;
	entry.wFlags = PROCESS_HEAP_ENTRY_BUSY;
	CHECK_ERROR(HeapWalk(heap, &entry), FALSE, ERROR_INVALID_PARAMETER, "walk.from-variable");
	check(entry.lpData == variable, 1, "walk.from-variable.unchanged");
	CHECK_ERROR(HeapWalk(heap, NULL), FALSE, ERROR_INVALID_PARAMETER, "walk.no-entry");
	HeapDestroy(heap);
}

void checks_of_walk(void)
{
	of_a_fresh_heap("growable", 0, 0);
	of_a_fresh_heap("fixed", 0, 4 * MIB);
	of_a_fresh_heap("initial", MIB, 16 * MIB);
	of_one_block(0);
	of_one_block(1);
	of_one_block(1000);
	of_one_block(100000);
	of_one_block(30000000);
	of_blocks();
	has_no_state_but_the_entry();
	from_nowhere();
	on_no_heap();
}

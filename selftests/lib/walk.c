// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapWalk, HeapSummary, HeapCompact and their native kin: HEAP_CONTRACT section 2. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "heapapi.h"
#include "privheap.h"

#define REGION		PROCESS_HEAP_REGION
#define UNCOMMITTED	PROCESS_HEAP_UNCOMMITTED_RANGE
#define BUSY		PROCESS_HEAP_ENTRY_BUSY

static HANDLE heap;

/* What a walk has met. */
struct tour {
	size_t regions, blocks, frees, uncommitted;
	size_t allocated;
	bool ordered, ended;
};

static struct tour walk(HANDLE of)
{
	struct tour tour = { .ordered = true };
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	char *end = of;

	while (HeapWalk(of, &entry)) {
		tour.ordered &= (char *)entry.lpData >= end && entry.iRegionIndex == 0;
		/* The region is what the others lie in. */
		if (entry.wFlags != REGION)
			end = (char *)entry.lpData + entry.cbData;
		tour.regions += entry.wFlags == REGION;
		tour.blocks += entry.wFlags == BUSY;
		tour.frees += entry.wFlags == 0;
		tour.uncommitted += entry.wFlags == UNCOMMITTED;
		tour.allocated += entry.wFlags == BUSY ? entry.cbData : 0;
	}
	tour.ended = GetLastError() == ERROR_NO_MORE_ITEMS;
	return tour;
}

TEST(structures_are_laid_out_as_on_win64)
{
	EXPECT_EQ(40, sizeof(PROCESS_HEAP_ENTRY));
	EXPECT_EQ(0, offsetof(PROCESS_HEAP_ENTRY, lpData));
	EXPECT_EQ(8, offsetof(PROCESS_HEAP_ENTRY, cbData));
	EXPECT_EQ(12, offsetof(PROCESS_HEAP_ENTRY, cbOverhead));
	EXPECT_EQ(13, offsetof(PROCESS_HEAP_ENTRY, iRegionIndex));
	EXPECT_EQ(14, offsetof(PROCESS_HEAP_ENTRY, wFlags));
	EXPECT_EQ(16, offsetof(PROCESS_HEAP_ENTRY, Block.hMem));
	EXPECT_EQ(24, offsetof(PROCESS_HEAP_ENTRY, Block.dwReserved));
	EXPECT_EQ(16, offsetof(PROCESS_HEAP_ENTRY, Region.dwCommittedSize));
	EXPECT_EQ(20, offsetof(PROCESS_HEAP_ENTRY, Region.dwUnCommittedSize));
	EXPECT_EQ(24, offsetof(PROCESS_HEAP_ENTRY, Region.lpFirstBlock));
	EXPECT_EQ(32, offsetof(PROCESS_HEAP_ENTRY, Region.lpLastBlock));
	EXPECT_EQ(40, sizeof(HEAP_SUMMARY));
	EXPECT_EQ(0, offsetof(HEAP_SUMMARY, cb));
	EXPECT_EQ(8, offsetof(HEAP_SUMMARY, cbAllocated));
	EXPECT_EQ(32, offsetof(HEAP_SUMMARY, cbMaxReserve));
}

TEST(L12_region_says_what_is_reserved)
{
	static const struct {
		SIZE_T maximum;
		DWORD bytes;
	} rows[] = { { 64 * KIB, 64 * KIB }, { 3 * MIB, 3 * MIB }, { (SIZE_T)5 << 30, UINT32_MAX } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		PROCESS_HEAP_ENTRY entry = { .lpData = NULL };

		heap = HeapCreate(0, 0, rows[i].maximum);
		ASSERT_TRUE(HeapWalk(heap, &entry));
		EXPECT_EQ(REGION, entry.wFlags);
		EXPECT_EQ(rows[i].bytes, entry.cbData);
	}
}

TEST(fresh_heap_is_region_free_uncommitted)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL, .cbData = 77, .wFlags = 0x7777 };
	char *base = heap = HeapCreate(0, 64 * KIB, 1 * MIB);

	ASSERT_TRUE(HeapWalk(heap, &entry));
	EXPECT_EQ(REGION, entry.wFlags);
	EXPECT_EQ(base, (char *)entry.lpData);
	EXPECT_EQ(1 * MIB, entry.cbData);
	EXPECT_EQ(64 * KIB, entry.Region.dwCommittedSize);
	EXPECT_EQ(1 * MIB - 64 * KIB, entry.Region.dwUnCommittedSize);
	EXPECT_EQ(base, (char *)entry.Region.lpFirstBlock);
	EXPECT_EQ(base + 1 * MIB, (char *)entry.Region.lpLastBlock);
	ASSERT_TRUE(HeapWalk(heap, &entry));
	EXPECT_EQ(0, entry.wFlags);
	EXPECT_EQ(base, (char *)entry.lpData);
	EXPECT_EQ(64 * KIB, entry.cbData);
	ASSERT_TRUE(HeapWalk(heap, &entry));
	EXPECT_EQ(UNCOMMITTED, entry.wFlags);
	EXPECT_EQ(base + 64 * KIB, (char *)entry.lpData);
	EXPECT_EQ(1 * MIB - 64 * KIB, entry.cbData);
	SetLastError(0);
	EXPECT_FALSE(HeapWalk(heap, &entry));
	EXPECT_EQ(ERROR_NO_MORE_ITEMS, GetLastError());
}

TEST(the_end_stays_the_end_and_the_entry_stays)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL }, last;
	int i;

	heap = HeapCreate(0, 0, 1 * MIB);
	while (HeapWalk(heap, &entry))
		last = entry;
	for (i = 0; i < 3; i++) {
		EXPECT_FALSE(HeapWalk(heap, &entry));
		EXPECT_EQ(ERROR_NO_MORE_ITEMS, GetLastError());
		EXPECT_EQ(0, memcmp(&entry, &last, sizeof(entry)));
	}
	entry.lpData = NULL;
	ASSERT_TRUE(HeapWalk(heap, &entry));
	EXPECT_EQ(REGION, entry.wFlags);
}

TEST(heap_that_is_committed_whole_has_nothing_uncommitted)
{
	struct tour tour;

	heap = HeapCreate(0, 64 * KIB, 64 * KIB);
	tour = walk(heap);
	EXPECT_TRUE(tour.ended && tour.ordered);
	EXPECT_EQ(1, tour.regions);
	EXPECT_EQ(1, tour.frees);
	EXPECT_EQ(0, tour.uncommitted);
	ASSERT_NE(NULL, HeapAlloc(heap, 0, 64 * KIB));
	tour = walk(heap);
	EXPECT_EQ(1, tour.blocks);
	EXPECT_EQ(64 * KIB, tour.allocated);
	EXPECT_EQ(0, tour.frees);
}

TEST(sizes_of_4_gib_saturate)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	struct privheap_item item = PRIVHEAP_ITEM_INIT;

	heap = HeapCreate(0, 0, 16 * 1024 * MIB);
	ASSERT_NE(NULL, heap);
	ASSERT_TRUE(HeapWalk(heap, &entry));
	EXPECT_EQ(UINT32_MAX, entry.Region.dwUnCommittedSize);
	while (HeapWalk(heap, &entry))
		;
	EXPECT_EQ(UNCOMMITTED, entry.wFlags);
	EXPECT_EQ(UINT32_MAX, entry.cbData);
	ASSERT_EQ(1, privheap_walk(heap, &item));
	EXPECT_EQ(16 * 1024 * MIB, item.bytes + item.beyond);
}

/* Blocks that know what they are, and a count of how often each was met. */
struct known {
	uint32_t *sizes;
	unsigned char *met;
	size_t count, strangers, wrong;
};

static bool known_make(struct known *known, size_t count)
{
	*known = (struct known){ .count = count };
	known->sizes = calloc(count, sizeof(*known->sizes));
	known->met = calloc(count, 1);
	return known->sizes && known->met;
}

/* Its number from 1 on is its first bytes. */
static bool known_alloc(struct known *known, size_t i, uint32_t n)
{
	uint32_t *p = HeapAlloc(heap, 0, n);

	if (!p)
		return false;
	*p = (uint32_t)i + 1;
	known->sizes[i] = n;
	return true;
}

/* Reads the first bytes of blocks that others may be filling: those have no number then. */
__attribute__((no_sanitize("thread")))
static void known_walk(struct known *known)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	uint32_t i;

	while (HeapWalk(heap, &entry)) {
		if (entry.wFlags != BUSY)
			continue;
		i = *(uint32_t *)entry.lpData - 1;
		if (i >= known->count) {
			known->strangers++;
			continue;
		}
		known->met[i] += known->met[i] < 2;
		known->wrong += entry.cbData != known->sizes[i];
	}
}

/* How many were not met exactly once. */
static size_t known_missed(const struct known *known)
{
	size_t i, missed = 0;

	for (i = 0; i < known->count; i++)
		missed += known->met[i] != (known->sizes[i] != 0);
	return missed;
}

TEST(every_size_once_and_exactly)
{
	struct known known;
	size_t i;

	heap = HeapCreate(0, 0, 0);
	ASSERT_TRUE(known_make(&known, 3000));
	for (i = 0; i < known.count; i++) {
		ASSERT_TRUE(known_alloc(&known, i, 4 + (i < 2000 ? i : (i - 1990) * 97)));
	}
	known_walk(&known);
	EXPECT_EQ(0, known.strangers);
	EXPECT_EQ(0, known.wrong);
	EXPECT_EQ(0, known_missed(&known));
	EXPECT_TRUE(walk(heap).ordered);
}

TEST(freed_blocks_are_free)
{
	void *p[1000];
	struct tour tour;
	size_t i;

	heap = HeapCreate(0, 0, 16 * MIB);
	for (i = 0; i < COUNT(p); i++) {
		p[i] = HeapAlloc(heap, 0, i * 20);
		ASSERT_NE(NULL, p[i]);
	}
	for (i = 0; i < COUNT(p); i += 2) {
		HeapFree(heap, 0, p[i]);
	}
	tour = walk(heap);
	EXPECT_EQ(500, tour.blocks);
	EXPECT_EQ(500 * 500 * 20, tour.allocated);
	EXPECT_LE(500, tour.frees);
	for (i = 1; i < COUNT(p); i += 2) {
		HeapFree(heap, 0, p[i]);
	}
	EXPECT_EQ(0, walk(heap).blocks);
}

TEST(walks_beside_each_other)
{
	PROCESS_HEAP_ENTRY first = { .lpData = NULL }, second = { .lpData = NULL };
	int i;

	heap = HeapCreate(0, 0, 0);
	for (i = 0; i < 1000; i++) {
		ASSERT_NE(NULL, HeapAlloc(heap, 0, (SIZE_T)i * 50));
	}
	while (HeapWalk(heap, &first)) {
		memset((char *)&second + 16, i++, sizeof(second) - 16);
		second.cbData = (DWORD)i;
		ASSERT_TRUE(HeapWalk(heap, &second));
		ASSERT_EQ(0, memcmp(&first, &second, sizeof(first)));
	}
	EXPECT_FALSE(HeapWalk(heap, &second));
}

TEST(arguments_of_walk)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	static const WORD flags[] = { 3, 5, 6, 7, 8, 0x10, 0x20, 0xffff };
	size_t i;

	heap = HeapCreate(0, 0, 1 * MIB);
#define REFUSED(call, code) do {						\
	SetLastError(0);							\
	EXPECT_FALSE(call);							\
	EXPECT_EQ(code, GetLastError());					\
} while (0)
	REFUSED(HeapWalk(NULL, &entry), ERROR_INVALID_HANDLE);
	REFUSED(HeapWalk(&entry, &entry), ERROR_INVALID_HANDLE);
	REFUSED(HeapWalk(heap, NULL), ERROR_INVALID_PARAMETER);
	for (i = 0; i < COUNT(flags); i++) {
		entry = (PROCESS_HEAP_ENTRY){ .lpData = heap, .wFlags = flags[i] };
		REFUSED(HeapWalk(heap, &entry), ERROR_INVALID_PARAMETER);
	}
	entry = (PROCESS_HEAP_ENTRY){ .lpData = heap, .wFlags = BUSY, .iRegionIndex = 1 };
	REFUSED(HeapWalk(heap, &entry), ERROR_INVALID_PARAMETER);
	entry = (PROCESS_HEAP_ENTRY){ .lpData = (char *)heap + 1 * MIB, .wFlags = BUSY };
	REFUSED(HeapWalk(heap, &entry), ERROR_INVALID_PARAMETER);
	entry = (PROCESS_HEAP_ENTRY){ .lpData = (char *)heap - 1, .wFlags = 0 };
	REFUSED(HeapWalk(heap, &entry), ERROR_INVALID_PARAMETER);
}

/* From anywhere in a full heap a walk goes on to the end, forward. */
TEST(entries_that_were_made_up)
{
	static const WORD flags[] = { 0, REGION, UNCOMMITTED, BUSY };
	unsigned int seed = 1;
	void *p[2000];
	int i, steps;

	heap = HeapCreate(0, 0, 16 * MIB);
	for (i = 0; i < COUNT(p); i++) {
		p[i] = HeapAlloc(heap, 0, (SIZE_T)(i % 100 ? i : i * 50));
		ASSERT_NE(NULL, p[i]);
	}
	for (i = 0; i < COUNT(p); i += 3) {
		HeapFree(heap, 0, p[i]);
	}
	for (i = 0; i < 2000; i++) {
		PROCESS_HEAP_ENTRY entry = { .wFlags = flags[rand_r(&seed) % COUNT(flags)] };
		bool forward = true;
		char *before;

		entry.lpData = (char *)heap + rand_r(&seed) % (16 * MIB);
		for (before = NULL, steps = 0; HeapWalk(heap, &entry); steps++) {
			forward &= (char *)entry.lpData > before;
			before = entry.lpData;
		}
		EXPECT_TRUE(forward);
		EXPECT_EQ(ERROR_NO_MORE_ITEMS, GetLastError());
		EXPECT_GT(20000, steps);
	}
}

static atomic_bool stop;

/* Its blocks begin with 0 or all ones, and so have no number. */
static void *churn(void *number)
{
	unsigned int seed = (unsigned int)(uintptr_t)number;
	uint32_t *slots[64] = { NULL };
	size_t i;

	while (!stop) {
		i = rand_r(&seed) % COUNT(slots);
		HeapFree(heap, 0, slots[i]);
		slots[i] = HeapAlloc(heap, HEAP_ZERO_MEMORY, 4 + rand_r(&seed) %
				     (rand_r(&seed) % 16 ? 500 : 100000));
		if (slots[i])
			*slots[i] = UINT32_MAX;
	}
	return NULL;
}

TEST(what_lives_throughout_is_met_once_while_others_come_and_go)
{
	pthread_t threads[4];
	struct known known;
	size_t i, looks;

	heap = HeapCreate(0, 0, 256 * MIB);
	ASSERT_TRUE(known_make(&known, 20000));
	for (i = 0; i < COUNT(threads); i++) {
		pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
	}
	for (i = 0; i < known.count; i++) {
		ASSERT_TRUE(known_alloc(&known, i, i % 100 ? 4 + i % 300 : 40000 + i));
	}
	for (looks = 0; looks < 20; looks++) {
		struct privheap_stats stats = PRIVHEAP_STATS_INIT;

		memset(known.met, 0, known.count);
		known_walk(&known);
		EXPECT_EQ(0, known.wrong);
		EXPECT_EQ(0, known_missed(&known));
		EXPECT_EQ(0, privheap_stats(heap, &stats));
		EXPECT_LE(known.count, stats.blocks);
		EXPECT_GE(known.count * 2, stats.blocks);
	}
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	stop = true;
	for (i = 0; i < COUNT(threads); i++) {
		pthread_join(threads[i], NULL);
	}
}

/* Millions natively; where memory comes from the device, in a guest, time is dearer. */
static size_t many(void)
{
	const char *backend = getenv("PRIVHEAP_BACKEND");

	return backend && strcmp(backend, "anon") == 0 ? 5000000 : 200000;
}

#define MAKERS	8

static struct known all;

static void *make_many(void *number)
{
	size_t first = (uintptr_t)number * (all.count / MAKERS), i;
	unsigned int seed = (unsigned int)first;

	for (i = first; i < first + all.count / MAKERS; i++)
		if (!known_alloc(&all, i, 4 + rand_r(&seed) % 60))
			return (void *)1;
	return NULL;
}

TEST(millions_of_blocks_of_eight_threads)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	pthread_t threads[MAKERS];
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };
	size_t i, allocated = 0, at;
	void *failed;
	char *end;

	heap = HeapCreate(0, 0, 0);
	ASSERT_TRUE(known_make(&all, many()));
	for (i = 0; i < MAKERS; i++) {
		pthread_create(&threads[i], NULL, make_many, (void *)i);
	}
	for (i = 0; i < MAKERS; i++) {
		pthread_join(threads[i], &failed);
		ASSERT_EQ(NULL, failed);
	}
	known_walk(&all);
	EXPECT_EQ(0, all.strangers);
	EXPECT_EQ(0, all.wrong);
	EXPECT_EQ(0, known_missed(&all));
	for (i = 0; i < all.count; i++)
		allocated += all.sizes[i];
	ASSERT_TRUE(HeapSummary(heap, 0, &summary));
	EXPECT_EQ(allocated, summary.cbAllocated);
	/* One byte past one block. */
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	for (at = 0; at < all.count * 2 / 3 || entry.wFlags != BUSY || !entry.cbOverhead; at++) {
		ASSERT_TRUE(HeapWalk(heap, &entry));
	}
	end = (char *)entry.lpData + entry.cbData;
	*end ^= 1;
	EXPECT_FALSE(HeapValidate(heap, 0, NULL));
	EXPECT_FALSE(HeapValidate(heap, 0, entry.lpData));
	*end ^= 1;
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST(summary)
{
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };
	struct tour tour;
	SIZE_T i;

	heap = HeapCreate(0, 128 * KIB, 4 * MIB);
	ASSERT_TRUE(HeapSummary(heap, 0, &summary));
	EXPECT_EQ(0, summary.cbAllocated);
	EXPECT_EQ(128 * KIB, summary.cbCommitted);
	EXPECT_EQ(4 * MIB, summary.cbReserved);
	EXPECT_EQ(4 * MIB, summary.cbMaxReserve);
	for (i = 0; i < 300; i++) {
		ASSERT_NE(NULL, HeapAlloc(heap, 0, i * 10));
	}
	ASSERT_TRUE(HeapSummary(heap, 0, &summary));
	tour = walk(heap);
	EXPECT_EQ(299 * 300 / 2 * 10, summary.cbAllocated);
	EXPECT_EQ(tour.allocated, summary.cbAllocated);
	EXPECT_LE(summary.cbAllocated, summary.cbCommitted);
}

TEST(arguments_of_summary)
{
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };

	heap = HeapCreate(0, 0, 1 * MIB);
	REFUSED(HeapSummary(NULL, 0, &summary), ERROR_INVALID_HANDLE);
	REFUSED(HeapSummary(heap, 0, NULL), ERROR_INVALID_PARAMETER);
	summary.cb = 0;
	REFUSED(HeapSummary(heap, 0, &summary), ERROR_INVALID_PARAMETER);
	summary.cb = sizeof(summary) - 1;
	REFUSED(HeapSummary(heap, 0, &summary), ERROR_INVALID_PARAMETER);
}

TEST(compact_tells_the_largest_block_there_can_be)
{
	void *p[100], *large;
	SIZE_T i, largest;

	/* Checked heaps, as under AddressSanitizer, hold freed blocks back. */
	setenv("PRIVHEAP_CHECK", "off", 1);
	heap = HeapCreate(0, 1 * MIB, 1 * MIB);
	EXPECT_EQ(1 * MIB, HeapCompact(heap, 0));
	for (i = 0; i < COUNT(p); i++) {
		p[i] = HeapAlloc(heap, 0, 5000);
	}
	largest = HeapCompact(heap, 0);
	large = HeapAlloc(heap, 0, largest);
	EXPECT_NE(NULL, large);
	EXPECT_GT(largest, HeapCompact(heap, 0));
	HeapFree(heap, 0, large);
	EXPECT_EQ(largest, HeapCompact(heap, 0));
	for (i = 0; i < COUNT(p); i++) {
		HeapFree(heap, 0, p[i]);
	}
	/* And takes apart what was kept for small ones. */
	for (i = 0; i < COUNT(p); i++) {
		p[i] = HeapAlloc(heap, 0, i);
	}
	for (i = 0; i < COUNT(p); i++) {
		HeapFree(heap, 0, p[i]);
	}
	SetLastError(77);
	EXPECT_EQ(1 * MIB, HeapCompact(heap, 0));
	EXPECT_EQ(77, GetLastError());
	EXPECT_NE(NULL, HeapAlloc(heap, 0, 1 * MIB));
}

TEST(compact_of_a_full_heap)
{
	void *p, *last = NULL;

	/* Checked heaps, as under AddressSanitizer, hold freed blocks back. */
	setenv("PRIVHEAP_CHECK", "off", 1);
	heap = HeapCreate(0, 0, 256 * KIB);
	while ((p = HeapAlloc(heap, 0, 64)))
		last = p;
	SetLastError(77);
	EXPECT_EQ(0, HeapCompact(heap, 0));
	EXPECT_EQ(0, GetLastError());
	HeapFree(heap, 0, last);
	EXPECT_EQ(64, HeapCompact(heap, 0));
	EXPECT_NE(NULL, HeapAlloc(heap, 0, 64));
	REFUSED(HeapCompact(NULL, 0), ERROR_INVALID_HANDLE);
}

TEST(native_walk_says_the_same)
{
	struct privheap_item item = PRIVHEAP_ITEM_INIT;
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	static const WORD flags[] = {
		[PRIVHEAP_ITEM_REGION] = REGION, [PRIVHEAP_ITEM_BLOCK] = BUSY,
		[PRIVHEAP_ITEM_FREE] = 0, [PRIVHEAP_ITEM_UNCOMMITTED] = UNCOMMITTED,
	};
	int i;

	heap = HeapCreate(0, 0, 4 * MIB);
	for (i = 0; i < 100; i++) {
		ASSERT_NE(NULL, HeapAlloc(heap, 0, (SIZE_T)i * i));
	}
	while (HeapWalk(heap, &entry)) {
		ASSERT_EQ(1, privheap_walk(heap, &item));
		EXPECT_EQ(entry.lpData, item.start);
		EXPECT_EQ(entry.wFlags, flags[item.kind]);
		if (item.kind != PRIVHEAP_ITEM_REGION)
			EXPECT_EQ(entry.cbData, item.bytes);
	}
	errno = 77;
	EXPECT_EQ(0, privheap_walk(heap, &item));
	EXPECT_EQ(77, errno);
}

TEST(arguments_of_native_walk)
{
	struct privheap_item item = PRIVHEAP_ITEM_INIT;

	heap = HeapCreate(0, 0, 1 * MIB);
#define INVALID(call) do {							\
	errno = 0;								\
	EXPECT_EQ(-1, call);							\
	EXPECT_EQ(EINVAL, errno);						\
} while (0)
	INVALID(privheap_walk(NULL, &item));
	item.kind = 4;
	INVALID(privheap_walk(heap, &item));
	item.kind = PRIVHEAP_ITEM_BLOCK;
	item.start = &item;
	INVALID(privheap_walk(heap, &item));
	item.size = 8;
	INVALID(privheap_walk(heap, &item));
}

TEST_HARNESS_MAIN

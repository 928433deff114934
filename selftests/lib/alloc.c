// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapAlloc, HeapReAlloc, HeapFree, HeapSize, HeapValidate: HEAP_CONTRACT section 2. */
#include "kselftest_harness.h"
#include "common.h"

#include "heapapi.h"
#include "privheap.h"

#define A	(256 * KIB)

FIXTURE(heap)
{
	HANDLE heap;
};

FIXTURE_VARIANT(heap)
{
	DWORD options;
	SIZE_T initial, maximum;
};

FIXTURE_VARIANT_ADD(heap, growable) { 0, 0, 0 };
FIXTURE_VARIANT_ADD(heap, fixed) { 0, 1 * MIB, 16 * MIB };
FIXTURE_VARIANT_ADD(heap, no_serialize) { HEAP_NO_SERIALIZE, 0, 0 };

FIXTURE_SETUP(heap)
{
	self->heap = HeapCreate(variant->options, variant->initial, variant->maximum);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(heap)
{
	EXPECT_TRUE(HeapValidate(self->heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(self->heap));
}

static const SIZE_T sizes[] = {
	0, 1, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 127, 129, 255, 257, 511, 513, 1000, 1023,
	1025, 2047, 2049, 4000, 4095, 4096, 4097, 8191, 8193, 16385, 32767, 32769, 65535, 65536,
	65537, 100000, 262144, 1000000, 2097152,
};

TEST_F(heap, size_is_what_was_asked_for)
{
	size_t i;

	for (i = 0; i < COUNT(sizes); i++) {
		void *p = HeapAlloc(self->heap, 0, sizes[i]);

		ASSERT_NE(NULL, p) TH_LOG("size %zu", sizes[i]);
		EXPECT_EQ(0, (uintptr_t)p % 16);
		EXPECT_EQ(sizes[i], HeapSize(self->heap, 0, p));
		EXPECT_TRUE(HeapValidate(self->heap, 0, p));
		memset(p, 0xC3, sizes[i]);
		EXPECT_TRUE(HeapFree(self->heap, 0, p));
	}
}

TEST_F(heap, every_size_up_to_two_pages)
{
	SIZE_T n;

	for (n = 0; n <= 8192; n++) {
		unsigned char *p = HeapAlloc(self->heap, HEAP_ZERO_MEMORY, n);

		ASSERT_NE(NULL, p);
		ASSERT_TRUE(all_bytes(p, 0, n)) TH_LOG("size %zu", n);
		memset(p, 0xFF, n);
		ASSERT_EQ(n, HeapSize(self->heap, 0, p));
		ASSERT_TRUE(HeapFree(self->heap, 0, p)) TH_LOG("size %zu", n);
	}
}

TEST_F(heap, blocks_of_size_zero_are_distinct)
{
	void *a = HeapAlloc(self->heap, 0, 0), *b = HeapAlloc(self->heap, 0, 0);

	ASSERT_NE(NULL, a);
	ASSERT_NE(NULL, b);
	EXPECT_NE(a, b);
	EXPECT_EQ(0, HeapSize(self->heap, 0, a));
	EXPECT_TRUE(HeapFree(self->heap, 0, a));
	EXPECT_TRUE(HeapFree(self->heap, 0, b));
}

TEST_F(heap, blocks_do_not_overlap)
{
	static struct {
		unsigned char *p;
		SIZE_T n;
	} blocks[500];
	size_t i;

	for (i = 0; i < COUNT(blocks); i++) {
		blocks[i].n = (i * 977) % 20000;
		blocks[i].p = HeapAlloc(self->heap, 0, blocks[i].n);
		ASSERT_NE(NULL, blocks[i].p);
		memset(blocks[i].p, (int)i, blocks[i].n);
	}
	for (i = 0; i < COUNT(blocks); i++)
		EXPECT_TRUE(all_bytes(blocks[i].p, (int)i, blocks[i].n));
	for (i = 0; i < COUNT(blocks); i++)
		EXPECT_TRUE(HeapFree(self->heap, 0, blocks[i].p));
}

TEST_F(heap, zero_memory_after_reuse)
{
	int round;

	for (round = 0; round < 200; round++) {
		SIZE_T n = 1 + (SIZE_T)round * 131;
		unsigned char *p = HeapAlloc(self->heap, HEAP_ZERO_MEMORY, n);

		ASSERT_TRUE(all_bytes(p, 0, n)) TH_LOG("size %zu", n);
		memset(p, 0xAA, n);
		HeapFree(self->heap, 0, p);
	}
}

static const SIZE_T too_large[] = {
	SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15, SIZE_MAX - 4095, SIZE_MAX - 65536,
	(SIZE_T)1 << 63, ((SIZE_T)1 << 63) - 1, (SIZE_T)1 << 62, (SIZE_T)1 << 48,
};

TEST_F(heap, sizes_near_the_end_fail_and_never_wrap)
{
	void *p = HeapAlloc(self->heap, 0, 100);
	size_t i;

	for (i = 0; i < COUNT(too_large); i++) {
		SetLastError(0);
		EXPECT_EQ(NULL, HeapAlloc(self->heap, 0, too_large[i])) TH_LOG("row %zu", i);
		EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
		SetLastError(0);
		EXPECT_EQ(NULL, HeapReAlloc(self->heap, 0, p, too_large[i]));
		EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	}
	EXPECT_EQ(100, HeapSize(self->heap, 0, p));
}

TEST_F(heap, realloc_keeps_contents_through_all_sizes)
{
	unsigned char *p = HeapAlloc(self->heap, 0, 0);
	SIZE_T old = 0;
	size_t i, j;

	for (i = 0; i < COUNT(sizes); i++) {
		SIZE_T n = sizes[(i * 17) % COUNT(sizes)];

		p = HeapReAlloc(self->heap, 0, p, n);
		ASSERT_NE(NULL, p);
		for (j = 0; j < (old < n ? old : n); j += 61)
			ASSERT_EQ((unsigned char)(j * 7), p[j]) TH_LOG("%zu to %zu", old, n);
		for (j = 0; j < n; j++)
			p[j] = (unsigned char)(j * 7);
		ASSERT_EQ(n, HeapSize(self->heap, 0, p));
		old = n;
	}
	EXPECT_TRUE(HeapFree(self->heap, 0, p));
}

/* Shrinking leaves old bytes in the slack; growing again must not show them. */
TEST_F(heap, realloc_zeroes_what_grew_inside_slack_too)
{
	static const SIZE_T steps[] = { 100, 90, 95, 10, 100, 0, 50, 5000, 4000, 5000, 70000,
					66000, 70000, 200000, 1, 3 };
	unsigned char *p = HeapAlloc(self->heap, HEAP_ZERO_MEMORY, 0);
	SIZE_T old = 0;
	size_t i;

	for (i = 0; i < COUNT(steps); i++) {
		SIZE_T n = steps[i];

		p = HeapReAlloc(self->heap, HEAP_ZERO_MEMORY, p, n);
		ASSERT_NE(NULL, p);
		if (n > old)
			EXPECT_TRUE(all_bytes(p + old, 0, n - old)) TH_LOG("%zu to %zu", old, n);
		EXPECT_TRUE(all_bytes(p, 0xBB, old < n ? old : n));
		memset(p, 0xBB, n);
		old = n;
	}
}

TEST_F(heap, realloc_in_place_shrinks_and_grows_back)
{
	char *p = HeapAlloc(self->heap, 0, 1000);

	EXPECT_EQ(p, HeapReAlloc(self->heap, HEAP_REALLOC_IN_PLACE_ONLY, p, 500));
	EXPECT_EQ(500, HeapSize(self->heap, 0, p));
	EXPECT_EQ(p, HeapReAlloc(self->heap, HEAP_REALLOC_IN_PLACE_ONLY, p, 1000));
	EXPECT_EQ(1000, HeapSize(self->heap, 0, p));
}

TEST_F(heap, realloc_in_place_never_moves)
{
	char *p = HeapAlloc(self->heap, 0, 100);

	memset(p, 0x61, 100);
	SetLastError(0);
	EXPECT_EQ(NULL, HeapReAlloc(self->heap, HEAP_REALLOC_IN_PLACE_ONLY, p, 100000));
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	EXPECT_EQ(100, HeapSize(self->heap, 0, p));
	EXPECT_TRUE(all_bytes(p, 0x61, 100));
}

TEST_F(heap, realloc_of_null)
{
	SetLastError(0xdead);
	EXPECT_EQ(NULL, HeapReAlloc(self->heap, 0, NULL, 10));
	EXPECT_EQ(NO_ERROR, GetLastError());
}

TEST_F(heap, realloc_to_zero_keeps_the_block)
{
	void *p = HeapAlloc(self->heap, 0, 1);

	EXPECT_EQ(p, HeapReAlloc(self->heap, 0, p, 0));
	EXPECT_EQ(0, HeapSize(self->heap, 0, p));
	EXPECT_TRUE(HeapFree(self->heap, 0, p));
	p = HeapAlloc(self->heap, 0, 100000);
	EXPECT_EQ(p, HeapReAlloc(self->heap, 0, p, 0));
	EXPECT_EQ(0, HeapSize(self->heap, 0, p));
}

TEST_F(heap, free_of_null)
{
	EXPECT_TRUE(HeapFree(self->heap, 0, NULL));
	EXPECT_TRUE(HeapFree(NULL, 0, NULL));
	EXPECT_TRUE(HeapFree((HANDLE)0x1234, 0, NULL));
}

TEST_F(heap, size_and_validate_of_what_is_no_block)
{
	HANDLE other = HeapCreate(0, 0, 0);
	char *p = HeapAlloc(self->heap, 0, 100), *freed = HeapAlloc(self->heap, 0, 100);
	char *large = HeapAlloc(self->heap, 0, 300000);
	const void *wrong[] = {
		p + 1, p + 16, p - 16, freed, large + 16, large + 4096, &other, NULL,
		HeapAlloc(other, 0, 10), (void *)1, (void *)UINTPTR_MAX,
		(void *)0x8000000000000000, (char *)self->heap + 8 * MIB, "constant",
	};
	size_t i;

	HeapFree(self->heap, 0, freed);
	for (i = 0; i < COUNT(wrong); i++) {
		SetLastError(0xdead);
		if (wrong[i])
			EXPECT_FALSE(HeapValidate(self->heap, 0, wrong[i])) TH_LOG("row %zu", i);
		EXPECT_EQ(0xdead, GetLastError());
		EXPECT_EQ((SIZE_T)-1, HeapSize(self->heap, 0, wrong[i])) TH_LOG("row %zu", i);
		EXPECT_EQ(ERROR_INVALID_PARAMETER, GetLastError()) TH_LOG("row %zu", i);
	}
	EXPECT_TRUE(HeapDestroy(other));
}

TEST_F(heap, flags_that_mean_nothing_here_are_ignored)
{
	void *p = HeapAlloc(self->heap, HEAP_NO_SERIALIZE | 0x40000000, 10);

	ASSERT_NE(NULL, p);
	p = HeapReAlloc(self->heap, HEAP_NO_SERIALIZE, p, 20);
	EXPECT_EQ(20, HeapSize(self->heap, HEAP_NO_SERIALIZE, p));
	EXPECT_TRUE(HeapValidate(self->heap, HEAP_NO_SERIALIZE, p));
	EXPECT_TRUE(HeapFree(self->heap, HEAP_NO_SERIALIZE, p));
}

TEST(fixed_heap_holds_nearly_all_of_itself)
{
	HANDLE heap = HeapCreate(0, A, A);

	ASSERT_NE(NULL, heap);
	EXPECT_NE(NULL, HeapAlloc(heap, 0, A - 3072));
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST(growable_heap_holds_128_large_blocks)
{
	HANDLE heap = HeapCreate(0, 0, 0);
	int i;

	for (i = 0; i < 128; i++)
		EXPECT_NE(NULL, HeapAlloc(heap, 0, A)) TH_LOG("block %d", i);
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST(one_block_as_large_as_the_rest_of_the_maximum)
{
	HANDLE heap = HeapCreate(0, 0, 32 * MIB);

	EXPECT_NE(NULL, HeapAlloc(heap, 0, 31 * MIB));
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST(full_heap_fails_with_8_and_works_again_after_a_free)
{
	void *last = NULL, *p;
	HANDLE heap;
	int count = 0;

	/* Not with what full checks, or a sanitizer, add to each block. */
	setenv("PRIVHEAP_CHECK", "off", 1);
	heap = HeapCreate(0, 0, 1 * MIB);
	while ((p = HeapAlloc(heap, 0, 10000)) != NULL) {
		last = p;
		count++;
	}
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_LE(70, count);
	EXPECT_TRUE(HeapFree(heap, 0, last));
	EXPECT_NE(NULL, HeapAlloc(heap, 0, 10000));
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST(commit_never_falls)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	HANDLE heap = HeapCreate(0, 64 * KIB, 64 * MIB);
	void *p = HeapAlloc(heap, 0, 8 * MIB);
	size_t full;

	ASSERT_EQ(0, privheap_stats(heap, &stats));
	full = stats.committed;
	EXPECT_LE(8 * MIB, full);
	HeapFree(heap, 0, p);
	ASSERT_EQ(0, privheap_stats(heap, &stats));
	EXPECT_EQ(full, stats.committed);
}

TEST(quota_stops_growth)
{
	HANDLE heap = HeapCreate(0, 0, 0);
	void *p = NULL;
	int i;

	ASSERT_NE(NULL, HeapAlloc(heap, 0, 10));
	ASSERT_EQ(0, privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 32 * MIB));
	for (i = 0; i < 64 && (!i || p); i++)
		p = HeapAlloc(heap, 0, 1 * MIB);
	EXPECT_EQ(NULL, p);
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	EXPECT_EQ(EDQUOT, errno);
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
}

TEST_HARNESS_MAIN

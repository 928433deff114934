// SPDX-License-Identifier: GPL-2.0 OR MIT
/* How much of its maximum a heap really gives. */
#include "unit.h"

static const size_t maxima[] = { KIB(4), KIB(64), KIB(256), MIB(1), MIB(3), MIB(64) };

#define FOR_EACH(i, table)	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)

/* Blocks of n until there is no more, written to the last byte; how many fitted. */
static size_t fill(struct heap *heap, size_t n)
{
	size_t count = 0;
	void *p;

	for (; (p = unit_alloc(heap, n)); count++)
		memset(p, 0xa5, n);
	return count;
}

TEST(blocks_of_64_fill_97_percent)
{
	FOR_EACH(i, maxima) {
		struct heap *heap = unit_heap(0, maxima[i], 0);

		ASSERT_NE(NULL, heap);
		EXPECT_GE(fill(heap, 64) * 64 * 100, maxima[i] * 97);
		EXPECT_TRUE(unit_sound(heap));
		EXPECT_EQ(0, heap_destroy(heap));
	}
}

TEST(blocks_of_any_size_fill_most)
{
	static const size_t sizes[] = { 0, 1, 16, 100, 200, 1000, 1024, 2048, 4096, 5000, 20000 };

	FOR_EACH(i, sizes) {
		struct heap *heap = unit_heap(0, MIB(8), 0);
		size_t round = sizes[i] < 16 ? 16 : sizes[i];

		ASSERT_NE(NULL, heap);
		EXPECT_GE(fill(heap, sizes[i]) * round * 100, MIB(8) * 80);
		EXPECT_TRUE(unit_sound(heap));
		EXPECT_EQ(0, heap_destroy(heap));
	}
}

TEST(one_block_is_the_whole_maximum)
{
	FOR_EACH(i, maxima) {
		struct heap *heap = unit_heap(0, maxima[i], 0);
		char *p;

		ASSERT_NE(NULL, heap);
		p = unit_alloc(heap, maxima[i]);
		ASSERT_EQ(heap_handle(heap), p);
		memset(p, 1, maxima[i]);
		EXPECT_EQ(NULL, unit_alloc(heap, 1));
		EXPECT_EQ(HEAP_OK, heap_free(heap, p));
		EXPECT_NE(NULL, unit_alloc(heap, 1));
		EXPECT_EQ(0, heap_destroy(heap));
	}
}

/* All free again: the pages of one size must serve every other. */
TEST(what_was_freed_serves_any_size)
{
	static const size_t sizes[] = { 64, 4096, 48, 30000, 1000, 16 };
	struct heap *heap = unit_heap(0, MIB(4), 0);
	static void *blocks[(1 << 18) + 1];

	ASSERT_NE(NULL, heap);
	FOR_EACH(i, sizes) {
		size_t count = 0;

		while ((blocks[count] = unit_alloc(heap, sizes[i])))
			count++;
		EXPECT_GE(count * sizes[i] * 100, MIB(4) * 84)
			TH_LOG("size %zu: %zu blocks", sizes[i], count);
		while (count--) {
			ASSERT_EQ(HEAP_OK, heap_free(heap, blocks[count]));
		}
		EXPECT_TRUE(unit_sound(heap));
		EXPECT_EQ(0, unit_stats(heap).blocks);
	}
	EXPECT_NE(NULL, unit_alloc(heap, MIB(4)));
	EXPECT_EQ(0, heap_destroy(heap));
}

/* Slabs keep a few frees to themselves for a while, but not when there is nothing else. */
TEST(every_freed_block_can_be_had_again)
{
	static void *blocks[MIB(4) / 64];

	FOR_EACH(i, maxima) {
		size_t maximum = maxima[i] > MIB(4) ? MIB(4) : maxima[i], count = maximum / 64;
		struct heap *heap = unit_heap(0, maximum, 0);

		ASSERT_NE(NULL, heap);
		/* To the last block, but without being refused one. */
		for (size_t k = 0; k < count; k++) {
			blocks[k] = unit_alloc(heap, 64);
			ASSERT_NE(NULL, blocks[k]);
		}
		for (size_t k = 0; k < count; k += 7) {
			ASSERT_EQ(HEAP_OK, heap_free(heap, blocks[k]));
			if (k % 3 == 0) {
				blocks[k] = unit_alloc(heap, 64);
				ASSERT_NE(NULL, blocks[k]) TH_LOG("block %zu of %zu", k, count);
			}
		}
		for (size_t k = 0; k < count; k += 7) {
			ASSERT_TRUE(k % 3 == 0 || unit_alloc(heap, 64)) TH_LOG("block %zu", k);
		}
		EXPECT_EQ(NULL, unit_alloc(heap, 64));
		EXPECT_TRUE(unit_sound(heap));
		EXPECT_EQ(0, heap_destroy(heap));
	}
}

TEST(impossible_sizes_fail)
{
	static const size_t sizes[] = { KIB(64) + 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4095,
					SIZE_MAX / 2 + 1 };
	struct heap *heap = unit_heap(0, KIB(64), 0);
	int error;

	ASSERT_NE(NULL, heap);
	FOR_EACH(i, sizes) {
		error = 0;
		EXPECT_EQ(NULL, heap_alloc(heap, sizes[i], 16, 0, &error));
		EXPECT_EQ(ENOMEM, error);
	}
	EXPECT_TRUE(unit_sound(heap));
}

TEST(alignments)
{
	struct heap *heap = unit_heap(0, 0, 0);
	int error;

	ASSERT_NE(NULL, heap);
	for (size_t align = 16; align <= MIB(16); align *= 2) {
		for (size_t n = 0; n < KIB(20); n = n * 2 + 7) {
			char *p = heap_alloc(heap, n, align, 0, &error);

			ASSERT_NE(NULL, p);
			ASSERT_EQ(0, (uintptr_t)p % align);
			memset(p, 0xff, n);
			ASSERT_EQ(n, unit_size(heap, p));
			if (n & 8) {
				ASSERT_EQ(HEAP_OK, heap_free(heap, p));
			}
		}
	}
	EXPECT_TRUE(unit_sound(heap));
}

TEST(zeroed_blocks_are_zero)
{
	struct heap *heap = unit_heap(0, MIB(16), 0);
	static const char zeros[KIB(128)];
	int error;

	ASSERT_NE(NULL, heap);
	for (size_t n = 1; n <= sizeof(zeros); n += n / 3 + 1) {
		for (int round = 0; round < 3; round++) {
			char *p = heap_alloc(heap, n, 16, HEAP_F_ZERO, &error);

			ASSERT_NE(NULL, p);
			ASSERT_EQ(0, memcmp(p, zeros, n));
			memset(p, 0x77, n);
			if (round) {
				ASSERT_EQ(HEAP_OK, heap_free(heap, p));
			}
		}
	}
	EXPECT_TRUE(unit_sound(heap));
}

TEST_HARNESS_MAIN

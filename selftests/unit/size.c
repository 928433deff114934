// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The requested size, exactly, whatever became of the block. */
#include "unit.h"

#define LAST	70000

TEST(size_is_what_was_asked)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);

	ASSERT_NE(NULL, heap);
	for (size_t n = 0; n <= LAST; n++) {
		char *p = unit_alloc(heap, n);

		ASSERT_NE(NULL, p);
		ASSERT_EQ(0, (uintptr_t)p % 16);
		memset(p, 0xee, n);
		ASSERT_EQ(n, unit_size(heap, p));
		ASSERT_EQ(HEAP_OK, heap_free(heap, p));
	}
}

TEST(blocks_of_size_0_are_distinct)
{
	struct heap *heap = unit_heap(0, KIB(64), 0);
	char *p, *q;

	ASSERT_NE(NULL, heap);
	p = unit_alloc(heap, 0);
	q = unit_alloc(heap, 0);
	EXPECT_NE(NULL, p);
	EXPECT_NE(p, q);
	EXPECT_EQ(0, unit_size(heap, p));
}

TEST(shrinking_to_any_size_stays_in_place)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	void *p, *q;
	int error;

	ASSERT_NE(NULL, heap);
	for (size_t n = 1; n <= LAST; n += 97) {
		for (size_t to = n; to; to = to * 2 / 3) {
			p = unit_alloc(heap, n);
			memset(p, 3, n);
			ASSERT_EQ(HEAP_OK, heap_realloc(heap, p, to, 0, &q, &error));
			ASSERT_EQ(p, q);
			ASSERT_EQ(to, unit_size(heap, q));
			ASSERT_EQ(HEAP_OK, heap_free(heap, q));
		}
	}
	EXPECT_TRUE(unit_sound(heap));
}

TEST(shrinking_then_growing_back_stays_in_place)
{
	static const size_t sizes[] = { 100, 1000, 3000, 40000, 100000, 2000000 };
	struct heap *heap = unit_heap(0, MIB(16), 0);
	void *p, *q;
	int error;

	ASSERT_NE(NULL, heap);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = unit_alloc(heap, sizes[i]);
		ASSERT_EQ(HEAP_OK, heap_realloc(heap, p, 0, HEAP_F_IN_PLACE, &q, &error));
		ASSERT_EQ(p, q);
		ASSERT_EQ(0, unit_size(heap, p));
		ASSERT_EQ(HEAP_OK, heap_realloc(heap, p, sizes[i], HEAP_F_IN_PLACE, &q, &error));
		ASSERT_EQ(p, q);
		ASSERT_EQ(sizes[i], unit_size(heap, p));
	}
	EXPECT_TRUE(unit_sound(heap));
}

TEST(growing_with_zero_zeroes_only_what_grew)
{
	static const size_t steps[] = { 1, 5, 16, 17, 90, 91, 1000, 4000, 4096, 5000, 40000, 40001,
					123456, 1500000 };
	struct heap *heap = unit_heap(0, MIB(16), 0);
	size_t old = 0;
	char *p;
	int error;

	ASSERT_NE(NULL, heap);
	p = unit_alloc(heap, 0);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		/* Something in the way, so that some steps move and some do not. */
		if (i % 3 == 0) {
			ASSERT_NE(NULL, unit_alloc(heap, steps[i]));
		}
		ASSERT_EQ(HEAP_OK, heap_realloc(heap, p, steps[i], HEAP_F_ZERO, (void **)&p,
						&error));
		ASSERT_NE(NULL, p);
		for (size_t k = 0; k < steps[i]; k++) {
			ASSERT_EQ(k < old ? 0x5a : 0, p[k]) TH_LOG("step %zu, byte %zu", i, k);
		}
		memset(p, 0x5a, steps[i]);
		old = steps[i];
	}
	EXPECT_TRUE(unit_sound(heap));
}

TEST(growing_without_space_leaves_the_block)
{
	struct heap *heap = unit_heap(0, KIB(64), 0);
	void *q = heap;
	int error = 0;
	char *p;

	ASSERT_NE(NULL, heap);
	p = unit_alloc(heap, 30000);
	memset(p, 9, 30000);
	ASSERT_NE(NULL, unit_alloc(heap, 1));
	EXPECT_EQ(HEAP_OK, heap_realloc(heap, p, 60000, 0, &q, &error));
	EXPECT_EQ(NULL, q);
	EXPECT_EQ(ENOMEM, error);
	EXPECT_EQ(HEAP_OK, heap_realloc(heap, p, SIZE_MAX, 0, &q, &error));
	EXPECT_EQ(NULL, q);
	EXPECT_EQ(30000, unit_size(heap, p));
	EXPECT_EQ(9, p[29999]);
	EXPECT_TRUE(unit_sound(heap));
}

TEST(large_blocks_grow_in_place_into_the_tail)
{
	struct heap *heap = unit_heap(0, MIB(4), 0);
	void *p, *q;
	int error;

	ASSERT_NE(NULL, heap);
	p = unit_alloc(heap, KIB(100));
	for (size_t n = KIB(100); n <= MIB(4); n += KIB(60)) {
		ASSERT_EQ(HEAP_OK, heap_realloc(heap, p, n, HEAP_F_IN_PLACE, &q, &error));
		ASSERT_EQ(p, q);
	}
	EXPECT_EQ(1, unit_stats(heap).blocks);
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Looking at whole heaps: pieces, signal handlers that must not wait, and damaged records. */
#include <pthread.h>
#include "alloc/run_walk.h"
#include "api/oom.h"
#include "unit.h"

static size_t blocks_met(struct heap *heap)
{
	struct heap_item item = { .start = NULL };
	size_t blocks = 0;

	while (heap_walk(heap, &item) == 1)
		blocks += item.kind == HEAP_ITEM_BLOCK;
	return blocks;
}

/* Runs of every length around that of a piece, free ones between them. */
TEST(pieces_lose_and_repeat_nothing)
{
	struct heap *heap = unit_heap(0, MIB(1024), 0);
	struct heap_stats stats;
	void *p[300], *small;
	size_t sum = 0;

	for (size_t i = 0; i < 300; i++) {
		p[i] = unit_alloc(heap, (i + 1) * UNIT_PAGE - 1);
		small = unit_alloc(heap, 40000);
		ASSERT_TRUE(p[i] && small);
		sum += 40000;
	}
	for (size_t i = 0; i < 300; i++) {
		if (i % 3) {
			heap_free(heap, p[i]);
		} else {
			sum += (i + 1) * UNIT_PAGE - 1;
		}
	}
	stats = unit_stats(heap);
	EXPECT_EQ(400, stats.blocks);
	EXPECT_EQ(sum, stats.allocated);
	EXPECT_EQ(400, blocks_met(heap));
	EXPECT_TRUE(unit_sound(heap));
}

/* What a piece finds where the last one ended: the start of a run, its inside, the top. */
TEST(run_from_any_page)
{
	struct heap *heap = unit_heap(0, MIB(4), 0);
	char *p = unit_alloc(heap, 10 * UNIT_PAGE), *q;
	size_t first = (size_t)(p - heap->base) / UNIT_PAGE;

	q = unit_alloc(heap, 12 * UNIT_PAGE);
	ASSERT_EQ(p + 10 * UNIT_PAGE, q);
	EXPECT_EQ(first, run_from(heap, first));
	for (size_t i = 1; i <= 10; i++) {
		EXPECT_EQ(first + 10, run_from(heap, first + i));
	}
	for (size_t i = 11; i < 30; i++) {
		EXPECT_EQ(heap->runs.top, run_from(heap, first + i));
	}
	heap_free(heap, p);
	EXPECT_EQ(first + 10, run_from(heap, first + 1));
	EXPECT_EQ(first + 10, run_from(heap, first + 9));
}

TEST(compact_finds_the_longest_run_of_its_bin)
{
	struct heap *heap = unit_heap(0, MIB(4), 0);
	static const size_t pages[] = { 40, 47, 45, 41 };
	void *p[4];

	for (size_t i = 0; i < 4; i++) {
		p[i] = unit_alloc(heap, pages[i] * UNIT_PAGE);
		ASSERT_TRUE(p[i] && unit_alloc(heap, UNIT_PAGE * 16));
	}
	while (heap->runs.top << PAGE_SHIFT < heap->range.committed) {
		ASSERT_NE(NULL, unit_alloc(heap, heap->range.committed -
					   (heap->runs.top << PAGE_SHIFT)));
	}
	for (size_t i = 0; i < 4; i++) {
		heap_free(heap, p[i]);
	}
	EXPECT_EQ(47 * UNIT_PAGE, heap_compact(heap));
}

/* As in a signal handler that interrupted the library while it had a lock. */
TEST(nothing_waits_in_a_signal_handler)
{
	struct heap *heap = unit_heap(0, MIB(1), 0);
	struct heap_item item = { .start = NULL };
	struct heap_stats stats;
	void *p = unit_alloc(heap, 100), *large = unit_alloc(heap, KIB(300)), *out;
	int error;

	memset(large, 'x', KIB(300));
	lock_take(&heap->lock);
	EXPECT_EQ(HEAP_OK, heap_realloc(heap, large, 50, 0, &out, &error));
	EXPECT_EQ(NULL, out);
	EXPECT_EQ(ENOMEM, error);
	EXPECT_EQ(-EDEADLK, heap_user_lock(heap));
	EXPECT_EQ(-EDEADLK, heap_walk(heap, &item));
	EXPECT_EQ(NULL, item.start);
	EXPECT_EQ(-EDEADLK, heap_stats(heap, &stats));
	EXPECT_EQ(0, heap_compact(heap));
	EXPECT_EQ(-EDEADLK, heap_list(NULL, 0));
	EXPECT_EQ(-EDEADLK, oom_set(heap, NULL, NULL));
	EXPECT_FALSE(oom_retry(heap, 1));
	heap_compact_all();
	EXPECT_TRUE(unit_sound(heap));
	lock_drop(&heap->lock);
	EXPECT_EQ(2, unit_stats(heap).blocks);
	EXPECT_EQ(HEAP_OK, heap_free(heap, p));
	EXPECT_EQ(HEAP_OK, heap_realloc(heap, large, 50, 0, &out, &error));
	EXPECT_EQ(0, strncmp(out, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 50));
}

static void *stop_and_wait(void *heap)
{
	heap_user_lock(heap);
	return NULL;
}

TEST(handler_does_not_wait_for_who_stopped_the_heap)
{
	struct heap *heap = unit_heap(0, MIB(1), 0);
	void *p = unit_alloc(heap, 100);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, stop_and_wait, heap));
	pthread_join(thread, NULL);
	lock_depth++;
	EXPECT_EQ(HEAP_OK, heap_free(heap, p));
	EXPECT_EQ(-EPERM, heap_user_unlock(heap));
	lock_depth--;
}

/* No lock, hang or crash over records that somebody has damaged. */
TEST(damaged_records)
{
	struct heap *heap = unit_heap(0, MIB(4), 0);
	struct heap_stats stats;
	const void *bad;
	struct page *page;
	char *p[8];

	for (int i = 0; i < 8; i++) {
		p[i] = unit_alloc(heap, 10 * UNIT_PAGE);
		ASSERT_NE(NULL, p[i]);
	}
	page = heap_page(heap, (size_t)(p[3] - heap->base) / UNIT_PAGE);
	for (size_t count = 0; count < 2000; count += 999) {
		page_set(page, PAGE_LARGE, count ? heap->runs.pages + count : 0);
		EXPECT_EQ(HEAP_METADATA, heap_validate(heap, NULL, &bad));
		EXPECT_EQ(p[3], bad);
		EXPECT_EQ(0, heap_stats(heap, &stats));
		EXPECT_EQ(3, stats.blocks);
		EXPECT_GE(8, blocks_met(heap));
	}
	page_set(page, PAGE_NONE, 0);
	EXPECT_NE(HEAP_OK, heap_validate(heap, NULL, &bad));
	EXPECT_GE(8, blocks_met(heap));
}

TEST_HARNESS_MAIN

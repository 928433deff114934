// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Many threads on one heap. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>

#include "heapapi.h"

#define THREADS	8

static HANDLE heap;
static atomic_int failures;

static void run_threads(void *(*body)(void *))
{
	pthread_t threads[THREADS];
	uintptr_t i;

	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, body, (void *)(i + 1));
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void expect(bool condition)
{
	if (!condition)
		atomic_fetch_add(&failures, 1);
}

static unsigned int next(unsigned int *seed)
{
	return *seed = *seed * 1103515245 + 12345;
}

struct slot {
	unsigned char *p;
	SIZE_T n;
	unsigned char value;
};

static void replace(struct slot *slot, unsigned int *seed)
{
	if (slot->p) {
		expect(HeapSize(heap, 0, slot->p) == slot->n);
		expect(all_bytes(slot->p, slot->value, slot->n));
		expect(HeapFree(heap, 0, slot->p));
	}
	slot->n = (next(seed) >> 8) % (next(seed) & 0x100000 ? 300 : 10000);
	slot->value = (unsigned char)(next(seed) >> 16);
	slot->p = HeapAlloc(heap, 0, slot->n);
	expect(slot->p);
	if (slot->p)
		memset(slot->p, slot->value, slot->n);
}

static void *churn(void *number)
{
	unsigned int seed = (unsigned int)(uintptr_t)number;
	struct slot slots[100] = { 0 };
	int i;

	for (i = 0; i < 3000; i++)
		replace(&slots[(next(&seed) >> 12) % COUNT(slots)], &seed);
	return NULL;
}

TEST(eight_threads_allocate_and_free)
{
	heap = HeapCreate(0, 0, 256 * MIB);
	ASSERT_NE(NULL, heap);
	run_threads(churn);
	EXPECT_EQ(0, atomic_load(&failures));
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}

static void *_Atomic handed[256];

static void *hand_over(void *number)
{
	unsigned int seed = (unsigned int)(uintptr_t)number;
	int i;

	for (i = 0; i < 5000; i++) {
		SIZE_T n = 8 + (next(&seed) >> 10) % 500;
		SIZE_T *p = HeapAlloc(heap, 0, n);

		expect(p);
		if (!p)
			break;
		*p = n;
		p = atomic_exchange(&handed[(next(&seed) >> 12) % COUNT(handed)], p);
		expect(!p || (HeapSize(heap, 0, p) == *p && HeapFree(heap, 0, p)));
	}
	return NULL;
}

TEST(blocks_freed_by_other_threads)
{
	heap = HeapCreate(0, 0, 0);
	ASSERT_NE(NULL, heap);
	run_threads(hand_over);
	EXPECT_EQ(0, atomic_load(&failures));
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}

static void *raise_often(void *unused)
{
	volatile int i, taken = 0;

	(void)unused;
	for (i = 0; i < 200; i++) {
		HEAP_TRY {
			expect(!HeapAlloc(heap, HEAP_GENERATE_EXCEPTIONS, 64 * MIB));
		} HEAP_EXCEPT(i % 2 ? 1 : -1) {
			taken++;
		} HEAP_END_TRY
	}
	expect(taken == 100);
	return NULL;
}

TEST(eight_threads_raise)
{
	heap = HeapCreate(0, 0, 1 * MIB);
	ASSERT_NE(NULL, heap);
	run_threads(raise_often);
	EXPECT_EQ(0, atomic_load(&failures));
	EXPECT_NE(NULL, HeapAlloc(heap, 0, 1000));
}

static void *own_heaps(void *number)
{
	int i;

	for (i = 0; i < 200; i++) {
		HANDLE own = HeapCreate(0, 0, 1 * MIB);
		void *p = HeapAlloc(own, 0, 1000 * (SIZE_T)(uintptr_t)number);

		expect(own && p);
		expect(HeapDestroy(own));
	}
	return NULL;
}

TEST(eight_threads_create_and_destroy)
{
	run_threads(own_heaps);
	EXPECT_EQ(0, atomic_load(&failures));
}

static void *same_process_heap(void *unused)
{
	(void)unused;
	expect(GetProcessHeap() == heap);
	return NULL;
}

static void *first_process_heap(void *unused)
{
	static void *_Atomic seen;
	void *none = NULL, *mine = GetProcessHeap();

	(void)unused;
	expect(mine);
	expect(atomic_compare_exchange_strong(&seen, &none, mine) || none == mine);
	return NULL;
}

TEST(one_process_heap_for_all_threads)
{
	run_threads(first_process_heap);
	heap = GetProcessHeap();
	run_threads(same_process_heap);
	EXPECT_EQ(0, atomic_load(&failures));
}

static void *exhaust(void *unused)
{
	void *p;

	(void)unused;
	while ((p = HeapAlloc(heap, 0, 3000)) != NULL)
		memset(p, 1, 3000);
	expect(GetLastError() == ERROR_NOT_ENOUGH_MEMORY);
	return NULL;
}

TEST(eight_threads_reach_the_maximum_together)
{
	heap = HeapCreate(0, 0, 8 * MIB);
	ASSERT_NE(NULL, heap);
	run_threads(exhaust);
	EXPECT_EQ(0, atomic_load(&failures));
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST_HARNESS_MAIN

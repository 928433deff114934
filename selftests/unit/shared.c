// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Heaps where glibc has registered no rseq area, as on kernels without rseq: no CPU owns a slab, all
 * share them. This program starts itself again so.
 */
#include <pthread.h>
#include <unistd.h>
#include "alloc/types.h"
#include "unit.h"

#define THREADS	4
#define ROUNDS	20000
#define SLOTS	64

static void *churn(void *argument)
{
	struct heap *heap = argument;
	void *slots[SLOTS] = { NULL };
	uint64_t seed = (uintptr_t)slots | 1;
	long wrong = 0;

	for (int i = 0; i < ROUNDS; i++) {
		void **slot = &slots[unit_random(&seed) % SLOTS];

		wrong += *slot && heap_free(heap, *slot) != HEAP_OK;
		*slot = unit_alloc(heap, 1 + unit_random(&seed) % 2000);
		wrong += !*slot;
	}
	for (int i = 0; i < SLOTS; i++)
		wrong += slots[i] && heap_free(heap, slots[i]) != HEAP_OK;
	return (void *)wrong;
}

TEST(large_heaps_are_shared)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);

	ASSERT_NE(NULL, heap);
	EXPECT_EQ(HEAP_SHARED, heap->mode);
}

TEST(threads_share_it)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	pthread_t threads[THREADS];
	void *wrong;

	ASSERT_NE(NULL, heap);
	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, churn, heap));
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		EXPECT_EQ(NULL, wrong);
	}
	EXPECT_TRUE(unit_sound(heap));
	EXPECT_EQ(0, unit_stats(heap).blocks);
	EXPECT_EQ(0, heap_destroy(heap));
}

int main(int argc, char **argv)
{
	if (!getenv("GLIBC_TUNABLES")) {
		setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	return test_harness_run(argc, argv);
}

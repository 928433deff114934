// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Slabs are found again: the next group, the one that was freed, the ones on another CPU. */
#include "unit.h"
#include <sched.h>
#include "alloc/types.h"
#include "include/heapapi.h"
#include "os/lock.h"

#define BLOCK	64
#define MANY	(MIB(16) / BLOCK)

static void *blocks[MANY];

static bool fill(struct heap *heap, size_t from, size_t step)
{
	for (size_t i = from; i < MANY; i += step) {
		blocks[i] = unit_alloc(heap, BLOCK);
		if (!blocks[i])
			return false;
	}
	return true;
}

static bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/* As many CPUs as there are to run on, two at most. */
static int choose_cpus(int cpus[2])
{
	cpu_set_t set;
	int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	return n;
}

FIXTURE(slabs) {
};

FIXTURE_VARIANT(slabs) {
	size_t maximum;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(slabs, owned) { .maximum = MIB(64) };
FIXTURE_VARIANT_ADD(slabs, shared) { .maximum = MIB(1) };
FIXTURE_VARIANT_ADD(slabs, exclusive) { .maximum = MIB(64), .flags = HEAP_F_NO_SERIALIZE };

FIXTURE_SETUP(slabs)
{
}

FIXTURE_TEARDOWN(slabs)
{
}

/* Who has the lock already cannot wait for it: what is allocated then was had without. */
TEST_F(slabs, next_group_needs_no_lock)
{
	struct heap *heap = unit_heap(0, variant->maximum, variant->flags);
	int cpus[2];

	ASSERT_LT(0, choose_cpus(cpus));
	ASSERT_TRUE(run_on(cpus[0]));
	ASSERT_NE(NULL, heap);
	/* A slab of 4 KiB: four groups of 64 blocks. */
	for (int i = 0; i < 256; i++) {
		blocks[i] = unit_alloc(heap, 16);
		ASSERT_NE(NULL, blocks[i]);
	}
	for (int i = 0; i < 256; i += 64) {
		EXPECT_EQ(HEAP_OK, heap_free(heap, blocks[i]));
	}
	lock_take(&heap->lock);
	for (int i = 0; i < 4; i++) {
		EXPECT_NE(NULL, unit_alloc(heap, 16));
	}
	if (!(variant->flags & HEAP_F_NO_SERIALIZE)) {
		EXPECT_EQ(NULL, unit_alloc(heap, 16));
	}
	lock_drop(&heap->lock);
	EXPECT_NE(NULL, unit_alloc(heap, 16));
	EXPECT_TRUE(unit_sound(heap));
	EXPECT_EQ(0, heap_destroy(heap));
}

/* Every other MiB, then every third block: space for as many is found, and the heap hardly grows. */
TEST(what_was_freed_is_found)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	size_t freed = 0, committed;

	ASSERT_NE(NULL, heap);
	ASSERT_TRUE(fill(heap, 0, 1));
	committed = unit_stats(heap).committed;
	for (size_t i = 0; i < MANY; i++) {
		if (i >> 14 & 1 || i % 3 == 0) {
			ASSERT_EQ(HEAP_OK, heap_free(heap, blocks[i]));
			freed++;
		}
	}
	while (freed--) {
		ASSERT_NE(NULL, unit_alloc(heap, BLOCK));
	}
	EXPECT_EQ(MANY, unit_stats(heap).blocks);
	EXPECT_LE(unit_stats(heap).committed, committed + committed / 4);
	EXPECT_TRUE(unit_sound(heap));
	EXPECT_EQ(0, heap_destroy(heap));
}

/* Its blocks are all of another CPU's slabs then; it frees and allocates them in turn. */
TEST(slabs_follow_a_thread_that_is_moved)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	size_t committed;
	uint64_t seed = 1;
	int cpus[2], n = choose_cpus(cpus);

	ASSERT_NE(NULL, heap);
	ASSERT_LT(0, n);
	ASSERT_TRUE(run_on(cpus[0]));
	ASSERT_TRUE(fill(heap, 0, 1));
	committed = unit_stats(heap).committed;
	for (int turn = 1; turn < 5; turn++) {
		ASSERT_TRUE(run_on(cpus[turn % n]));
		for (size_t i = 0; i < 2 * MANY; i++) {
			void **block = &blocks[unit_random(&seed) % MANY];

			ASSERT_EQ(HEAP_OK, heap_free(heap, *block));
			*block = unit_alloc(heap, BLOCK);
			ASSERT_NE(NULL, *block);
		}
	}
	EXPECT_LE(unit_stats(heap).committed, committed + committed / 2);
	EXPECT_TRUE(unit_sound(heap));
	EXPECT_EQ(0, heap_destroy(heap));
}

/* Each free in a full heap makes room at once, wherever it happens. */
TEST(freed_on_another_cpu_when_space_is_short)
{
	size_t all = 0;
	HANDLE heap;
	int cpus[2], n = choose_cpus(cpus);

	setenv("PRIVHEAP_BACKEND", "anon", 1);
	heap = HeapCreate(0, 0, MIB(16));
	ASSERT_NE(NULL, heap);
	ASSERT_LT(0, n);
	ASSERT_TRUE(run_on(cpus[0]));
	while (all < MANY && (blocks[all] = HeapAlloc(heap, 0, BLOCK)))
		all++;
	EXPECT_EQ(NULL, HeapAlloc(heap, 0, BLOCK));
	ASSERT_TRUE(run_on(cpus[n - 1]));
	for (size_t i = 0; i < all; i += 37) {
		ASSERT_TRUE(HeapFree(heap, 0, blocks[i]));
		ASSERT_EQ(blocks[i], HeapAlloc(heap, 0, BLOCK));
		ASSERT_EQ(NULL, HeapAlloc(heap, 0, BLOCK));
	}
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST_HARNESS_MAIN

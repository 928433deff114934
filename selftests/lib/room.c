// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Growable heaps and addresses: what a process has left when they are made, and what they need to be
 * made: HOSTILE F12.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "heapapi.h"
#include "privheap.h"

#ifndef __SANITIZE_ADDRESS__	/* which needs terabytes of addresses itself */

/* So many MiB are left. */
static void leave(size_t mib)
{
	struct rlimit limit = { statm(0) + mib * MIB, RLIM_INFINITY };

	CHECK_IN_CHILD(setrlimit(RLIMIT_AS, &limit) == 0);
}

static size_t left_mib;

/* Where malloc could still get 64 MiB there is a heap, and the half is left to the program. */
static void works_with_what_is_left(void)
{
	size_t half = (left_mib / 2 - 1) * MIB, before;
	HANDLE heap, second;
	void *p;

	leave(left_mib);
	before = statm(0);
	heap = GetProcessHeap();
	CHECK_IN_CHILD(heap);
	CHECK_IN_CHILD(statm(0) - before <= left_mib * MIB / 2 + 1 * MIB);
	p = mmap(NULL, half, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK_IN_CHILD(p != MAP_FAILED);
	munmap(p, half);
	/* Not more than a guest has, or its quotas allow. */
	CHECK_IN_CHILD(HeapAlloc(heap, 0, (left_mib / 4 < 200 ? left_mib / 4 : 200) * MIB));
	second = HeapCreate(0, 0, 0);
	CHECK_IN_CHILD(second && HeapAlloc(second, 0, 1 * MIB));
	CHECK_IN_CHILD(HeapCreate(0, 0, 1 * MIB));
	CHECK_IN_CHILD(HeapDestroy(second));
}

TEST(L9_heaps_under_every_limit_of_addresses)
{
	for (left_mib = 70; left_mib < 18000; left_mib += left_mib < 1000 ? 90 : 700) {
		struct outcome out;

		run_in_child(&out, works_with_what_is_left);
		ASSERT_TRUE(exited(&out, 0)) TH_LOG("%zu MiB: %s", left_mib, out.text);
	}
}

/* Beside the process heap, which a machine with this much memory or less makes smaller than that. */
static void fixed_heap_beside_growable(void)
{
	struct rlimit limit = { 36 * 1024 * MIB, 36 * 1024 * MIB };

	if (sysconf(_SC_PHYS_PAGES) * 4096UL > 24 * 1024 * MIB)
		leave(40 * 1024);
	CHECK_IN_CHILD(GetProcessHeap());
	CHECK_IN_CHILD(setrlimit(RLIMIT_AS, &limit) == 0);
	CHECK_IN_CHILD(HeapCreate(0, 0, 16 * MIB));
	CHECK_IN_CHILD(HeapCreate(0, 0, 0));
	CHECK_IN_CHILD(HeapCreate(0, 0, 1024 * MIB));
}

TEST(L18_fixed_heap_under_36_gib)
{
	EXPECT_CHILD_OK(fixed_heap_beside_growable);
}

TEST(L18_ten_thousand_growable_heaps)
{
	static HANDLE heaps[10000];
	size_t i, before = statm(0);

	for (i = 0; i < COUNT(heaps); i++) {
		heaps[i] = HeapCreate(0, 0, 0);
		ASSERT_NE(NULL, heaps[i]) TH_LOG("heap %zu: errno %d", i, errno);
		ASSERT_NE(NULL, HeapAlloc(heaps[i], 0, 100));
	}
	EXPECT_GE((size_t)1 << 46, statm(0) - before);
	/* The last one can still hold something. */
	EXPECT_NE(NULL, HeapAlloc(heaps[i - 1], 0, 50 * MIB));
	for (i = 0; i < COUNT(heaps); i++)
		ASSERT_TRUE(HeapDestroy(heaps[i]));
}

#endif

TEST(L18_fresh_growable_heap_walks_with_a_sane_size)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };
	HANDLE heap = HeapCreate(0, 0, 0);
	size_t uncommitted = 0;

	ASSERT_NE(NULL, heap);
	ASSERT_TRUE(HeapWalk(heap, &entry));
	EXPECT_GE(64 * MIB, entry.Region.dwUnCommittedSize);
	while (HeapWalk(heap, &entry))
		if (entry.wFlags == PROCESS_HEAP_UNCOMMITTED_RANGE)
			uncommitted += entry.cbData;
	EXPECT_LT(0, uncommitted);
	EXPECT_GE(64 * MIB, uncommitted);
	ASSERT_TRUE(HeapSummary(heap, 0, &summary));
	EXPECT_EQ(summary.cbCommitted + uncommitted, summary.cbReserved);
	EXPECT_LE(summary.cbReserved, summary.cbMaxReserve);
	/* It grows with the heap. */
	ASSERT_NE(NULL, HeapAlloc(heap, 0, 100 * MIB));
	ASSERT_TRUE(HeapSummary(heap, 0, &summary));
	EXPECT_LE(100 * MIB, summary.cbReserved);
	EXPECT_GE(256 * MIB, summary.cbReserved);
	EXPECT_TRUE(HeapDestroy(heap));
}

/* Nobody is killed for it: it is refused. */
static void initial_beyond_memory(void)
{
	static const size_t tib[] = { 8, 4, 1 };
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	size_t i, memory = (size_t)sysconf(_SC_PHYS_PAGES) * 4096;
	privheap_t *heap;

	for (i = 0; i < COUNT(tib); i++) {
		size_t bytes = tib[i] * 1024 * 1024 * MIB;

		CHECK_IN_CHILD(!HeapCreate(0, bytes, bytes));
		CHECK_IN_CHILD(GetLastError() == ERROR_NOT_ENOUGH_MEMORY);
		CHECK_IN_CHILD(errno == ENOMEM || errno == EDQUOT);
		CHECK_IN_CHILD(!HeapCreate(0, bytes, 0));
	}
	CHECK_IN_CHILD(!HeapCreate(0, 2 * memory, 2 * memory));
	CHECK_IN_CHILD(!HeapCreate(0, 2 * memory, 0));
	attr.populate = true;
	attr.maximum = 4 * memory;
	heap = privheap_create(&attr);
	CHECK_IN_CHILD(heap && !privheap_alloc(heap, 3 * memory));
	CHECK_IN_CHILD(privheap_alloc(heap, 1 * MIB) && privheap_validate(heap, NULL));
	CHECK_IN_CHILD(privheap_destroy(heap) == 0);
}

TEST(L10_initial_beyond_memory)
{
	EXPECT_CHILD_OK(initial_beyond_memory);
}

/* What lies before it is committed, but nothing is in it. */
TEST(L10_alignments_up_to_a_gib)
{
	static const size_t sizes[] = { 1, 4096, 100 * KIB, 1000 * KIB };
	size_t align, i;

	setenv("PRIVHEAP_CHECK", "off", 1);
	statm(1);
	for (align = 64 * KIB; align <= 1024 * MIB; align *= 4) {
		for (i = 0; i < COUNT(sizes); i++) {
			privheap_t *heap = privheap_create(NULL);
			size_t before = statm(1);
			char *p = privheap_aligned_alloc(heap, align, sizes[i]);

			/* A guest's memory, and with it its quotas, may be less than the largest. */
			if (!p && (errno == EDQUOT || errno == ENOMEM) && align >= 512 * MIB)
				continue;
			ASSERT_NE(NULL, p) TH_LOG("align %zu errno %d", align, errno);
			EXPECT_EQ(0, (uintptr_t)p % align);
			memset(p, 1, sizes[i]);
			EXPECT_GE(before + sizes[i] + 2 * MIB + 256 * KIB, statm(1))
				TH_LOG("align %zu size %zu: %zu more", align, sizes[i],
				       statm(1) - before);
			EXPECT_EQ(0, privheap_destroy(heap));
		}
	}
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Heaps that stay in memory, mlockall(2) beside heaps, and RLIMIT_MEMLOCK: HOSTILE.md F2. */
#include <sys/resource.h>

#include "memory.h"

#define LOCKED	PRIVHEAP_CREATE_LOCKED
#define SECRET	PRIVHEAP_CREATE_SECRET

/* Bytes that /proc/self/status tells of, "VmPin:" or "VmLck:". */
static uint64_t status(const char *key)
{
	return number_in("/proc/self/status", key) * KIB;
}

static bool is_locked(int dev, const struct privheap_create *heap)
{
	return heap_stat(dev, heap->heap).flags & LOCKED;
}

/* From here on this process has no privilege, and may lock so much. */
static bool become_bounded(uint64_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	return !setrlimit(RLIMIT_MEMLOCK, &limit) &&
	       (geteuid() || !setresuid(NOBODY, NOBODY, NOBODY));
}

TEST(K10_locked_is_counted_as_the_commit_grows)
{
	int dev = device_open();
	struct privheap_create heap;

	ASSERT_TRUE(become_bounded(2 * MIB));
	ASSERT_EQ(0, heap_create(dev, 64 * KIB, 64 * MIB, LOCKED, &heap));
	EXPECT_TRUE(is_locked(dev, &heap));
	EXPECT_EQ(64 * KIB, status("VmPin:"));
	EXPECT_EQ(0, touch(heap.base + MIB));
	EXPECT_EQ(heap_stat(dev, heap.heap).committed, status("VmPin:"));
	EXPECT_EQ(0, heap_commit(dev, heap.heap, 2 * MIB, 0));
	EXPECT_EQ(2 * MIB, status("VmPin:"));
	EXPECT_EQ(SIGBUS, touch(heap.base + 2 * MIB));
	EXPECT_EQ(ENOMEM, heap_commit(dev, heap.heap, 2 * MIB + PAGE, 0));
	EXPECT_EQ(2 * MIB, heap_stat(dev, heap.heap).committed);
	EXPECT_EQ(2 * MIB, quota(dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(0, heap_destroy(dev, heap.heap));
	EXPECT_EQ(0, status("VmPin:"));
}

/* A touch takes a step less where the limit has no room for it. */
TEST(K10_a_touch_goes_to_the_limit)
{
	int dev = device_open();
	struct privheap_create heap;

	ASSERT_TRUE(become_bounded(20 * PAGE));
	ASSERT_EQ(0, heap_create(dev, 0, 64 * MIB, LOCKED, &heap));
	EXPECT_EQ(0, touch(heap.base));
	EXPECT_EQ(0, touch(heap.base + 19 * PAGE));
	EXPECT_EQ(SIGBUS, touch(heap.base + 20 * PAGE));
	EXPECT_EQ(20 * PAGE, status("VmPin:"));
}

TEST(K10_what_cannot_be_locked_is_not_made)
{
	int dev = device_open();
	struct privheap_create heap;

	ASSERT_TRUE(become_bounded(MIB));
	EXPECT_EQ(ENOMEM, heap_create(dev, MIB + PAGE, 64 * MIB, LOCKED, &heap));
	EXPECT_EQ(0, status("VmPin:"));
	EXPECT_EQ(0, quota(dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(0, quota(dev, PRIVHEAP_QUOTA_PROCESS).heaps);
}

TEST(K10_secret_is_locked_as_far_as_the_limit_allows)
{
	int dev = device_open();
	struct privheap_create heap;

	ASSERT_TRUE(become_bounded(MIB));
	ASSERT_EQ(0, heap_create(dev, 64 * KIB, 64 * MIB, SECRET, &heap));
	EXPECT_TRUE(is_locked(dev, &heap));
	EXPECT_EQ(64 * KIB, status("VmPin:"));
	EXPECT_EQ(0, heap_commit(dev, heap.heap, 2 * MIB, 0));
	EXPECT_FALSE(is_locked(dev, &heap));
	EXPECT_EQ(0, status("VmPin:"));
	EXPECT_EQ(0, heap_destroy(dev, heap.heap));
	EXPECT_EQ(0, status("VmPin:"));
}

TEST(K10_secret_and_locked_is_locked_or_not_made)
{
	int dev = device_open();
	struct privheap_create heap;

	ASSERT_TRUE(become_bounded(MIB));
	ASSERT_EQ(0, heap_create(dev, 0, 64 * MIB, SECRET | LOCKED, &heap));
	EXPECT_EQ(ENOMEM, heap_commit(dev, heap.heap, 2 * MIB, 0));
	EXPECT_TRUE(is_locked(dev, &heap));
}

/* Pages of a locked heap stay where those of another one go to swap. */
TEST(K10_locked_is_not_swapped)
{
	const size_t n = 8 * MIB;
	int dev = device_open();
	struct privheap_create ordinary, heaps[2];

	ASSERT_TRUE(swap_on());
	ASSERT_EQ(0, heap_create(dev, 0, n, 0, &ordinary));
	ASSERT_EQ(0, heap_create(dev, 0, n, LOCKED, &heaps[0]));
	ASSERT_EQ(0, heap_create(dev, 0, n, SECRET, &heaps[1]));
	fill(ordinary.base, n, 1);
	madvise(at(ordinary.base), n, MADV_PAGEOUT);
	EXPECT_GT(n / 2, heap_stat(dev, ordinary.heap).resident);
	for (int i = 0; i < 2; i++) {
		fill(heaps[i].base, n, 2);
		madvise(at(heaps[i].base), n, MADV_PAGEOUT);
		EXPECT_EQ(n, heap_stat(dev, heaps[i].heap).resident);
		EXPECT_EQ(0, wrong_words(at(heaps[i].base), n, 2));
	}
	EXPECT_EQ(0, heap_destroy(dev, ordinary.heap));
	EXPECT_TRUE(swap_off());
}

/* Before the first heap: heaps are locked, and no more of them is committed than asked for. */
TEST(K12_mlockall_of_what_is_to_come)
{
	static const int flags[] = { MCL_FUTURE, MCL_FUTURE | MCL_CURRENT, MCL_FUTURE | MCL_ONFAULT };
	int dev = device_open();

	for (int i = 0; i < 3; i++) {
		struct privheap_create heap;

		ASSERT_EQ(0, mlockall(flags[i]));
		ASSERT_EQ(0, heap_create(dev, 64 * KIB, 64 * GIB, 0, &heap));
		EXPECT_EQ(64 * KIB, heap.committed);
		EXPECT_EQ(64 * KIB, heap_stat(dev, heap.heap).committed);
		EXPECT_EQ(64 * KIB, quota(dev, PRIVHEAP_QUOTA_PROCESS).used);
		EXPECT_EQ(64 * KIB, status("VmPin:"));
		EXPECT_GT(GIB, status("VmLck:"));
		EXPECT_TRUE(is_locked(dev, &heap));
		EXPECT_EQ(0, heap_destroy(dev, heap.heap));
		munlockall();
	}
}

/* After it: what is reserved is not populated. */
TEST(K12_mlockall_of_what_is_there)
{
	int dev = device_open();
	struct privheap_create heap;

	ASSERT_EQ(0, heap_create(dev, 64 * KIB, 64 * GIB, 0, &heap));
	EXPECT_EQ(0, touch(heap.base + MIB));
	for (int i = 0; i < 2; i++) {
		uint64_t before = heap_stat(dev, heap.heap).committed;

		EXPECT_EQ(0, mlockall(i ? MCL_CURRENT | MCL_ONFAULT : MCL_CURRENT));
		EXPECT_EQ(before, heap_stat(dev, heap.heap).committed);
		munlockall();
	}
	/* Growth goes on as before. */
	EXPECT_EQ(0, touch(heap.base + 4 * MIB));
}

/* Under RLIMIT_MEMLOCK: mmap(2)'s own refusal of a reservation that is larger, and nothing held. */
TEST(K12_mlockall_without_privilege)
{
	int dev = device_open();
	struct privheap_create heap;

	ASSERT_TRUE(become_bounded(8 * MIB));
	ASSERT_EQ(0, mlockall(MCL_FUTURE));
	EXPECT_EQ(EAGAIN, heap_create(dev, 64 * KIB, 64 * MIB, 0, &heap));
	EXPECT_EQ(0, quota(dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(0, quota(dev, PRIVHEAP_QUOTA_PROCESS).heaps);
	EXPECT_EQ(0, status("VmPin:"));
	ASSERT_EQ(0, heap_create(dev, 64 * KIB, MIB, 0, &heap));
	EXPECT_EQ(64 * KIB, heap_stat(dev, heap.heap).committed);
	EXPECT_TRUE(is_locked(dev, &heap));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Heaps whose slabs belong to CPUs, while a CPU goes and comes back: for a guest with two, as root.
 */
#include "kselftest_harness.h"
#include "crowd.h"

#include <sched.h>

#define CPU		1
#define TURNS		20

static bool online(bool on)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, on ? "1" : "0", 1) == 1;

	if (fd >= 0)
		close(fd);
	return done;
}

static bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

FIXTURE(hotplug) {
	struct crowd crowd;
};

FIXTURE_SETUP(hotplug)
{
	ASSERT_TRUE(online(false));
	ASSERT_TRUE(online(true));
}

FIXTURE_TEARDOWN(hotplug)
{
	online(true);
}

/* Wherever that may be at the moment: where it is not, the thread stays. */
static void move(uint64_t random)
{
	if (random >> 8 & 1)
		run_on(random >> 9 & 1);
}

TEST_F_TIMEOUT(hotplug, crowd_while_a_cpu_comes_and_goes, 600)
{
	int i;

	self->crowd.before = move;
	ASSERT_TRUE(crowd_start(&self->crowd));
	for (i = 0; i < TURNS; i++) {
		usleep(20000);
		EXPECT_TRUE(online(false));
		usleep(20000);
		EXPECT_TRUE(online(true));
	}
	EXPECT_TRUE(crowd_finish(&self->crowd));
}

static size_t fill(HANDLE heap, void **blocks, size_t most)
{
	size_t n = 0;

	while (n < most && (blocks[n] = HeapAlloc(heap, 0, 64)))
		n++;
	return n;
}

/* All space is the CPU's that has gone, as whole slabs and as single blocks: the other one uses it. */
TEST_F_TIMEOUT(hotplug, what_a_gone_cpu_had_is_used, 120)
{
	static void *blocks[8 * MIB / 64];
	HANDLE heap = HeapCreate(0, 0, 8 * MIB);
	size_t all, half, i;

	ASSERT_NE(NULL, heap);
	ASSERT_TRUE(run_on(CPU));
	all = fill(heap, blocks, COUNT(blocks));
	EXPECT_EQ(COUNT(blocks), all);
	for (i = 0; i < all; i += 2) {
		ASSERT_TRUE(HeapFree(heap, 0, blocks[i]));
	}
	ASSERT_TRUE(online(false));
	half = fill(heap, blocks, COUNT(blocks));
	EXPECT_EQ(all / 2, half);
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}

/* A process that began without the CPU. */
TEST_F_TIMEOUT(hotplug, cpu_that_came_later, 120)
{
	static void *blocks[8 * MIB / 64];
	HANDLE heap;
	size_t n, i;

	ASSERT_TRUE(online(false));
	heap = HeapCreate(0, 0, 8 * MIB);
	ASSERT_NE(NULL, heap);
	ASSERT_NE(NULL, HeapAlloc(heap, 0, 64));
	ASSERT_TRUE(online(true));
	ASSERT_TRUE(run_on(CPU));
	n = fill(heap, blocks, COUNT(blocks));
	EXPECT_EQ(COUNT(blocks) - 1, n);
	ASSERT_TRUE(run_on(0));
	for (i = 0; i < n; i++) {
		ASSERT_TRUE(HeapFree(heap, 0, blocks[i]));
	}
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A handle that was inherited over fork names no heap of the child, whatever that makes: HOSTILE F10. */
#include "kselftest_harness.h"
#include "common.h"

#include <sys/syscall.h>

#include "heapapi.h"
#include "privheap.h"

#define INHERITED	400

static HANDLE inherited[INHERITED];
static size_t count;

static const struct {
	SIZE_T initial, maximum;
} sizes[] = {
	{ 0, 64 * KIB }, { 0, 1 * MIB }, { 100 * KIB, 1 * MIB }, { 0, 16 * MIB }, { 0, 0 },
	{ 0, 4096 }, { 1 * MIB, 64 * MIB },
};

static void inherit(HANDLE heap)
{
	if (heap && count < INHERITED)
		inherited[count++] = heap;
}

static bool is_inherited(HANDLE heap)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (inherited[i] == heap)
			return true;
	return false;
}

/* As many heaps as a child may make: how many have a handle that it inherited. */
static int make(int seed, size_t n)
{
	int bad = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		size_t size = (seed + i * 7) % (COUNT(sizes) + seed % 5) % COUNT(sizes);
		HANDLE heap = HeapCreate(0, sizes[size].initial, sizes[size].maximum);

		if (!heap || !HeapAlloc(heap, 0, 100))
			return 100;
		bad += is_inherited(heap);
		if (i % 3 == (size_t)seed % 3)
			HeapDestroy(heap);
	}
	for (i = 0; i < count; i++)
		bad += HeapAlloc(inherited[i], 0, 1) != NULL || HeapDestroy(inherited[i]);
	return bad > 99 ? 99 : bad;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 111;
}

/* A child, or the child of one that has heaps of its own, or one that no library sees being made. */
static int child(int seed)
{
	pid_t pid = seed % 4 == 3 ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();

	if (pid)
		return status_of(pid);
	if (seed % 4 == 1) {
		inherit(HeapCreate(0, 0, sizes[seed % COUNT(sizes)].maximum));
		inherit(GetProcessHeap());
		pid = fork();
		if (pid)
			_exit(status_of(pid));
	}
	_exit(make(seed, 10 + seed % 20));
}

TEST(L11_no_heap_of_a_child_has_an_inherited_handle)
{
	int seed, children = 0, bad = 0;

	inherit(GetProcessHeap());
	for (seed = 0; seed < 400; seed++) {
		if (seed % 20 == 0)
			inherit(HeapCreate(0, 0, sizes[seed / 20 % COUNT(sizes)].maximum));
		int result = child(seed);

		ASSERT_GT(100, result) TH_LOG("child %d: %d", seed, result);
		children += result != 0;
		bad += result;
	}
	EXPECT_EQ(0, children) TH_LOG("%d heaps in %d of 400 children", bad, children);
}

/* Each at the next address: there is no place between them. */
TEST(L11_where_handles_lie_side_by_side)
{
	size_t i;
	pid_t pid;

	for (i = 0; i < INHERITED; i++)
		inherit(HeapCreate(0, 0, 64 * KIB));
	pid = fork();
	if (pid == 0) {
		int bad = 0;

		for (i = 0; i < INHERITED * 2; i++)
			bad += is_inherited(HeapCreate(0, 0, 64 * KIB));
		_exit(bad > 99 ? 99 : bad);
	}
	EXPECT_EQ(0, status_of(pid));
}

static void initial_in_child(void)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	HANDLE heap = HeapCreate(0, 8 * MIB, 8 * MIB);

	CHECK_IN_CHILD(heap && privheap_stats(heap, &stats) == 0);
	CHECK_IN_CHILD(stats.committed == 8 * MIB && HeapAlloc(heap, 0, 7 * MIB));
	CHECK_IN_CHILD(HeapDestroy(heap));
}

TEST(L11_initial_is_committed_in_a_child)
{
	ASSERT_NE(NULL, HeapCreate(0, 0, 8 * MIB));
	EXPECT_CHILD_OK(initial_in_child);
}

TEST_HARNESS_MAIN

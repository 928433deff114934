// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A process that may have so many pages more and no more, for every number until heaps can be made:
 * whatever the kernel refuses, the call says so, and when the limit is gone all works.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "include/heapapi.h"
#include "unit.h"

#define STEP	UNIT_PAGE
#define STEPS	200

static rlim_t data_now(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[200];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "VmData: %lu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib << 10;
}

static bool limit_data(rlim_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit))
		return false;
	limit.rlim_cur = bytes;
	return setrlimit(RLIMIT_DATA, &limit) == 0;
}

static bool refused_well(HANDLE heap)
{
	return heap || (GetLastError() == ERROR_NOT_ENOUGH_MEMORY && errno == ENOMEM);
}

/* In a child: a process begins there. 0: all had room; 1: something had none; 2: that went wrong. */
static int live(rlim_t room)
{
	HANDLE process_heap, heap;
	bool good;

	if (!data_now() || !limit_data(data_now() + room))
		return 2;
	process_heap = GetProcessHeap();
	good = refused_well(process_heap);
	heap = HeapCreate(HEAP_TAIL_CHECKING_ENABLED, 0, MIB(1));
	good = good && refused_well(heap);
	if (!good || !limit_data(RLIM_INFINITY))
		return 2;
	if (heap && !HeapDestroy(heap))
		return 2;
	good = GetProcessHeap() && HeapAlloc(GetProcessHeap(), 0, 100) &&
	       HeapValidate(GetProcessHeap(), 0, NULL);
	heap = good ? HeapCreate(0, 0, MIB(1)) : NULL;
	if (!heap || !HeapAlloc(heap, 0, MIB(1) - KIB(64)))
		return 2;
	return process_heap ? 0 : 1;
}

static int live_in_child(rlim_t room)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0)
		_exit(live(room));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 2;
	return WEXITSTATUS(status);
}

#ifndef __SANITIZE_ADDRESS__	/* which needs pages of its own */
TEST(every_number_of_pages)
{
	int result = 1, step;

	setenv("PRIVHEAP_BACKEND", "anon", 1);
	for (step = 0; step < STEPS && result == 1; step++)
		result = live_in_child(step * STEP);
	EXPECT_EQ(0, result);
	TH_LOG("%d pages", step);
	EXPECT_GT(step, 2);
	for (; step < STEPS && result == 0; step++)
		result = live_in_child(step * STEP);
	EXPECT_EQ(0, result);
}
#endif

TEST(no_limit)
{
	setenv("PRIVHEAP_BACKEND", "anon", 1);
	EXPECT_EQ(0, live_in_child(MIB(64)));
}

TEST_HARNESS_MAIN

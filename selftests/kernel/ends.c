// SPDX-License-Identifier: GPL-2.0 OR MIT
/* How heaps end where that takes long, or others still hold them. Each case by its letter. */
#include <sched.h>

#include "device.h"

#define PROCESS	PRIVHEAP_QUOTA_PROCESS

static bool heaps_become(int dev, uint64_t heaps)
{
	for (int i = 0; i < 6000; i++) {
		if (quota(dev, PROCESS).heaps == heaps)
			return true;
		usleep(10000);
	}
	return false;
}

/* A child that has what fork gives it and sleeps until it is killed. */
static pid_t sleeping_child(void)
{
	pid_t pid = fork();

	while (!pid)
		pause();
	return pid;
}

/* What a child's mapping keeps is a heap's structures: they count until they are gone. */
TEST_F(heap, K20_counted_while_a_child_holds_it)
{
	pid_t pid;

	ASSERT_EQ(0, madvise(at(self->heap.base), 16 * MIB, MADV_DOFORK));
	pid = sleeping_child();
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PROCESS).used);
	EXPECT_EQ(1, quota(self->dev, PROCESS).heaps);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_TRUE(heaps_become(self->dev, 0));
}

TEST_F(heap, K20_not_counted_any_more_when_destroyed)
{
	pid_t pid = sleeping_child();

	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PROCESS).heaps);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

TEST_HARNESS_MAIN

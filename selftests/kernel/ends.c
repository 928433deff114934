// SPDX-License-Identifier: GPL-2.0 OR MIT
/* How heaps end where that takes long, or others still hold them. Each case by its letter. */
#include <sched.h>
#include <time.h>

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

static bool read_whole(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) > 0)
		;
	close(fd);
	return !n;
}

/* Reads the parent's list of heaps until it is killed. */
static pid_t looking_child(int dev)
{
	pid_t parent = getpid(), pid = fork();
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", parent, dev);
	while (!pid)
		if (!read_whole(path))
			_exit(1);
	return pid;
}

/* Else a process at its number of heaps could be refused for it. 5000, or as many as take 30 s. */
TEST_F_TIMEOUT(heap, K20_who_looks_does_not_make_heaps_stay, 600)
{
	pid_t pid = looking_child(self->dev);
	time_t end = time(NULL) + 30;
	int stayed = 0, status;

	for (int i = 0; i < 5000 && (i < 500 || time(NULL) < end); i++) {
		struct privheap_create heap;

		ASSERT_EQ(0, heap_create(self->dev, 0, MIB, 0, &heap));
		ASSERT_EQ(0, heap_destroy(self->dev, heap.heap));
		stayed += quota(self->dev, PROCESS).heaps != 1;
	}
	EXPECT_EQ(0, stayed);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, status);	/* it could read all the time */
}

/* A heap in as many pieces as the process may have mappings, more or less. */

struct pieces {
	int dev;
	struct privheap_create heap;
	uint64_t count;
};

static uint64_t mappings_allowed(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
	unsigned long n = 0;

	if (file && fscanf(file, "%lu", &n) != 1)
		n = 0;
	if (file)
		fclose(file);
	return n;
}

static bool cut(struct pieces *p)
{
	uint64_t most = (mappings_allowed() - 500) / 2;

	p->count = most < 32000 ? most : 32000;
	p->dev = device_open();
	if (heap_create(p->dev, PAGE, 2 * p->count * PAGE, 0, &p->heap))
		return false;
	for (uint64_t i = 0; i < p->count; i++) {
		void *hole = at(p->heap.base + (2 * i + 1) * PAGE);

		if (mmap(hole, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
		    hole)
			return false;
	}
	return true;
}

FIXTURE(pieces)
{
	struct pieces p;
};

FIXTURE_SETUP(pieces)
{
	ASSERT_TRUE(cut(&self->p));
}

FIXTURE_TEARDOWN(pieces)
{
	EXPECT_EQ(0, quota(self->p.dev, PROCESS).used);
	EXPECT_EQ(0, quota(self->p.dev, PROCESS).heaps);
	close(self->p.dev);
}

/* Goes on where the last piece ended: from the start each time it would take minutes. */
TEST_F_TIMEOUT(pieces, K19_destroy_in_pieces, 120)
{
	EXPECT_EQ(0, heap_destroy(self->p.dev, self->p.heap.heap));
}

/* In a process that shares ours, so that it can be killed alone. It must leave errno in peace. */
static int destroy_in_sharer(void *arg)
{
	struct pieces *p = arg;
	struct privheap_destroy destroy = { .heap = p->heap.heap };

	ioctl(p->dev, PRIVHEAP_DESTROY, &destroy);
	_exit(0);
}

static bool is_mapped(uint64_t address)
{
	return !msync(at(address), PAGE, MS_ASYNC);
}

TEST_F_TIMEOUT(pieces, K19_killed_while_it_destroys, 120)
{
	static char stack[64 * KIB] __attribute__((aligned(16)));
	struct pieces p = self->p;
	int status;
	pid_t pid;

	pid = clone(destroy_in_sharer, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD, &p);
	ASSERT_LT(0, pid);
	while (is_mapped(p.heap.base))
		sched_yield();
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(SIGKILL, status);
	/* Where it stopped, and from there on. */
	EXPECT_EQ(p.heap.base, heap_stat(p.dev, p.heap.heap).base);
	EXPECT_TRUE(is_mapped(p.heap.base + 2 * (p.count - 1) * PAGE));
	EXPECT_EQ(1, quota(p.dev, PROCESS).heaps);
	EXPECT_EQ(0, heap_destroy(p.dev, p.heap.heap));
}

/* The whole process: its exit ends the heap. */
static int destroy_until_killed(void *started)
{
	struct pieces p;

	if (!cut(&p) || write((long)started, "x", 1) != 1)
		return 1;
	return destroy_in_sharer(&p);
}

TEST_F_TIMEOUT(heap, K19_a_killed_process_gives_back, 120)
{
	int started[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(started));
	pid = fork();
	if (!pid)
		_exit(destroy_until_killed((void *)(long)started[1]));
	ASSERT_EQ(1, read(started[0], &byte, 1));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_TRUE(used_becomes(self->dev, PRIVHEAP_QUOTA_USER, 64 * KIB));
}

TEST_HARNESS_MAIN

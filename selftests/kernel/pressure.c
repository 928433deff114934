// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Heaps where memory is short, collapsed or placed, as root: memory.max inside a call (HOSTILE.md
 * F8), swapoff(2), khugepaged, huge pages by force, NUMA policies (F7), and no huge pages (F9).
 */
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "memory.h"

#define GROUP	CGROUPS "/pressure-test"

struct asked {
	uint64_t initial, commit;
};

/* In a group of 64 MiB: what is asked for is refused, and the process lives and goes on. */
static int ask_too_much(void *data)
{
	const struct asked *asked = data;
	int dev = device_open();
	struct privheap_create heap;
	int err = write_file(GROUP "/cgroup.procs", "0");

	err = err ?: heap_create(dev, asked->initial, 256 * MIB, 0, &heap);
	if (!err)
		err = heap_commit(dev, heap.heap, asked->commit, PRIVHEAP_COMMIT_POPULATE);
	if (err != ENOMEM)
		return 1;
	if (quota(dev, PRIVHEAP_QUOTA_PROCESS).used > asked->initial)
		return 2;
	return heap_create(dev, MIB, MIB, 0, &heap) ? 3 : 0;
}

TEST(K11_memory_max_inside_a_call)
{
	struct asked create = { .initial = 100 * MIB }, commit = { 64 * KIB, 100 * MIB };

	ASSERT_TRUE(group_on(GROUP));
	ASSERT_EQ(0, write_file(GROUP "/memory.max", "64M"));
	EXPECT_EQ(0, in_child(ask_too_much, &create));
	EXPECT_EQ(0, in_child(ask_too_much, &commit));
	EXPECT_EQ(0, number_in(GROUP "/memory.events", "oom_kill "));
	for (int i = 0; i < 500 && rmdir(GROUP); i++)
		usleep(10000);
}

/* What was brought in first is in swap again, and that full, when the rest has come. */
static int commit_what_swap_takes(void *unused)
{
	int dev = device_open();

	if (write_file(GROUP "/cgroup.procs", "0"))
		return 1;
	for (uint64_t n = 36 * MIB; n <= 60 * MIB; n += MIB / 2) {
		struct privheap_create heap;
		int err = heap_create(dev, 0, n, 0, &heap);

		err = err ?: heap_commit(dev, heap.heap, n, PRIVHEAP_COMMIT_POPULATE);
		if ((err && err != ENOMEM) || heap_destroy(dev, heap.heap))
			return 2;
	}
	return 0;
}

TEST(K11_memory_max_and_a_full_swap)
{
	ASSERT_TRUE(group_on(GROUP));
	ASSERT_EQ(0, write_file(GROUP "/memory.max", "32M"));
	ASSERT_EQ(0, write_file(GROUP "/memory.swap.max", "20M"));
	ASSERT_TRUE(swap_on());
	EXPECT_EQ(0, in_child(commit_what_swap_takes, NULL));
	EXPECT_EQ(0, number_in(GROUP "/memory.events", "oom_kill "));
	EXPECT_TRUE(swap_off());
	for (int i = 0; i < 500 && rmdir(GROUP); i++)
		usleep(10000);
}

/* A COMMIT that has no memory, beside faults that have: it kills nobody for want of its own */

/* More is touched than the second node has, so that some of it is lacking when that is full. */
#define LACKING		(320 * MIB)
#define TOUCHED		(120 * MIB)

struct beside {
	int dev;
	struct privheap_create heap;
	volatile bool commits, done;
	atomic_ulong written, pinned;
};

/* -1: anywhere */
static bool allocate_on(int node)
{
	unsigned long nodes = node < 0 ? 0 : 1UL << node;

	return !syscall(SYS_set_mempolicy, node < 0 ? MPOL_DEFAULT : MPOL_BIND, &nodes,
			8 * sizeof(nodes));
}

/* Has the second node but 96 MiB, is the first to be killed for it, and sleeps. */
static pid_t take_second_node(void)
{
	char byte;
	int ends[2];
	pid_t pid = pipe(ends) ? -1 : fork();

	if (!pid) {
		write_file("/proc/self/oom_score_adj", "1000");
		if (!allocate_on(1))
			_exit(1);
		while (number_in("/sys/devices/system/node/node1/meminfo", "Node 1 MemFree: ") >
		       96 * 1024)
			if (mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
				_exit(1);
		(void)!write(ends[1], "", 1);
		while (true)
			pause();
	}
	close(ends[1]);
	if (pid > 0 && read(ends[0], &byte, 1) != 1)
		pid = -1;
	close(ends[0]);
	return pid;
}

/* Has bytes written here and there, and pins some, as far as the commit has come. */
static void *use_committed(void *data)
{
	struct beside *beside = data;
	unsigned int seed = gettid();
	int ends[2], zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	if (!allocate_on(0) || pipe2(ends, O_NONBLOCK))
		return NULL;
	while (!beside->done) {
		uint64_t offset = rand_r(&seed) % (TOUCHED / PAGE) * PAGE;
		char *p = at(beside->heap.base + offset), byte;
		struct iovec pinned = { p, 1 };

		if (!beside->commits ||
		    offset >= heap_stat(beside->dev, beside->heap.heap).committed) {
			sched_yield();
			continue;
		}
		if (offset / PAGE % 2)
			beside->written += read(zero, p, 1) == 1;
		else if (vmsplice(ends[1], &pinned, 1, SPLICE_F_NONBLOCK) == 1)
			beside->pinned += read(ends[0], &byte, 1) == 1;
	}
	close(zero);
	close(ends[0]);
	close(ends[1]);
	return NULL;
}

TEST(K11_commit_beside_faults_kills_nobody)
{
	struct beside beside = { .dev = device_open() };
	pthread_t threads[2];
	pid_t other = take_second_node();
	time_t end = time(NULL) + 20;
	int refused = 0;

	ASSERT_LT(0, other);
	ASSERT_EQ(0, heap_create(beside.dev, 0, LACKING, 0, &beside.heap));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, use_committed, &beside));
	for (int i = 0; i < 40 && (!i || time(NULL) < end); i++) {
		ASSERT_TRUE(allocate_on(1));
		beside.commits = true;
		refused += heap_commit(beside.dev, beside.heap.heap, LACKING,
				       PRIVHEAP_COMMIT_POPULATE) == ENOMEM;
		beside.commits = false;
		ASSERT_TRUE(allocate_on(-1));
		ASSERT_EQ(0, heap_destroy(beside.dev, beside.heap.heap));
		ASSERT_EQ(0, heap_create(beside.dev, 0, LACKING, 0, &beside.heap));
	}
	beside.done = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	EXPECT_LT(0, refused);
	EXPECT_LT(0, beside.written);
	EXPECT_LT(0, beside.pinned);
	EXPECT_EQ(0, waitpid(other, NULL, WNOHANG));
	kill(other, SIGKILL);
	EXPECT_EQ(other, waitpid(other, NULL, 0));
}

/* Swap of a second disk, for what is in the way when the first one is switched off. */
static int second_swap_on(char *dev, size_t size)
{
	char sys[64], header[PAGE] = "";
	int id = number_in("/sys/class/zram-control/hot_add", ""), fd;

	snprintf(dev, size, "/dev/zram%d", id);
	snprintf(sys, sizeof(sys), "/sys/block/zram%d/disksize", id);
	if (id < 0 || write_file(sys, "128M"))
		return -1;
	*(uint32_t *)(header + 1024) = 1;
	*(uint32_t *)(header + 1028) = 128 * MIB / PAGE - 1;
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	fd = open(dev, O_WRONLY | O_CLOEXEC);
	if (write(fd, header, PAGE) != PAGE || fsync(fd) || close(fd) || swapon(dev, 0))
		return -1;
	return id;
}

static bool second_swap_off(const char *dev, int id)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", id);
	return !swapoff(dev) && !write_file("/sys/class/zram-control/hot_remove", text);
}

/*
 * A heap of 48 MiB in a group of 32: the rest is on the first disk. Switching that off brings
 * it in page by page, for which others must go to the second.
 */
static int switch_swap_off(void *unused)
{
	const size_t n = 48 * MIB;
	int dev = device_open(), id;
	struct privheap_create heap;
	char second[32];

	if (write_file(GROUP "/cgroup.procs", "0") || heap_create(dev, 0, n, 0, &heap))
		return 1;
	fill(heap.base, n, 4);
	if (heap_stat(dev, heap.heap).resident == n)
		return 2;
	id = second_swap_on(second, sizeof(second));
	if (id < 0)
		return 3;
	if (!swap_off())
		return 4;
	if (wrong_words(at(heap.base), n, 4))
		return 5;
	if (heap_destroy(dev, heap.heap))
		return 6;
	return second_swap_off(second, id) ? 0 : 7;
}

TEST(K7_swapoff_where_others_must_go)
{
	ASSERT_TRUE(group_on(GROUP));
	ASSERT_EQ(0, write_file(GROUP "/memory.max", "32M"));
	ASSERT_TRUE(swap_on());
	EXPECT_EQ(0, in_child(switch_swap_off, NULL));
	for (int i = 0; i < 500 && rmdir(GROUP); i++)
		usleep(10000);
	/* Where the test failed. */
	if (!swapoff(ZRAM))
		disk_off();
}

/* Pages that come unasked */

TEST(K1_khugepaged_past_the_commit)
{
	struct privheap_create heap;
	int dev = device_open();

	ASSERT_TRUE(speed_up());
	ASSERT_EQ(0, heap_create(dev, 2 * MIB + PAGE, 4 * MIB, 0, &heap));
	memset(at(heap.base), 1, 2 * MIB + PAGE);
	madvise(at(heap.base), 4 * MIB, MADV_HUGEPAGE);
	EXPECT_TRUE(khugepaged_has_passed());
	EXPECT_TRUE(in_order(dev, heap.heap, "khugepaged"));
	slow_down();
}

/* With shmem_enabled=force tmpfs makes huge pages that do not fit into a small commit. */
TEST(K1_huge_pages_by_force)
{
	struct knob force = { .path = THP "/shmem_enabled", .value = "force" };
	struct privheap_create heap;
	int dev = device_open();

	ASSERT_TRUE(knob_turn(&force));
	for (uint64_t initial = 0; initial <= 3 * MIB; initial += 196 * KIB) {
		ASSERT_EQ(0, heap_create(dev, initial, 16 * MIB, 0, &heap));
		EXPECT_TRUE(in_order(dev, heap.heap, "create"));
		for (uint64_t i = 0; i < 5 * MIB; i += 60 * KIB) {
			EXPECT_EQ(0, touch(heap.base + i));
			EXPECT_TRUE(in_order(dev, heap.heap, "touch"));
		}
		EXPECT_EQ(0, heap_commit(dev, heap.heap, 7 * MIB, PRIVHEAP_COMMIT_POPULATE));
		EXPECT_TRUE(in_order(dev, heap.heap, "commit"));
		EXPECT_EQ(0, heap_destroy(dev, heap.heap));
	}
	write_file(force.path, force.before);
}

/* NUMA */

static int node_of(uint64_t address)
{
	void *page = at(address);
	int node = -1;

	return syscall(SYS_move_pages, 0, 1, &page, NULL, &node, 0) ? -1 : node;
}

static int bind_to(uint64_t address, uint64_t bytes, int node, unsigned int flags)
{
	unsigned long mask = 1UL << node;

	return syscall(SYS_mbind, address, bytes, MPOL_BIND, &mask, 64, flags) ? errno : 0;
}

static int nodes(void)
{
	int n = 0;
	char path[64];

	do
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", n);
	while (!access(path, F_OK) && ++n);
	return n;
}

/* Pages of the heap that are not on the node, of so many MiB in steps of a page. */
static int elsewhere(uint64_t base, uint64_t bytes, int node)
{
	int n = 0;

	for (uint64_t i = 0; i < bytes; i += 37 * PAGE)
		n += node_of(base + i) != node;
	return n;
}

TEST_F(heap, K15_mbind)
{
	struct privheap_create heap;

	ASSERT_LE(2, nodes());
	for (int node = 0; node < 2; node++) {
		int policy = -1;
		unsigned long mask = 0;

		ASSERT_EQ(0, heap_create(self->dev, 0, 32 * MIB, 0, &heap));
		EXPECT_EQ(0, bind_to(heap.base, 16 * MIB, node, 0));
		EXPECT_EQ(0, bind_to(heap.base + 16 * MIB, 16 * MIB, !node, 0));
		memset(at(heap.base), 1, MIB);
		EXPECT_EQ(0, heap_commit(self->dev, heap.heap, 32 * MIB,
					 PRIVHEAP_COMMIT_POPULATE));
		EXPECT_EQ(0, elsewhere(heap.base, 16 * MIB, node));
		EXPECT_EQ(0, elsewhere(heap.base + 16 * MIB, 16 * MIB, !node));
		EXPECT_EQ(0, syscall(SYS_get_mempolicy, &policy, &mask, 64, heap.base,
				     MPOL_F_ADDR));
		EXPECT_EQ(MPOL_BIND, policy);
		EXPECT_EQ(1UL << node, mask);
		/* What is there is moved, too. */
		EXPECT_EQ(0, bind_to(heap.base, 16 * MIB, !node, MPOL_MF_MOVE));
		EXPECT_EQ(0, elsewhere(heap.base, 16 * MIB, !node));
		EXPECT_TRUE(is_filled(heap.base, MIB, 1));
		EXPECT_EQ(0, heap_destroy(self->dev, heap.heap));
	}
}

TEST_F(heap, K15_set_mempolicy_and_migrate_pages)
{
	struct privheap_create heap;

	ASSERT_LE(2, nodes());
	for (int node = 0; node < 2; node++) {
		unsigned long mask = 1UL << node, other = 1UL << !node;

		ASSERT_EQ(0, syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 64));
		ASSERT_EQ(0, heap_create(self->dev, 64 * KIB, 8 * MIB, 0, &heap));
		memset(at(heap.base), 1, 8 * MIB);
		EXPECT_EQ(0, elsewhere(heap.base, 8 * MIB, node));
		ASSERT_EQ(0, syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
		EXPECT_LE(0, syscall(SYS_migrate_pages, 0, 64, &mask, &other));
		EXPECT_EQ(0, elsewhere(heap.base, 8 * MIB, !node));
		EXPECT_TRUE(is_filled(heap.base, 8 * MIB, 1));
		EXPECT_EQ(0, heap_destroy(self->dev, heap.heap));
	}
}

/* Huge pages that are not wanted */

/* Touches 256 pages at a distance of 64 KiB; what of the heap is resident per byte touched. */
static double spread(int dev, const struct privheap_create *heap)
{
	for (uint64_t i = 0; i < 256; i++)
		touch(heap->base + i * 64 * KIB);
	return heap_stat(dev, heap->heap).resident / (256.0 * PAGE);
}

TEST_F(heap, K15_no_huge_pages_by_madvise)
{
	struct privheap_create heap;
	uint64_t base;

	ASSERT_EQ(0, heap_create(self->dev, 0, 32 * MIB, 0, &heap));
	base = heap.base;
	EXPECT_EQ(0, madvise(at(base), 32 * MIB, MADV_NOHUGEPAGE));
	EXPECT_GE(1.1, spread(self->dev, &heap));
	EXPECT_EQ(0, heap_commit(self->dev, heap.heap, 32 * MIB, 0));
	EXPECT_EQ(0, madvise(at(base), 32 * MIB, MADV_HUGEPAGE));
	/* Taken back: from here on they are made again. */
	EXPECT_EQ(0, touch(base + 20 * MIB));
	EXPECT_LE(3 * MIB, heap_stat(self->dev, heap.heap).resident);
}

TEST_F(heap, K15_no_huge_pages_by_prctl)
{
	struct privheap_create heap;
	const char byte = 1;

	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	ASSERT_EQ(0, heap_create(self->dev, 4 * MIB, 32 * MIB, 0, &heap));
	EXPECT_EQ(4 * MIB, heap_stat(self->dev, heap.heap).resident);
	EXPECT_EQ(0, heap_destroy(self->dev, heap.heap));
	ASSERT_EQ(0, heap_create(self->dev, 0, 32 * MIB, 0, &heap));
	EXPECT_GE(1.1, spread(self->dev, &heap));
	/* In a row they come by windows, and none is lost. */
	memset(at(heap.base), byte, 32 * MIB);
	EXPECT_TRUE(is_filled(heap.base, 32 * MIB, byte));
	EXPECT_EQ(32 * MIB, heap_stat(self->dev, heap.heap).resident);
}

TEST_HARNESS_MAIN

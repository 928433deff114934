// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Heaps and the rest of memory management, as root: pages that others hold (HOSTILE.md A7, A8,
 * E7), memory cgroups (E10), swap. The disk for O_DIRECT and for swap is /dev/zram0. SWAP in the
 * environment: MiB that go there and back, 64.
 */
#include <linux/io_uring.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "memory.h"
#include "race.h"

/* O_DIRECT on a disk */

TEST_F(heap, A7_direct_io)
{
	uint64_t base = self->heap.base;
	int fd;

	ASSERT_TRUE(disk_on());
	fd = open(ZRAM, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, fd);
	fill(base, 4 * MIB, 1);
	EXPECT_EQ(4 * MIB, pwrite(fd, at(base), 4 * MIB, 0));
	/* Into bytes that are resident, and into bytes that are not even committed. */
	memset(at(base), 0, 4 * MIB);
	EXPECT_EQ(4 * MIB, pread(fd, at(base), 4 * MIB, 0));
	EXPECT_EQ(0, wrong_words(at(base), 4 * MIB, 1));
	EXPECT_EQ(4 * MIB, pread(fd, at(base + 8 * MIB), 4 * MIB, 0));
	EXPECT_EQ(0, wrong_words(at(base + 8 * MIB), 4 * MIB, 1));
	EXPECT_LE(12 * MIB, heap_stat(self->dev, self->heap.heap).committed);
	close(fd);
	EXPECT_TRUE(disk_off());
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
}

/*
 * Where a page of a secret heap is mapped in the page table, the kernel's fast path (gup_fast)
 * takes it without a look at the VMA, so only pages that are not mapped yet are safe from the
 * process's own O_DIRECT. No other process gains by that: the path serves current->mm only.
 */
TEST_F(heap, A7_direct_io_on_a_secret_heap)
{
	struct privheap_create secret;
	int fd;

	ASSERT_EQ(0, heap_create(self->dev, 0, MIB, PRIVHEAP_CREATE_SECRET, &secret));
	ASSERT_TRUE(disk_on());
	fd = open(ZRAM, O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, pwrite(fd, at(secret.base), 64 * KIB, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pread(fd, at(secret.base), 64 * KIB, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, heap_stat(self->dev, secret.heap).committed);
	close(fd);
	EXPECT_TRUE(disk_off());
}

/* Registers n bytes as a fixed buffer of a fresh ring: its descriptor, or -errno. */
static int ring_with_buffer(uint64_t address, size_t n)
{
	struct io_uring_params params = { 0 };
	struct iovec iov = { at(address), n };
	int ring = syscall(SYS_io_uring_setup, 4, &params), err;

	if (ring < 0)
		return -errno;
	if (!syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &iov, 1))
		return ring;
	err = errno;
	close(ring);
	return -err;
}

/* Before 6.5 io_uring takes no file's pages but those whose VMA is tmpfs's own. */
TEST_F(heap, A7_io_uring_fixed_buffer)
{
	int ring;

	fill(self->heap.base, MIB, 2);
	ring = ring_with_buffer(self->heap.base, MIB);
	if (kernel_is_older_than(6, 5)) {
		EXPECT_EQ(-EOPNOTSUPP, ring);
	} else {
		EXPECT_LE(0, ring) TH_LOG("%s", strerror(-ring));
	}
	EXPECT_EQ(0, wrong_words(at(self->heap.base), MIB, 2));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PROCESS).used);
	if (ring >= 0)
		close(ring);
}

TEST_F(heap, A7_io_uring_fixed_buffer_on_a_secret_heap)
{
	struct privheap_create secret;

	ASSERT_EQ(0, heap_create(self->dev, 0, MIB, PRIVHEAP_CREATE_SECRET, &secret));
	EXPECT_EQ(-EFAULT, ring_with_buffer(secret.base, MIB));
	EXPECT_EQ(0, heap_stat(self->dev, secret.heap).committed);
}

/* Pages in pipes */

enum { PIPES = 16 };

/* Gives n bytes of a heap's pages to pipes, a MiB to each; how many went. */
static size_t give_to_pipes(uint64_t base, int pipes[][2])
{
	size_t given = 0;

	for (int i = 0; i < PIPES; i++) {
		struct iovec iov = { at(base + i * MIB), MIB };
		ssize_t n;

		if (pipe(pipes[i]) || fcntl(pipes[i][1], F_SETPIPE_SZ, MIB) < 0)
			return 0;
		n = vmsplice(pipes[i][1], &iov, 1, SPLICE_F_NONBLOCK);
		given += n < 0 ? 0 : n;
	}
	return given;
}

/* Reads the pipes out and closes them; how many words were not as filled. */
static size_t wrong_words_in_pipes(int pipes[][2])
{
	char *buffer = malloc(PIPES * MIB);
	size_t n = 0, bad;

	for (int i = 0; i < PIPES; i++) {
		ssize_t got = 1;

		close(pipes[i][1]);
		while (got > 0) {
			got = read(pipes[i][0], buffer + n, PIPES * MIB - n);
			n += got > 0 ? got : 0;
		}
		close(pipes[i][0]);
	}
	bad = n == PIPES * MIB ? wrong_words(buffer, n, 3) : PIPES * MIB;
	free(buffer);
	return bad;
}

static int fill_heaps_as_another_user(void *unused)
{
	int dev = device_open();
	struct privheap_create heap;

	if (setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	for (int i = 0; i < 8; i++) {
		if (heap_create(dev, 0, 32 * MIB, 0, &heap))
			return 2;
		if (!is_filled(heap.base, 32 * MIB, 0))
			return 3;
		memset(at(heap.base), 0xee, 32 * MIB);
	}
	return 0;
}

TEST_F_TIMEOUT(heap, A8_reader_never_sees_what_came_after, 120)
{
	int pipes[PIPES][2];

	fill(self->heap.base, 16 * MIB, 3);
	ASSERT_EQ(16 * MIB, give_to_pipes(self->heap.base, pipes));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, in_child(fill_heaps_as_another_user, NULL));
	EXPECT_EQ(0, wrong_words_in_pipes(pipes));
}

/* A reader of the pipe sees the living heap's bytes, as vmsplice has it; then the last of them. */
TEST_F(heap, A7_vmsplice)
{
	int pipes[PIPES][2];

	fill(self->heap.base, 16 * MIB, 4);
	ASSERT_EQ(16 * MIB, give_to_pipes(self->heap.base, pipes));
	fill(self->heap.base, 16 * MIB, 3);
	EXPECT_EQ(0, wrong_words_in_pipes(pipes));
	EXPECT_EQ(0, wrong_words(at(self->heap.base), 16 * MIB, 3));
}

TEST_F(heap, A7_vmsplice_of_a_secret_heap)
{
	struct privheap_create secret;
	struct iovec iov;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, heap_create(self->dev, 0, MIB, PRIVHEAP_CREATE_SECRET, &secret));
	iov = (struct iovec) { at(secret.base), PAGE };
	EXPECT_EQ(-1, vmsplice(fds[1], &iov, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EFAULT, errno);
}

/* Memory cgroups */

#define GROUP	CGROUPS "/memory-test"
#define SIBLING	CGROUPS "/memory-sibling"

static long charged(void)
{
	return number_in(GROUP "/memory.current", "");
}

static bool charged_becomes(long most)
{
	for (int i = 0; i < 500 && charged() > most; i++)
		usleep(10000);
	return charged() <= most;
}

static int heap_life(int dev)
{
	struct privheap_create heap;
	int err = heap_create(dev, MIB, 64 * MIB, 0, &heap);

	if (err)
		return err;
	memset(at(heap.base), 1, 64 * MIB);
	if (charged() < 64 * MIB)
		return 1;	/* the pages must be on this group's account */
	return heap_destroy(dev, heap.heap);
}

/* What a processor has charged in advance is at most 64 pages. */
static int lives_leave_no_charge(void *unused)
{
	int dev = device_open();
	long slack = 64 * PAGE * sysconf(_SC_NPROCESSORS_CONF), before;

	if (write_file(GROUP "/cgroup.procs", "0"))
		return 10;
	if (heap_life(dev))
		return 11;
	usleep(100000);
	before = charged();
	for (int i = 0; i < 10; i++)
		if (heap_life(dev))
			return 12;
	if (charged_becomes(before + slack))
		return 0;
	fprintf(stderr, "# charged %ld, before %ld\n", charged(), before);
	return 13;
}

TEST_F_TIMEOUT(heap, E10_memory_current_returns, 120)
{
	ASSERT_TRUE(group_on(GROUP));
	EXPECT_EQ(0, in_child(lives_leave_no_charge, NULL));
	EXPECT_TRUE(charged_becomes(MIB)) TH_LOG("charged %ld", charged());
	EXPECT_EQ(0, rmdir(GROUP));
}

/*
 * What pipes hold of a heap that is gone is on the group's account as long as they hold it, and
 * the huge pages of it on the process's.
 */
TEST_F(heap, E7_pages_in_pipes_beyond_destroy)
{
	int pipes[PIPES][2];
	long before;

	ASSERT_TRUE(group_on(GROUP));
	ASSERT_EQ(0, write_file(GROUP "/cgroup.procs", "0"));
	before = charged();
	fill(self->heap.base, 16 * MIB, 3);
	EXPECT_EQ(16 * MIB, give_to_pipes(self->heap.base, pipes));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_LT(0, quota(self->dev, PROCESS).used);
	EXPECT_EQ(0, quota(self->dev, PROCESS).used % (2 * MIB));
	EXPECT_EQ(1, quota(self->dev, PROCESS).heaps);
	EXPECT_LE(before + 15 * MIB, charged());
	EXPECT_EQ(0, wrong_words_in_pipes(pipes));
	EXPECT_TRUE(used_becomes(self->dev, PROCESS, 0));
	EXPECT_TRUE(charged_becomes(before + MIB)) TH_LOG("%ld, before %ld", charged(), before);
	EXPECT_EQ(0, write_file(CGROUPS "/cgroup.procs", "0"));
	EXPECT_EQ(0, rmdir(GROUP));
}

/* One page of each huge one in a pipe: under a limit of 16 MiB no more than that can be held. */
TEST_F(heap, K17_pinned_pages_stay_charged)
{
	enum { ROUNDS = 100 };
	int ends[2], held = 0;

	ASSERT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	ASSERT_EQ(0, limit_self(self->dev, 16 * MIB));
	ASSERT_EQ(0, pipe(ends));
	ASSERT_LE(ROUNDS * (long)PAGE, fcntl(ends[1], F_SETPIPE_SZ, MIB));
	for (int i = 0; i < ROUNDS; i++) {
		struct privheap_create heap;
		struct iovec page;

		if (heap_create(self->dev, 2 * MIB, 2 * MIB, 0, &heap))
			break;
		page = (struct iovec) { at(heap.base), 16 };
		memset(at(heap.base), 1, PAGE);
		ASSERT_EQ(16, vmsplice(ends[1], &page, 1, SPLICE_F_NONBLOCK));
		ASSERT_EQ(0, heap_destroy(self->dev, heap.heap));
		EXPECT_EQ(++held * 2 * MIB, quota(self->dev, PROCESS).used);
	}
	EXPECT_EQ(8, held);
	close(ends[0]);
	close(ends[1]);
	EXPECT_TRUE(used_becomes(self->dev, PROCESS, 0));
	EXPECT_EQ(0, heap_create(self->dev, 2 * MIB, 2 * MIB, 0, &self->heap));
}

static int touch_too_much(void *unused)
{
	int dev = device_open();
	struct privheap_create heap;

	if (write_file(GROUP "/cgroup.procs", "0") || heap_create(dev, 0, 64 * MIB, 0, &heap))
		return 1;
	for (uint64_t i = 0; i < 64 * MIB; i += PAGE)
		*(volatile char *)(heap.base + i) = 1;
	return 2;
}

/* A process of a sibling group, with a heap of its own; to be killed by us, by nobody else. */
static pid_t bystander(void)
{
	struct privheap_create heap;
	pid_t pid = fork();

	if (pid)
		return pid;
	if (write_file(SIBLING "/cgroup.procs", "0") ||
	    heap_create(device_open(), 8 * MIB, 8 * MIB, 0, &heap))
		_exit(1);
	for (;;)
		pause();
}

TEST_F_TIMEOUT(heap, E10_out_of_memory_inside_a_fault, 240)
{
	enum { KILLS = 50 };
	pid_t pid;

	ASSERT_TRUE(group_on(GROUP) && group_on(SIBLING));
	ASSERT_EQ(0, write_file(GROUP "/memory.max", "16M"));
	pid = bystander();
	for (int i = 0; i < KILLS; i++) {
		ASSERT_EQ(128 + SIGKILL, in_child(touch_too_much, NULL));
	}
	EXPECT_EQ(KILLS, number_in(GROUP "/memory.events", "oom_kill "));
	EXPECT_EQ(0, number_in(SIBLING "/memory.events", "oom_kill "));
	EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG)) TH_LOG("the bystander is gone");
	EXPECT_TRUE(charged_becomes(MIB)) TH_LOG("charged %ld", charged());
	EXPECT_TRUE(used_becomes(self->dev, USER, 64 * KIB + 8 * MIB));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, rmdir(GROUP));
	EXPECT_EQ(0, rmdir(SIBLING));
	EXPECT_TRUE(used_becomes(self->dev, USER, 64 * KIB));
}

/* Swap */

static uint64_t resident(int dev, uint64_t heap)
{
	return heap_stat(dev, heap).resident;
}

TEST_F_TIMEOUT(heap, swap_and_back, 240)
{
	const size_t n = setting("SWAP", 64) * MIB;
	struct privheap_create big;

	ASSERT_TRUE(swap_on());
	ASSERT_EQ(0, heap_create(self->dev, 0, n, 0, &big));
	for (int cycle = 0; cycle < 5; cycle++) {
		fill(big.base, n, cycle);
		ASSERT_EQ(0, madvise(at(big.base), n, MADV_PAGEOUT));
		EXPECT_GT(n / 8, resident(self->dev, big.heap));
		EXPECT_EQ(n + 64 * KIB, quota(self->dev, PROCESS).used);
		EXPECT_EQ(0, wrong_words(at(big.base), n, cycle));
		EXPECT_EQ(n, resident(self->dev, big.heap));
	}
	EXPECT_EQ(0, heap_destroy(self->dev, big.heap));
	EXPECT_TRUE(swap_off());
}

TEST_F_TIMEOUT(heap, swapoff_while_pages_are_out, 240)
{
	const size_t n = 64 * MIB;
	struct privheap_create big;

	ASSERT_TRUE(swap_on());
	ASSERT_EQ(0, heap_create(self->dev, 0, n, 0, &big));
	fill(big.base, n, 7);
	ASSERT_EQ(0, madvise(at(big.base), n, MADV_PAGEOUT));
	EXPECT_GT(n / 8, resident(self->dev, big.heap));
	EXPECT_TRUE(swap_off());
	EXPECT_EQ(n, resident(self->dev, big.heap));
	EXPECT_EQ(0, wrong_words(at(big.base), n, 7));
}

TEST_F_TIMEOUT(heap, swap_is_freed_by_destroy, 240)
{
	const size_t n = 64 * MIB;
	struct privheap_create big;
	long before;

	ASSERT_TRUE(swap_on());
	before = number_in("/proc/meminfo", "SwapFree:");
	ASSERT_EQ(0, heap_create(self->dev, 0, n, 0, &big));
	fill(big.base, n, 7);
	ASSERT_EQ(0, madvise(at(big.base), n, MADV_PAGEOUT));
	EXPECT_GT(before - 32 * MIB / KIB, number_in("/proc/meminfo", "SwapFree:"));
	EXPECT_EQ(0, heap_destroy(self->dev, big.heap));
	EXPECT_EQ(0, quota(self->dev, PROCESS).used - 64 * KIB);
	EXPECT_LE(before - (long)(MIB / KIB), number_in("/proc/meminfo", "SwapFree:"));
	EXPECT_TRUE(swap_off());
}

/* Munmap, faults and page-out at once, with somewhere for the pages to go; beside the D3 of races.c. */

#define MAXIMUM	(256 * KIB)

static void prepare_filled(struct round *round)
{
	if (heap_create(round->dev, 0, MAXIMUM, 0, &round->heap))
		wrong(round, "create failed");
	else
		fill(round->heap.base, MAXIMUM, round->number);
}

/* Unmaps the upper half; the lower one must keep every word. */
static void unmap_or_read_or_page_out(struct round *round, int who)
{
	void *base = at(round->heap.base);
	uint64_t *random = &round->random[who];

	if (!who) {
		if (munmap(base + MAXIMUM / 2, MAXIMUM / 2))
			wrong(round, "munmap: %s", strerror(errno));
	} else if (who == 1) {
		for (int i = 0; i < 8; i++)
			peek(round->heap.base + next(random) % MAXIMUM);
	} else if (madvise(base, MAXIMUM, MADV_PAGEOUT) && errno != ENOMEM) {
		wrong(round, "page out: %s", strerror(errno));
	} else if (next(random) % 64 == 0 && write_file("/proc/sys/vm/compact_memory", "1")) {
		wrong(round, "compact: %s", strerror(errno));
	}
}

static void check_lower_half(struct round *round)
{
	size_t bad = wrong_words(at(round->heap.base), MAXIMUM / 2, round->number);

	if (bad)
		wrong(round, "%zu wrong words", bad);
	if (heap_destroy(round->dev, round->heap.heap))
		wrong(round, "destroy failed");
}

TEST_F(race, D3_munmap_against_page_out)
{
	struct race r = { .racers = 3, .dev = self->dev, .total = share(5),
			  .prepare = prepare_filled, .run = unmap_or_read_or_page_out,
			  .check = check_lower_half };
	long before;

	ASSERT_TRUE(swap_on());
	before = number_in("/proc/vmstat", "pswpout ");
	EXPECT_STREQ("", race(&r));
	EXPECT_LT(before, number_in("/proc/vmstat", "pswpout "));
	EXPECT_TRUE(swap_off());
}

TEST_HARNESS_MAIN

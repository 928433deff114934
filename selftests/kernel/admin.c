// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What root may do to a heap from outside, and what becomes of it when its process turns into
 * another (HOSTILE.md A9, A14, A15, E6). Each case by its number.
 */
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "race.h"

#ifndef SYS_process_mrelease
#define SYS_process_mrelease	448
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* Core dump */

#define CORE		"/tmp/core-of-a-heap"
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define ORDINARY	0xd8
#define SECRET		0xd7

/* A sparse heap with bytes at its start and in its middle, and a secret one; then dies. */
static int dump_core(void *unused)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int dev = device_open();
	struct privheap_create heap, secret;

	if (setrlimit(RLIMIT_CORE, &unlimited) || write_file("/proc/self/coredump_filter", "0xff"))
		return 1;
	if (heap_create(dev, MIB, 256 * MIB, 0, &heap) ||
	    heap_create(dev, MIB, MIB, PRIVHEAP_CREATE_SECRET, &secret))
		return 2;
	memset(at(heap.base + 64 * KIB), ORDINARY, 2 * PAGE);
	memset(at(secret.base + 64 * KIB), SECRET, 2 * PAGE);
	abort();
}

/* The longest run of one byte in a file. */
static size_t longest_run(const char *path, int byte)
{
	FILE *file = fopen(path, "r");
	size_t n = 0, most = 0;
	int c;

	while (file && (c = getc_unlocked(file)) != EOF) {
		n = c == byte ? n + 1 : 0;
		most = n > most ? n : most;
	}
	if (file)
		fclose(file);
	return most;
}

TEST_F_TIMEOUT(race, A9_core_dump, 240)
{
	char pattern[128] = "";
	struct stat core = { 0 };
	int fd = open(CORE_PATTERN, O_RDONLY);

	ASSERT_LT(0, read(fd, pattern, sizeof(pattern) - 1));
	close(fd);
	ASSERT_EQ(0, write_file(CORE_PATTERN, CORE));
	EXPECT_EQ(128 + SIGABRT, in_child(dump_core, NULL));
	EXPECT_EQ(0, write_file(CORE_PATTERN, pattern));
	/* Nothing was ever committed but what the child committed before it died. */
	EXPECT_EQ(2 * MIB, quota(self->dev, USER).peak);
	EXPECT_EQ(0, stat(CORE, &core));
	EXPECT_GT(64 * MIB, core.st_size);	/* what is committed, and little else: see dump.c */
	EXPECT_GT(8 * MIB, core.st_blocks * 512UL);
	EXPECT_LE(2 * PAGE, longest_run(CORE, ORDINARY));
	EXPECT_GT(256, longest_run(CORE, SECRET));
	unlink(CORE);
}

/* User namespaces */

static int map_to_root(const char *path, unsigned int outside)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", outside);
	return write_file(path, map);
}

static int become_root_of_a_namespace(void)
{
	unsigned int uid = geteuid(), gid = getegid();

	if (unshare(CLONE_NEWUSER))
		return -1;
	prctl(PR_SET_DUMPABLE, 1);	/* so that our own /proc files are ours */
	if (write_file("/proc/self/setgroups", "deny") || map_to_root("/proc/self/uid_map", uid) ||
	    map_to_root("/proc/self/gid_map", gid))
		return -1;
	return getuid() || getgid();
}

/* Root of a namespace in a namespace ...; the limit is that of the user outside all. */
static int spend_in_namespaces(void *depth)
{
	struct privheap_create heap;
	int dev;

	if (setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	for (int i = 0; i < (long)depth; i++)
		if (become_root_of_a_namespace())
			return 2;
	dev = device_open();
	if (quota(dev, USER).limit != 5 * MIB || quota(dev, USER).used != 3 * MIB)
		return 3;
	if (quota_set(dev, USER, PRIVHEAP_QUOTA_SELF, 0) != EPERM ||
	    quota_set(dev, SYSTEM, 0, 0) != EPERM)
		return 4;
	if (heap_create(dev, 3 * MIB, 8 * MIB, 0, &heap) != EDQUOT)
		return 5;
	return heap_create(dev, 2 * MIB, 8 * MIB, 0, &heap);
}

TEST_F(race, A14_user_namespaces_do_not_multiply_the_quota)
{
	int ready[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, quota_set(self->dev, USER, NOBODY, 5 * MIB));
	pid = fork();
	if (!pid) {
		struct privheap_create heap;

		if (setresuid(NOBODY, NOBODY, NOBODY) ||
		    heap_create(device_open(), 3 * MIB, 3 * MIB, 0, &heap))
			_exit(1);
		_exit(write(ready[1], "x", 1) + pause());
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	for (long depth = 0; depth < 4; depth++) {
		EXPECT_EQ(0, in_child(spend_in_namespaces, (void *)depth))
			TH_LOG("depth %ld", depth);
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, quota_set(self->dev, USER, NOBODY, 0));
}

/* From outside */

struct tenant {
	pid_t pid;
	int pidfd, go;
	struct privheap_create heap;
};

/* A process with a filled heap, which ends with what it finds there when it is let go. */
static bool tenant_start(struct tenant *t)
{
	int go[2], made[2];

	if (pipe(go) || pipe(made))
		return false;
	t->pid = fork();
	if (!t->pid) {
		char byte;

		close(go[1]);
		if (heap_create(device_open(), 64 * KIB, 16 * MIB, 0, &t->heap))
			_exit(1);
		memset(at(t->heap.base), 0x5a, 16 * MIB);
		if (write(made[1], &t->heap, sizeof(t->heap)) != sizeof(t->heap) ||
		    read(go[0], &byte, 1))
			_exit(2);
		_exit(is_filled(t->heap.base, 16 * MIB, 0x5a) ? 0 : 3);
	}
	close(go[0]);
	t->go = go[1];
	t->pidfd = syscall(SYS_pidfd_open, t->pid, 0);
	return t->pidfd >= 0 && read(made[0], &t->heap, sizeof(t->heap)) == sizeof(t->heap);
}

static int tenant_end(struct tenant *t)
{
	int status;

	close(t->go);
	close(t->pidfd);
	return waitpid(t->pid, &status, 0) == t->pid ? status : -1;
}

TEST_F(race, A15_process_madvise)
{
	static const int advices[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED };
	struct tenant t;
	struct iovec iov;

	ASSERT_TRUE(tenant_start(&t));
	iov = (struct iovec) { at(t.heap.base), 16 * MIB };
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		EXPECT_EQ(16 * MIB, syscall(SYS_process_madvise, t.pidfd, &iov, 1, advices[i], 0))
			TH_LOG("advice %d: %s", advices[i], strerror(errno));
	}
	/* Not always possible. */
	syscall(SYS_process_madvise, t.pidfd, &iov, 1, MADV_COLLAPSE, 0);
	/* Advice that would lose data is not for others to give. */
	EXPECT_EQ(-1, syscall(SYS_process_madvise, t.pidfd, &iov, 1, MADV_REMOVE, 0));
	EXPECT_EQ(-1, syscall(SYS_process_madvise, t.pidfd, &iov, 1, MADV_DOFORK, 0));
	EXPECT_EQ(0, tenant_end(&t));
}

TEST_F(race, A15_move_pages)
{
	enum { PAGES = 64 };
	void *pages[PAGES];
	int nodes[PAGES] = { 0 }, status[PAGES];
	struct tenant t;

	ASSERT_TRUE(tenant_start(&t));
	for (int i = 0; i < PAGES; i++) {
		pages[i] = at(t.heap.base + i * 64 * KIB);
		status[i] = -1;
	}
	/* Every page is where it is to go; pressure.c moves them. */
	ASSERT_EQ(0, syscall(SYS_move_pages, t.pid, PAGES, pages, NULL, nodes, 4));
	EXPECT_EQ(0, syscall(SYS_move_pages, t.pid, PAGES, pages, nodes, status, 4));
	for (int i = 0; i < PAGES; i++) {
		EXPECT_LE(0, nodes[i]);
		EXPECT_EQ(nodes[i], status[i]);
	}
	EXPECT_EQ(0, tenant_end(&t));
}

TEST_F(race, A15_process_mrelease)
{
	struct tenant t, dying;

	ASSERT_TRUE(tenant_start(&t));
	EXPECT_EQ(-1, syscall(SYS_process_mrelease, t.pidfd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, tenant_end(&t));

	/* From one that dies it may take the process's own; the heap ends once all the same. */
	for (int i = 0; i < 20; i++) {
		ASSERT_TRUE(tenant_start(&dying));
		kill(dying.pid, SIGKILL);
		syscall(SYS_process_mrelease, dying.pidfd, 0);
		EXPECT_EQ(SIGKILL, tenant_end(&dying));
		EXPECT_TRUE(used_becomes(self->dev, USER, 0));
	}
}

/* Ledgers while processes come and go */

/* A child's life by number: exits, becomes another user first, or execs with heaps. */
static void live(unsigned long number)
{
	static char *const arguments[] = { "true", NULL };
	struct privheap_create heap;
	int dev = device_open();

	if (heap_create(dev, 64 * KIB, MIB, 0, &heap))
		_exit(1);
	if (number % 2 && setresuid(NOBODY, NOBODY, NOBODY))
		_exit(2);
	if (touch(heap.base + MIB - 1))
		_exit(3);
	if (number % 4 < 2)
		_exit(0);
	execv("/bin/true", arguments);
	_exit(4);
}

static bool is_sane(const struct privheap_quota *q)
{
	return q->used <= GIB && q->heaps <= 1000 && q->used <= q->peak;
}

static struct privheap_quota quota_of_user(int dev, uint32_t uid)
{
	struct privheap_quota arg = { .scope = USER, .id = uid };

	if (call(dev, PRIVHEAP_QUOTA_GET, &arg))
		arg.used = ~0ULL;
	return arg;
}

static void sample(struct round *round)
{
	struct privheap_quota user = quota(round->dev, USER), system = quota(round->dev, SYSTEM);
	struct privheap_quota other = quota_of_user(round->dev, NOBODY);

	if (!is_sane(&user) || !is_sane(&other) || !is_sane(&system))
		wrong(round, "used: %lld by root, %lld by nobody, %lld by all",
		      (long long)user.used, (long long)other.used, (long long)system.used);
}

static void live_or_sample(struct round *round, int who)
{
	int status = -1;
	pid_t pid;

	while (who && !atomic_load(&round->over))
		sample(round);
	if (who)
		return;
	pid = fork();
	if (!pid)
		live(round->number);
	if (waitpid(pid, &status, 0) != pid || status)
		wrong(round, "life %lu: status 0x%x", round->number, status);
	atomic_store(&round->over, true);
}

TEST_F(race, E6_never_negative)
{
	struct race r = { .racers = 2, .dev = self->dev, .total = share(5),
			  .run = live_or_sample };

	EXPECT_STREQ("", race(&r));
	EXPECT_LT(64 * KIB, quota(self->dev, USER).peak);
}

TEST_HARNESS_MAIN

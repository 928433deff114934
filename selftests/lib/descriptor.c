// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The library's descriptor of the device, when the program closes it, or has its number for a file of
 * its own: HOSTILE F1. On anonymous memory there is none, and all of this must hold as well.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "../../uapi/privheap.h"
#include "heapapi.h"
#include "privheap.h"

#define DEVICE		"/dev/privheap"
#define WORDS		"the program's own words\n"

static HANDLE heap;
static volatile sig_atomic_t asked;

/* The number of a descriptor of the device; -1: there is none. */
static int device_number(void)
{
	char link[64], to[64];
	int fd;

	for (fd = 0; fd < 2048; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		if (strcmp(to, DEVICE) == 0)
			return fd;
	}
	return -1;
}

/* Every use there is of a heap, old and new. */
static bool heaps_go_on(void)
{
	HANDLE other = HeapCreate(0, 0, 16 * MIB);
	char *small = HeapAlloc(heap, 0, 100), *large = HeapAlloc(heap, 0, 3 * MIB);
	size_t n = 0;
	void *p;

	if (!other || !small || !large)
		return false;
	memset(large, 1, 3 * MIB);
	for (n = 0; n < 300; n++) {
		p = HeapAlloc(heap, HEAP_ZERO_MEMORY, 4000);
		if (!p || !all_bytes(p, 0, 4000))
			return false;
	}
	p = HeapAlloc(other, 0, 2 * MIB);
	return p && HeapFree(heap, 0, large) && HeapValidate(heap, 0, NULL) && HeapDestroy(other);
}

static uint64_t quota_used(void)
{
	struct privheap_quota_info info = PRIVHEAP_QUOTA_INFO_INIT;

	return privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &info) ? 0 : info.used;
}

FIXTURE(descriptor)
{
	int number, log;
	char path[64];
};

FIXTURE_SETUP(descriptor)
{
	heap = HeapCreate(0, 0, 64 * MIB);
	ASSERT_NE(NULL, heap);
	ASSERT_NE(NULL, HeapAlloc(heap, 0, 1000));
	self->number = device_number();
	strcpy(self->path, "/tmp/privheap-log-XXXXXX");
	self->log = mkstemp(self->path);
	ASSERT_LE(0, self->log);
	ASSERT_EQ(strlen(WORDS), write(self->log, WORDS, strlen(WORDS)));
}

FIXTURE_TEARDOWN(descriptor)
{
	EXPECT_TRUE(HeapDestroy(heap));
	unlink(self->path);
}

/* The log gets the library's number. */
static int take_number(int number, int log)
{
	return number < 0 ? log : dup2(log, number);
}

/* It is open, the file it was, and has only what the program wrote. */
static bool log_is_intact(int log)
{
	char text[64] = "";
	struct stat now;

	return fstat(log, &now) == 0 && S_ISREG(now.st_mode) &&
	       pread(log, text, sizeof(text) - 1, 0) == (ssize_t)strlen(WORDS) &&
	       strcmp(text, WORDS) == 0;
}

TEST_F(descriptor, L1_closefrom)
{
	int round;

	for (round = 0; round < 20; round++) {
		closefrom(3);
		ASSERT_TRUE(heaps_go_on()) TH_LOG("round %d: errno %d", round, errno);
	}
}

TEST_F(descriptor, L1_close_range_at_every_moment)
{
	uint64_t before = quota_used();
	int round;

	for (round = 0; round < 50; round++) {
		HANDLE own = HeapCreate(0, 0, 16 * MIB);

		ASSERT_NE(NULL, own);
		close_range(3, ~0U, 0);
		ASSERT_NE(NULL, HeapAlloc(own, 0, 300 * KIB));
		if (round % 2)
			close_range(3, ~0U, 0);
		ASSERT_TRUE(HeapDestroy(own));
	}
	EXPECT_EQ(before, quota_used());
}

TEST_F(descriptor, L1_number_is_the_programs_log)
{
	int log = take_number(self->number, self->log);

	EXPECT_TRUE(heaps_go_on()) TH_LOG("errno %d", errno);
	EXPECT_TRUE(log_is_intact(log));
}

TEST_F(descriptor, L1_number_is_the_programs_log_before_fork)
{
	int log = take_number(self->number, self->log), status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		heap = HeapCreate(0, 0, 64 * MIB);
		_exit(!heap || !heaps_go_on() ? 1 : !log_is_intact(log) ? 2 : 0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_TRUE(heaps_go_on());
	EXPECT_TRUE(log_is_intact(log));
}

TEST_F(descriptor, L1_number_is_the_childs_log)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		int log = take_number(self->number, self->log), other = -1;

		heap = HeapCreate(0, 0, 64 * MIB);
		if (!heap || !heaps_go_on() || !log_is_intact(log))
			_exit(1);
		/* And once more, of a child that has a descriptor of its own. */
		other = take_number(device_number(), self->log);
		pid = fork();
		if (pid == 0)
			_exit(!log_is_intact(other) || !log_is_intact(log));
		waitpid(pid, &status, 0);
		_exit(status || !heaps_go_on());
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

static void on_sigsys(int number)
{
	asked++;
}

/* From here on an ioctl of the device's on this number, or its end, is counted and refused. */
static bool watch(int number)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
	};
	struct sock_fprog program = { .len = COUNT(filter), .filter = filter };

	signal(SIGSYS, on_sigsys);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(descriptor, L1_no_strangers_file_is_asked)
{
	int log = take_number(self->number, self->log), status = -1;
	pid_t pid;

	ASSERT_TRUE(watch(log));
	EXPECT_TRUE(heaps_go_on()) TH_LOG("errno %d", errno);
	EXPECT_EQ(0, asked);
	pid = fork();
	if (pid == 0) {
		heap = HeapCreate(0, 0, 64 * MIB);
		_exit(!heap || !heaps_go_on() || asked);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

/* The stranger has the same device open, with heaps of the same numbers. */
TEST_F(descriptor, L1_number_is_the_programs_own_device)
{
	struct privheap_create own[4];
	struct privheap_stat stat;
	int dev, i;

	if (self->number < 0)
		return;
	closefrom(3);
	dev = dup2(open(DEVICE, O_RDWR | O_CLOEXEC), self->number);
	ASSERT_EQ(self->number, dev);
	for (i = 0; i < 4; i++) {
		own[i] = (struct privheap_create){ .initial = 4096, .maximum = 64 * MIB };
		ASSERT_EQ(0, ioctl(dev, PRIVHEAP_CREATE, &own[i]));
	}
	EXPECT_TRUE(heaps_go_on()) TH_LOG("errno %d", errno);
	EXPECT_TRUE(HeapDestroy(heap));
	for (i = 0; i < 4; i++) {
		stat = (struct privheap_stat){ .heap = own[i].heap };
		EXPECT_EQ(0, ioctl(dev, PRIVHEAP_STAT, &stat));
		EXPECT_EQ(4096, stat.committed);
	}
	heap = HeapCreate(0, 0, 1 * MIB);
}

/* Grown without a descriptor: what a quota refuses is an error, no signal. */
static void refused_without_descriptor(bool secret, bool populate)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	privheap_t *own;
	size_t n, got = 0;
	char *p;

	attr.secret = secret;
	attr.populate = populate;
	attr.maximum = 64 * MIB;
	own = privheap_create(&attr);
	CHECK_IN_CHILD(own);
	CHECK_IN_CHILD(privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF,
					  quota_used() + 8 * MIB) == 0);
	closefrom(3);
	for (n = 0; n < 40; n++) {
		errno = 0;
		p = privheap_alloc(own, 1200 * KIB);
		if (!p)
			break;
		memset(p, 1, 1200 * KIB);
		got++;
	}
	CHECK_IN_CHILD(!p && errno == EDQUOT && got >= 4 && got <= 7);
	CHECK_IN_CHILD(privheap_validate(own, NULL));
	CHECK_IN_CHILD(privheap_destroy(own) == 0);
}

static void refused_ordinary(void)
{
	refused_without_descriptor(false, false);
	refused_without_descriptor(false, true);
}

static void refused_secret(void)
{
	refused_without_descriptor(true, false);
	refused_without_descriptor(true, true);
}

TEST(L1_quota_without_descriptor)
{
	EXPECT_CHILD_OK(refused_ordinary);
	EXPECT_CHILD_OK(refused_secret);
}

TEST(L1_number_is_high)
{
	int number, before = dup(STDERR_FILENO), after;

	close(before);
	ASSERT_NE(NULL, GetProcessHeap());
	after = dup(STDERR_FILENO);
	EXPECT_EQ(before, after);
	number = device_number();
	EXPECT_TRUE(number < 0 || number >= 100) TH_LOG("number %d", number);
}

TEST(L1_few_descriptors)
{
	struct rlimit few = { 8, 8 };
	int i;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &few));
	heap = HeapCreate(0, 0, 64 * MIB);
	ASSERT_NE(NULL, heap) TH_LOG("errno %d", errno);
	while (dup(STDERR_FILENO) >= 0)
		;
	EXPECT_TRUE(heaps_go_on());
	for (i = 3; i < 8; i++)
		close(i);
	EXPECT_TRUE(heaps_go_on());
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HOSTILE.md A: nobody else ever sees a byte. Each case by its number. */
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "device.h"

#ifndef MADV_DOFORK
#define MADV_DOFORK 11
#endif

static int peek_in_child(void *address)
{
	return peek((uint64_t)address);
}

TEST_F(heap, A1_fork)
{
	memset((void *)self->heap.base, 0x77, MIB);
	EXPECT_EQ(SIGSEGV, in_child(peek_in_child, (void *)self->heap.base));
	EXPECT_TRUE(is_filled(self->heap.base, MIB, 0x77));
}

static int is_mapped_in_child(void *address)
{
	return maps_line((uint64_t)address)[0] != 0;
}

TEST_F(heap, A1_fork_range_is_absent)
{
	EXPECT_EQ(0, in_child(is_mapped_in_child, (void *)self->heap.base));
}

TEST_F(heap, A2_dofork)
{
	static const int before[] = { MADV_NORMAL, MADV_RANDOM, MADV_DONTDUMP, MADV_WILLNEED };

	memset((void *)self->heap.base, 0x77, 4 * MIB);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		madvise((void *)self->heap.base, 16 * MIB, before[i]);
		madvise((void *)self->heap.base, 16 * MIB, MADV_DOFORK);
		for (uint64_t at = 0; at < 16 * MIB; at += 2 * MIB) {
			int got = in_child(peek_in_child, (void *)(self->heap.base + at));

			EXPECT_TRUE(got == SIGBUS || got == SIGSEGV) TH_LOG("got %d", got);
		}
	}
	EXPECT_TRUE(is_filled(self->heap.base, 4 * MIB, 0x77));
}

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* A mapping with guard pages is one that fork copies page by page, where the kernel has them. */
TEST_F(heap, A2_dofork_with_a_guard_page)
{
	int got;

	memset((void *)self->heap.base, 0x77, MIB);
	if (madvise((void *)(self->heap.base + 5 * PAGE), PAGE, MADV_GUARD_INSTALL)) {
		EXPECT_EQ(EINVAL, errno);
	} else {
		EXPECT_EQ(SIGSEGV, peek(self->heap.base + 5 * PAGE));
	}
	madvise((void *)self->heap.base, 16 * MIB, MADV_DOFORK);
	got = in_child(peek_in_child, (void *)self->heap.base);
	EXPECT_TRUE(got == SIGBUS || got == SIGSEGV) TH_LOG("got %d", got);
	EXPECT_TRUE(is_filled(self->heap.base, 5 * PAGE, 0x77));
}

static int grandchild_peek(void *address)
{
	return in_child(peek_in_child, address);
}

TEST_F(heap, A2_dofork_grandchild)
{
	memset((void *)self->heap.base, 0x77, MIB);
	madvise((void *)self->heap.base, 16 * MIB, MADV_DOFORK);
	EXPECT_EQ(SIGSEGV, in_child(grandchild_peek, (void *)self->heap.base));
}

static int dofork_child_lingers(void *address)
{
	peek((uint64_t)address);
	usleep(300000);
	return 0;
}

/* The child's mapping keeps neither pages nor charge once the owner has destroyed. */
TEST_F(heap, A2_dofork_child_holds_nothing)
{
	pid_t pid;
	int status;

	memset((void *)self->heap.base, 0x77, 4 * MIB);
	madvise((void *)self->heap.base, 16 * MIB, MADV_DOFORK);
	pid = fork();
	if (!pid)
		_exit(dofork_child_lingers((void *)self->heap.base));
	usleep(50000);
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
}

/* Every command on a descriptor of another address space; how many were not EPERM. */
static int commands_refused(int dev)
{
	char arg[256] = { 0 };
	int wrong = 0;

	wrong += call(dev, PRIVHEAP_CREATE, arg) != EPERM;
	wrong += call(dev, PRIVHEAP_COMMIT, arg) != EPERM;
	wrong += call(dev, PRIVHEAP_DESTROY, arg) != EPERM;
	wrong += call(dev, PRIVHEAP_STAT, arg) != EPERM;
	wrong += call(dev, PRIVHEAP_QUOTA_GET, arg) != EPERM;
	wrong += call(dev, PRIVHEAP_QUOTA_SET, arg) != EPERM;
	wrong += mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dev, 0) != MAP_FAILED;
	close(dev);
	return wrong;
}

static int commands_refused_in_child(void *dev)
{
	return commands_refused((long)dev);
}

TEST_F(heap, A3_inherited_descriptor)
{
	EXPECT_EQ(0, in_child(commands_refused_in_child, (void *)(long)self->dev));
	EXPECT_EQ(0, touch(self->heap.base + MIB));
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 4 * MIB, 0));
}

static int write_as_thread(void *address)
{
	*(volatile char *)address = 42;
	return 0;
}

static int clone_with(int flags, int (*f)(void *), void *arg)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));
	pid_t pid = clone(f, stack + sizeof(stack), flags | SIGCHLD, arg);
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST_F(heap, A4_shared_mm)
{
	EXPECT_EQ(0, clone_with(CLONE_VM | CLONE_VFORK, write_as_thread, (void *)self->heap.base));
	EXPECT_EQ(42, *(char *)self->heap.base);
	EXPECT_EQ(0, touch(self->heap.base + MIB));
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 4 * MIB, 0));
}

TEST_F(heap, A4_shared_files_without_shared_mm)
{
	EXPECT_EQ(6, clone_with(CLONE_FILES, commands_refused_in_child, (void *)(long)-1))
		TH_LOG("the count itself must work: six commands, none on descriptor -1 is EPERM");
	EXPECT_EQ(0, clone_with(CLONE_FILES, commands_refused_in_child,
				(void *)(long)dup(self->dev)));
	EXPECT_EQ(0, touch(self->heap.base + MIB));
}

/* What process_vm_readv gets of n bytes: how many it read, or -errno. */
static long remote_read(uint64_t address)
{
	char buffer[64];
	struct iovec local = { buffer, sizeof(buffer) };
	struct iovec remote = { (void *)address, sizeof(buffer) };
	long n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	return n < 0 ? -errno : n;
}

static long mem_read(uint64_t address)
{
	char buffer[64];
	int fd = open("/proc/self/mem", O_RDONLY);
	long n = pread(fd, buffer, sizeof(buffer), address);

	n = n < 0 ? -errno : n;
	close(fd);
	return n;
}

TEST_F(heap, A5_secret_heap)
{
	struct privheap_create secret;

	ASSERT_EQ(0, heap_create(self->dev, MIB, MIB, PRIVHEAP_CREATE_SECRET, &secret));
	EXPECT_EQ(0, touch(secret.base));
	EXPECT_EQ(-EFAULT, remote_read(secret.base));
	EXPECT_EQ(-EIO, mem_read(secret.base));
	EXPECT_EQ(64, remote_read(self->heap.base));
	EXPECT_EQ(64, mem_read(self->heap.base));
}

/* What PTRACE_PEEKDATA gets of a tracee that stopped itself: 0, or the errno. */
static int peek_at_tracee(uint64_t address, pid_t pid)
{
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, (void *)address, NULL);
	return errno;
}

TEST_F(heap, A5_ptrace)
{
	struct privheap_create ordinary, secret;
	int report[2], status;
	pid_t pid;

	ASSERT_EQ(0, pipe(report));
	pid = fork();
	if (!pid) {
		int dev = device_open();

		heap_create(dev, MIB, MIB, 0, &ordinary);
		heap_create(dev, MIB, MIB, PRIVHEAP_CREATE_SECRET, &secret);
		(void)!write(report[1], &ordinary.base, 8);
		(void)!write(report[1], &secret.base, 8);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(8, read(report[0], &ordinary.base, 8));
	ASSERT_EQ(8, read(report[0], &secret.base, 8));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, peek_at_tracee(ordinary.base, pid));
	EXPECT_EQ(EIO, peek_at_tracee(secret.base, pid));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

TEST_F(heap, A6_map_files)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%llx-%llx",
		 (unsigned long long)self->heap.base,
		 (unsigned long long)self->heap.base + 16 * MIB);
	for (int mode = O_RDONLY; mode <= O_RDWR; mode++) {
		fd = open(path, mode);
		EXPECT_EQ(-1, fd);
		EXPECT_EQ(geteuid() || mode != O_RDONLY ? EPERM : EIO, errno);
	}
	EXPECT_EQ(-1, truncate(path, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(64 * KIB, heap_stat(self->dev, self->heap.heap).committed);
}

static int send_descriptor(int sock, int fd)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.head = (struct cmsghdr) {
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
	};
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -1;
}

static int receive_descriptor(int sock)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(sock, &msg, 0) == 1)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static int received_descriptor_is_refused(void *sock)
{
	return commands_refused(receive_descriptor((long)sock));
}

TEST_F(heap, A10_descriptor_over_a_socket)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, send_descriptor(pair[0], self->dev));
	EXPECT_EQ(0, in_child(received_descriptor_is_refused, (void *)(long)pair[1]));
	EXPECT_EQ(0, touch(self->heap.base + MIB));
}

TEST_F(heap, A10_reopen_is_a_fresh_context_on_the_same_ledger)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->dev);
	again = open(path, O_RDWR);
	ASSERT_GE(again, 0);
	EXPECT_EQ(ENOENT, heap_destroy(again, self->heap.heap));
	EXPECT_EQ(64 * KIB, quota(again, PRIVHEAP_QUOTA_PROCESS).used);
}

/* After exec: called with the descriptor's number, or -1 if it was to be closed. */
static int after_exec(const char *descriptor, const char *limit)
{
	int dev = atoi(descriptor), fresh = device_open();
	struct privheap_create heap;

	if (dev >= 0 && commands_refused(dev))
		return 1;
	if (quota(fresh, PRIVHEAP_QUOTA_PROCESS).used)
		return 2;
	if (quota(fresh, PRIVHEAP_QUOTA_PROCESS).limit != strtoull(limit, NULL, 10))
		return 3;
	if (heap_create(fresh, 5 * MIB, 8 * MIB, 0, &heap) != EDQUOT)
		return 4;
	return heap_create(fresh, MIB, 8 * MIB, 0, &heap) ? 5 : 0;
}

static int exec_with_limit(bool keep)
{
	int dev = device_open();
	struct privheap_create heap;
	char number[16];

	if (heap_create(dev, MIB, 8 * MIB, 0, &heap) || limit_self(dev, 4 * MIB))
		return 20;
	fcntl(dev, F_SETFD, keep ? 0 : FD_CLOEXEC);
	snprintf(number, sizeof(number), "%d", keep ? dev : -1);
	execl("/proc/self/exe", "isolation", "after-exec", number, "4194304", NULL);
	return 21;
}

static int exec_keeping(void *unused)
{
	return exec_with_limit(true);
}

static int exec_closing(void *unused)
{
	return exec_with_limit(false);
}

TEST(A11_exec_with_the_descriptor_kept)
{
	EXPECT_EQ(0, in_child(exec_keeping, NULL));
}

TEST(A11_exec_with_the_descriptor_closed)
{
	EXPECT_EQ(0, in_child(exec_closing, NULL));
}

/* All of it, or as far as a limit lets it come, after being refused the whole at once. */
static int paint(void *refused)
{
	int dev = device_open();
	struct privheap_create heap;
	size_t bytes = 64 * MIB;

	if (*(bool *)refused) {
		bytes -= 5 * MIB;
		if (limit_self(dev, bytes))
			return 1;
		if (heap_create(dev, 64 * MIB, 64 * MIB, 0, &heap) != EDQUOT)
			return 2;
	}
	if (heap_create(dev, 0, 64 * MIB, 0, &heap))
		return 3;
	if (*(bool *)refused && heap_commit(dev, heap.heap, 64 * MIB, 0) != EDQUOT)
		return 4;
	memset((void *)heap.base, 0xee, bytes);
	return is_filled(heap.base, bytes, 0xee) ? 0 : 5;
}

static int find_no_paint(void *unused)
{
	int dev = device_open();
	struct privheap_create heap;

	if (!getuid() && setresuid(NOBODY - 1, NOBODY - 1, NOBODY - 1))
		return 1;
	if (heap_create(dev, 32 * MIB, 64 * MIB, 0, &heap))
		return 2;
	return is_filled(heap.base, 64 * MIB, 0) ? 0 : 3;
}

/* By both users and on both stock kernels 100 rounds together. */
TEST_F_TIMEOUT(heap, A12_fresh_memory_is_zero, 600)
{
	for (unsigned long round = 0; round < setting("ROUNDS", 2500) / 100; round++) {
		bool refused = round % 2;

		ASSERT_EQ(0, in_child(paint, &refused));
		ASSERT_EQ(0, in_child(find_no_paint, NULL));
	}
}

/* Becomes another user between creating and growing. */
static int change_user_and_grow(void *unused)
{
	int dev = device_open();
	struct privheap_create heap;

	if (heap_create(dev, MIB, 16 * MIB, 0, &heap) || setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	if (heap_commit(dev, heap.heap, 4 * MIB, 0))
		return 2;
	if (quota(dev, PRIVHEAP_QUOTA_USER).used != 4 * MIB)
		return 3;	/* the descriptor's user, still root */
	if (quota(device_open(), PRIVHEAP_QUOTA_USER).used)
		return 4;	/* nobody has nothing */
	return heap_destroy(dev, heap.heap);
}

TEST_F(heap, A13_charge_stays_with_the_creator)
{
	EXPECT_EQ(64 * KIB, quota(self->dev, PRIVHEAP_QUOTA_USER).used);
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	if (!getuid())
		EXPECT_EQ(0, in_child(change_user_and_grow, NULL));
	EXPECT_TRUE(used_becomes(self->dev, PRIVHEAP_QUOTA_USER, 0));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "after-exec"))
		return after_exec(argv[2], argv[3]);
	return test_harness_run(argc, argv);
}

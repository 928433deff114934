// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HOSTILE.md F4: to look at a heap commits nothing. A debugger, /proc/PID/mem, process_vm_readv
 * and the kernel reading for the process itself see what is committed and are refused the rest.
 */
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "device.h"

#define MAXIMUM		(512 * MIB)
#define COMMITTED	MIB

struct tracee {
	pid_t pid;
	int dev;	/* which only the tracee may use */
	uint64_t base;
	int ask, tell;
};

/* Answers each byte that comes with what is committed. */
static void tracee_main(int in, int out)
{
	int dev = device_open();
	struct privheap_create heap;
	char byte;

	if (heap_create(dev, COMMITTED, MAXIMUM, 0, &heap))
		_exit(1);
	memset(at(heap.base), 0x5a, COMMITTED);
	if (write(out, &heap.base, 8) != 8)
		_exit(2);
	while (read(in, &byte, 1) == 1) {
		uint64_t committed = heap_stat(dev, heap.heap).committed;

		if (write(out, &committed, 8) != 8)
			_exit(3);
	}
	_exit(0);
}

FIXTURE(tracee)
{
	struct tracee t;
};

FIXTURE_SETUP(tracee)
{
	int ask[2], tell[2];

	ASSERT_EQ(0, pipe(ask));
	ASSERT_EQ(0, pipe(tell));
	self->t.pid = fork();
	ASSERT_LE(0, self->t.pid);
	if (!self->t.pid) {
		close(ask[1]);
		tracee_main(ask[0], tell[1]);
	}
	self->t.ask = ask[1];
	self->t.tell = tell[0];
	ASSERT_EQ(8, read(self->t.tell, &self->t.base, 8));
}

FIXTURE_TEARDOWN(tracee)
{
	kill(self->t.pid, SIGKILL);
	waitpid(self->t.pid, NULL, 0);
}

static uint64_t committed(struct tracee *t)
{
	uint64_t bytes = 0;

	return write(t->ask, "", 1) == 1 && read(t->tell, &bytes, 8) == 8 ? bytes : 0;
}

/* Bytes that can be read of the whole range, 64 KiB at a time. */
static uint64_t readable_by_mem(struct tracee *t)
{
	static char buffer[64 * KIB];
	char path[64];
	uint64_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", t->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (uint64_t at = 0; at < MAXIMUM; at += sizeof(buffer)) {
		ssize_t got = pread(fd, buffer, sizeof(buffer), t->base + at);

		n += got > 0 && is_filled((uintptr_t)buffer, got, 0x5a) ? got : 0;
	}
	close(fd);
	return n;
}

static uint64_t readable_by_vm_readv(struct tracee *t)
{
	static char buffer[64 * KIB];
	uint64_t n = 0;

	for (uint64_t at = 0; at < MAXIMUM; at += sizeof(buffer)) {
		struct iovec local = { buffer, sizeof(buffer) };
		struct iovec remote = { (void *)(t->base + at), sizeof(buffer) };
		ssize_t got = process_vm_readv(t->pid, &local, 1, &remote, 1, 0);

		n += got > 0 ? got : 0;
	}
	return n;
}

TEST_F(tracee, K13_proc_mem)
{
	EXPECT_EQ(COMMITTED, readable_by_mem(&self->t));
	EXPECT_EQ(COMMITTED, committed(&self->t));
}

TEST_F(tracee, K13_process_vm_readv)
{
	EXPECT_EQ(COMMITTED, readable_by_vm_readv(&self->t));
	EXPECT_EQ(COMMITTED, committed(&self->t));
}

TEST_F(tracee, K13_ptrace)
{
	ASSERT_EQ(0, ptrace(PTRACE_ATTACH, self->t.pid, NULL, NULL));
	ASSERT_EQ(self->t.pid, waitpid(self->t.pid, NULL, 0));
	errno = 0;
	EXPECT_EQ(0x5a5a5a5a5a5a5a5a, ptrace(PTRACE_PEEKDATA, self->t.pid, self->t.base, NULL));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, self->t.pid, self->t.base + COMMITTED, NULL));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, self->t.pid, self->t.base + COMMITTED, 1));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, self->t.pid, NULL, NULL));
	EXPECT_EQ(COMMITTED, committed(&self->t));
}

/* What is written into a process from outside goes where it has committed, and no further. */
TEST_F(tracee, K13_process_vm_writev)
{
	char bytes[64] = "";
	struct iovec local = { bytes, sizeof(bytes) };
	struct iovec inside = { (void *)self->t.base, sizeof(bytes) };
	struct iovec beyond = { (void *)(self->t.base + COMMITTED), sizeof(bytes) };

	EXPECT_EQ(64, process_vm_writev(self->t.pid, &local, 1, &inside, 1, 0));
	EXPECT_EQ(-1, process_vm_writev(self->t.pid, &local, 1, &beyond, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(COMMITTED, committed(&self->t));
}

/* The kernel reads for the process itself: from what is committed only. */
TEST_F(heap, K13_system_calls_read_what_is_committed)
{
	uint64_t base = self->heap.base;
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(16, write(ends[1], at(base), 16));
	EXPECT_EQ(-1, write(ends[1], at(base + MIB), 16));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(64 * KIB, heap_stat(self->dev, self->heap.heap).committed);
	/* And writes for it where it has not been yet. */
	EXPECT_EQ(16, read(ends[0], at(base + MIB), 16));
	EXPECT_LE(MIB + PAGE, heap_stat(self->dev, self->heap.heap).committed);
	EXPECT_EQ(0, peek(base + 2 * MIB));
	EXPECT_LE(2 * MIB + PAGE, heap_stat(self->dev, self->heap.heap).committed);
}

TEST_HARNESS_MAIN

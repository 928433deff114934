// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * How the descriptor is told from others (see descriptor.h):
 *
 *	fstat		a character device, the node and the device number that were opened
 *	F_GETSIG	the mark that was put on the open file: the program, or another copy of this
 *			library, may have the same device open at this number, with other heaps
 *
 * The mark is the signal that O_ASYNC would send, which is not turned on here: of all that fcntl(2)
 * keeps for an open file, what is not missed.
 *
 * Between the look and the use another thread can still put a file of its own there: then it gets a
 * command that no other device knows, and the answer is looked at before it is believed. What is
 * not done is to keep the number for good; only the kernel could.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "os/descriptor.h"
#include "os/process.h"
#include "os/syscalls.h"

#define DEVICE_PATH	"/dev/privheap"
#define LEAST		3	/* never a standard descriptor, even if those are closed */
#define HIGH		1000	/* out of the way of what programs open, in a table of 1,024 */
#define MARK_FIRST	34	/* real-time signals, 34 to 64 */
#define MARKS		31

/* Outside the wiped page: a child must still know what it inherited. */
static struct {
	_Atomic int fd;
	_Atomic dev_t dev, rdev;
	_Atomic ino_t ino;
	_Atomic int mark;	/* 0: there is none */
} known = { .fd = -1 };

static _Atomic int refused;

int descriptor_refused(void)
{
	return refused;
}

bool descriptor_is_ours(int fd)
{
	int mark = known.mark;
	struct stat now;

	return fstat(fd, &now) == 0 && S_ISCHR(now.st_mode) && now.st_rdev == known.rdev &&
	       now.st_dev == known.dev && now.st_ino == known.ino &&
	       (!mark || fcntl(fd, F_GETSIG) == mark);
}

/* Closes what a forked child inherited: it is the parent's. */
static void descriptor_in_child(void)
{
	int fd = atomic_exchange(&known.fd, -1);

	if (fd >= 0 && descriptor_is_ours(fd))
		sys_close(fd);
}

static void descriptor_install(void)
{
	pthread_atfork(NULL, NULL, descriptor_in_child);
}

/* As high as there is room for; the given one if that is high enough; or a negative errno. */
static int descriptor_raise(int low)
{
	struct rlimit limit;
	int minimum = HIGH, fd;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur - limit.rlim_cur / 4 < HIGH)
		minimum = (int)(limit.rlim_cur - limit.rlim_cur / 4);
	fd = fcntl(low, F_DUPFD_CLOEXEC, minimum);
	if (fd < 0 && low >= LEAST)
		return low;
	if (fd < 0)
		fd = fcntl(low, F_DUPFD_CLOEXEC, LEAST);
	if (fd < 0)
		fd = -errno;
	sys_close(low);
	return fd;
}

/* Remembers what the descriptor is, and marks it. 0 or a negative errno. */
static int descriptor_learn(int fd)
{
	int mark = MARK_FIRST + (int)(((uintptr_t)&known >> 12) * 0x9e3779b97f4a7c15u % MARKS);
	struct stat now;

	if (fstat(fd, &now))
		return -errno;
	if (!S_ISCHR(now.st_mode))
		return -ENODEV;
	known.dev = now.st_dev;
	known.ino = now.st_ino;
	known.rdev = now.st_rdev;
	known.mark = fcntl(fd, F_SETSIG, mark) ? 0 : mark;
	known.fd = fd;
	return 0;
}

static int descriptor_make(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int fd, error;

	pthread_once(&once, descriptor_install);

	do {
		fd = sys_open(DEVICE_PATH, O_RDWR | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	fd = descriptor_raise(fd);
	if (fd < 0)
		return fd;
	error = descriptor_learn(fd);
	if (error)
		sys_close(fd);
	return error ? error : fd;
}

/* The number of the opening above, the descriptor plus 1 below; 0 = none. */
static int fd_of(uint64_t device)
{
	return (int)(uint32_t)device - 1;
}

static uint32_t opening_of(uint64_t device)
{
	return (uint32_t)(device >> 32);
}

int descriptor_open(uint32_t *opening)
{
	struct process *process = process_get();
	uint64_t device;
	int fd;

	if (!process)
		return -ENOMEM;
	device = atomic_load_explicit(&process->device, memory_order_acquire);
	*opening = opening_of(device);
	fd = fd_of(device);
	if (fd >= 0 && descriptor_is_ours(fd))
		return fd;
	lock_take(&process->device_lock);
	/* Another thread may have opened it since. */
	device = process->device;
	fd = fd_of(device);
	if (fd < 0 || !descriptor_is_ours(fd)) {
		fd = descriptor_make();
		refused = fd < 0 ? fd : 0;
		device = (uint64_t)(opening_of(device) + 1) << 32 | (uint32_t)(fd + 1);
		if (fd >= 0)
			atomic_store_explicit(&process->device, device, memory_order_release);
	}
	*opening = opening_of(device);
	lock_drop(&process->device_lock);
	return fd;
}

int descriptor_of(uint32_t opening)
{
	struct process *process = process_peek();
	uint64_t device;
	int fd;

	if (!process)
		return -1;
	device = atomic_load_explicit(&process->device, memory_order_acquire);
	fd = fd_of(device);
	return opening_of(device) == opening && descriptor_is_ours(fd) ? fd : -1;
}

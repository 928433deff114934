/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* For the tests of a process's limits: what it can still have, and who shares its space. */
#ifndef KERNEL_LIMITED_H
#define KERNEL_LIMITED_H

#include <sched.h>

#include "device.h"

#define PROCESS	PRIVHEAP_QUOTA_PROCESS
#define LIMIT	(4 * MIB)
#define STACK	(64 * KIB)

/* The file's own name for what a child, or an image after exec, says with its exit status. */
enum { HELD, NOT_HELD, FAILED = 10 };

/* Can the caller have 64 MiB through a descriptor of its own, and not what fits? */
static inline int open_and_try(void *unused)
{
	struct privheap_create heap;
	int dev = device_open();
	int err;

	if (dev < 0)
		return FAILED;
	err = heap_create(dev, 64 * MIB, 64 * MIB, 0, &heap);
	if (!err)
		return NOT_HELD;
	if (err != EDQUOT || quota(dev, PROCESS).limit != LIMIT)
		return FAILED + 1;
	if (heap_create(dev, MIB, MIB, 0, &heap) || heap_destroy(dev, heap.heap))
		return FAILED + 2;
	close(dev);
	return HELD;
}

/* Starts f in a process of its own that shares our address space. */
static inline pid_t start_sharer(int (*f)(void *), void *arg)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return stack == MAP_FAILED ? -1 : clone(f, stack + STACK, CLONE_VM | SIGCHLD, arg);
}

static inline int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static inline int in_sharer(int (*f)(void *), void *arg)
{
	return status_of(start_sharer(f, arg));
}

static uint64_t shared_base;

static inline int create_for_others(void *unused)
{
	struct privheap_create heap;

	if (heap_create(device_open(), 3 * MIB, 8 * MIB, 0, &heap))
		return FAILED;
	shared_base = heap.base;
	return 0;
}

#endif

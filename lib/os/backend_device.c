// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Ranges from /dev/privheap. Every call is one ioctl on the process's one descriptor; rules and
 * errors are those of uapi/privheap.h.
 *
 * The number of a heap means something to the descriptor that it was made through. When that is
 * gone (see descriptor.h) the heap still grows, by a touch, as the uapi says, and ends by munmap.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "os/backend_device.h"
#include "os/descriptor.h"
#include "../uapi/privheap.h"

#define PAGE	((size_t)4096)
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23	/* Linux 5.14 */
#endif

/* 0 or a negative errno. */
static int device_try(int fd, unsigned long request, void *argument)
{
	int result;

	do {
		result = ioctl(fd, request, argument) ? -errno : 0;
	} while (result == -EINTR);
	return result;
}

/*
 * For what needs no heap of a certain opening. 0 or a negative errno; errno itself is left alone.
 */
static int device_ioctl(unsigned long request, void *argument, uint32_t *opening)
{
	int saved = errno, fd, error;

	do {
		fd = descriptor_open(opening);
		error = fd < 0 ? fd : device_try(fd, request, argument);
		/* An error of another file is none of ours. */
	} while (error && fd >= 0 && !descriptor_is_ours(fd));
	errno = saved;
	return error;
}

/* For a heap of that opening. False: its descriptor is gone, nothing has happened. */
static bool device_ioctl_of(uint32_t opening, unsigned long request, void *argument, int *error)
{
	int saved = errno, fd = descriptor_of(opening);

	if (fd >= 0)
		*error = device_try(fd, request, argument);
	if (fd >= 0 && *error && !descriptor_is_ours(fd))
		fd = -1;
	errno = saved;
	return fd >= 0;
}

static int device_reserve(struct backend_range *range, size_t initial, size_t maximum,
			  unsigned int flags, const char *name)
{
	struct privheap_create c = {
		.flags = (flags & BACKEND_EXEC ? PRIVHEAP_CREATE_EXEC : 0) |
			 (flags & BACKEND_SECRET ? PRIVHEAP_CREATE_SECRET : 0) |
			 (flags & BACKEND_LOCKED ? PRIVHEAP_CREATE_LOCKED : 0),
		.initial = initial,
		.maximum = maximum,
	};
	uint32_t opening;
	int error;

	if (name)
		snprintf(c.name, sizeof(c.name), "%s", name);
	error = device_ioctl(PRIVHEAP_CREATE, &c, &opening);
	if (error)
		return error;
	*range = (struct backend_range){
		.backend = &backend_device,
		.base = (char *)(uintptr_t)c.base,
		.maximum = maximum,
		.committed = c.committed,
		.id = c.heap,
		.opening = opening,
	};
	return 0;
}

/*
 * Writes to a page that is not in use yet, by a system call: where the kernel refuses a page a
 * store would be SIGBUS, this is EFAULT. What it writes, the thread's signal mask, is taken out
 * again.
 */
static int device_touch(char *page)
{
	if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, page, sizeof(uint64_t)))
		return -EDQUOT;
	*(volatile uint64_t *)page = 0;
	return 0;
}

/* Makes the pages resident, so committed. A secret heap's cannot be populated: one by one. */
static int device_populate(char *p, size_t bytes)
{
	int error = 0;

	if (madvise(p, bytes, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL)
		return errno == EFAULT ? -EDQUOT : -ENOMEM;
	for (size_t at = 0; at < bytes && !error; at += PAGE)
		error = device_touch(p + at);
	return error;
}

/*
 * The commit of a heap whose descriptor is gone. The last page first: it commits all before it, or
 * nothing.
 */
static int device_commit_by_touch(struct backend_range *range, size_t committed, bool populate)
{
	size_t old = range->committed;
	int saved = errno, error = 0;

	if (committed > old)
		error = device_populate(range->base + committed - PAGE, PAGE);
	if (!error && committed > old && populate)
		error = device_populate(range->base + old, committed - old);
	if (!error && committed > old)
		range->committed = committed;
	errno = saved;
	return error;
}

static int device_commit(struct backend_range *range, size_t committed, bool populate)
{
	struct privheap_commit c = {
		.heap = range->id,
		.committed = committed,
		.flags = populate ? PRIVHEAP_COMMIT_POPULATE : 0,
	};
	int error;

	if (!device_ioctl_of(range->opening, PRIVHEAP_COMMIT, &c, &error))
		return device_commit_by_touch(range, committed, populate);
	if (!error)
		range->committed = c.committed;
	return error;
}

static int device_release(struct backend_range *range)
{
	struct privheap_destroy d = { .heap = range->id };
	int saved = errno, error;

	if (device_ioctl_of(range->opening, PRIVHEAP_DESTROY, &d, &error))
		return error;
	error = munmap(range->base, range->maximum) ? -errno : 0;
	errno = saved;
	return error;
}

static int device_quota_get(uint32_t scope, uint32_t id, struct backend_quota *quota)
{
	struct privheap_quota q = { .scope = scope, .id = id };
	uint32_t opening;
	int error = device_ioctl(PRIVHEAP_QUOTA_GET, &q, &opening);

	if (!error)
		*quota = (struct backend_quota){
			.limit = q.limit, .used = q.used, .peak = q.peak, .denied = q.denied,
			.heaps = q.heaps, .heaps_limit = q.heaps_limit,
		};
	return error;
}

static int device_quota_set(uint32_t scope, uint32_t id, uint64_t limit)
{
	struct privheap_quota q = { .scope = scope, .id = id, .limit = limit };
	uint32_t opening;

	return device_ioctl(PRIVHEAP_QUOTA_SET, &q, &opening);
}

const struct backend backend_device = {
	.name = "device",
	.reserve = device_reserve,
	.commit = device_commit,
	.release = device_release,
	.quota_get = device_quota_get,
	.quota_set = device_quota_set,
};

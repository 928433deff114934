// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Ranges from /dev/privheap. Every call is one ioctl on the process's one descriptor; rules and
 * errors are those of uapi/privheap.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "backend_device.h"
#include "process.h"
#include "../uapi/privheap.h"

#define DEVICE_PATH	"/dev/privheap"
#define DEVICE_FD_MIN	3	/* never one of the standard descriptors, even if those are closed */

/* Outside the wiped page: the child must still know what it inherited. */
static _Atomic int device_inherited = -1;

static int device_open_at(int minimum)
{
	int fd, high;

	do {
		fd = open(DEVICE_PATH, O_RDWR | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	if (fd >= minimum)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, minimum);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

/* The descriptor, or a negative errno. */
static int device_fd(void)
{
	struct process *process = process_get();
	uint32_t open_fd;
	int fd;

	if (!process)
		return -ENOMEM;
	open_fd = atomic_load_explicit(&process->device_open, memory_order_acquire);
	if (open_fd)
		return (int)open_fd - 1;
	lock_take(&process->device_lock);
	fd = (int)process->device_open - 1;
	if (fd < 0) {
		fd = device_open_at(DEVICE_FD_MIN);
		if (fd >= 0) {
			device_inherited = fd;
			atomic_store_explicit(&process->device_open, (uint32_t)fd + 1,
					      memory_order_release);
		}
	}
	lock_drop(&process->device_lock);
	return fd;
}

void backend_device_in_child(void)
{
	int fd = atomic_exchange(&device_inherited, -1);

	if (fd >= 0)
		close(fd);
}

/* 0 or a negative errno; errno itself is left alone. */
static int device_ioctl(unsigned long request, void *argument)
{
	int error = errno, fd = device_fd(), result;

	if (fd < 0) {
		errno = error;
		return fd;
	}
	do {
		result = ioctl(fd, request, argument) ? -errno : 0;
	} while (result == -EINTR);
	errno = error;
	return result;
}

static int device_reserve(struct backend_range *range, size_t initial, size_t maximum,
			  unsigned int flags, const char *name)
{
	struct privheap_create c = {
		.flags = (flags & BACKEND_EXEC ? PRIVHEAP_CREATE_EXEC : 0) |
			 (flags & BACKEND_SECRET ? PRIVHEAP_CREATE_SECRET : 0),
		.initial = initial,
		.maximum = maximum,
	};
	int error;

	if (name)
		snprintf(c.name, sizeof(c.name), "%s", name);
	error = device_ioctl(PRIVHEAP_CREATE, &c);
	if (error)
		return error;
	*range = (struct backend_range){
		.backend = &backend_device,
		.base = (char *)(uintptr_t)c.base,
		.maximum = maximum,
		.committed = c.committed,
		.id = c.heap,
	};
	return 0;
}

static int device_commit(struct backend_range *range, size_t committed, bool populate)
{
	struct privheap_commit c = {
		.heap = range->id,
		.committed = committed,
		.flags = populate ? PRIVHEAP_COMMIT_POPULATE : 0,
	};
	int error = device_ioctl(PRIVHEAP_COMMIT, &c);

	if (!error)
		range->committed = c.committed;
	return error;
}

static int device_release(struct backend_range *range)
{
	struct privheap_destroy d = { .heap = range->id };

	return device_ioctl(PRIVHEAP_DESTROY, &d);
}

static int device_quota_get(uint32_t scope, uint32_t id, struct backend_quota *quota)
{
	struct privheap_quota q = { .scope = scope, .id = id };
	int error = device_ioctl(PRIVHEAP_QUOTA_GET, &q);

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

	return device_ioctl(PRIVHEAP_QUOTA_SET, &q);
}

const struct backend backend_device = {
	.name = "device",
	.reserve = device_reserve,
	.commit = device_commit,
	.release = device_release,
	.quota_get = device_quota_get,
	.quota_set = device_quota_set,
};

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The heap of a malloc, in place of the library's process.c: one heap, and process-wide state in
 * ordinary memory, which a fork copies with everything else.
 *
 *	once:  environment ─▶ backend, maximum ─▶ heap_create ─▶ malloc_heap
 */
#define _GNU_SOURCE
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "../uapi/privheap.h"
#include "heap/heap.h"
#include "malloc/process.h"
#include "os/backend_anon.h"
#include "os/backend_device.h"
#include "os/report.h"
#include "os/syscalls.h"

_Atomic(struct heap *) malloc_heap;

static struct process process;
static const struct backend *backend;

struct process *process_get(void)
{
	return &process;
}

/* It is there from the start. */
struct process *process_peek(void) __attribute__((alias("process_get")));

const uint64_t *process_canary(struct process *self)
{
	struct timespec now;

	/* Asked for once, when the heap is made. */
	if (sys_getrandom(self->canary, sizeof(self->canary), GRND_NONBLOCK) !=
	    sizeof(self->canary)) {
		/* Early boot: no entropy yet. Better a weak pattern than none. */
		clock_gettime(CLOCK_MONOTONIC, &now);
		self->canary[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
		self->canary[1] = (uint64_t)&now ^ ~self->canary[0];
	}
	return self->canary;
}

/* Anonymous memory that a fork copies. */
static int fork_inherit_reserve(struct backend_range *range, size_t initial, size_t maximum,
			unsigned int flags, const char *name)
{
	int error = backend_anon.reserve(range, initial, maximum, flags, name);

	if (error)
		return error;
	if (madvise(range->base, maximum, MADV_DOFORK)) {
		backend_anon.release(range);
		return -ENOMEM;
	}
	return 0;
}

static struct backend backend_fork_inherit;

static const struct backend *fork_inherit(void)
{
	backend_fork_inherit = backend_anon;
	backend_fork_inherit.reserve = fork_inherit_reserve;
	return &backend_fork_inherit;
}

static __attribute__((noreturn)) void refuse(const char *what, const char *value)
{
	struct report line = REPORT_INIT;

	report_text(&line, "privheap: malloc: ");
	report_text(&line, what);
	report_text(&line, value);
	report_write(&line);
	_exit(127);
}

/*
 * True if a limit was set on this process: then it shall not allocate beside it. Asked on a
 * descriptor that is closed again, as most programs have neither.
 */
static bool limited(void)
{
	struct privheap_quota quota = {
		.scope = PRIVHEAP_QUOTA_PROCESS, .id = PRIVHEAP_QUOTA_SELF,
	};
	int saved = errno, fd = sys_open("/dev/privheap", O_RDWR | O_CLOEXEC);
	bool given = fd >= 0 && ioctl(fd, PRIVHEAP_QUOTA_GET, &quota) == 0 && quota.limit &&
		     !(quota.flags & PRIVHEAP_QUOTA_DEFAULT);

	if (fd >= 0)
		sys_close(fd);
	errno = saved;
	return given;
}

static const struct backend *choose_backend(size_t maximum)
{
	const char *name = secure_getenv("PRIVHEAP_BACKEND");

	if (!name)
		return maximum || limited() ? &backend_device : fork_inherit();
	if (strcmp(name, "anon") == 0)
		return fork_inherit();
	if (strcmp(name, "device") == 0)
		return &backend_device;
	refuse("PRIVHEAP_BACKEND is neither anon nor device: ", name);
}

static size_t choose_maximum(void)
{
	static const char units[] = "KMG";
	const char *text = secure_getenv("PRIVHEAP_MALLOC_MAX"), *at, *unit;
	size_t n = 0;

	if (!text)
		return 0;
	for (at = text; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *at - '0', &n))
			refuse("PRIVHEAP_MALLOC_MAX is too large: ", text);
	unit = *at ? strchr(units, *at) : NULL;
	for (; unit && unit >= units; unit--)
		if (__builtin_mul_overflow(n, 1024, &n))
			refuse("PRIVHEAP_MALLOC_MAX is too large: ", text);
	if (at == text || (*at && (at[1] || !strchr(units, *at))))
		refuse("PRIVHEAP_MALLOC_MAX is no number of bytes, K, M or G: ", text);
	return n;
}

static const char *meaning(int error)
{
#ifdef __GLIBC__
	/* Needs no memory. */
	return strerrordesc_np(error);
#else
	return strerror(error);
#endif
}

struct heap *malloc_make(void)
{
	struct heap_attr attr = { .name = "malloc" };
	struct heap *heap;
	int error;

	attr.maximum = choose_maximum();
	backend = attr.backend = choose_backend(attr.maximum);
	error = heap_create(&attr, &heap);
	if (error)
		refuse(backend == &backend_device ? "no heap on /dev/privheap: " : "no heap: ",
		       meaning(-error));
	return heap;
}

bool malloc_on_device(void)
{
	return malloc_heap && backend == &backend_device;
}

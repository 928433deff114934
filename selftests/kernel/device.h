/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The device as its tests use it: wrappers that return 0 or an errno, a touch that reports the
 * signal it drew, and a fixture with an open descriptor and one heap.
 */
#ifndef KERNEL_DEVICE_H
#define KERNEL_DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "../../uapi/privheap.h"

/* The harness's 30 s are not enough on an interpreted debug kernel. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define PAGE	4096UL
#define KIB	1024UL
#define MIB	(1024 * KIB)
#define GIB	(1024 * MIB)
#define NOBODY	65534

static inline bool kernel_is_older_than(int major, int minor)
{
	struct utsname uts;
	int is_major = 0, is_minor = 0;

	uname(&uts);
	sscanf(uts.release, "%d.%d", &is_major, &is_minor);
	return is_major < major || (is_major == major && is_minor < minor);
}

static inline int device_open(void)
{
	return open("/dev/privheap", O_RDWR | O_CLOEXEC);
}

static inline int call(int dev, unsigned long cmd, void *arg)
{
	return ioctl(dev, cmd, arg) ? errno : 0;
}

static inline void *at(uint64_t address)
{
	return (void *)address;
}

/* 0, or an errno. */
static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;

	close(fd);
	return err;
}

static inline int heap_create(int dev, uint64_t initial, uint64_t maximum, uint32_t flags,
			      struct privheap_create *heap)
{
	*heap = (struct privheap_create) {
		.flags = flags, .initial = initial, .maximum = maximum, .name = "test",
	};
	return call(dev, PRIVHEAP_CREATE, heap);
}

static inline int heap_destroy(int dev, uint64_t heap)
{
	struct privheap_destroy arg = { .heap = heap };

	return call(dev, PRIVHEAP_DESTROY, &arg);
}

static inline int heap_commit(int dev, uint64_t heap, uint64_t committed, uint32_t flags)
{
	struct privheap_commit arg = { .heap = heap, .committed = committed, .flags = flags };

	return call(dev, PRIVHEAP_COMMIT, &arg);
}

static inline struct privheap_stat heap_stat(int dev, uint64_t heap)
{
	struct privheap_stat arg = { .heap = heap };

	if (call(dev, PRIVHEAP_STAT, &arg))
		arg.base = 0;
	return arg;
}

static inline struct privheap_quota quota(int dev, uint32_t scope)
{
	struct privheap_quota arg = {
		.scope = scope, .id = scope == PRIVHEAP_QUOTA_SYSTEM ? 0 : PRIVHEAP_QUOTA_SELF,
	};

	if (call(dev, PRIVHEAP_QUOTA_GET, &arg))
		arg.used = arg.heaps = ~0ULL;
	return arg;
}

static inline int quota_set(int dev, uint32_t scope, uint32_t id, uint64_t limit)
{
	struct privheap_quota arg = { .scope = scope, .id = id, .limit = limit };

	return call(dev, PRIVHEAP_QUOTA_SET, &arg);
}

static inline int limit_self(int dev, uint64_t limit)
{
	return quota_set(dev, PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, limit);
}

/* Charges follow the last close, which may be a moment later: waits up to 10 s for used == bytes. */
static inline bool used_becomes(int dev, uint32_t scope, uint64_t bytes)
{
	for (int i = 0; i < 1000; i++) {
		if (quota(dev, scope).used == bytes)
			return true;
		usleep(10000);
	}
	return false;
}

static __thread sigjmp_buf touch_back;
static __thread volatile bool touching;

/* A touch that draws a signal returns it, in whatever thread; any other one ends the program. */
static void touch_signal(int sig)
{
	if (touching)
		siglongjmp(touch_back, sig);
	signal(sig, SIG_DFL);
}

static __attribute__((constructor)) void touch_install(void)
{
	struct sigaction act = { .sa_handler = touch_signal, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
}

/* Writes (or reads) one byte; 0, or SIGBUS or SIGSEGV if that is what it drew. Any thread may. */
static inline int touch_as(void *address, bool write)
{
	volatile char *byte = address;
	int sig = sigsetjmp(touch_back, 0);

	touching = !sig;
	if (!sig) {
		if (write)
			*byte = *byte + 1;
		else
			(void)*byte;
	}
	touching = false;
	return sig;
}

static inline int touch(uint64_t address)
{
	return touch_as((void *)address, true);
}

static inline int peek(uint64_t address)
{
	return touch_as((void *)address, false);
}

/* A number from the environment, or otherwise. */
static inline unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

/* xorshift: the next random number; the state must not be 0. */
static inline uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Runs f in a forked child; its return value, or 128 + the signal that ended it. */
static inline int in_child(int (*f)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(f(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* The line of /proc/self/maps whose range starts at address, or "". */
static inline const char *maps_line(uint64_t address)
{
	static char line[256];
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strtoull(line, NULL, 16) == address;
	if (maps)
		fclose(maps);
	return found ? line : "";
}

static inline bool is_filled(uint64_t address, size_t n, unsigned char byte)
{
	const unsigned char *p = (const unsigned char *)address;

	return *p == byte && memcmp(p, p + 1, n - 1) == 0;
}

/* What is resident of a heap lies within its commit, and that within the maximum. */
static inline bool within_commit(int dev, uint64_t heap)
{
	struct privheap_stat stat = heap_stat(dev, heap);

	return stat.resident <= stat.committed && stat.committed <= stat.maximum;
}

/* A descriptor, and one heap of 16 MiB with 64 KiB initial. */
FIXTURE(heap)
{
	int dev;
	struct privheap_create heap;
};

FIXTURE_SETUP(heap)
{
	self->dev = device_open();
	ASSERT_GE(self->dev, 0) TH_LOG("/dev/privheap: %s", strerror(errno));
	ASSERT_EQ(0, heap_create(self->dev, 64 * KIB, 16 * MIB, 0, &self->heap));
}

FIXTURE_TEARDOWN(heap)
{
	EXPECT_TRUE(within_commit(self->dev, self->heap.heap));
	close(self->dev);
}

#endif

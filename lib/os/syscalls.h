/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * System calls whose functions in the C library are cancellation points. A thread that ends in one
 * of them would leave what it holds: so no call of the library is one, and these are used instead.
 * They return what the functions do, and set errno.
 */
#ifndef PRIVHEAP_SYSCALLS_H
#define PRIVHEAP_SYSCALLS_H

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static inline int sys_open(const char *path, int flags)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
}

static inline int sys_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

static inline ssize_t sys_read(int fd, void *to, size_t bytes)
{
	return syscall(SYS_read, fd, to, bytes);
}

static inline ssize_t sys_write(int fd, const void *from, size_t bytes)
{
	return syscall(SYS_write, fd, from, bytes);
}

static inline ssize_t sys_getrandom(void *to, size_t bytes, unsigned int flags)
{
	return syscall(SYS_getrandom, to, bytes, flags);
}

/* Nanoseconds, less than a second. */
static inline void sys_sleep(long nanoseconds)
{
	struct timespec time = { .tv_nsec = nanoseconds };

	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
}

#endif

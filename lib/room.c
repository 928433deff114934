// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * How many addresses to reserve (see room.h).
 *
 *	1/24n: 8 TiB + (128 TiB / 24) * (1/2 + 1/3 + ... + 1/10000) = 55 TiB < 64 TiB
 *
 * What is made while n are alive is the n+1st, so it holds in whatever order heaps come and go: of
 * those alive, the k-th oldest was made when k - 1 at least were there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "room.h"

#define PAGE		((size_t)4096)
#define GRANULE		((size_t)64 << 10)
#define MIB		((size_t)1 << 20)
#define HEAP_MOST	((size_t)8 << 40)	/* page numbers of a heap have 31 bits */
#define HEAP_USUAL	(64 * MIB)	/* where addresses are few: what a later heap would like */
#define SIDE_USUAL	((size_t)1 << 30)
#define ADDRESSES	((size_t)1 << 47)	/* of x86-64 */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t whole(size_t bytes)
{
	return most(bytes, ROOM_LEAST) & ~(GRANULE - 1);
}

/* The stack is at the upper end. */
static size_t all_addresses(void)
{
	uintptr_t high = getauxval(AT_RANDOM);

	return high ? (size_t)1 << (64 - __builtin_clzll(high)) : ADDRESSES;
}

/* Bytes of addresses that the process has; half of the limit where /proc cannot be read. */
static size_t addresses_used(size_t limit)
{
	char text[32];
	size_t pages = 0;
	long n = -1;
	int fd;

	/* By syscall(2): not a cancellation point. */
	fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = syscall(SYS_read, fd, text, sizeof(text));
		syscall(SYS_close, fd);
	}
	for (long i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		pages = pages * 10 + (size_t)(text[i] - '0');
	return pages ? pages * PAGE : limit / 2;
}

void room_now(struct room *room)
{
	struct sysinfo info;
	struct rlimit limit;
	int saved = errno;
	size_t used;

	room->memory = SIZE_MAX;
	if (sysinfo(&info) == 0)
		room->memory = (info.totalram + info.totalswap) * info.mem_unit;
	room->left = all_addresses();
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < room->left) {
		used = addresses_used(limit.rlim_cur);
		room->left = limit.rlim_cur > used ? limit.rlim_cur - used : 0;
	}
	errno = saved;
}

size_t room_for_heap(const struct room *room)
{
	size_t share = room->left / 5 * 2;

	if (room->heaps)
		share = most(room->left / 24 / (room->heaps + 1),
			     least(room->left / 4, HEAP_USUAL));
	share = least(share, HEAP_MOST);
	return whole(least(share, most(room->memory, HEAP_USUAL) + GRANULE - 1));
}

/* A quarter of the memory: 16-byte blocks, the worst there is, have 3 bytes of metadata each. */
size_t room_for_side(const struct room *room)
{
	return whole(least(room->left / 8, most(room->memory / 4, SIDE_USUAL)));
}

size_t room_smaller(size_t bytes)
{
	return (bytes - bytes / 4) & ~(GRANULE - 1);
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * How many addresses to reserve (see reservation.h).
 *
 *	1/24n: 8 TiB + (128 TiB / 24) * (1/2 + 1/3 + ... + 1/10000) = 55 TiB < 64 TiB
 *
 * What is made while n are alive is the n+1st, so it holds in whatever order heaps come and go: of
 * those alive, the k-th oldest was made when k - 1 at least were there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include "os/reservation.h"
#include "os/syscalls.h"

#define PAGE		((size_t)4096)
#define GRANULE		((size_t)64 << 10)
#define MIB		((size_t)1 << 20)
#define HEAP_MOST	((size_t)8 << 40)	/* page numbers of a heap have 31 bits */
#define HEAP_USUAL	(64 * MIB)	/* where addresses are few: what a later heap would like */
#define METADATA_USUAL	((size_t)1 << 30)
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

/* What is in the file, 0-terminated; "" if it cannot be read. */
static void read_text(const char *path, char *text, size_t room)
{
	int fd = sys_open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = sys_read(fd, text, room - 1);
		sys_close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
}

/* The number that begins after any spaces; 0 if there is none. */
static size_t read_number(const char *text)
{
	size_t n = 0;

	while (*text == ' ')
		text++;
	for (; *text >= '0' && *text <= '9'; text++)
		n = n * 10 + (size_t)(*text - '0');
	return n;
}

/* Bytes of addresses that the process has; half of the limit where /proc cannot be read. */
static size_t addresses_used(size_t limit)
{
	char text[64];
	size_t pages;

	read_text("/proc/self/statm", text, sizeof(text));
	pages = read_number(text);
	return pages ? pages * PAGE : limit / 2;
}

void room_now(struct room *room)
{
	struct sysinfo info;
	struct rlimit limit;
	int saved = errno;
	size_t used;

	/* Not known: then it is enough for any heap. */
	room->memory = HEAP_MOST;
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
size_t room_for_metadata(const struct room *room)
{
	return whole(least(room->left / 8, most(room->memory / 4, METADATA_USUAL)));
}

size_t room_smaller(size_t bytes)
{
	return (bytes - bytes / 4) & ~(GRANULE - 1);
}

/* A figure of /proc/meminfo, in bytes. */
static size_t figure(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? read_number(at + strlen(name)) << 10 : 0;
}

bool room_has_memory(size_t bytes)
{
	struct sysinfo info;
	int saved = errno;
	char text[1024];
	size_t left;

	if (bytes < HEAP_USUAL || sysinfo(&info))
		return true;
	read_text("/proc/meminfo", text, sizeof(text));
	errno = saved;
	/* Cannot be read: then at least not more than there is. */
	left = strstr(text, "MemAvailable:") ? figure(text, "MemAvailable:") :
	       info.totalram * info.mem_unit;
	left += info.freeswap * info.mem_unit;
	return bytes <= left - left / 16;
}

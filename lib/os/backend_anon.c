// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Ranges of plain anonymous memory, with the ledger kept here.
 *
 *   base            base + committed          base + maximum     next multiple of 64 KiB
 *    |== read/write ==|. . . . . . PROT_NONE . . . . . .|. . . . . . . . .|
 *
 * Beyond the commit the range is PROT_NONE, so a touch there is a fault, as on the device, and not
 * in core dumps: else a page that is made PROT_NONE beside it, as a guard, would make one mapping
 * with it, and a dump would visit all of that. A commit is one mprotect and one madvise; it extends
 * the mapping before it, so a range is two mappings at most. Lengths are rounded up to 64 KiB: one
 * aligned range after the other then comes out aligned, and the detour through an oversized
 * reservation is rare.
 *
 * In a process that has locked its future memory (mlockall) a reservation would be locked whole: it
 * is made so that it is not, and what is committed is locked.
 *
 * Not promised here, only by the device: other processes' limits, SECRET beyond core dumps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include "os/backend_anon.h"
#include "os/process.h"
#include "os/report.h"
#include "os/reservation.h"
#include "../uapi/privheap.h"

#define GRANULE		((size_t)64 << 10)
#define PAGE		4096
#define RESERVED	(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* Beside BACKEND_* in the id of a range. */
#define ANON_LOCKED	(1U << 8)
#define ANON_ONFAULT	(1U << 9)	/* locked, but not before it is touched */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23	/* Linux 5.14 */
#endif

static size_t anon_length(size_t maximum)
{
	return (maximum + GRANULE - 1) & ~(GRANULE - 1);
}

static int anon_charge(struct process *process, uint64_t bytes)
{
	uint64_t used = process->anon.used, peak, limit;

	do {
		limit = process->anon.limit;
		if (limit && (used > limit || bytes > limit - used)) {
			process->anon.denied++;
			return -EDQUOT;
		}
	} while (!atomic_compare_exchange_weak(&process->anon.used, &used, used + bytes));
	used += bytes;
	peak = process->anon.peak;
	while (peak < used && !atomic_compare_exchange_weak(&process->anon.peak, &peak, used))
		;
	return 0;
}

static void anon_refund(struct process *process, uint64_t bytes)
{
	process->anon.used -= bytes;
}

/* The aligned part of so many bytes at p, whose length is GRANULE more; the rest is unmapped. */
static char *anon_trim(char *p, size_t length)
{
	size_t before = -(uintptr_t)p & (GRANULE - 1);

	if (before)
		munmap(p, before);
	munmap(p + before + length, GRANULE - before);
	return p + before;
}

/*
 * Where new mappings are locked: a page, unlocked, that then grows. What grows keeps its flags, and
 * does not count. NULL: there is not even room to lock that page.
 */
static char *anon_place_unlocked(size_t length)
{
	char *page = mmap(NULL, PAGE, PROT_NONE, RESERVED, -1, 0), *wide;

	if (page == MAP_FAILED)
		return NULL;
	munlock(page, PAGE);
	wide = mremap(page, PAGE, length + GRANULE, MREMAP_MAYMOVE);
	if (wide == MAP_FAILED) {
		report_refused("mremap", errno);
		munmap(page, PAGE);
		return NULL;
	}
	return anon_trim(wide, length);
}

/* Any aligned place, or NULL. *locked: it would be locked, had it not been prevented. */
static char *anon_place(size_t length, bool *locked)
{
	char *p = mmap(NULL, length, PROT_NONE, RESERVED, -1, 0);

	if (p == MAP_FAILED)
		report_refused("mmap", errno);
	/*
	 * The first: beyond RLIMIT_MEMLOCK; the second: it is locked, and there is nothing in it.
	 */
	*locked = p == MAP_FAILED ? errno == EAGAIN :
		  madvise(p, length, MADV_DONTNEED) && errno == EINVAL;
	if (!*locked && p != MAP_FAILED && ((uintptr_t)p & (GRANULE - 1)) == 0)
		return p;
	if (p != MAP_FAILED)
		munmap(p, length);
	if (*locked)
		return anon_place_unlocked(length);
	if (p == MAP_FAILED)
		return NULL;
	p = mmap(NULL, length + GRANULE, PROT_NONE, RESERVED, -1, 0);
	return p == MAP_FAILED ? NULL : anon_trim(p, length);
}

/* How new mappings are locked: MCL_ONFAULT or at once. */
static unsigned int anon_lock_kind(void)
{
	unsigned char present = 1;
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED) {
		mincore(page, PAGE, &present);
		munmap(page, PAGE);
	}
	return present & 1 ? ANON_LOCKED : ANON_LOCKED | ANON_ONFAULT;
}

static int anon_populate(char *p, size_t bytes)
{
	if (madvise(p, bytes, MADV_POPULATE_WRITE) == 0)
		return 0;
	if (errno != EINVAL && errno != EPERM && errno != ENOSYS)
		return -ENOMEM;
	/* An older kernel, or forbidden: touch. The bytes are new and not in use. */
	for (size_t i = 0; i < bytes; i += PAGE)
		*(volatile char *)(p + i) = 0;
	return 0;
}

/* Its pages are locked as the process has it. 0 or -1. */
static int anon_lock(const struct backend_range *range, char *p, size_t bytes)
{
	if (!(range->id & ANON_LOCKED) ||
	    mlock2(p, bytes, range->id & ANON_ONFAULT ? MLOCK_ONFAULT : 0) == 0)
		return 0;
	report_refused("mlock2", errno);
	return -1;
}

/* A filter that came later can forbid it: then that is not in core dumps. 0 or -1. */
static int anon_dump(const struct backend_range *range, char *p, size_t bytes)
{
	if (range->id & BACKEND_SECRET || madvise(p, bytes, MADV_DODUMP) == 0)
		return 0;
	return errno == EPERM || errno == ENOSYS ? 0 : -1;
}

/* Gives back the memory that mprotect made usable, whatever was done to it. */
static void anon_disable(char *p, size_t bytes)
{
	munlock(p, bytes);
	madvise(p, bytes, MADV_DONTNEED);
	madvise(p, bytes, MADV_DONTDUMP);
	mprotect(p, bytes, PROT_NONE);
}

/* Makes [from, to) of the range usable; charged already. */
static int anon_enable(struct backend_range *range, size_t from, size_t to, bool populate)
{
	int protection = PROT_READ | PROT_WRITE | (range->id & BACKEND_EXEC ? PROT_EXEC : 0);
	char *p = range->base + from;

	if (from == to)
		return 0;
	populate |= (range->id & (ANON_LOCKED | ANON_ONFAULT)) == ANON_LOCKED;
	if (populate && !room_has_memory(to - from))
		return -ENOMEM;
	if (mprotect(p, to - from, protection)) {
		/* The caller, which knows that it was to be executable, says what forbids it. */
		if (protection & PROT_EXEC && (errno == EACCES || errno == EPERM))
			return -errno;
		report_refused("mprotect", errno);
		return -ENOMEM;
	}
	if (anon_lock(range, p, to - from) || (populate && anon_populate(p, to - from)) ||
	    anon_dump(range, p, to - from)) {
		anon_disable(p, to - from);
		return -ENOMEM;
	}
	return 0;
}

static int anon_map(struct backend_range *range, size_t initial)
{
	size_t length = anon_length(range->maximum);
	int error = -ENOMEM;
	bool locked;

	range->base = anon_place(length, &locked);
	if (!range->base)
		return -ENOMEM;
	if (locked)
		range->id |= anon_lock_kind();
	if (madvise(range->base, length, MADV_DONTFORK) ||
	    madvise(range->base, length, MADV_DONTDUMP))
		report_refused("madvise", errno);
	else
		error = anon_enable(range, 0, initial, true);
	if (error)
		munmap(range->base, length);
	return error;
}

static int anon_reserve(struct backend_range *range, size_t initial, size_t maximum,
			unsigned int flags, const char *name)
{
	struct process *process = process_get();
	int error, saved = errno;

	(void)name;	/* few kernels name anonymous mappings */
	if (!process || maximum > SIZE_MAX - 2 * GRANULE)
		return -ENOMEM;
	error = anon_charge(process, initial);
	if (error)
		return error;
	*range = (struct backend_range){
		.backend = &backend_anon,
		.maximum = maximum,
		.committed = initial,
		.id = flags | (flags & BACKEND_LOCKED ? ANON_LOCKED | ANON_ONFAULT : 0),
	};
	error = anon_map(range, initial);
	if (error)
		anon_refund(process, initial);
	else
		process->anon.heaps++;
	errno = saved;
	return error;
}

static int anon_commit(struct backend_range *range, size_t committed, bool populate)
{
	struct process *process = process_get();
	size_t old = range->committed;
	int error, saved = errno;

	if (committed <= old)
		return 0;
	error = anon_charge(process, committed - old);
	if (error)
		return error;
	error = anon_enable(range, old, committed, populate);
	if (error)
		anon_refund(process, committed - old);
	else
		range->committed = committed;
	errno = saved;
	return error;
}

static int anon_release(struct backend_range *range)
{
	struct process *process = process_get();
	int saved = errno;

	if (munmap(range->base, anon_length(range->maximum))) {
		errno = saved;
		return -EPERM;
	}
	anon_refund(process, range->committed);
	process->anon.heaps--;
	return 0;
}

static int anon_scope(uint32_t scope, uint32_t id)
{
	if (scope > PRIVHEAP_QUOTA_SYSTEM)
		return -EINVAL;
	if (scope != PRIVHEAP_QUOTA_PROCESS)
		return -EOPNOTSUPP;
	return id == PRIVHEAP_QUOTA_SELF || id == (uint32_t)getpid() ? 0 : -EOPNOTSUPP;
}

static int anon_quota_get(uint32_t scope, uint32_t id, struct backend_quota *quota)
{
	struct process *process = process_get();
	int error = anon_scope(scope, id);

	if (error || !process)
		return error ? error : -ENOMEM;
	*quota = (struct backend_quota){
		.limit = process->anon.limit,
		.used = process->anon.used,
		.peak = process->anon.peak,
		.denied = process->anon.denied,
		.heaps = process->anon.heaps,
	};
	return 0;
}

static int anon_quota_set(uint32_t scope, uint32_t id, uint64_t limit)
{
	struct process *process = process_get();
	int error = anon_scope(scope, id);

	if (error || !process)
		return error ? error : -ENOMEM;
	process->anon.limit = limit;
	return 0;
}

const struct backend backend_anon = {
	.name = "anon",
	.reserve = anon_reserve,
	.commit = anon_commit,
	.release = anon_release,
	.quota_get = anon_quota_get,
	.quota_set = anon_quota_set,
};

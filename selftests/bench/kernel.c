// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What the kernel's part of a heap costs, beside anonymous mmap, as CSV: case,subject,metric,value.
 *
 * Runs in a guest whose clock counts instructions (QEMU -icount shift=0): nanoseconds of
 * CLOCK_MONOTONIC_RAW are instructions, exact and repeatable. Subjects take turns in every round;
 * each figure is the median of ROUNDS rounds. Rounds are counted only once the machine is quiet:
 * after boot the kernel's own threads run in between for a while.
 */
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../../uapi/privheap.h"
#include "measure.h"

#define ROUNDS	9
#define QUIET_ROUNDS_MAX	60

static int dev;

/* What one life of a mapping cost: instructions of each step, and faults of the touching. */
struct life {
	uint64_t create, touch, faults, destroy;
};

static void touch_pages(char *base, size_t bytes, struct life *life)
{
	uint64_t f = faults(), t = now();

	for (size_t at = 0; at < bytes; at += PAGE)
		*(volatile char *)(base + at) = 1;
	life->touch = now() - t;
	life->faults = faults() - f;
}

static struct life heap_life(size_t maximum, size_t initial, size_t touched)
{
	struct privheap_create c = { .initial = initial, .maximum = maximum };
	struct privheap_destroy d = { 0 };
	struct life life;
	uint64_t t = now();

	if (ioctl(dev, PRIVHEAP_CREATE, &c))
		die("PRIVHEAP_CREATE");
	life.create = now() - t;
	touch_pages((char *)c.base, touched, &life);
	d.heap = c.heap;
	t = now();
	if (ioctl(dev, PRIVHEAP_DESTROY, &d))
		die("PRIVHEAP_DESTROY");
	life.destroy = now() - t;
	return life;
}

static struct life anon_life(size_t bytes, size_t touched, int advice)
{
	struct life life;
	uint64_t t = now();
	char *raw = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	char *base = (char *)(((uintptr_t)raw + HUGE - 1) & -HUGE);

	if (raw == MAP_FAILED)
		die("mmap");
	life.create = now() - t;
	madvise(raw, bytes + HUGE, advice);
	touch_pages(base, touched, &life);
	t = now();
	munmap(raw, bytes + HUGE);
	life.destroy = now() - t;
	return life;
}

enum subject { HEAP_64M, HEAP_64M_INITIAL, HEAP_1M, HEAP_EMPTY, ANON_64M, THP_64M, ANON_1M, ANON_PAGE,
	       SUBJECTS };

static struct life live(enum subject subject)
{
	switch (subject) {
	case HEAP_64M:
		return heap_life(64 * MIB, 0, 64 * MIB);
	case HEAP_64M_INITIAL:
		return heap_life(64 * MIB, 64 * MIB, 64 * MIB);
	case HEAP_1M:
		return heap_life(MIB, 0, MIB);
	case HEAP_EMPTY:
		return heap_life(64 * MIB, 0, 0);
	case ANON_64M:
		return anon_life(64 * MIB, 64 * MIB, MADV_NOHUGEPAGE);
	case THP_64M:
		return anon_life(64 * MIB, 64 * MIB, MADV_HUGEPAGE);
	case ANON_1M:
		return anon_life(MIB, MIB, MADV_NOHUGEPAGE);
	default:
		return anon_life(64 * MIB, PAGE, MADV_NOHUGEPAGE);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(const struct life *lives, size_t offset)
{
	uint64_t values[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		values[i] = *(const uint64_t *)((const char *)&lives[i] + offset);
	qsort(values, ROUNDS, sizeof(values[0]), by_value);
	return values[ROUNDS / 2];
}

#define MEDIAN(subject, step)	median(lives[subject], offsetof(struct life, step))

/* Three times in a row within 2 %: nothing but this program runs. */
static void wait_until_quiet(void)
{
	uint64_t last = 0;
	int steady = 0;

	for (int i = 0; i < QUIET_ROUNDS_MAX && steady < 3; i++) {
		uint64_t touch = live(ANON_64M).touch;

		live(HEAP_64M);
		steady = touch * 50 <= last * 51 && last * 50 <= touch * 51 ? steady + 1 : 0;
		last = touch;
	}
	if (steady < 3)
		fprintf(stderr, "the machine did not become quiet\n");
}

static void lives_of_single_mappings(void)
{
	static struct life lives[SUBJECTS][ROUNDS];
	const uint64_t large = 64 * MIB / PAGE, small = MIB / PAGE;

	for (int round = 0; round < ROUNDS; round++)
		for (int subject = 0; subject < SUBJECTS; subject++)
			lives[subject][round] = live(subject);

	row("touch-64M", "heap", "instructions-per-page", MEDIAN(HEAP_64M, touch) / large);
	row("touch-64M", "heap", "faults", MEDIAN(HEAP_64M, faults));
	row("touch-64M", "anon-4k", "instructions-per-page", MEDIAN(ANON_64M, touch) / large);
	row("touch-64M", "anon-4k", "faults", MEDIAN(ANON_64M, faults));
	row("touch-64M", "anon-thp", "instructions-per-page", MEDIAN(THP_64M, touch) / large);
	row("touch-64M", "anon-thp", "faults", MEDIAN(THP_64M, faults));
	/* With initial = maximum the pages come with the creation: both together. */
	row("touch-64M-initial", "heap", "instructions-per-page",
	    (MEDIAN(HEAP_64M_INITIAL, create) + MEDIAN(HEAP_64M_INITIAL, touch)) / large);
	row("touch-64M-initial", "anon-thp", "instructions-per-page", MEDIAN(THP_64M, touch) / large);
	row("touch-1M", "heap", "instructions-per-page", MEDIAN(HEAP_1M, touch) / small);
	row("touch-1M", "heap", "faults", MEDIAN(HEAP_1M, faults));
	row("touch-1M", "anon-4k", "instructions-per-page", MEDIAN(ANON_1M, touch) / small);
	row("touch-1M", "anon-4k", "faults", MEDIAN(ANON_1M, faults));
	row("create", "heap", "instructions", MEDIAN(HEAP_EMPTY, create));
	row("create-destroy", "heap", "instructions",
	    MEDIAN(HEAP_EMPTY, create) + MEDIAN(HEAP_EMPTY, destroy));
	row("create-destroy", "anon-4k", "instructions",
	    MEDIAN(ANON_PAGE, create) + MEDIAN(ANON_PAGE, touch) + MEDIAN(ANON_PAGE, destroy));
	row("destroy-64M", "heap", "instructions-per-page", MEDIAN(HEAP_64M, destroy) / large);
	row("destroy-64M", "anon-4k", "instructions-per-page", MEDIAN(ANON_64M, destroy) / large);
}

/* The median of 1,000 creates, at the start and at the end of 10,000. */
static void ten_thousand_heaps(void)
{
	enum { HEAPS = 10000, SAMPLE = 1000 };
	static uint64_t cost[HEAPS], id[HEAPS];

	for (int i = 0; i < HEAPS; i++) {
		struct privheap_create c = { .maximum = 64 * 1024 };
		uint64_t t = now();

		if (ioctl(dev, PRIVHEAP_CREATE, &c))
			die("PRIVHEAP_CREATE");
		cost[i] = now() - t;
		id[i] = c.heap;
	}
	for (int i = 0; i < HEAPS; i++) {
		struct privheap_destroy d = { .heap = id[i] };

		if (ioctl(dev, PRIVHEAP_DESTROY, &d))
			die("PRIVHEAP_DESTROY");
	}
	qsort(cost, SAMPLE, sizeof(cost[0]), by_value);
	qsort(cost + HEAPS - SAMPLE, SAMPLE, sizeof(cost[0]), by_value);
	row("create-10000", "first-1000", "instructions", cost[SAMPLE / 2]);
	row("create-10000", "last-1000", "instructions", cost[HEAPS - SAMPLE / 2]);
}

int main(void)
{
	dev = open("/dev/privheap", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		die("/dev/privheap");
	wait_until_quiet();
	lives_of_single_mappings();
	ten_thousand_heaps();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Heaps as wholes: what one costs, and how much of its maximum it gives.
 *
 *	life		make a heap, get 100 bytes, end it: ns-per-life. ns-per-life-of-1000: first 1,000
 *			are made, then they are ended; bytes-per-heap: resident for each of these;
 *			committed-per-heap: what the ledger says
 *	fill-SIZE	blocks of 64 bytes until there is none: percent of the maximum that they are;
 *			and one-block-percent: the largest single block that it gives
 *	faults		16 MiB of blocks of 64 bytes: page faults for each 64 KiB of them
 *	create-10000	10,000 heaps with a block of 100 bytes each: ns for each of the first 1,000 and
 *			of the last, and bytes resident in all
 */
#include <sys/resource.h>
#include "alloc.h"

#define BLOCK		100
#define LIVES		100
#define HEAPS		1000
#define MANY		10000
#define MAXIMUM		MIB
#define SAMPLE		1000

#if HAS_HEAPS
static subject_heap heap_with_block(size_t maximum)
{
	subject_heap heap = heap_or_die(maximum);

	memset(keep(heap_get(heap, BLOCK)), 1, BLOCK);
	return heap;
}

static void life_in_turn(const char *name)
{
	uint64_t least = UINT64_MAX, t;

	for (size_t trial = 0; trial < trials; trial++) {
		t = cpu_ns();
		for (int i = 0; i < LIVES; i++)
			heap_end(heap_with_block(0));
		t = cpu_ns() - t;
		if (t < least)
			least = t;
	}
	row(name, "ns-per-life", (double)least / LIVES);
}

/* Not every subject can have so many. */
static void life_of_many(const char *name)
{
	static subject_heap heaps[HEAPS];
	size_t before, after, committed;
	uint64_t t;
	int count;

	memset(heaps, 1, sizeof(heaps));
	before = resident();
	committed = heaps_committed();
	t = cpu_ns();
	for (count = 0; count < HEAPS; count++) {
		if (heap_make(&heaps[count], 0))
			break;
		memset(keep(heap_get(heaps[count], BLOCK)), 1, BLOCK);
	}
	after = resident();
	committed = heaps_committed() - committed;
	for (int i = 0; i < count; i++)
		heap_end(heaps[i]);
	t = cpu_ns() - t;
	if (count < HEAPS)
		return;
	row(name, "ns-per-life-of-1000", (double)t / HEAPS);
	row(name, "bytes-per-heap", (double)(after - before) / HEAPS);
	if (HAS_LEDGER)
		row(name, "committed-per-heap", (double)committed / HEAPS);
}

void case_life(const char *name)
{
	life_of_many(name);
	life_in_turn(name);
}
#else
void case_life(const char *name)
{
	(void)name;
}
#endif

#if HAS_MAXIMUM
static size_t largest_block(size_t maximum)
{
	subject_heap heap;
	size_t percent;
	void *p = NULL;

	for (percent = 100; percent && !p; percent--) {
		if (heap_make(&heap, maximum))
			return 0;
		p = heap_get(heap, maximum / 100 * percent + (percent == 100 ? maximum % 100 : 0));
		heap_end(heap);
	}
	return p ? percent + 1 : 0;
}

void case_fill(const char *name)
{
	size_t maximum = strtoul(name + strlen("fill-"), NULL, 10) *
			 (name[strlen(name) - 1] == 'K' ? KIB : MIB);
	size_t count = 0;
	subject_heap heap;
	void *p;

	if (heap_make(&heap, maximum))
		return;
	/* Twice the maximum: whoever gives more has none. */
	while (count < maximum * 2 / SMALL && (p = heap_get(heap, SMALL))) {
		keep(p);
		count++;
	}
	heap_end(heap);
	row(name, "percent", (double)count * SMALL * 100 / (double)maximum);
	row(name, "one-block-percent", (double)largest_block(maximum));
}
#else
void case_fill(const char *name)
{
	(void)name;
}
#endif

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

void case_faults(const char *name)
{
	size_t pieces = 16 * MIB / (64 * KIB);
	subject_heap heap = heap_or_die(0);
	long before = faults();

	for (size_t i = 0; i < 16 * MIB / SMALL; i++)
		keep(heap_get(heap, SMALL));
	row(name, "faults-per-64K", (double)(faults() - before) / (double)pieces);
	heap_end(heap);
}

#if HAS_HEAPS
void case_create(const char *name)
{
	size_t before = resident();
	uint64_t t = 0, first = 0, last;
	subject_heap heap;

	for (int i = 0; i < MANY; i++) {
		if (i == 0 || i == MANY - SAMPLE)
			t = cpu_ns();
		/* There may be fewer than that to be had, or none with this maximum. */
		if (heap_make(&heap, HAS_MAXIMUM ? MAXIMUM : 0))
			return;
		memset(keep(heap_get(heap, BLOCK)), 1, BLOCK);
		if (i == SAMPLE - 1)
			first = cpu_ns() - t;
	}
	last = cpu_ns() - t;
	row(name, "ns-first-1000", (double)first / SAMPLE);
	row(name, "ns-last-1000", (double)last / SAMPLE);
	row(name, "bytes", (double)(resident() - before));
}
#else
void case_create(const char *name)
{
	(void)name;
}
#endif

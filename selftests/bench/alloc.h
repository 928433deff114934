/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the cases of the allocator's benchmark share. Every file is compiled once for each subject,
 * whose header (subjects/) is included before everything else and defines
 *
 *	SUBJECT		its name in the figures
 *	HAS_HEAPS	several heaps in one process, each ended as a whole
 *	HAS_MAXIMUM	a heap can have a maximum
 *	ANY_THREAD	every thread may allocate from one heap
 *	HAS_LEDGER	there is heaps_committed()
 *	heap_make(&heap, maximum)	0, or -1; maximum 0 = none
 *	heap_join(heap)	the heap as the calling thread shall name it
 *	heap_get, heap_resize, heap_put, heap_end
 *
 * as inline functions, so that a call costs what a program's own call costs.
 */
#ifndef BENCH_ALLOC_H
#define BENCH_ALLOC_H

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef HAS_LEDGER
#define HAS_LEDGER	0
static inline size_t heaps_committed(void)
{
	return 0;
}
#endif

#define KIB	((size_t)1 << 10)
#define MIB	((size_t)1 << 20)
#define SMALL	64		/* the "64" in the names of cases */

#define noinline	__attribute__((noinline))

/* Set from the environment: BENCH_PAIRS and BENCH_TRIALS. */
extern size_t pairs, trials;

/* The compiler must neither drop an allocation nor know what a block holds. */
static inline void *keep(void *p)
{
	__asm__ volatile("" : "+r"(p) : : "memory");
	*(volatile char *)p = 1;
	return p;
}

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* What this thread has run, so that a busy machine counts less. Wine's is too coarse. */
static inline uint64_t cpu_ns(void)
{
#ifdef _WIN32
	return clock_ns(CLOCK_MONOTONIC);
#else
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
#endif
}

static inline uint64_t wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline void row(const char *name, const char *metric, double value)
{
	printf("%s,%s,%s,%.6g\n", name, SUBJECT, metric, value);
}

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline subject_heap heap_or_die(size_t maximum)
{
	subject_heap heap;

	if (heap_make(&heap, maximum))
		die("no heap");
	return heap;
}

/* Bytes: now, and the most so far. 0 where there is no /proc. */
size_t resident(void);
size_t peak_resident(void);

/* The cases, by file. Each prints its rows; none where the subject cannot do it. */
void case_remote(const char *name);
void case_threads(const char *name);
void case_life(const char *name);
void case_fill(const char *name);
void case_faults(const char *name);
void case_create(const char *name);
void case_workload(const char *name);

#endif

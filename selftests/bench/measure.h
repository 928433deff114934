/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the benchmarks share: the clock, which counts instructions in the guest; faults; rows. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define PAGE	4096UL
#define MIB	(1UL << 20)
#define HUGE	(2 * MIB)

static inline uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static inline uint64_t faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline void row(const char *name, const char *subject, const char *metric, uint64_t value)
{
	printf("%s,%s,%s,%llu\n", name, subject, metric, (unsigned long long)value);
}

#endif

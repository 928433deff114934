// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * First touch in several patterns and sizes, a heap with nothing initial beside anonymous memory:
 * CSV rows PATTERN-SIZE,SUBJECT,METRIC,VALUE. What chooses the commit step and the window.
 *
 * instructions and faults are per page touched; committed and resident are bytes per byte touched,
 * in hundredths. See kernel.c for the clock.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../../uapi/privheap.h"
#include "measure.h"

#define THREADS	4

/* The i-th page to touch of n. */
struct pattern {
	const char *name;
	size_t one_in;		/* pages touched: one in so many */
	size_t (*page)(size_t i, size_t n);
	int threads;
};

static size_t in_order(size_t i, size_t n)
{
	return i % n;
}

static size_t strided(size_t i, size_t n)
{
	return i * 16 % n;
}

/* A multiplicative walk: n is a power of two, so an odd factor visits every page once. */
static size_t at_random(size_t i, size_t n)
{
	return (i * 0x9e3779b97f4a7c15ULL >> 7 ^ i * 0x2545f4914f6cdd1dULL) % n;
}

static const struct pattern patterns[] = {
	{ "sequential", 1, in_order, 1 },
	{ "strided", 16, strided, 1 },
	{ "random", 16, at_random, 1 },
	{ "threads", 1, in_order, THREADS },
};

struct walk {
	const struct pattern *pattern;
	char *base;
	size_t pages, first;
};

static void *touch(void *arg)
{
	const struct walk *walk = arg;
	size_t n = walk->pages / walk->pattern->one_in;

	for (size_t i = walk->first; i < n; i += walk->pattern->threads)
		*(volatile char *)(walk->base + walk->pattern->page(i, walk->pages) * PAGE) = 1;
	return NULL;
}

static void touch_all(const struct pattern *pattern, char *base, size_t pages)
{
	struct walk walks[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < pattern->threads; i++)
		walks[i] = (struct walk) { pattern, base, pages, i };
	if (pattern->threads == 1) {
		touch(&walks[0]);
		return;
	}
	for (int i = 0; i < pattern->threads; i++)
		if (pthread_create(&threads[i], NULL, touch, &walks[i]))
			die("pthread_create");
	for (int i = 0; i < pattern->threads; i++)
		pthread_join(threads[i], NULL);
}

/* Runs the pattern over a mapping, prints its cost. */
static void measure(const struct pattern *pattern, const char *name, const char *subject,
		    char *base, size_t bytes)
{
	size_t touched = bytes / PAGE / pattern->one_in;
	uint64_t f = faults(), t = now();

	touch_all(pattern, base, bytes / PAGE);
	row(name, subject, "instructions", (now() - t) / touched);
	row(name, subject, "faults-per-1000", (faults() - f) * 1000 / touched);
}

static void measure_heap(int dev, const struct pattern *pattern, const char *name, size_t bytes)
{
	struct privheap_create c = { .maximum = bytes };
	struct privheap_stat stat = { 0 };
	struct privheap_destroy d = { 0 };
	uint64_t touched = bytes / pattern->one_in;

	if (ioctl(dev, PRIVHEAP_CREATE, &c))
		die("PRIVHEAP_CREATE");
	measure(pattern, name, "heap", (char *)c.base, bytes);
	stat.heap = d.heap = c.heap;
	if (ioctl(dev, PRIVHEAP_STAT, &stat))
		die("PRIVHEAP_STAT");
	row(name, "heap", "committed-percent", stat.committed * 100 / touched);
	row(name, "heap", "resident-percent", stat.resident * 100 / touched);
	if (ioctl(dev, PRIVHEAP_DESTROY, &d))
		die("PRIVHEAP_DESTROY");
}

static void measure_anon(const struct pattern *pattern, const char *name, const char *subject,
			 size_t bytes, int advice)
{
	char *raw = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *base = (char *)(((uintptr_t)raw + HUGE - 1) & -HUGE);

	if (raw == MAP_FAILED)
		die("mmap");
	madvise(raw, bytes + HUGE, advice);
	measure(pattern, name, subject, base, bytes);
	munmap(raw, bytes + HUGE);
}

int main(void)
{
	static const struct { const char *name; size_t bytes; } sizes[] = {
		{ "64K", 64 << 10 }, { "1M", MIB }, { "64M", 64 * MIB }, { "1G", 1024 * MIB },
		{ "4G", 4096 * MIB },
	};
	int dev = open("/dev/privheap", O_RDWR | O_CLOEXEC);

	if (dev < 0)
		die("/dev/privheap");
	for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			char name[32];

			snprintf(name, sizeof(name), "%s-%s", patterns[p].name, sizes[s].name);
			measure_heap(dev, &patterns[p], name, sizes[s].bytes);
			measure_anon(&patterns[p], name, "anon-4k", sizes[s].bytes, MADV_NOHUGEPAGE);
			measure_anon(&patterns[p], name, "anon-thp", sizes[s].bytes, MADV_HUGEPAGE);
		}
	}
	return 0;
}

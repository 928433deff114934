// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The allocator beside its peers: nanoseconds of a block's life on one thread.
 *
 *	alloc CASE...		CSV rows case,subject,metric,value
 *
 *	pair-64		get and put in turn
 *	batch-64	256 are got, then 256 put in the same order
 *	churn		1,024 live blocks of 16 to 512 bytes, one at random replaced
 *	heaps-8-64	as pair, but of eight heaps in turn
 *
 * Every figure is the least of BENCH_TRIALS trials of BENCH_PAIRS pairs; the loop around is in it.
 * Times are the thread's own, so others on the machine disturb only through the caches.
 */
#include "alloc.h"

#define BATCH	256
#define LIVE	1024
#define HEAPS	8

size_t pairs = 100000, trials = 7;

static noinline void loop_pair(subject_heap *heaps, size_t n)
{
	subject_heap heap = heaps[0];

	for (size_t i = 0; i < n; i++)
		heap_put(heap, keep(heap_get(heap, SMALL)));
}

static noinline void loop_batch(subject_heap *heaps, size_t n)
{
	subject_heap heap = heaps[0];
	void *blocks[BATCH];

	for (size_t i = 0; i < n; i += BATCH) {
		for (size_t k = 0; k < BATCH; k++)
			blocks[k] = keep(heap_get(heap, SMALL));
		for (size_t k = 0; k < BATCH; k++)
			heap_put(heap, blocks[k]);
	}
}

static noinline void loop_churn(subject_heap *heaps, size_t n)
{
	static uint64_t seed = 88172645463325252;
	static void *live[LIVE];
	subject_heap heap = heaps[0];
	uint64_t random = seed;

	for (size_t k = 0; k < LIVE; k++)
		if (!live[k])
			live[k] = keep(heap_get(heap, 16));
	for (size_t i = 0; i < n; i++) {
		uint64_t r = next_random(&random);
		void **slot = &live[r % LIVE];

		heap_put(heap, *slot);
		*slot = keep(heap_get(heap, 16 + (r >> 32) % 497));
	}
	seed = random;
}

static noinline void loop_heaps(subject_heap *heaps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		subject_heap heap = heaps[i % HEAPS];

		heap_put(heap, keep(heap_get(heap, SMALL)));
	}
}

typedef void loop(subject_heap *heaps, size_t n);

/* Apart, so that a profiler can be told to look inside here only. */
noinline void measured(loop *run, subject_heap *heaps, size_t n);

noinline void measured(loop *run, subject_heap *heaps, size_t n)
{
	run(heaps, n);
}

static void one_thread(const char *name, loop *run, size_t count)
{
	subject_heap heaps[HEAPS];
	uint64_t least = UINT64_MAX, t;

	for (size_t i = 0; i < count; i++)
		heaps[i] = heap_or_die(0);
	run(heaps, pairs);
	for (size_t trial = 0; trial < trials; trial++) {
		t = cpu_ns();
		measured(run, heaps, pairs);
		t = cpu_ns() - t;
		if (t < least)
			least = t;
	}
	row(name, "ns-per-pair", (double)least / (double)pairs);
}

static void case_pair(const char *name)
{
	one_thread(name, loop_pair, 1);
}

static void case_batch(const char *name)
{
	one_thread(name, loop_batch, 1);
}

static void case_churn(const char *name)
{
	one_thread(name, loop_churn, 1);
}

static void case_heaps(const char *name)
{
	if (HAS_HEAPS)
		one_thread(name, loop_heaps, HEAPS);
}

static size_t proc_field(const char *file, const char *field)
{
	FILE *status = fopen(file, "r");
	char line[128];
	size_t kib = 0;

	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = strtoul(line + strlen(field), NULL, 10);
	if (status)
		fclose(status);
	return kib * KIB;
}

size_t resident(void)
{
	/* The counters behind VmRSS are behind by up to 64 pages for each CPU. */
	return proc_field("/proc/self/smaps_rollup", "Rss:");
}

size_t peak_resident(void)
{
	return proc_field("/proc/self/status", "VmHWM:");
}

static const struct {
	const char *name;
	void (*run)(const char *name);
} cases[] = {
	{ "pair-64", case_pair },
	{ "batch-64", case_batch },
	{ "churn", case_churn },
	{ "heaps-8-64", case_heaps },
#ifndef _WIN32
	{ "remote-64", case_remote },
	{ "threads", case_threads },
	{ "life", case_life },
	{ "fill-64K", case_fill },
	{ "fill-1M", case_fill },
	{ "fill-64M", case_fill },
	{ "faults", case_faults },
	{ "create-10000", case_create },
	{ "larson", case_workload },
	{ "mstress", case_workload },
	{ "rptest", case_workload },
	{ "alloc-test", case_workload },
	{ "xmalloc-test", case_workload },
#endif
};

static void run_case(const char *name)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, name) == 0) {
			cases[i].run(name);
			fflush(stdout);
			return;
		}
	}
	fprintf(stderr, "no case %s\n", name);
	exit(2);
}

static void setting(const char *name, size_t *value)
{
	const char *text = getenv(name);

	if (text)
		*value = strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	setting("BENCH_PAIRS", &pairs);
	setting("BENCH_TRIALS", &trials);
	for (int i = 1; i < argc; i++)
		run_case(argv[i]);
	return 0;
}

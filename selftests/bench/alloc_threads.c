// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Several threads.
 *
 *	remote-64	one thread gets blocks, another puts them, both at once:
 *
 *			getter   fills A │ fills B │ fills A │ …
 *			putter           │ frees A │ frees B │ …
 *
 *			ns-per-pair is what both ran for it, ns-per-put the putter's part
 *	threads-N	N threads on one heap, each replacing its own blocks of 16 to 512 bytes:
 *			pairs-per-second of all by the clock, and pairs-per-cpu-second, which a machine
 *			busy with something else disturbs less
 */
#ifdef __linux__
#include <sched.h>
#endif
#include "alloc.h"

#define HANDOVER	4096
#define HANDOVERS	16
#define THREADS_MAX	8
#define LIVE		256
#define TRIAL_NS	10000000

struct remote {
	subject_heap heap;
	pthread_barrier_t turn;
	void *blocks[2][HANDOVER];
	uint64_t get_ns, put_ns;
};

/* To the first or the second CPU of those that the program may use. */
static void pin(int nth)
{
	cpu_set_t allowed, one;

	CPU_ZERO(&one);
	sched_getaffinity(getpid(), sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_SET(cpu, &one);
		pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
	}
}

static void *putter(void *arg)
{
	struct remote *remote = arg;
	subject_heap heap = heap_join(remote->heap);

	pin(1);
	for (int i = 0; i < HANDOVERS; i++) {
		uint64_t t;

		pthread_barrier_wait(&remote->turn);
		t = cpu_ns();
		for (size_t k = 0; k < HANDOVER; k++)
			heap_put(heap, remote->blocks[i & 1][k]);
		remote->put_ns += cpu_ns() - t;
	}
	return NULL;
}

static void getter(struct remote *remote)
{
	for (int i = 0; i < HANDOVERS; i++) {
		uint64_t t = cpu_ns();

		for (size_t k = 0; k < HANDOVER; k++)
			remote->blocks[i & 1][k] = keep(heap_get(remote->heap, SMALL));
		remote->get_ns += cpu_ns() - t;
		pthread_barrier_wait(&remote->turn);
	}
}

void case_remote(const char *name)
{
	static struct remote remote;
	double least = 1e99, put = 1e99, n = HANDOVER * HANDOVERS;
	pthread_t thread;

	remote.heap = heap_or_die(0);
	pthread_barrier_init(&remote.turn, NULL, 2);
	pin(0);
	for (size_t trial = 0; trial < trials; trial++) {
		remote.get_ns = remote.put_ns = 0;
		if (pthread_create(&thread, NULL, putter, &remote))
			die("pthread_create");
		getter(&remote);
		pthread_join(thread, NULL);
		if ((double)(remote.get_ns + remote.put_ns) / n < least)
			least = (double)(remote.get_ns + remote.put_ns) / n;
		if ((double)remote.put_ns / n < put)
			put = (double)remote.put_ns / n;
	}
	row(name, "ns-per-pair", least);
	row(name, "ns-per-put", put);
}

struct worker {
	subject_heap heap;
	pthread_t thread;
	uint64_t seed, done, ns, began, ended;
	void *live[LIVE];
};

static int stop;
static pthread_barrier_t start;

static void *work(void *arg)
{
	struct worker *worker = arg;
	subject_heap heap = heap_join(worker->heap);
	uint64_t random = worker->seed, done = 0, t;

	for (size_t k = 0; k < LIVE; k++)
		worker->live[k] = keep(heap_get(heap, 16 + k));
	pthread_barrier_wait(&start);
	worker->began = wall_ns();
	t = cpu_ns();
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < 64; i++) {
			uint64_t r = next_random(&random);
			void **slot = &worker->live[r % LIVE];

			heap_put(heap, *slot);
			*slot = keep(heap_get(heap, 16 + (r >> 32) % 497));
		}
		done += 64;
	}
	worker->ns = cpu_ns() - t;
	worker->ended = wall_ns();
	worker->done = done;
	for (size_t k = 0; k < LIVE; k++)
		heap_put(heap, worker->live[k]);
	return NULL;
}

/* One trial: pairs per second of all threads, and of the CPUs they really had. */
static void throughput(subject_heap heap, int threads, double *wall, double *cpu)
{
	static struct worker workers[THREADS_MAX];
	struct timespec nap = { .tv_nsec = TRIAL_NS };
	uint64_t done = 0, ns = 0, began = UINT64_MAX, ended = 0;

	stop = 0;
	pthread_barrier_init(&start, NULL, (unsigned int)threads + 1);
	for (int i = 0; i < threads; i++) {
		workers[i].heap = heap;
		workers[i].seed = 88172645463325252 + (uint64_t)i * 977;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("pthread_create");
	}
	pthread_barrier_wait(&start);
	nanosleep(&nap, NULL);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		done += workers[i].done;
		ns += workers[i].ns;
		began = workers[i].began < began ? workers[i].began : began;
		ended = workers[i].ended > ended ? workers[i].ended : ended;
	}
	pthread_barrier_destroy(&start);
	*wall = (double)done * 1e9 / (double)(ended - began);
	*cpu = (double)done * 1e9 / (double)ns;
}

void case_threads(const char *name)
{
	static const int counts[] = { 1, 2, 8 };
	double best[3] = { 0 }, best_cpu[3] = { 0 }, wall, cpu;
	subject_heap heap;
	char text[32];

	if (!ANY_THREAD)
		return;
	heap = heap_or_die(0);
	/* In turn, so that all have the same machine. */
	for (size_t trial = 0; trial < trials; trial++) {
		for (int i = 0; i < 3; i++) {
			throughput(heap, counts[i], &wall, &cpu);
			best[i] = wall > best[i] ? wall : best[i];
			best_cpu[i] = cpu > best_cpu[i] ? cpu : best_cpu[i];
		}
	}
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "%s-%d", name, counts[i]);
		row(text, "pairs-per-second", best[i]);
		row(text, "pairs-per-cpu-second", best_cpu[i]);
	}
}

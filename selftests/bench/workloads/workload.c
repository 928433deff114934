// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Runs a workload and prints
 *
 *	seconds, cpu-seconds	of all players
 *	peak-over-live		the most that was resident, less what was before, for each byte of the
 *				most that was live; live is looked at every LOOK calls
 */
#include "workload.h"

#define LOOK	1024

static struct player players[PLAYERS];
static size_t most;

static void look(void)
{
	size_t seen = __atomic_load_n(&most, __ATOMIC_RELAXED);
	ptrdiff_t live = 0;

	for (int i = 0; i < PLAYERS; i++)
		live += __atomic_load_n(&players[i].live, __ATOMIC_RELAXED);
	while (live > (ptrdiff_t)seen &&
	       !__atomic_compare_exchange_n(&most, &seen, (size_t)live, 0, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

static void account(struct player *player, ptrdiff_t n)
{
	__atomic_store_n(&player->live, player->live + n, __ATOMIC_RELAXED);
	if (++player->calls % LOOK == 0)
		look();
}

static void *touch(void *p, size_t from, size_t n)
{
	char *bytes = p;

	*(size_t *)p = n;
	for (size_t i = from | 4095; i < n; i += 4096)
		bytes[i] = 1;
	bytes[n - 1] = n > sizeof(n) ? 1 : bytes[n - 1];
	return p;
}

void *play_get(struct player *player, size_t n)
{
	void *p = heap_get(player->heap, n);

	if (!p)
		die("no block");
	account(player, (ptrdiff_t)n);
	return touch(p, 0, n);
}

void play_put(struct player *player, void *p)
{
	account(player, -(ptrdiff_t)*(size_t *)p);
	heap_put(player->heap, p);
}

void *play_resize(struct player *player, void *p, size_t n)
{
	size_t old = *(size_t *)p;

	p = heap_resize(player->heap, p, n);
	if (!p)
		die("no block");
	account(player, (ptrdiff_t)n - (ptrdiff_t)old);
	return touch(p, old, n);
}

struct start {
	struct player *player;
	void (*play)(struct player *player);
	pthread_t thread;
};

static void *start_player(void *arg)
{
	struct start *start = arg;

	start->player->heap = heap_join(start->player->heap);
	start->play(start->player);
	return NULL;
}

static void start_thread(struct start *start)
{
	if (pthread_create(&start->thread, NULL, start_player, start))
		die("pthread_create");
}

void play_on_in_new_thread(struct player *player, void (*play)(struct player *player))
{
	struct start start = { .player = player, .play = play };

	start_thread(&start);
	pthread_join(start.thread, NULL);
}

static void run(const struct workload *workload)
{
	struct start starts[PLAYERS];
	size_t before = resident();
	subject_heap heap = heap_or_die(0);
	uint64_t t = wall_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (int i = 0; i < workload->players; i++) {
		players[i] = (struct player){
			.heap = heap, .index = (unsigned int)i,
			.random = 88172645463325252 + (uint64_t)i * 0x9e3779b97f4a7c15,
		};
		starts[i] = (struct start){ .player = &players[i], .play = workload->play };
		start_thread(&starts[i]);
	}
	for (int i = 0; i < workload->players; i++)
		pthread_join(starts[i].thread, NULL);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	t = wall_ns() - t;
	row(workload->name, "seconds", (double)t / 1e9);
	row(workload->name, "cpu-seconds", (double)cpu / 1e9);
	row(workload->name, "peak-over-live", (double)(peak_resident() - before) / (double)most);
	row(workload->name, "live-bytes", (double)most);
}

void case_workload(const char *name)
{
	static const struct workload *const workloads[] = {
		&larson, &mstress, &rptest, &alloc_test, &xmalloc_test,
	};

	for (size_t i = 0; ANY_THREAD && i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (strcmp(workloads[i]->name, name) == 0)
			run(workloads[i]);
}

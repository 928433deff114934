/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Rounds in which threads start together, each after a small random delay.
 *
 *	prepare, prepare, ...	a batch of rounds, by racer 0 alone
 *	--- all meet ---
 *	run, run, run		round by round, all at once; before each the racers wait for each
 *				other, but not for ever: the host may have stopped a processor
 *	--- all meet ---
 *	check, check, ...	racer 0 alone; then nothing may be left on the process's account
 *
 * ROUNDS (2500) and SEED in the environment. ROUNDS is for a case: the races of one number, as
 * root and as nobody, share it. Printed are the seed, how many rounds there were, and how many of
 * them began with all racers there. A round's random numbers depend on the seed, the round and the
 * racer only; how the threads then meet is up to the machine.
 */
#ifndef KERNEL_RACE_H
#define KERNEL_RACE_H

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <time.h>

#include "device.h"

#define RACERS	4
#define BATCH	25
#define PROCESS	PRIVHEAP_QUOTA_PROCESS
#define USER	PRIVHEAP_QUOTA_USER
#define SYSTEM	PRIVHEAP_QUOTA_SYSTEM

struct race;

/**
 * struct round - what racers share in a round
 * @race: whose round
 * @number: which
 * @dev: the race's descriptor
 * @other: another one
 * @heap: a heap
 * @result: of each racer
 * @random: each racer's state
 * @over: for a racer to tell the others
 * @opens: for racers to count
 * @present: racers that have come
 */
struct round {
	struct race *race;
	unsigned long number;
	int dev, other;
	struct privheap_create heap;
	int result[RACERS];
	uint64_t random[RACERS];
	atomic_bool over;
	atomic_int opens;
	atomic_int present;
};

/**
 * struct race - a race
 * @racers: how many there are
 * @prepare: may be NULL
 * @run: what a racer does in a round
 * @check: may be NULL
 * @dev: a descriptor
 * @other: a descriptor that rounds may use
 * @expected: what @check compares with
 * @running: for racers to count themselves
 * @total: rounds, see share()
 * @batch: rounds in a batch; 0 = BATCH
 * @why: what was wrong first; empty = nothing
 * @done: rounds run
 * @met: of these, begun by all racers at once
 * @over: this batch was the last
 */
struct race {
	int racers;
	void (*prepare)(struct round *round);
	void (*run)(struct round *round, int who);
	void (*check)(struct round *round);
	int dev, other;
	uint64_t expected;
	atomic_int running;
	unsigned long total, batch;
	char why[160];

	unsigned long seed, done, met;
	bool over;
	pthread_barrier_t meeting;
	atomic_int wrong;
	struct round rounds[BATCH];
};

struct racer {
	struct race *race;
	int who;
	pthread_t thread;
};

/* Something is not as it must be; the race ends with this batch. */
static inline __attribute__((format(printf, 2, 3)))
void wrong(struct round *round, const char *format, ...)
{
	struct race *race = round->race;
	va_list args;

	if (atomic_fetch_add(&race->wrong, 1))
		return;
	va_start(args, format);
	vsnprintf(race->why, sizeof(race->why), format, args);
	va_end(args);
	fprintf(stderr, "# SEED=%lu round %lu: %s\n", race->seed, round->number, race->why);
}

/*
 * Sleeping: an idle processor need not be told of every mapping that goes, and where processors
 * are shared with others, telling takes as long as it takes them to be given one.
 */
static inline void meet(struct race *race)
{
	pthread_barrier_wait(&race->meeting);
}

/* Without a system call if the others are near: two processors then start within nanoseconds. */
static inline void wait_for_others(struct round *round)
{
	int racers = round->race->racers;
	bool all = atomic_fetch_add(&round->present, 1) + 1 == racers;

	if (all)
		round->race->met++;
	for (int i = 1; !all && i < 20000; i++) {
		all = atomic_load(&round->present) == racers;
		if (i % 64 == 0)
			sched_yield();
	}
}

/* Mostly short; at most about as long as a system call. */
static inline void delay(uint64_t *random)
{
	uint64_t most = 1UL << next(random) % 15;

	for (volatile uint64_t n = next(random) % most; n; n--)
		;
}

static inline uint64_t mix(uint64_t seed, uint64_t round, uint64_t who)
{
	uint64_t state = (seed ^ round * 0x9e3779b97f4a7c15) + who * 0xbf58476d1ce4e5b9;

	state = state ?: 1;
	for (int i = 0; i < 3; i++)
		next(&state);
	return state;
}

/* Rounds first ... first + n - 1 as seen by one racer. */
static inline void race_batch(struct race *race, int who, unsigned long first, unsigned long n)
{
	for (unsigned long i = 0; !who && i < n; i++) {
		struct round *round = &race->rounds[i];

		*round = (struct round) { .race = race, .number = first + i, .dev = race->dev,
					  .other = race->other };
		for (int racer = 0; racer < race->racers; racer++)
			round->random[racer] = mix(race->seed, first + i, racer);
		if (race->prepare)
			race->prepare(round);
	}
	meet(race);
	for (unsigned long i = 0; i < n; i++) {
		wait_for_others(&race->rounds[i]);
		delay(&race->rounds[i].random[who]);
		race->run(&race->rounds[i], who);
	}
	meet(race);
	for (unsigned long i = 0; !who && race->check && i < n; i++)
		race->check(&race->rounds[i]);
}

static inline void nothing_is_left(struct round *round)
{
	struct privheap_quota q = quota(round->dev, PROCESS);

	if (q.used || q.heaps)
		wrong(round, "%llu bytes, %llu heaps left", (unsigned long long)q.used,
		      (unsigned long long)q.heaps);
}

static inline time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Racer 0 after a batch of n. */
static inline void race_account(struct race *race, unsigned long n)
{
	if (race->dev)
		nothing_is_left(&race->rounds[n - 1]);
	race->done += n;
	race->over = atomic_load(&race->wrong) || race->done >= race->total;
}

static inline void *race_rounds(void *arg)
{
	struct racer *racer = arg;
	struct race *race = racer->race;

	while (!race->over) {
		unsigned long left = race->total - race->done;
		unsigned long n = left < race->batch ? left : race->batch;

		race_batch(race, racer->who, race->done, n);
		if (!racer->who)
			race_account(race, n);
		meet(race);
	}
	return NULL;
}

static inline unsigned long all_rounds(void)
{
	return setting("ROUNDS", 2500);
}

/* Of a case that consists of so many races, each run by both users. */
static inline unsigned long share(unsigned int races)
{
	return (all_rounds() + 2 * races - 1) / (2 * races);
}

static inline uint64_t seed(void)
{
	static uint64_t value;

	if (!value)
		value = setting("SEED", time(NULL) ^ getpid() << 16) ?: 1;
	return value;
}

/* Runs it; what was wrong, or "". */
static inline const char *race(struct race *race)
{
	struct racer racers[RACERS] = { 0 };
	time_t start = seconds();

	race->batch = race->batch ?: BATCH;
	race->seed = seed();
	pthread_barrier_init(&race->meeting, NULL, race->racers);
	for (int who = race->racers - 1; who >= 0; who--) {
		racers[who] = (struct racer) { race, who, 0 };
		if (who && pthread_create(&racers[who].thread, NULL, race_rounds, &racers[who]))
			return "no thread";
	}
	race_rounds(&racers[0]);
	for (int who = 1; who < race->racers; who++)
		pthread_join(racers[who].thread, NULL);
	pthread_barrier_destroy(&race->meeting);
	fprintf(stderr, "# SEED=%lu: %lu rounds in %ld s, all racers met in %lu\n",
		race->seed, race->done, (long)(seconds() - start), race->met);
	return race->why;
}

/* Races end with their rounds, on a busy machine and a debug kernel too. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 900

/* A descriptor; after the test the user's and the process's accounts must be what they were. */
FIXTURE(race)
{
	int dev;
	struct privheap_quota before;
};

FIXTURE_SETUP(race)
{
	self->dev = device_open();
	ASSERT_GE(self->dev, 0) TH_LOG("/dev/privheap: %s", strerror(errno));
	self->before = quota(self->dev, USER);
}

FIXTURE_TEARDOWN(race)
{
	EXPECT_EQ(0, quota(self->dev, PROCESS).used);
	EXPECT_EQ(0, quota(self->dev, PROCESS).heaps);
	EXPECT_TRUE(used_becomes(self->dev, USER, self->before.used))
		TH_LOG("used %llu, was %llu", (unsigned long long)quota(self->dev, USER).used,
		       (unsigned long long)self->before.used);
	EXPECT_EQ(self->before.heaps, quota(self->dev, USER).heaps);
	close(self->dev);
}

#endif

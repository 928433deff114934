// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Heaps owned by CPUs under the worst conditions: many threads on each CPU, signals whose handlers
 * use the heap, threads that change CPU all the time, a thread that stops the heap over and over.
 * Where heaps cannot be owned (the tunable glibc.pthread.rseq=0, the thread sanitizer) the same
 * for shared ones. ROUNDS=n: so many times as long.
 */
#include "unit.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "heap/fast.h"
#include "alloc/shard.h"
#include "alloc/freeze.h"

#define THREADS		8
#define SLOTS		512

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STEPS		20000
#else
#define STEPS		200000
#endif

FIXTURE(owned) {
	struct heap *heap;
	_Atomic(uint64_t *) slots[SLOTS];
	_Atomic uint64_t errors, steps;
	_Atomic bool over;
};

FIXTURE_VARIANT(owned) {
	size_t maximum, largest;
};

FIXTURE_VARIANT_ADD(owned, one_class) { .maximum = MIB(16), .largest = 16 };
FIXTURE_VARIANT_ADD(owned, many_classes) { .maximum = MIB(64), .largest = 3000 };
FIXTURE_VARIANT_ADD(owned, nearly_full) { .maximum = MIB(4), .largest = 30000 };
FIXTURE_VARIANT_ADD(owned, one_shard) { .maximum = KIB(256), .largest = 600 };

FIXTURE_SETUP(owned)
{
	self->heap = unit_heap(0, variant->maximum, 0);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(owned)
{
	heap_destroy(self->heap);
}

struct worker {
	FIXTURE_DATA(owned) *self;
	size_t largest;
	uint64_t seed;
	pthread_t thread;
	bool moving;
};

/* The block's size is its first word, its address the second; the rest repeats the size. */
static uint64_t *block_make(struct worker *worker)
{
	size_t n = 16 + unit_random(&worker->seed) % worker->largest;
	uint64_t *p = unit_alloc(worker->self->heap, n);

	if (!p)
		return NULL;
	memset(p, (int)n, n);
	p[0] = n;
	p[1] = (uintptr_t)p;
	return p;
}

static bool block_whole(struct worker *worker, const uint64_t *p)
{
	const unsigned char *bytes = (const unsigned char *)p;
	size_t n = p[0];

	if (p[1] != (uintptr_t)p || unit_size(worker->self->heap, p) != n)
		return false;
	return n == 16 || (bytes[16] == (unsigned char)n && bytes[n - 1] == (unsigned char)n);
}

static void block_end(struct worker *worker, uint64_t *p)
{
	if (p && (!block_whole(worker, p) || heap_free(worker->self->heap, p) != HEAP_OK))
		worker->self->errors++;
}

/* This thread to any CPU of those the process has. */
static void move(struct worker *worker)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(unit_random(&worker->seed) % cpus, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	FIXTURE_DATA(owned) *self = worker->self;
	uint64_t *mine[16] = { NULL };

	for (uint64_t i = 0; !self->over; i++) {
		uint64_t r = unit_random(&worker->seed);
		uint64_t **own = &mine[r % 16];

		if (worker->moving && i % 64 == 0)
			move(worker);
		/* Here and there in turn: freed by the thread itself, or by who finds it. */
		if (r >> 32 & 1) {
			block_end(worker, *own);
			*own = block_make(worker);
		} else {
			block_end(worker, atomic_exchange(&self->slots[(r >> 8) % SLOTS],
							  block_make(worker)));
		}
		self->steps++;
	}
	for (int i = 0; i < 16; i++)
		block_end(worker, mine[i]);
	return NULL;
}

static uint64_t rounds(void)
{
	const char *text = getenv("ROUNDS");

	return text ? strtoull(text, NULL, 0) : 1;
}

static void start(FIXTURE_DATA(owned) *self, struct worker *workers, size_t largest, bool moving)
{
	self->over = false;
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .self = self, .largest = largest, .moving = moving,
					      .seed = (uint64_t)time(NULL) * 31 + i + 1 };
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
}

static void finish(FIXTURE_DATA(owned) *self, struct worker *workers)
{
	self->over = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < SLOTS; i++)
		block_end(&workers[0], atomic_exchange(&self->slots[i], NULL));
}

static void until_worked(FIXTURE_DATA(owned) *self)
{
	while (self->steps < STEPS * rounds())
		usleep(1000);
}

static bool whole_again(FIXTURE_DATA(owned) *self, size_t maximum)
{
	return unit_sound(self->heap) && unit_stats(self->heap).blocks == 0 &&
	       unit_alloc(self->heap, maximum);
}

TEST(large_heaps_are_owned_where_they_can_be)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	bool possible = PERCPU && percpu_possible(process_get());

	ASSERT_NE(NULL, heap);
	EXPECT_EQ(possible ? HEAP_PERCPU : HEAP_SHARED, heap->mode);
	EXPECT_EQ(possible, heap->percpu_limit != 0);
	EXPECT_EQ(0, heap_destroy(heap));
}

static bool fast_free(struct heap *heap, void *p)
{
	struct fast_block block;

	return fast_ptr_to_block(heap, p, &block) && fast_free_local(heap, &block);
}

/* Exhaustive: of all addresses of a heap, exactly the blocks' are accepted, and once. */
TEST(fast_free_takes_blocks_only)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	char *handle = heap_handle(heap);
	size_t live = 0, taken = 0, quickly = 0, size;
	cpu_set_t here;

	ASSERT_NE(NULL, heap);
	/* Blocks of another CPU are not freed quickly. */
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(here), &here));
	for (size_t n = 0; n < 30000; n += n < 1100 ? 13 : 509) {
		for (int k = 0; k < (n < 1100 ? 70 : 3); k++) {
			ASSERT_NE(NULL, unit_alloc(heap, n));
			live++;
		}
	}
	/* From the end, so that what is taken before does not matter. */
	for (size_t at = unit_stats(heap).committed; at--;) {
		bool block = heap_size(heap, handle + at, &size) == HEAP_OK;
		bool fast = fast_free(heap, handle + at);

		ASSERT_TRUE(block || !fast) TH_LOG("offset %zu", at);
		ASSERT_TRUE(!block || fast || heap_free(heap, handle + at) == HEAP_OK);
		ASSERT_FALSE(fast_free(heap, handle + at));
		taken += block;
		quickly += fast;
	}
	/* Not in full slabs, nor where another CPU's threads have to. */
	EXPECT_EQ(heap->mode == HEAP_PERCPU, quickly > 0);
	EXPECT_EQ(live, taken);
	EXPECT_EQ(0, unit_stats(heap).blocks);
	EXPECT_TRUE(unit_sound(heap));
	EXPECT_EQ(0, heap_destroy(heap));
}

TEST_F_TIMEOUT(owned, many_threads_on_each_cpu, 240)
{
	struct worker workers[THREADS];

	start(self, workers, variant->largest, false);
	until_worked(self);
	finish(self, workers);
	EXPECT_EQ(0, self->errors);
	EXPECT_TRUE(whole_again(self, variant->maximum));
}

TEST_F_TIMEOUT(owned, threads_that_change_cpu, 240)
{
	struct worker workers[THREADS];

	start(self, workers, variant->largest, true);
	until_worked(self);
	finish(self, workers);
	EXPECT_EQ(0, self->errors);
	EXPECT_TRUE(whole_again(self, variant->maximum));
}

static struct heap *handler_heap;
static _Atomic uint64_t handler_errors, handler_turns;

/* In whichever thread runs, so most often in the middle of an operation. */
static void on_alarm(int number)
{
	int saved = errno;
	uint64_t turn = handler_turns++;
	void *p = unit_alloc(handler_heap, turn % 500);

	(void)number;
	if (p && heap_free(handler_heap, p) != HEAP_OK)
		handler_errors++;
	errno = saved;
}

TEST_F_TIMEOUT(owned, signals_in_the_middle, 240)
{
	struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct worker workers[THREADS];

	handler_heap = self->heap;
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	start(self, workers, variant->largest, false);
	until_worked(self);
	finish(self, workers);
	setitimer(ITIMER_PROF, &never, NULL);
	EXPECT_EQ(0, self->errors);
	EXPECT_EQ(0, handler_errors);
	EXPECT_TRUE(whole_again(self, variant->maximum));
}

/* While it is stopped nothing changes but by the stopper; others go on afterwards. */
TEST_F_TIMEOUT(owned, stopped_again_and_again, 240)
{
	struct worker workers[THREADS];
	struct heap_stats first, second;
	uint64_t stops = 0, before;

	start(self, workers, variant->largest, true);
	while (self->steps < STEPS * rounds()) {
		void *p;

		heap_freeze(self->heap);
		first = unit_stats(self->heap);
		sched_yield();
		second = unit_stats(self->heap);
		ASSERT_EQ(first.blocks, second.blocks) TH_LOG("stop %llu",
							      (unsigned long long)stops);
		ASSERT_EQ(first.allocated, second.allocated);
		p = unit_alloc(self->heap, 100);
		second = unit_stats(self->heap);
		ASSERT_EQ(first.blocks + !!p, second.blocks);
		ASSERT_TRUE(unit_sound(self->heap));
		ASSERT_TRUE(!p || heap_free(self->heap, p) == HEAP_OK);
		second = unit_stats(self->heap);
		ASSERT_EQ(first.blocks, second.blocks);
		heap_thaw(self->heap);
		before = self->steps;
		for (int i = 0; i < 10000 && self->steps == before; i++)
			sched_yield();
		stops++;
	}
	finish(self, workers);
	TH_LOG("stopped %llu times", (unsigned long long)stops);
	EXPECT_EQ(0, self->errors);
	EXPECT_TRUE(whole_again(self, variant->maximum));
}

/* Blocks that one CPU's threads allocate and the other's free come back to the first. */
static void *free_all(void *argument)
{
	FIXTURE_DATA(owned) *self = argument;
	struct worker worker = { .self = self, .seed = 1, .largest = 1 };

	while (!self->over)
		for (int i = 0; i < SLOTS; i++)
			block_end(&worker, atomic_exchange(&self->slots[i], NULL));
	return NULL;
}

TEST_F_TIMEOUT(owned, remote_frees_are_used_again, 240)
{
	struct worker worker = { .self = self, .seed = 5, .largest = variant->largest };
	pthread_t other;

	ASSERT_EQ(0, pthread_create(&other, NULL, free_all, self));
	for (uint64_t i = 0; i < STEPS * rounds(); i++) {
		block_end(&worker, atomic_exchange(&self->slots[i % SLOTS], block_make(&worker)));
	}
	self->over = true;
	pthread_join(other, NULL);
	for (int i = 0; i < SLOTS; i++) {
		block_end(&worker, self->slots[i]);
	}
	EXPECT_EQ(0, self->errors);
	EXPECT_TRUE(whole_again(self, variant->maximum));
}

/* Each racing free is told as good at most once by either way in; the block is free once. */
struct race {
	struct heap *heap;
	pthread_barrier_t barrier;
	void *block;
	_Atomic int accepted;
};

static void *free_once(void *argument)
{
	struct race *race = argument;

	for (int i = 0; i < STEPS / 100; i++) {
		pthread_barrier_wait(&race->barrier);
		race->accepted += heap_free(race->heap, race->block) == HEAP_OK;
		pthread_barrier_wait(&race->barrier);
		pthread_barrier_wait(&race->barrier);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

TEST(racing_double_frees_free_once)
{
	struct race race = { .heap = unit_heap(0, MIB(16), 0) };
	static uintptr_t blocks[4096];
	pthread_t threads[3];
	size_t count = 0;

	ASSERT_NE(NULL, race.heap);
	pthread_barrier_init(&race.barrier, NULL, 4);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, free_once, &race));
	}
	for (int i = 0; i < STEPS / 100; i++) {
		race.block = unit_alloc(race.heap, 100);
		race.accepted = 0;
		pthread_barrier_wait(&race.barrier);
		pthread_barrier_wait(&race.barrier);
		ASSERT_GE(race.accepted, 1);
		ASSERT_LE(race.accepted, 2) TH_LOG("round %d", i);
		pthread_barrier_wait(&race.barrier);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
	}
	/* Nothing has two owners. */
	while (count < 4096 && (blocks[count] = (uintptr_t)unit_alloc(race.heap, 100)))
		count++;
	qsort(blocks, count, sizeof(blocks[0]), compare);
	for (size_t i = 1; i < count; i++) {
		ASSERT_NE(blocks[i - 1], blocks[i]);
	}
	EXPECT_EQ(count, unit_stats(race.heap).blocks);
	EXPECT_TRUE(unit_sound(race.heap));
	EXPECT_EQ(0, heap_destroy(race.heap));
}

TEST_HARNESS_MAIN

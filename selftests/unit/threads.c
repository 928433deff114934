// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Eight threads on one heap: each allocates, fills, hands blocks to the others through shared
 * slots and frees what it finds there. Contents tell if a block was ever given out twice.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include "unit.h"

#define THREADS		8
#define SLOTS		256

#if defined(__SANITIZE_THREAD__)
#define ROUNDS		4000
#elif defined(__SANITIZE_ADDRESS__)
#define ROUNDS		20000
#else
#define ROUNDS		200000
#endif

struct note {			/* the start of every block */
	size_t n;
	uint64_t mark;
};

FIXTURE(threads) {
	struct heap *heap;
	_Atomic(struct note *) slots[SLOTS];
	_Atomic uint64_t errors, allocations, refusals;
	_Atomic int running;
};

FIXTURE_VARIANT(threads) {
	size_t maximum, largest;
	unsigned int flags;
};

/* Full checks cost ten times as much. */
static int rounds(unsigned int flags)
{
	return flags ? ROUNDS / 8 : ROUNDS;
}

#define CHECK_ALL	(HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE)

FIXTURE_VARIANT_ADD(threads, tiny_and_full) { .maximum = KIB(64), .largest = 800 };
FIXTURE_VARIANT_ADD(threads, medium) { .maximum = MIB(2), .largest = 9000 };
FIXTURE_VARIANT_ADD(threads, large) { .maximum = MIB(64), .largest = 3000 };
FIXTURE_VARIANT_ADD(threads, large_blocks) { .maximum = MIB(64), .largest = 200000 };

FIXTURE_VARIANT_ADD(threads, checked_and_full) {
	.maximum = KIB(64), .largest = 800, .flags = CHECK_ALL
};
FIXTURE_VARIANT_ADD(threads, checked) {
	.maximum = MIB(64), .largest = 50000, .flags = CHECK_ALL
};

FIXTURE_SETUP(threads)
{
	self->heap = unit_heap(0, variant->maximum, variant->flags);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(threads)
{
	heap_destroy(self->heap);
}

struct worker {
	FIXTURE_DATA(threads) *self;
	size_t largest;
	int rounds;
	uint64_t seed;
	pthread_t thread;
};

static unsigned char *note_end(struct note *note)
{
	return (unsigned char *)note + note->n - 1;
}

static void note_write(struct note *note, size_t n, uint64_t mark)
{
	note->n = n;
	note->mark = mark;
	memset(note + 1, (int)mark, n - sizeof(*note));
}

static bool note_read(struct note *note)
{
	unsigned char mark = (unsigned char)note->mark;

	return note->n == sizeof(*note) ||
	       (*note_end(note) == mark && *(unsigned char *)(note + 1) == mark);
}

static struct note *worker_alloc(struct worker *worker)
{
	size_t n = sizeof(struct note) + unit_random(&worker->seed) % worker->largest;
	struct note *note = unit_alloc(worker->self->heap, n);

	if (!note) {
		worker->self->refusals++;
		return NULL;
	}
	note_write(note, n, unit_random(&worker->seed));
	worker->self->allocations++;
	return note;
}

static void worker_free(struct worker *worker, struct note *note)
{
	if (!note)
		return;
	if (!note_read(note) || unit_size(worker->self->heap, note) != note->n ||
	    heap_free(worker->self->heap, note) != HEAP_OK)
		worker->self->errors++;
}

static struct note *worker_resize(struct worker *worker, struct note *note)
{
	size_t n = sizeof(*note) + unit_random(&worker->seed) % worker->largest;
	void *new;
	int error;

	if (heap_realloc(worker->self->heap, note, n, 0, &new, &error) != HEAP_OK)
		worker->self->errors++;
	if (!new)
		return note;
	note_write(new, n, unit_random(&worker->seed));
	return new;
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < worker->rounds; i++) {
		struct note *note = unit_random(&worker->seed) % 4 ? worker_alloc(worker) : NULL;
		size_t slot = unit_random(&worker->seed) % SLOTS;

		if (note && unit_random(&worker->seed) % 8 == 0)
			note = worker_resize(worker, note);
		worker_free(worker, atomic_exchange(&worker->self->slots[slot], note));
	}
	worker->self->running--;
	return NULL;
}

static void start(FIXTURE_DATA(threads) *self, const FIXTURE_VARIANT(threads) *variant,
		  struct worker *workers)
{
	self->running = THREADS;
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .self = self, .largest = variant->largest,
					      .rounds = rounds(variant->flags),
					      .seed = (uint64_t)time(NULL) * 31 + i + 1 };
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	}
}

TEST_F_TIMEOUT(threads, alloc_here_free_there, 240)
{
	struct worker workers[THREADS];

	start(self, variant, workers);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
	}
	for (int i = 0; i < SLOTS; i++) {
		worker_free(&workers[0], self->slots[i]);
	}
	EXPECT_EQ(0, self->errors);
	EXPECT_GT(self->allocations, 0);
	EXPECT_TRUE(unit_sound(self->heap));
	EXPECT_EQ(0, unit_stats(self->heap).blocks);
	/* Every slab has come home: the heap is whole again. */
	EXPECT_NE(NULL, unit_alloc(self->heap, variant->maximum));
}

/* Validating must neither report what is sound nor disturb. */
TEST_F_TIMEOUT(threads, validate_meanwhile, 240)
{
	struct worker workers[THREADS];
	int looks = 0;

	start(self, variant, workers);
	while (self->running) {
		ASSERT_TRUE(unit_sound(self->heap));
		unit_stats(self->heap);
		looks++;
		sched_yield();
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
	}
	TH_LOG("validated %d times", looks);
	EXPECT_EQ(0, self->errors);
	EXPECT_TRUE(unit_sound(self->heap));
}

/* Exactly one of many frees of one block is accepted. */
struct race {
	struct heap *heap;
	pthread_barrier_t barrier;
	void *block;
	_Atomic int accepted;
};

static void *free_once(void *argument)
{
	struct race *race = argument;

	for (int i = 0; i < ROUNDS / 100; i++) {
		pthread_barrier_wait(&race->barrier);
		if (heap_free(race->heap, race->block) == HEAP_OK)
			race->accepted++;
		pthread_barrier_wait(&race->barrier);
		pthread_barrier_wait(&race->barrier);
	}
	return NULL;
}

FIXTURE(race) {
};

FIXTURE_VARIANT(race) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(race, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(race, checked) { .flags = CHECK_ALL };
/* Nothing is held back. */
FIXTURE_VARIANT_ADD(race, checked_tails) { .flags = HEAP_F_CHECK_TAIL };

FIXTURE_SETUP(race)
{
}

FIXTURE_TEARDOWN(race)
{
}

TEST_F(race, double_frees)
{
	struct race race = { .heap = unit_heap(0, MIB(1), variant->flags) };
	pthread_t threads[3];

	ASSERT_NE(NULL, race.heap);
	pthread_barrier_init(&race.barrier, NULL, 4);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, free_once, &race));
	}
	for (int i = 0; i < ROUNDS / 100; i++) {
		race.block = unit_alloc(race.heap, i % 2 ? 100 : 10000);
		race.accepted = 0;
		pthread_barrier_wait(&race.barrier);
		pthread_barrier_wait(&race.barrier);
		EXPECT_EQ(1, race.accepted) TH_LOG("round %d", i);
		pthread_barrier_wait(&race.barrier);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
	}
	EXPECT_TRUE(unit_sound(race.heap));
}

static void *create_destroy(void *argument)
{
	_Atomic int *errors = argument;

	for (int i = 0; i < 300; i++) {
		struct heap *heap = unit_heap(0, KIB(64) << i % 6, 0);
		void *p = heap ? unit_alloc(heap, 100 + i) : NULL;

		if (!p || heap_lookup(heap_handle(heap)) != heap || heap_containing(p) != heap ||
		    heap_destroy(heap))
			(*errors)++;
	}
	return NULL;
}

TEST(heaps_come_and_go_in_all_threads)
{
	pthread_t threads[THREADS];
	_Atomic int errors = 0;

	for (int i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, create_destroy, &errors));
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	EXPECT_EQ(0, errors);
	EXPECT_EQ(0, heap_list(NULL, 0));
}

/* A handler that interrupts the heap on its own thread: succeeds or fails, never hangs. */
static struct heap *handler_heap;
static _Atomic int handler_faults;
static _Atomic(void *) handler_block;	/* large, for the handler to free */
static _Atomic bool handler_ran;

static void on_signal(int number)
{
	static const size_t sizes[] = { 24, 500, 5000, 100000 };
	static unsigned int turn;
	void *p = unit_alloc(handler_heap, sizes[turn++ % 4]);

	(void)number;
	if (p && heap_free(handler_heap, p) != HEAP_OK)
		handler_faults++;
	p = atomic_exchange(&handler_block, NULL);
	if (p && heap_free(handler_heap, p) != HEAP_OK)
		handler_faults++;
	handler_ran = true;
}

FIXTURE(storm) {
};

FIXTURE_VARIANT(storm) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(storm, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(storm, checked) { .flags = CHECK_ALL };

FIXTURE_SETUP(storm)
{
}

FIXTURE_TEARDOWN(storm)
{
}

TEST_F_TIMEOUT(storm, allocation_in_a_signal_handler, 240)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	/* Once, and again when that was: else a slow machine would do nothing but handle signals. */
	struct itimerspec soon = { .it_value = { 0, 50000 } };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	static void *blocks[64];
	uint64_t seed = 42;
	timer_t timer;
	int given = 0;

	/* Room for what is lost: the slower the library, the more often a handler is inside it. */
	handler_heap = unit_heap(0, MIB(512), variant->flags);
	ASSERT_NE(NULL, handler_heap);
	sigaction(SIGUSR1, &action, NULL);
	ASSERT_EQ(0, timer_create(CLOCK_MONOTONIC, &event, &timer));
	handler_ran = true;
	for (int i = 0; i < rounds(variant->flags); i++) {
		void **slot = &blocks[unit_random(&seed) % 64];

		if (atomic_exchange(&handler_ran, false))
			timer_settime(timer, 0, &soon, NULL);
		if (*slot) {
			ASSERT_EQ(HEAP_OK, heap_free(handler_heap, *slot));
		}
		*slot = unit_alloc(handler_heap, unit_random(&seed) % 80000);
		ASSERT_NE(NULL, *slot);
		/* What a handler cannot free at once is lost: not more than the heap can spare. */
		if (!handler_block && !variant->flags && given++ < 400)
			handler_block = unit_alloc(handler_heap, 70000);
	}
	timer_delete(timer);
	EXPECT_EQ(0, handler_faults);
	EXPECT_TRUE(unit_sound(handler_heap));
}

TEST_HARNESS_MAIN

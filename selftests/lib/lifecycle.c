// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Threads that end, programs that end, signals that come at any time. The library has no
 * destructors and keeps nothing per thread but the last error, so heaps work to the very end.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "cplusplus.h"
#include "heapapi.h"
#include "privheap.h"

static HANDLE heap;
static void *early_block, *late_block, *last_block;

static void say(const char *who, bool good)
{
	dprintf(STDERR_FILENO, "%s %s\n", who, good ? "ok" : "failed");
}

static bool works(void)
{
	void *p = HeapAlloc(heap, 0, 50000);

	return p && HeapFree(heap, 0, p) && HeapValidate(heap, 0, NULL);
}

static void at_exit_early(void)
{
	say("early", HeapFree(heap, 0, early_block) && works());
}

static void at_exit_late(void)
{
	say("late", HeapFree(heap, 0, late_block) && works());
}

/* Runs after everything that atexit(3) knows. */
__attribute__((destructor))
static void destructor(void)
{
	if (heap && last_block)
		say("destructor", HeapFree(heap, 0, last_block) && works() && HeapDestroy(heap));
}

static void ends(void)
{
	atexit(at_exit_early);
	heap = HeapCreate(0, 0, 0);
	early_block = HeapAlloc(heap, 0, 10);
	late_block = HeapAlloc(heap, 0, 100000);
	last_block = HeapAlloc(heap, 0, 100);
	atexit(at_exit_late);
	exit(0);
}

TEST(blocks_freed_by_atexit_handlers_and_destructors)
{
	struct outcome out;

	run_in_child(&out, ends);
	EXPECT_TRUE(exited(&out, 0));
	EXPECT_STREQ("late ok\nearly ok\ndestructor ok\n", out.text);
}

static void ends_in_cplusplus(void)
{
	cplusplus_statics();
	exit(0);
}

TEST(blocks_freed_by_destructors_of_static_and_thread_local_objects)
{
	struct outcome out;

	run_in_child(&out, ends_in_cplusplus);
	EXPECT_TRUE(exited(&out, 0));
	EXPECT_STREQ("thread_local ok\nthread_local ok\nlocal static ok\n", out.text);
}

static void ends_with_threads(void)
{
	pthread_t thread;
	size_t i;

	heap = HeapCreate(0, 0, 0);
	for (i = 0; i < 4; i++)
		pthread_create(&thread, NULL, cplusplus_busy, heap);
	exit(works() ? 0 : 1);
}

TEST(exit_while_threads_allocate)
{
	int i;

	for (i = 0; i < 10; i++) {
		EXPECT_CHILD_OK(ends_with_threads);
	}
}

static pthread_key_t key;
static void *left[64];

static void at_thread_exit(void *block)
{
	if (HeapFree(heap, 0, block))
		left[0] = HeapAlloc(heap, 0, 1000);
}

static void *short_life(void *slot)
{
	*(void **)slot = HeapAlloc(heap, 0, 100);
	pthread_setspecific(key, HeapAlloc(heap, 0, 100));
	SetLastError(99);
	return NULL;
}

TEST(threads_leave_nothing_but_their_blocks)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	pthread_t thread;
	size_t i, round;

	heap = HeapCreate(0, 0, 16 * MIB);
	ASSERT_EQ(0, pthread_key_create(&key, at_thread_exit));
	for (round = 0; round < 10; round++) {
		for (i = 1; i < COUNT(left); i++) {
			ASSERT_EQ(0, pthread_create(&thread, NULL, short_life, &left[i]));
			pthread_join(thread, NULL);
			ASSERT_NE(NULL, left[0]);
			EXPECT_TRUE(HeapFree(heap, 0, left[0]));
			left[0] = NULL;
		}
		for (i = 1; i < COUNT(left); i++)
			EXPECT_TRUE(HeapFree(heap, 0, left[i]));
	}
	EXPECT_EQ(0, GetLastError());
	ASSERT_EQ(0, privheap_stats(heap, &stats));
	EXPECT_EQ(0, stats.blocks);
	EXPECT_GE(2 * MIB, stats.committed);
}

/* A signal in the middle of anything. Each call there succeeds or fails; none waits. */
static atomic_int signals, done, wrong;
static timer_t timer;

/* Once: on a slow machine a signal takes longer than it is to the next, and nothing else ran. */
static void again(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = 200000 };

	timer_settime(timer, 0, &soon, NULL);
}

static void storm(int number)
{
	static const SIZE_T sizes[] = { 24, 500, 5000, 100000 };
	int turn = atomic_fetch_add(&signals, 1), saved = errno;
	DWORD error = GetLastError();
	SIZE_T n = sizes[turn % 4];
	char *p = HeapAlloc(heap, 0, n), *q;
	HANDLE other;

	if (p) {
		p[n - 1] = 1;
		q = HeapReAlloc(heap, 0, p, 2 * n);
		p = q ? q : p;
		if (HeapSize(heap, 0, p) != (q ? 2 * n : n) || !HeapFree(heap, 0, p))
			atomic_fetch_add(&wrong, 1);
	}
	if (turn % 64 == 0) {
		other = HeapCreate(0, 0, 0);
		if (other && !HeapDestroy(other))
			atomic_fetch_add(&wrong, 1);
		if (!HeapValidate(heap, 0, NULL))
			atomic_fetch_add(&wrong, 1);
	}
	HEAP_TRY {
		HeapAlloc(heap, HEAP_GENERATE_EXCEPTIONS, (SIZE_T)1 << 60);
		atomic_fetch_add(&wrong, 1);
	} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
		atomic_fetch_add(&done, 1);
	} HEAP_END_TRY
	SetLastError(error);
	again();
	errno = saved;
}

static void *worker(void *number)
{
	unsigned int seed = (unsigned int)(uintptr_t)number;
	void *blocks[32] = { NULL };
	int i, slot;

	for (i = 0; i < 10000; i++) {
		seed = seed * 1103515245 + 12345;
		slot = (seed >> 20) % COUNT(blocks);
		if (blocks[slot] && !HeapFree(heap, 0, blocks[slot]))
			atomic_fetch_add(&wrong, 1);
		blocks[slot] = HeapAlloc(heap, 0, (seed >> 8) % (i % 64 ? 2000 : 40000));
		if (!blocks[slot])
			atomic_fetch_add(&wrong, 1);
	}
	for (slot = 0; slot < (int)COUNT(blocks); slot++)
		HeapFree(heap, 0, blocks[slot]);
	return NULL;
}

/*
 * AddressSanitizer only: not before it knows the thread. It calls a stack poisoned where the handler
 * took an exception earlier.
 */
static void let_signals(int how)
{
#ifdef __SANITIZE_ADDRESS__
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(how, &set, NULL);
#else
	(void)how;
#endif
}

static void *worker_thread(void *number)
{
	let_signals(SIG_UNBLOCK);
	worker(number);
	let_signals(SIG_BLOCK);
	return NULL;
}

FIXTURE(signal) {
};

FIXTURE_VARIANT(signal) {
	DWORD options;
};

FIXTURE_VARIANT_ADD(signal, plain) { .options = 0 };
FIXTURE_VARIANT_ADD(signal, full_checks) {
	.options = HEAP_TAIL_CHECKING_ENABLED | HEAP_FREE_CHECKING_ENABLED
};

FIXTURE_SETUP(signal)
{
}

FIXTURE_TEARDOWN(signal)
{
}

TEST_F_TIMEOUT(signal, storm, 120)
{
	struct sigaction action = { .sa_handler = storm, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	pthread_t threads[3];
	uintptr_t i;

	heap = HeapCreate(variant->options, 0, 256 * MIB);
	ASSERT_NE(NULL, heap);
	sigaction(SIGUSR1, &action, NULL);
	ASSERT_EQ(0, timer_create(CLOCK_MONOTONIC, &event, &timer));
	again();
	let_signals(SIG_BLOCK);
	for (i = 0; i < COUNT(threads); i++)
		pthread_create(&threads[i], NULL, worker_thread, (void *)(i + 1));
	let_signals(SIG_UNBLOCK);
	do
		worker((void *)7);
	while (signals < 100);
	for (i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	timer_delete(timer);
	EXPECT_EQ(signals, done);
	EXPECT_EQ(0, wrong);
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Try regions that are left without a word: by pthread_exit, longjmp and C++ exceptions, through C that is
 * compiled without -fexceptions. They are over, and those around them are not.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <setjmp.h>

#include "cplusplus.h"
#include "heap_exception.h"

#define CODE	0xE0001234u

static jmp_buf out;
static void (*leave)(void);

static void by_longjmp(void)
{
	longjmp(out, 1);
}

/* Whose filter must not be asked any more, wherever the stack is by then. */
__attribute__((noinline))
static void region_that_is_left(int depth)
{
	volatile char pad[64];

	pad[0] = (char)depth;
	HEAP_TRY {
		if (depth)
			region_that_is_left(depth - 1);
		else
			leave();
	} HEAP_EXCEPT((dprintf(STDERR_FILENO, "asked\n"), 1)) {
		_exit(3);
	} HEAP_END_TRY
	pad[1] = pad[0];
}

static void regions_that_are_left(void)
{
	region_that_is_left(0);
}

static void three_regions_that_are_left(void)
{
	region_that_is_left(2);
}

__attribute__((noinline))
static void leave_by_longjmp(void)
{
	leave = by_longjmp;
	if (setjmp(out) == 0)
		region_that_is_left(1);
}

static void leave_by_cplusplus(void)
{
	leave = cplusplus_throw;
	CHECK_IN_CHILD(cplusplus_catch(regions_that_are_left) == 1);
	CHECK_IN_CHILD(cplusplus_catch(three_regions_that_are_left) == 1);
}

static void raise_code(void)
{
	RaiseException(CODE, 0, 0, NULL);
}

/* In a frame as large as the other was: most often in its place. */
__attribute__((noinline))
static int caught(void (*what)(void))
{
	volatile int taken = 0;

	HEAP_TRY {
		what();
	} HEAP_EXCEPT(GetExceptionCode() == CODE) {
		taken = 1;
	} HEAP_END_TRY
	return taken;
}

static void (*way)(void);

static void left_and_raised(void)
{
	way();
	raise_code();
}

static void one_around(void)
{
	alarm(60);
	for (int i = 0; i < 10; i++)
		CHECK_IN_CHILD(caught(left_and_raised) == 1);
}

static const struct {
	const char *name;
	void (*leave)(void);
} ways[] = {
	{ "longjmp", leave_by_longjmp },
	{ "a C++ exception", leave_by_cplusplus },
};

TEST(L7_regions_around_are_asked)
{
	for (size_t i = 0; i < COUNT(ways); i++) {
		way = ways[i].leave;
		TH_LOG("%s", ways[i].name);
		EXPECT_CHILD_OK(one_around);
	}
}

#ifndef __SANITIZE_ADDRESS__	/* the library's frames are larger, and the raise is deeper than the region was */
static void nothing_around(void)
{
	alarm(60);
	way();
	CHECK_IN_CHILD(caught(raise_code) == 1);
	way();
	raise_code();
}

TEST(L7_without_one_around_nobody_handles_it)
{
	for (size_t i = 0; i < COUNT(ways); i++) {
		way = ways[i].leave;
		TH_LOG("%s", ways[i].name);
		EXPECT_ABORT(nothing_around, "privheap: unhandled exception 0xe0001234");
	}
}
#endif

static void leave_thread(void)
{
	pthread_exit(NULL);
}

static pthread_key_t key;
static _Atomic int taken_late;

static void when_thread_ends(void *value)
{
	(void)value;
	taken_late += caught(raise_code);
}

static void *thread_body(void *arg)
{
	pthread_setspecific(key, &key);
	leave = leave_thread;
	region_that_is_left(3);
	return arg;
}

/* What its destructors do is done by the thread that left its regions. */
TEST(L7_pthread_exit)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_key_create(&key, when_thread_ends));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, thread_body, NULL));
		ASSERT_EQ(0, pthread_join(thread, NULL));
	}
	EXPECT_EQ(20, taken_late);
}

static void unhandled_late(void *value)
{
	(void)value;
	raise_code();
}

static void raise_when_thread_ends(void)
{
	pthread_t thread;

	alarm(60);
	pthread_key_create(&key, unhandled_late);
	pthread_create(&thread, NULL, thread_body, NULL);
	pthread_join(thread, NULL);
}

TEST(L7_pthread_exit_and_nobody_handles_it)
{
	EXPECT_ABORT(raise_when_thread_ends, "privheap: unhandled exception 0xe0001234");
}

static stack_t signals;
static volatile int asked_on_signal_stack;

static void on_signal(int number)
{
	(void)number;
	leave = by_longjmp;
	if (setjmp(out) == 0)
		region_that_is_left(0);
	asked_on_signal_stack = caught(raise_code);
}

/* A region on the thread's stack is not below who is on the signal stack, wherever that is. */
TEST(L7_signal_stack)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
	char *low = malloc(MIB);

	signals = (stack_t){ .ss_sp = low, .ss_size = MIB };
	ASSERT_EQ(0, sigaltstack(&signals, NULL));
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	volatile int taken = 0;

	HEAP_TRY {
		raise(SIGUSR1);
		EXPECT_EQ(1, asked_on_signal_stack);
		raise_code();
	} HEAP_EXCEPT(1) {
		taken = 1;
	} HEAP_END_TRY
	EXPECT_EQ(1, taken);
}

TEST_HARNESS_MAIN

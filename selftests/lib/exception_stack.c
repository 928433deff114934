// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What is on the stack between a raise and its filter's answer: it is whole when the raise returns. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <sys/resource.h>

#include "heap_exception.h"

#define CODE	0xE0001234u

static void raise_code(DWORD code)
{
	RaiseException(code, 0, 0, NULL);
}

TEST(variable_keeps_its_value)
{
	void *volatile p = (void *)0x1234;

	HEAP_TRY {
		p = (raise_code(CODE), NULL);
	} HEAP_EXCEPT(1) {
		EXPECT_EQ((void *)0x1234, p);
	} HEAP_END_TRY
	EXPECT_EQ((void *)0x1234, p);
}

static volatile int sink;

/* Every frame on the way keeps a pattern; all must be whole when the raise returns. */
__attribute__((noinline))
static int deep(int depth, unsigned int seed)
{
	unsigned char pattern[97];
	int broken = 0;

	memset(pattern, (int)(seed + (unsigned int)depth), sizeof(pattern));
	__asm__ volatile("" : : "r"(pattern) : "memory");
	if (depth)
		broken = deep(depth - 1, seed);
	else
		raise_code(CODE);
	sink++;
	return broken + !all_bytes(pattern, (int)(seed + (unsigned int)depth), sizeof(pattern));
}

static int greedy_filter(size_t bytes, int answer)
{
	volatile char scratch[bytes];
	size_t i;

	for (i = 0; i < bytes; i++)
		scratch[i] = (char)0xEE;
	return scratch[bytes / 2] ? answer : 0;
}

TEST(any_depth_comes_back_whole)
{
	volatile int depth;

	for (depth = 0; depth < 400; depth += depth < 40 ? 1 : 37) {
		volatile int broken = -1;

		HEAP_TRY {
			broken = deep(depth, 0x30);
		} HEAP_EXCEPT(greedy_filter(64 * KIB, -1)) {
			broken = -2;
		} HEAP_END_TRY
		EXPECT_EQ(0, broken) TH_LOG("depth %d", depth);
	}
}

TEST(any_depth_search_goes_on)
{
	volatile int depth;

	for (depth = 0; depth < 400; depth += 23) {
		volatile int broken = -1;

		HEAP_TRY {
			HEAP_TRY {
				broken = deep(depth, 0x77);
			} HEAP_EXCEPT(greedy_filter(8 * KIB, 0)) {
				broken = -2;
			} HEAP_END_TRY
		} HEAP_EXCEPT(greedy_filter(32 * KIB, -1)) {
			broken = -3;
		} HEAP_END_TRY
		EXPECT_EQ(0, broken) TH_LOG("depth %d", depth);
	}
}

/* Small enough to be inlined: its array must not share stack with those of the try body. */
static int filter_with_array(DWORD code)
{
	char text[512];

	snprintf(text, sizeof(text), "%0500x", code);
	return text[499] ? -1 : 1;
}

TEST(locals_of_body_and_filter_do_not_share)
{
	volatile int whole = 0;

	HEAP_TRY {
		unsigned char mine[512];

		memset(mine, 0xA7, sizeof(mine));
		__asm__ volatile("" : : "r"(mine) : "memory");
		raise_code(CODE);
		whole = all_bytes(mine, 0xA7, sizeof(mine));
	} HEAP_EXCEPT(filter_with_array(GetExceptionCode())) {
		whole = -1;
	} HEAP_END_TRY
	EXPECT_EQ(1, whole);
}

static int eight(int a, int b, int c, int d, int e, int f, int g, int h)
{
	return a + b + c + d + e + f + g + h;
}

static int (*volatile opaque)(int, int, int, int, int, int, int, int) = eight;

/* More values alive across the raise, and across the filter's calls, than there are registers. */
TEST(spilled_values_do_not_share)
{
	volatile int zero = 0, sum = 0;

#define ONE(n) opaque(zero, zero, zero, zero, zero, zero, zero, n)
	HEAP_TRY {
		int a = ONE(1), b = ONE(2), c = ONE(3), d = ONE(4), e = ONE(5), f = ONE(6);
		int g = ONE(7), h = ONE(8), i = ONE(9), j = ONE(10);

		raise_code(CODE);
		sum = opaque(a, b, c, d, e, f, g, h) + i + j;
	} HEAP_EXCEPT(opaque(ONE(-1), ONE(-2), ONE(-3), ONE(-4), ONE(-5), ONE(-6), ONE(-7),
			     ONE(-8)) + ONE(-9) * ONE(10)) {
		sum = -1;
	} HEAP_END_TRY
	EXPECT_EQ(55, sum);
}

TEST(floating_point_and_alloca_survive)
{
	volatile size_t n = 300;
	volatile double factor = 1.5;
	volatile int whole = 0;

	HEAP_TRY {
		double kept = factor * 3;
		char *room = __builtin_alloca(n);

		memset(room, 0x42, n);
		raise_code(CODE);
		whole = kept == factor * 3 && all_bytes(room, 0x42, n);
	} HEAP_EXCEPT(greedy_filter(4 * KIB, -1)) {
		whole = -1;
	} HEAP_END_TRY
	EXPECT_EQ(1, whole);
}

#ifndef __SANITIZE_ADDRESS__	/* which needs terabytes of addresses itself */
/* The filter is asked all the same; the way back over the stack between would need a copy of it. */
static void goes_back_without_memory(void)
{
	struct rlimit none = { 0, 0 };

	HEAP_TRY {
		setrlimit(RLIMIT_AS, &none);
		deep(100, 0x11);
	} HEAP_EXCEPT(EXCEPTION_CONTINUE_EXECUTION) {
	} HEAP_END_TRY
}

TEST(no_memory_to_go_back_aborts_with_a_line)
{
	EXPECT_ABORT(goes_back_without_memory, "privheap: no memory to go back from a filter");
}
#endif

static void *thread_of_its_own(void *taken)
{
	HEAP_TRY {
		deep(20, 1);
	} HEAP_EXCEPT(1) {
		(*(volatile int *)taken)++;
	} HEAP_END_TRY
	return NULL;
}

TEST(threads_have_their_own_regions)
{
	volatile int wrong = 0;
	int taken[8] = { 0 };
	pthread_t threads[8];
	size_t i;

	HEAP_TRY {
		for (i = 0; i < COUNT(threads); i++)
			pthread_create(&threads[i], NULL, thread_of_its_own, &taken[i]);
		for (i = 0; i < COUNT(threads); i++)
			pthread_join(threads[i], NULL);
	} HEAP_EXCEPT(1) {
		wrong++;
	} HEAP_END_TRY
	EXPECT_EQ(0, wrong);
	for (i = 0; i < COUNT(threads); i++)
		EXPECT_EQ(1, taken[i]);
}

/* Address space of this process, in bytes. */
static size_t mapped(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	if (fscanf(file, "%zu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * 4096;
}

TEST(saved_stacks_are_given_back)
{
	volatile size_t before = 0;
	volatile int i, taken = 0;

	for (i = 0; i < 3000; i++) {
		if (i == 1000)
			before = mapped();
		HEAP_TRY {
			HEAP_TRY {
				deep(100, 1);
			} HEAP_EXCEPT(i % 3 == 0 ? deep(100, 2) : i % 3 == 1) {
				taken++;
			} HEAP_END_TRY
		} HEAP_EXCEPT(1) {
			taken++;
		} HEAP_END_TRY
	}
	HEAP_TRY {
		for (i = 0; i < 2000; i++)
			deep(100, 3);
		EXPECT_GT(before + 4 * MIB, mapped());
	} HEAP_EXCEPT(-1) {
		taken = -1;
	} HEAP_END_TRY
	EXPECT_EQ(3000, taken);
	EXPECT_GT(before + 4 * MIB, mapped());
}

TEST_HARNESS_MAIN

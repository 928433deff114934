// SPDX-License-Identifier: GPL-2.0 OR MIT
/* try regions and filters: everything that needs no heap. */
#include "kselftest_harness.h"
#include "common.h"

#include "heap_exception.h"

#define CODE	0xE0001234u
#define OTHER	0xE0005678u

static void raise_code(DWORD code)
{
	RaiseException(code, 0, 0, NULL);
}

TEST(body_without_exception)
{
	volatile int body = 0, block = 0;

	HEAP_TRY {
		body++;
	} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
		block++;
	} HEAP_END_TRY
	EXPECT_EQ(1, body);
	EXPECT_EQ(0, block);
}

TEST(except_block_runs_once)
{
	volatile int after_raise = 0, block = 0;

	HEAP_TRY {
		raise_code(CODE);
		after_raise++;
	} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
		block++;
	} HEAP_END_TRY
	EXPECT_EQ(0, after_raise);
	EXPECT_EQ(1, block);
}

TEST(code_in_filter_and_block)
{
	volatile DWORD in_filter = 0, in_block = 0;

	HEAP_TRY {
		raise_code(CODE);
	} HEAP_EXCEPT((in_filter = GetExceptionCode(), EXCEPTION_EXECUTE_HANDLER)) {
		in_block = GetExceptionCode();
	} HEAP_END_TRY
	EXPECT_EQ(CODE, in_filter);
	EXPECT_EQ(CODE, in_block);
}

static int check_arguments(const EXCEPTION_POINTERS *pointers)
{
	const EXCEPTION_RECORD *record = pointers->ExceptionRecord;

	return record->NumberParameters == 2 && record->ExceptionInformation[0] == 7 &&
	       record->ExceptionInformation[1] == 9 && record->ExceptionAddress &&
	       record->ExceptionFlags == 0 && !pointers->ContextRecord;
}

TEST(arguments_arrive)
{
	static const ULONG_PTR arguments[2] = { 7, 9 };
	volatile int right = 0;

	HEAP_TRY {
		RaiseException(CODE, 0, 2, arguments);
	} HEAP_EXCEPT((right = check_arguments(GetExceptionInformation()), 1)) {
		right++;
	} HEAP_END_TRY
	EXPECT_EQ(2, right);
}

TEST(too_many_arguments_are_cut)
{
	static const ULONG_PTR arguments[20];
	volatile DWORD count = 0;

	HEAP_TRY {
		RaiseException(CODE, 0, 20, arguments);
	} HEAP_EXCEPT((count = GetExceptionInformation()->ExceptionRecord->NumberParameters, 1)) {
		count += 100;
	} HEAP_END_TRY
	EXPECT_EQ(115, count);
}

TEST(continue_execution_returns)
{
	volatile int after_raise = 0, block = 0;

	HEAP_TRY {
		raise_code(CODE);
		after_raise++;
		raise_code(CODE);
		after_raise++;
	} HEAP_EXCEPT(EXCEPTION_CONTINUE_EXECUTION) {
		block++;
	} HEAP_END_TRY
	EXPECT_EQ(2, after_raise);
	EXPECT_EQ(0, block);
}

static const struct {
	int inner, outer;
	int inner_block, outer_block, after_raise;
} nested[] = {
	{ 1, 1, 1, 0, 0 }, { 1, 0, 1, 0, 0 }, { 1, -1, 1, 0, 0 },
	{ -1, 1, 0, 0, 1 }, { -1, 0, 0, 0, 1 }, { -1, -1, 0, 0, 1 },
	{ 0, 1, 0, 1, 0 }, { 0, -1, 0, 0, 1 }, { 7, 0, 1, 0, 0 }, { -7, 1, 0, 0, 1 },
};

TEST(nested_regions_every_pair_of_answers)
{
	volatile size_t i;

	for (i = 0; i < COUNT(nested); i++) {
		volatile int inner = 0, outer = 0, after = 0;

		HEAP_TRY {
			HEAP_TRY {
				raise_code(CODE);
				after++;
			} HEAP_EXCEPT(nested[i].inner) {
				inner++;
			} HEAP_END_TRY
		} HEAP_EXCEPT(nested[i].outer) {
			outer++;
		} HEAP_END_TRY
		EXPECT_EQ(nested[i].inner_block, inner) TH_LOG("row %zu", i);
		EXPECT_EQ(nested[i].outer_block, outer) TH_LOG("row %zu", i);
		EXPECT_EQ(nested[i].after_raise, after) TH_LOG("row %zu", i);
	}
}

TEST(filters_run_from_inside_out)
{
	volatile int order = 0;

	HEAP_TRY {
		HEAP_TRY {
			HEAP_TRY {
				raise_code(CODE);
			} HEAP_EXCEPT((order = order * 10 + 1, 0)) {
				order = -1;
			} HEAP_END_TRY
		} HEAP_EXCEPT((order = order * 10 + 2, 0)) {
			order = -1;
		} HEAP_END_TRY
	} HEAP_EXCEPT((order = order * 10 + 3, 1)) {
		order = order * 10 + 4;
	} HEAP_END_TRY
	EXPECT_EQ(1234, order);
}

TEST(try_inside_except_block)
{
	volatile DWORD inner = 0, outer = 0;

	HEAP_TRY {
		raise_code(CODE);
	} HEAP_EXCEPT(1) {
		HEAP_TRY {
			raise_code(OTHER);
		} HEAP_EXCEPT(1) {
			inner = GetExceptionCode();
		} HEAP_END_TRY
		outer = GetExceptionCode();
	} HEAP_END_TRY
	EXPECT_EQ(OTHER, inner);
	EXPECT_EQ(CODE, outer);
}

TEST(reraise_from_except_block)
{
	volatile DWORD outer = 0;
	volatile int inner = 0;

	HEAP_TRY {
		HEAP_TRY {
			raise_code(CODE);
		} HEAP_EXCEPT(1) {
			inner++;
			raise_code(GetExceptionCode());
		} HEAP_END_TRY
	} HEAP_EXCEPT(1) {
		outer = GetExceptionCode();
	} HEAP_END_TRY
	EXPECT_EQ(1, inner);
	EXPECT_EQ(CODE, outer);
}

static int raise_in_filter(int answer)
{
	char noise[3000];

	memset(noise, 0x55, sizeof(noise));
	__asm__ volatile("" : : "r"(noise) : "memory");
	raise_code(OTHER);
	return answer;
}

/* The outer region sees first the exception of the filter, then the first one. */
TEST(raise_inside_filter_goes_outwards)
{
	volatile int seen = 0, inner = 0, after = 0;

	HEAP_TRY {
		HEAP_TRY {
			raise_code(CODE);
			after++;
		} HEAP_EXCEPT(raise_in_filter(1)) {
			inner++;
		} HEAP_END_TRY
	} HEAP_EXCEPT((seen++, GetExceptionCode() == OTHER ? -1 : 1)) {
		seen += 100;
	} HEAP_END_TRY
	EXPECT_EQ(1, seen);
	EXPECT_EQ(1, inner);
	EXPECT_EQ(0, after);
}

TEST(raise_inside_filter_taken_outside)
{
	volatile DWORD code = 0;
	volatile int i;

	for (i = 0; i < 100; i++) {
		HEAP_TRY {
			HEAP_TRY {
				raise_code(CODE);
			} HEAP_EXCEPT(raise_in_filter(-1)) {
				code = 1;
			} HEAP_END_TRY
		} HEAP_EXCEPT(1) {
			code = GetExceptionCode();
		} HEAP_END_TRY
	}
	EXPECT_EQ(OTHER, code);
}

static int filter_with_its_own_try(void)
{
	volatile int answer = 0;

	HEAP_TRY {
		raise_in_filter(0);
	} HEAP_EXCEPT(GetExceptionCode() == OTHER) {
		answer = -1;
	} HEAP_END_TRY
	return answer;
}

TEST(try_inside_filter)
{
	volatile int after = 0;

	HEAP_TRY {
		raise_code(CODE);
		after++;
	} HEAP_EXCEPT(filter_with_its_own_try()) {
		after = -1;
	} HEAP_END_TRY
	EXPECT_EQ(1, after);
}

static int leave_by_return(void)
{
	HEAP_TRY {
		return 1;
	} HEAP_EXCEPT(1) {
		return 2;
	} HEAP_END_TRY
	return 3;
}

TEST(return_break_continue_goto_close_the_region)
{
	volatile int i, taken = 0;

	HEAP_TRY {
		EXPECT_EQ(1, leave_by_return());
		for (i = 0; i < 10; i++) {
			HEAP_TRY {
				if (i == 3)
					continue;
				if (i == 7)
					break;
			} HEAP_EXCEPT(1) {
				taken = -1;
			} HEAP_END_TRY
		}
		HEAP_TRY {
			goto out;
		} HEAP_EXCEPT(1) {
			taken = -1;
		} HEAP_END_TRY
out:
		raise_code(CODE);
	} HEAP_EXCEPT(1) {
		taken++;
	} HEAP_END_TRY
	EXPECT_EQ(7, i);
	EXPECT_EQ(1, taken);
}

TEST(region_is_closed_before_its_except_block)
{
	volatile int inner = 0, outer = 0;

	HEAP_TRY {
		HEAP_TRY {
			raise_code(CODE);
		} HEAP_EXCEPT(1) {
			inner++;
			if (inner < 5)
				raise_code(CODE);
		} HEAP_END_TRY
	} HEAP_EXCEPT(1) {
		outer++;
	} HEAP_END_TRY
	EXPECT_EQ(1, inner);
	EXPECT_EQ(1, outer);
}

TEST(noncontinuable)
{
	volatile DWORD first = 0, second = 0;

	HEAP_TRY {
		RaiseException(CODE, EXCEPTION_NONCONTINUABLE, 0, NULL);
	} HEAP_EXCEPT(first ? (second = GetExceptionCode(), 1)
			    : (first = GetExceptionCode(), -1)) {
	} HEAP_END_TRY
	EXPECT_EQ(CODE, first);
	EXPECT_EQ(STATUS_NONCONTINUABLE_EXCEPTION, second);
}

static void unhandled(void)
{
	raise_code(CODE);
}

static void unhandled_by_filter(void)
{
	HEAP_TRY {
		raise_code(CODE);
	} HEAP_EXCEPT(0) {
		_exit(3);
	} HEAP_END_TRY
}

TEST(unhandled_aborts_with_a_line)
{
	EXPECT_ABORT(unhandled, "privheap", "unhandled", "0xe0001234");
	EXPECT_ABORT(unhandled_by_filter, "privheap", "unhandled", "0xe0001234");
}

TEST_HARNESS_MAIN

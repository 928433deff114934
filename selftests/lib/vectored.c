// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Vectored handlers. */
#include "kselftest_harness.h"
#include "common.h"

#include "heap_exception.h"

#define CODE	0xE0001234u

static void raise_code(DWORD code)
{
	RaiseException(code, 0, 0, NULL);
}

static volatile int trace;
static volatile LONG second_answer;

static LONG first_handler(PEXCEPTION_POINTERS info)
{
	trace = trace * 10 + (info->ExceptionRecord->ExceptionCode == CODE ? 1 : 9);
	return EXCEPTION_CONTINUE_SEARCH;
}

static LONG second_handler(PEXCEPTION_POINTERS info)
{
	(void)info;
	trace = trace * 10 + 2;
	return second_answer;
}

static LONG third_handler(PEXCEPTION_POINTERS info)
{
	(void)info;
	trace = trace * 10 + 3;
	return EXCEPTION_CONTINUE_SEARCH;
}

TEST(vectored_handlers_come_first_and_in_order)
{
	void *second = AddVectoredExceptionHandler(0, second_handler);
	void *third = AddVectoredExceptionHandler(0, third_handler);
	void *first = AddVectoredExceptionHandler(1, first_handler);

	second_answer = EXCEPTION_CONTINUE_SEARCH;
	HEAP_TRY {
		raise_code(CODE);
	} HEAP_EXCEPT((trace = trace * 10 + 4, 1)) {
		trace = trace * 10 + 5;
	} HEAP_END_TRY
	EXPECT_EQ(12345, trace);
	EXPECT_NE(0, RemoveVectoredExceptionHandler(first));
	EXPECT_NE(0, RemoveVectoredExceptionHandler(second));
	EXPECT_NE(0, RemoveVectoredExceptionHandler(third));
	EXPECT_EQ(0, RemoveVectoredExceptionHandler(third));
	EXPECT_EQ(0, RemoveVectoredExceptionHandler(NULL));
}

TEST(vectored_handler_can_go_back)
{
	void *second = AddVectoredExceptionHandler(0, second_handler);

	AddVectoredExceptionHandler(0, third_handler);
	second_answer = EXCEPTION_CONTINUE_EXECUTION;
	raise_code(CODE);
	EXPECT_EQ(2, trace);
	EXPECT_NE(0, RemoveVectoredExceptionHandler(second));
}

static void *own_handle;

static LONG removes_itself(PEXCEPTION_POINTERS info)
{
	(void)info;
	trace++;
	RemoveVectoredExceptionHandler(own_handle);
	return EXCEPTION_CONTINUE_EXECUTION;
}

TEST(vectored_handler_may_change_the_list)
{
	void *second;

	own_handle = AddVectoredExceptionHandler(1, removes_itself);
	second = AddVectoredExceptionHandler(0, second_handler);
	second_answer = EXCEPTION_CONTINUE_EXECUTION;
	raise_code(CODE);
	EXPECT_EQ(1, trace);
	raise_code(CODE);
	EXPECT_EQ(12, trace);
	RemoveVectoredExceptionHandler(second);
}

TEST(vectored_list_is_bounded)
{
	int i;

	EXPECT_EQ(NULL, AddVectoredExceptionHandler(0, NULL));
	for (i = 0; i < 32; i++)
		EXPECT_NE(NULL, AddVectoredExceptionHandler(i & 1, second_handler));
	EXPECT_EQ(NULL, AddVectoredExceptionHandler(0, second_handler));
}

TEST_HARNESS_MAIN

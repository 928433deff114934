// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Exceptions that heaps raise: at the maximum, and on a page the kernel cannot supply. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "heapapi.h"

FIXTURE(full)
{
	HANDLE heap;
	void *last;
};

FIXTURE_VARIANT(full)
{
	DWORD create, call;
};

FIXTURE_VARIANT_ADD(full, on_call) { 0, HEAP_GENERATE_EXCEPTIONS };
FIXTURE_VARIANT_ADD(full, on_heap) { HEAP_GENERATE_EXCEPTIONS, 0 };

FIXTURE_SETUP(full)
{
	self->heap = HeapCreate(variant->create, 0, 1 * MIB);
	ASSERT_NE(NULL, self->heap);
	self->last = HeapAlloc(self->heap, 0, 700 * KIB);
	ASSERT_NE(NULL, self->last);
}

FIXTURE_TEARDOWN(full)
{
	EXPECT_TRUE(HeapValidate(self->heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(self->heap));
}

TEST_F(full, except_block_runs)
{
	void *volatile p = NULL;
	volatile DWORD code = 0;

	HEAP_TRY {
		p = HeapAlloc(self->heap, variant->call, 700 * KIB);
	} HEAP_EXCEPT(GetExceptionCode() == STATUS_NO_MEMORY) {
		code = GetExceptionCode();
	} HEAP_END_TRY
	EXPECT_EQ(STATUS_NO_MEMORY, code);
	EXPECT_EQ(NULL, p);
}

TEST_F(full, continue_returns_null)
{
	void *volatile p = (void *)1;
	volatile int after = 0;

	HEAP_TRY {
		p = HeapAlloc(self->heap, variant->call, 700 * KIB);
		after = GetLastError() == ERROR_NOT_ENOUGH_MEMORY && errno == ENOMEM;
	} HEAP_EXCEPT((SetLastError(5), errno = 0, EXCEPTION_CONTINUE_EXECUTION)) {
		after = -1;
	} HEAP_END_TRY
	EXPECT_EQ(NULL, p);
	EXPECT_EQ(1, after);
}

/* A filter may make room; the call that raised still returns NULL, the next one succeeds. */
TEST_F(full, filter_uses_the_heap)
{
	void *volatile p = NULL, *volatile q = NULL;

	HEAP_TRY {
		p = HeapAlloc(self->heap, variant->call, 700 * KIB);
		q = HeapAlloc(self->heap, variant->call, 700 * KIB);
	} HEAP_EXCEPT(HeapFree(self->heap, 0, self->last) ? -1 : 1) {
	} HEAP_END_TRY
	EXPECT_EQ(NULL, p);
	EXPECT_NE(NULL, q);
}

TEST_F(full, record_names_size_and_heap)
{
	volatile ULONG_PTR size = 0, heap = 0;

	HEAP_TRY {
		if (HeapAlloc(self->heap, variant->call, 700 * KIB))
			size = 1;
	} HEAP_EXCEPT((size = GetExceptionInformation()->ExceptionRecord->ExceptionInformation[0],
		       heap = GetExceptionInformation()->ExceptionRecord->ExceptionInformation[1],
		       1)) {
	} HEAP_END_TRY
	EXPECT_EQ(700 * KIB, size);
	EXPECT_EQ((ULONG_PTR)self->heap, heap);
}

TEST_F(full, realloc_raises_and_keeps_the_block)
{
	volatile int raised = 0;

	memset(self->last, 0x3C, 700 * KIB);
	HEAP_TRY {
		self->last = HeapReAlloc(self->heap, variant->call, self->last, 2 * MIB);
	} HEAP_EXCEPT(1) {
		raised++;
	} HEAP_END_TRY
	EXPECT_EQ(1, raised);
	EXPECT_EQ(700 * KIB, HeapSize(self->heap, 0, self->last));
	EXPECT_TRUE(all_bytes(self->last, 0x3C, 700 * KIB));
}

TEST_F(full, realloc_in_place_raises_too)
{
	volatile int raised = 0;
	void *small = HeapAlloc(self->heap, 0, 16);

	HEAP_TRY {
		small = HeapReAlloc(self->heap, variant->call | HEAP_REALLOC_IN_PLACE_ONLY, small,
				    100 * KIB);
	} HEAP_EXCEPT(1) {
		raised++;
	} HEAP_END_TRY
	EXPECT_EQ(1, raised);
}

TEST_F(full, ten_thousand_exceptions_leak_nothing)
{
	volatile int i, raised = 0;

	for (i = 0; i < 10000; i++) {
		HEAP_TRY {
			if (HeapAlloc(self->heap, variant->call, 700 * KIB))
				break;
		} HEAP_EXCEPT(i % 2 ? 1 : (raised++, -1)) {
			raised++;
		} HEAP_END_TRY
	}
	EXPECT_EQ(10000, raised);
}

static void unhandled_no_memory(void)
{
	HANDLE heap = HeapCreate(HEAP_GENERATE_EXCEPTIONS, 0, 1 * MIB);

	if (HeapAlloc(heap, 0, 7777777))
		_exit(1);
}

TEST(unhandled_no_memory_names_code_heap_and_size)
{
	EXPECT_ABORT(unhandled_no_memory, "privheap", "0xc0000017", "heap 0x", "7777777");
}

static LONG goes_back(PEXCEPTION_POINTERS info)
{
	return info->ExceptionRecord->ExceptionCode == STATUS_NO_MEMORY
		? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_CONTINUE_SEARCH;
}

TEST(vectored_handler_makes_it_null)
{
	HANDLE heap = HeapCreate(HEAP_GENERATE_EXCEPTIONS, 0, 1 * MIB);

	AddVectoredExceptionHandler(1, goes_back);
	EXPECT_EQ(NULL, HeapAlloc(heap, 0, 2 * MIB));
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
}

/*
 * A page of a block is covered with a mapping of an empty file: touching it is SIGBUS, as when
 * the kernel cannot supply a page of the heap.
 */
FIXTURE(page)
{
	HANDLE heap;
	volatile char *page;
	int file;
	stack_t signal_stack;
};

FIXTURE_VARIANT(page)
{
	bool signal_stack;
};

FIXTURE_VARIANT_ADD(page, same_stack) { false };
FIXTURE_VARIANT_ADD(page, signal_stack) { true };

FIXTURE_SETUP(page)
{
	uintptr_t block;

	if (variant->signal_stack) {
		self->signal_stack.ss_size = 128 * KIB;
		self->signal_stack.ss_sp = malloc(self->signal_stack.ss_size);
		ASSERT_EQ(0, sigaltstack(&self->signal_stack, NULL));
	}
	self->heap = HeapCreate(0, 0, 16 * MIB);
	block = (uintptr_t)HeapAlloc(self->heap, 0, 1 * MIB);
	ASSERT_NE(0, block);
	self->file = memfd_create("empty", 0);
	self->page = mmap((void *)((block + 512 * KIB) & ~(uintptr_t)0xfff), 4096,
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, self->file, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->page);
}

FIXTURE_TEARDOWN(page)
{
}

TEST_F(page, read_in_try_region)
{
	volatile DWORD code = 0;
	volatile int value = 5, i;

	for (i = 0; i < 3; i++) {
		HEAP_TRY {
			value = *self->page;
		} HEAP_EXCEPT(1) {
			code = GetExceptionCode();
		} HEAP_END_TRY
		EXPECT_EQ(STATUS_IN_PAGE_ERROR, code);
		EXPECT_EQ(5, value);
	}
}

static int is_our_write(const EXCEPTION_POINTERS *info, const volatile void *page)
{
	const EXCEPTION_RECORD *record = info->ExceptionRecord;

	return info->ContextRecord && record->NumberParameters == 3 &&
	       record->ExceptionInformation[0] == 1 &&
	       record->ExceptionInformation[1] == (ULONG_PTR)page;
}

TEST_F(page, record_says_where_and_that_it_was_a_write)
{
	volatile int right = 0;

	HEAP_TRY {
		*self->page = 1;
	} HEAP_EXCEPT((right = is_our_write(GetExceptionInformation(), self->page), 1)) {
	} HEAP_END_TRY
	EXPECT_EQ(1, right);
}

/* Uses much stack and faults itself, as a filter that repairs things may. */
static int repair(int file, volatile char *page, int answer)
{
	volatile char scratch[20000];
	volatile int inner = 0;
	size_t i;

	for (i = 0; i < sizeof(scratch); i++)
		scratch[i] = 1;
	HEAP_TRY {
		*page = 1;
	} HEAP_EXCEPT(1) {
		inner++;
	} HEAP_END_TRY
	if (!inner || ftruncate(file, 4096))
		return 1;
	return answer * scratch[77];
}

TEST_F(page, going_back_tries_the_access_again)
{
	volatile int after = 0;

	HEAP_TRY {
		*self->page = 42;
		after = 1;
	} HEAP_EXCEPT(repair(self->file, self->page, -1)) {
		after = -1;
	} HEAP_END_TRY
	EXPECT_EQ(1, after);
	EXPECT_EQ(42, *self->page);
}

__attribute__((noinline))
static int touch_deep(int depth, volatile char *page)
{
	volatile char pattern[64];

	memset((char *)pattern, depth, sizeof(pattern));
	if (!depth)
		*page = 9;
	else if (touch_deep(depth - 1, page))
		return 1;
	return !all_bytes((char *)pattern, depth, sizeof(pattern));
}

TEST_F(page, outer_region_goes_back_over_inner_frames)
{
	volatile int broken = -1;

	HEAP_TRY {
		HEAP_TRY {
			broken = touch_deep(50, self->page);
		} HEAP_EXCEPT(0) {
			broken = -2;
		} HEAP_END_TRY
	} HEAP_EXCEPT(repair(self->file, self->page, -1)) {
		broken = -3;
	} HEAP_END_TRY
	EXPECT_EQ(0, broken);
	EXPECT_EQ(9, *self->page);
}

TEST_F(page, signal_mask_is_restored)
{
	volatile int taken = 0;
	sigset_t before, after;

	sigprocmask(SIG_SETMASK, NULL, &before);
	HEAP_TRY {
		*self->page = 1;
	} HEAP_EXCEPT(1) {
		taken++;
	} HEAP_END_TRY
	sigprocmask(SIG_SETMASK, NULL, &after);
	EXPECT_EQ(1, taken);
	EXPECT_EQ(sigismember(&before, SIGBUS), sigismember(&after, SIGBUS));
	EXPECT_EQ(sigismember(&before, SIGUSR1), sigismember(&after, SIGUSR1));
}

TEST_F_SIGNAL(page, outside_of_try_it_is_sigbus, SIGBUS)
{
	*self->page = 1;
}

static HANDLE make_heap(void)
{
	return HeapCreate(0, 0, 16 * MIB);
}

static volatile char *bad_page(uintptr_t where)
{
	int file = memfd_create("empty", 0);

	return mmap((void *)((where + 64 * KIB) & ~(uintptr_t)0xfff), 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | (where ? MAP_FIXED : 0), file, 0);
}

static void unhandled_in_page_error(void)
{
	HANDLE heap = make_heap();
	volatile char *page = bad_page((uintptr_t)HeapAlloc(heap, 0, 1 * MIB));

	HEAP_TRY {
		*page = 1;
	} HEAP_EXCEPT(0) {
	} HEAP_END_TRY
}

TEST(unhandled_in_page_error_names_the_address)
{
	EXPECT_ABORT(unhandled_in_page_error, "privheap", "0xc0000006", "address 0x");
}

TEST_SIGNAL(sigbus_elsewhere_kills_as_ever, SIGBUS)
{
	volatile char *page;

	make_heap();
	page = bad_page(0);
	HEAP_TRY {
		*page = 1;
	} HEAP_EXCEPT(1) {
		_exit(1);
	} HEAP_END_TRY
}

TEST_SIGNAL(sigbus_that_was_sent_kills_as_ever, SIGBUS)
{
	make_heap();
	HEAP_TRY {
		kill(getpid(), SIGBUS);
		pause();
	} HEAP_EXCEPT(1) {
		_exit(1);
	} HEAP_END_TRY
}

static sigjmp_buf out_of_handler;
static void *volatile seen_address;
static volatile int seen_blocked;

static void earlier_handler(int number, siginfo_t *info, void *context)
{
	sigset_t now;

	(void)number;
	(void)context;
	seen_address = info->si_addr;
	sigprocmask(SIG_SETMASK, NULL, &now);
	seen_blocked = sigismember(&now, SIGUSR1) && sigismember(&now, SIGBUS);
	siglongjmp(out_of_handler, 1);
}

TEST(sigbus_elsewhere_goes_to_the_earlier_handler)
{
	struct sigaction action = { .sa_sigaction = earlier_handler, .sa_flags = SA_SIGINFO };
	volatile char *page = bad_page(0);
	HANDLE heap;

	sigaddset(&action.sa_mask, SIGUSR1);
	ASSERT_EQ(0, sigaction(SIGBUS, &action, NULL));
	heap = make_heap();
	if (sigsetjmp(out_of_handler, 1) == 0)
		*page = 1;
	EXPECT_EQ((void *)page, seen_address);
	EXPECT_TRUE(seen_blocked);
	page = bad_page((uintptr_t)HeapAlloc(heap, 0, 1 * MIB));
	if (sigsetjmp(out_of_handler, 1) == 0)
		*page = 1;
	EXPECT_EQ((void *)page, seen_address);
}

static volatile int simple_calls;

static void simple_handler(int number)
{
	simple_calls += number == SIGBUS;
}

TEST(sent_sigbus_that_was_ignored_stays_so)
{
	signal(SIGBUS, SIG_IGN);
	ASSERT_NE(NULL, HeapCreate(0, 0, 0));
	EXPECT_EQ(0, raise(SIGBUS));
}

TEST_SIGNAL(handler_for_once_is_called_once, SIGBUS)
{
	struct sigaction once = { .sa_handler = simple_handler, .sa_flags = SA_RESETHAND };

	sigaction(SIGBUS, &once, NULL);
	ASSERT_NE(NULL, HeapCreate(0, 0, 0));
	raise(SIGBUS);
	if (simple_calls == 1)
		raise(SIGBUS);
}

TEST(sent_sigbus_goes_to_an_earlier_simple_handler)
{
	signal(SIGBUS, simple_handler);
	make_heap();
	raise(SIGBUS);
	raise(SIGBUS);
	EXPECT_EQ(2, simple_calls);
}

static volatile int in_handler_result;

/* HeapAlloc raises in a handler on a signal stack: its own region works, others are not asked. */
static void raises_on_signal_stack(int number)
{
	HANDLE heap = HeapCreate(HEAP_GENERATE_EXCEPTIONS, 0, 1 * MIB);

	(void)number;
	HEAP_TRY {
		if (!HeapAlloc(heap, 0, 2 * MIB))
			in_handler_result += 10;
	} HEAP_EXCEPT(-1) {
		in_handler_result += 100;
	} HEAP_END_TRY
	HEAP_TRY {
		if (!HeapAlloc(heap, 0, 2 * MIB))
			in_handler_result += 1000;
	} HEAP_EXCEPT(1) {
		in_handler_result += 1;
	} HEAP_END_TRY
}

TEST(exceptions_on_a_signal_stack)
{
	stack_t stack = { .ss_sp = malloc(256 * KIB), .ss_size = 256 * KIB };
	struct sigaction action = { .sa_handler = raises_on_signal_stack,
				    .sa_flags = SA_ONSTACK };
	volatile int taken = 0;

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	HEAP_TRY {
		raise(SIGUSR1);
	} HEAP_EXCEPT(1) {
		taken++;
	} HEAP_END_TRY
	EXPECT_EQ(0, taken);
	EXPECT_EQ(11, in_handler_result);
}

static HANDLE busy_heap;
static volatile sig_atomic_t armed;

static void allocates_too_much(int number)
{
	(void)number;
	if (armed && HeapAlloc(busy_heap, HEAP_GENERATE_EXCEPTIONS, 64 * MIB))
		_exit(1);
}

static void *uses_the_heap(void *result)
{
	void *p = HeapAlloc(busy_heap, 0, 100), *q = HeapAlloc(busy_heap, 0, 100000);

	*(bool *)result = p && q && HeapFree(busy_heap, 0, p) && HeapFree(busy_heap, 0, q);
	return NULL;
}

/* Signals hit the library at any point; exceptions leave the handler, where they may. */
TEST(exceptions_out_of_a_handler_leave_no_lock_held)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	volatile int taken = 0, i;
	bool usable = false;
	pthread_t thread;
	sigset_t alarms;

	busy_heap = HeapCreate(0, 0, 16 * MIB);
	signal(SIGALRM, allocates_too_much);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	setitimer(ITIMER_REAL, &often, NULL);
	for (i = 0; i < 100000 && taken < 300; i++) {
		HEAP_TRY {
			int j;

			armed = 1;
			for (j = 0; j < 100; j++)
				HeapFree(busy_heap, 0, HeapAlloc(busy_heap, 0, (SIZE_T)j * 97));
			armed = 0;
		} HEAP_EXCEPT(1) {
			armed = 0;
			taken++;
			sigprocmask(SIG_UNBLOCK, &alarms, NULL);
		} HEAP_END_TRY
	}
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_IGN);
	EXPECT_LT(0, taken);
	pthread_create(&thread, NULL, uses_the_heap, &usable);
	pthread_join(thread, NULL);
	EXPECT_TRUE(usable);
}

TEST_HARNESS_MAIN

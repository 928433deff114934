/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Structured exceptions for C and C++, without a compiler extension.
 *
 *	void *volatile p = NULL;
 *
 *	HEAP_TRY {
 *		p = HeapAlloc(heap, HEAP_GENERATE_EXCEPTIONS, n);
 *	} HEAP_EXCEPT(GetExceptionCode() == STATUS_NO_MEMORY ? EXCEPTION_EXECUTE_HANDLER
 *							      : EXCEPTION_CONTINUE_SEARCH) {
 *		fprintf(stderr, "out of memory\n");	p is still NULL here
 *	} HEAP_END_TRY
 *
 * The filter is any expression. It is evaluated while the raising function still waits, in the
 * function that wrote it, and says what happens next:
 *
 *	EXCEPTION_EXECUTE_HANDLER (1)		run the except block, then go on after it
 *	EXCEPTION_CONTINUE_SEARCH (0)		ask the next try region further out
 *	EXCEPTION_CONTINUE_EXECUTION (-1)	go back: HeapAlloc returns NULL, RaiseException
 *						returns, a failed memory access is tried again
 *
 * Any positive value counts as 1, any negative one as -1. Outside all try regions, or when every
 * filter says 0, one line goes to stderr and the process aborts.
 *
 * Rules
 *  - Regions nest, in the try body, in the except block and in functions called from either. An
 *    exception raised in an except block or in a filter goes to the regions further out.
 *  - Both blocks need their braces. return, break, continue and goto may leave them.
 *  - pthread_exit(3), longjmp(3), and a C++ exception in code compiled without -fexceptions leave them
 *    without a word. Such a region is over, too: this is noticed when its thread next enters a
 *    region, or raises an exception, and is no deeper in its stack than the region was, or has written
 *    over it. With -fexceptions, as C++ is compiled, they are closed at once.
 *  - A coroutine may not be switched away from inside a region, as regions belong to the thread. One that
 *    is left open on another stack stays open.
 *  - Automatic variables changed in the try body and read in the except block or after it must
 *    be volatile, as with setjmp(3): `void *volatile p`. An assignment whose right side raised
 *    has not happened.
 *  - Everything between the raise and the region is skipped, not unwound: locks of the program
 *    stay held, C++ destructors do not run (and objects that have one must not be skipped).
 *    The library itself holds no lock when it raises.
 *  - In a filter that answers 0 or -1 do not write to memory that alloca(3), a variable-length
 *    array or a called function put on the stack after the region was entered.
 *  - With clang, a function that a filter calls, that the compiler may inline, that has arrays of
 *    its own, and that answers 0 or -1: make it __attribute__((noinline)). Its arrays may else
 *    share stack with those of functions inlined into the try body.
 *  - An exception raised on an alternate signal stack does not reach regions entered outside
 *    of it, except that of a page that could not be supplied (STATUS_IN_PAGE_ERROR).
 *  - An exception does not leave a signal handler that interrupted this library with a lock held:
 *    regions outside of the handler are not asked, and HeapAlloc then returns NULL. One that
 *    leaves another handler leaves the signal blocked, as longjmp(3) does.
 *  - Entering a region costs one call and one setjmp, no system call; it takes about
 *    3 KiB of stack.
 *
 * All of it is per thread, and may be used from any thread.
 * Pages: https://learn.microsoft.com/windows/win32/debug/structured-exception-handling, and for
 * functions below https://learn.microsoft.com/windows/win32/api/errhandlingapi/
 */
#ifndef HEAP_EXCEPTION_H
#define HEAP_EXCEPTION_H

#ifndef __LP64__
#error "privheap is for 64-bit programs"
#endif

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#ifndef PRIVHEAP_API
#define PRIVHEAP_API __attribute__((visibility("default")))
#endif

#ifndef WINAPI
#define WINAPI			/* the System V calling convention, as everything here */
#endif
#ifndef NTAPI
#define NTAPI
#endif

typedef uint32_t DWORD;
typedef int32_t LONG;
typedef uint32_t ULONG;
typedef uintptr_t ULONG_PTR;
typedef void *PVOID;

/* Codes that this library raises. */
#define STATUS_ACCESS_VIOLATION		((DWORD)0xC0000005)
#define STATUS_IN_PAGE_ERROR		((DWORD)0xC0000006)
#define STATUS_NO_MEMORY		((DWORD)0xC0000017)
#define STATUS_NONCONTINUABLE_EXCEPTION	((DWORD)0xC0000025)
#define STATUS_HEAP_CORRUPTION		((DWORD)0xC0000374)

/* What GetExceptionCode's page calls three of them. */
#define EXCEPTION_ACCESS_VIOLATION	STATUS_ACCESS_VIOLATION
#define EXCEPTION_IN_PAGE_ERROR		STATUS_IN_PAGE_ERROR
#define EXCEPTION_NONCONTINUABLE_EXCEPTION	STATUS_NONCONTINUABLE_EXCEPTION

#define EXCEPTION_EXECUTE_HANDLER	1
#define EXCEPTION_CONTINUE_SEARCH	0
#define EXCEPTION_CONTINUE_EXECUTION	(-1)

#define EXCEPTION_NONCONTINUABLE	0x1
#define EXCEPTION_MAXIMUM_PARAMETERS	15

/*
 * What was raised. ExceptionInformation holds for
 * STATUS_NO_MEMORY:	[0] bytes asked for, [1] the heap
 * STATUS_IN_PAGE_ERROR: [0] 0 = read, 1 = write, [1] the address, [2] why (STATUS_NO_MEMORY)
 * RaiseException:	its arguments
 */
typedef struct _EXCEPTION_RECORD {
	DWORD ExceptionCode;
	DWORD ExceptionFlags;		/* EXCEPTION_NONCONTINUABLE or 0 */
	struct _EXCEPTION_RECORD *ExceptionRecord;	/* NULL */
	PVOID ExceptionAddress;		/* the call, or the instruction, that raised */
	DWORD NumberParameters;
	ULONG_PTR ExceptionInformation[EXCEPTION_MAXIMUM_PARAMETERS];
} EXCEPTION_RECORD, *PEXCEPTION_RECORD;

/* For STATUS_IN_PAGE_ERROR a ucontext_t of <ucontext.h>, else NULL. */
typedef struct _CONTEXT CONTEXT, *PCONTEXT;

typedef struct _EXCEPTION_POINTERS {
	PEXCEPTION_RECORD ExceptionRecord;
	PCONTEXT ContextRecord;
} EXCEPTION_POINTERS, *PEXCEPTION_POINTERS, *LPEXCEPTION_POINTERS;

typedef LONG (NTAPI *PVECTORED_EXCEPTION_HANDLER)(PEXCEPTION_POINTERS info);

/* One entered try region. Lives in the function that wrote HEAP_TRY; private to the library. */
struct privheap_try {
	jmp_buf env;			/* into the filter */
	jmp_buf back;		/* into the raise that waits for the filter */
	struct privheap_try *outer;
	char *sp;			/* the function's stack pointer: its frame ends here */
	int state, verdict;
	int inside;			/* entered in a handler that interrupted the library */
	EXCEPTION_RECORD record;
	EXCEPTION_POINTERS pointers;
	struct {
		char *at;
		size_t bytes;
	} saved[2];			/* stack the filter may overwrite: here, signal stack */
	char *store;			/* its bytes: in room, or a mapping; NULL = not kept */
	void *mappings;			/* how many of those the thread had on entry */
	char room[2032] __attribute__((aligned(16)));
	struct privheap_try *inner;	/* the one entered in it */
	uintptr_t seal;			/* that all this is still what it was */
};

#ifdef __cplusplus
extern "C" {
#endif

/* For the macros below only. */
PRIVHEAP_API void privheap_try_enter(struct privheap_try *region);
PRIVHEAP_API void privheap_try_leave(struct privheap_try *region);
PRIVHEAP_API int privheap_try_decide(struct privheap_try *region, LONG verdict);

/*
 * Raises an exception in this thread. code: any; flags: 0 or EXCEPTION_NONCONTINUABLE; count: of
 * arguments, which are copied, at most EXCEPTION_MAXIMUM_PARAMETERS (more are cut off); 0 or
 * arguments NULL = none. Returns only when a handler answers EXCEPTION_CONTINUE_EXECUTION; with
 * EXCEPTION_NONCONTINUABLE that raises STATUS_NONCONTINUABLE_EXCEPTION instead.
 * Page: nf-errhandlingapi-raiseexception
 */
PRIVHEAP_API void WINAPI RaiseException(DWORD code, DWORD flags, DWORD count,
					const ULONG_PTR *arguments);

/*
 * Adds a handler that sees every exception of every thread before any try region does: as the
 * first of all if first is not 0, else as the last. It answers EXCEPTION_CONTINUE_EXECUTION
 * (go back; nobody else is asked) or EXCEPTION_CONTINUE_SEARCH.
 * Returns what RemoveVectoredExceptionHandler takes, or NULL when there are 32 already (last
 * error 8) or handler is NULL (87).
 * Page: nf-errhandlingapi-addvectoredexceptionhandler
 */
PRIVHEAP_API PVOID WINAPI AddVectoredExceptionHandler(ULONG first,
						      PVECTORED_EXCEPTION_HANDLER handler);
/*
 * Not 0 on success, 0 if there is no such handler. A call of it that another thread has begun
 * may still be running.
 * Page: nf-errhandlingapi-removevectoredexceptionhandler
 */
PRIVHEAP_API ULONG WINAPI RemoveVectoredExceptionHandler(PVOID handle);

#ifdef __cplusplus
}
#endif

/*
 * clang lets variables of the filter share stack with those of the try body, because it sees no
 * way back from one into the other. It does not in a function that has a computed goto.
 */
#ifdef __clang__
#define PRIVHEAP_OWN_STACK_SLOTS					\
	_Pragma("clang diagnostic push")				\
	_Pragma("clang diagnostic ignored \"-Wgnu-label-as-value\"")	\
	{ __label__ here_; here_: if (0) goto *&&here_; }		\
	_Pragma("clang diagnostic pop")
#else
#define PRIVHEAP_OWN_STACK_SLOTS
#endif

#define HEAP_TRY							\
	{								\
		PRIVHEAP_OWN_STACK_SLOTS				\
		struct privheap_try privheap_try_region			\
			__attribute__((cleanup(privheap_try_leave)));	\
		privheap_try_enter(&privheap_try_region);		\
		if (setjmp(privheap_try_region.env) == 0)

#define HEAP_EXCEPT(filter)						\
		else if (privheap_try_decide(&privheap_try_region, (LONG)(filter)))

#define HEAP_END_TRY							\
	}

/* The code of the exception; in a filter or an except block only. */
#define GetExceptionCode()	 (privheap_try_region.record.ExceptionCode)
/* PEXCEPTION_POINTERS to all of it; in a filter only; dead when the filter has answered. */
#define GetExceptionInformation() (&privheap_try_region.pointers)

#endif

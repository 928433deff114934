/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * One check, one line of TAP that both sides print alike:
 *
 *	ok 12 alloc.size.0 0
 *	not ok 13 alloc.error 0
 *	# alloc.error: expected 8
 *
 * The name is the check's for ever; the outcome, the last word, is what `differences` speaks of.
 */
#ifndef CONFORMANCE_CHECK_H
#define CONFORMANCE_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include "port.h"

#define COUNT(array)	(sizeof(array) / sizeof(*(array)))
#define KIB		((SIZE_T)1024)
#define MIB		(1024 * KIB)
#define UNTOUCHED	0xdeadU		/* a last error that no function sets */
#define NO_SIZE		((SIZE_T)-1)

#ifdef _WIN32
#define CHECK_PRINTF	gnu_printf
#else
#define CHECK_PRINTF	printf
#endif

/* got == expected, and both are printed: below a million as decimal, else as hex. */
void check(uint64_t got, uint64_t expected, const char *name, ...)
	__attribute__((format(CHECK_PRINTF, 3, 4)));

/* A call's result, as a number; or the code of the exception it raised. */
#define RESULT(call) ({							\
	volatile uint64_t result_ = 0;					\
									\
	HEAP_TRY {							\
		result_ = (uint64_t)(call);				\
	} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {			\
		result_ = GetExceptionCode();				\
	} HEAP_END_TRY							\
	result_;							\
})

/* 1, 0, or the code of the exception: for what returns a pointer. */
#define GOT(call)	RESULT((call) != NULL)

/* Two checks: what the call returns, and the last error after it. */
#define CHECK_ERROR(call, expected, code, name, ...) do {		\
	SetLastError(UNTOUCHED);					\
	check(RESULT(call), (uint64_t)(expected), name, ##__VA_ARGS__);	\
	check(GetLastError(), code, name ".error", ##__VA_ARGS__);		\
} while (0)

/* The n bytes at p are all value. */
int all_bytes(const void *p, int value, size_t n);
/* Byte i of p is a mix of i and seed: written, and found so. */
void mark(void *p, size_t n, unsigned int seed);
int marked(const void *p, size_t n, unsigned int seed);
HANDLE make_heap(DWORD options, SIZE_T initial, SIZE_T maximum);	/* or aborts */

/* The subjects, one file each, in the order they run. */
void checks_of_types(void);
void checks_of_create(void);
void checks_of_destroy(void);
void checks_of_alloc(void);
void checks_of_realloc(void);
void checks_of_free(void);
void checks_of_size(void);
void checks_of_limits(void);
void checks_of_lock(void);
void checks_of_walk(void);
void checks_of_inform(void);
void check_process_heaps(void);
void checks_of_raise(void);
void checks_of_vectored(void);
void checks_of_corrupt(void);

#endif

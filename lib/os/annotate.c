// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 *			memcheck		AddressSanitizer
 *	heap		mempool			-
 *	block		chunk, undefined	unpoisoned
 *	else		no access		poisoned, as soon as it was a slab or a block
 *
 * Valgrind's requests are a few instructions that do nothing on a real CPU; without its headers
 * they are left out. AddressSanitizer's functions are there if the program was linked with it.
 * Poison must not outlive the range: the next mapping there may be anybody's.
 */
#include "os/annotate.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_CREATE_MEMPOOL(pool, redzone, zeroed)	((void)(pool))
#define VALGRIND_DESTROY_MEMPOOL(pool)			((void)(pool))
#define VALGRIND_MEMPOOL_ALLOC(pool, p, n)		((void)(pool), (void)(p), (void)(n))
#define VALGRIND_MEMPOOL_FREE(pool, p)			((void)(pool), (void)(p))
#define VALGRIND_MEMPOOL_CHANGE(pool, from, to, n)	((void)(pool), (void)(to), (void)(n))
#define VALGRIND_MAKE_MEM_NOACCESS(p, n)		((void)(p), (void)(n))
#define VALGRIND_MAKE_MEM_UNDEFINED(p, n)		((void)(p), (void)(n))
#define VALGRIND_MAKE_MEM_DEFINED(p, n)			((void)(p), (void)(n), 0)
#define VALGRIND_DISABLE_ERROR_REPORTING		((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING			((void)0)
#endif

#define REDZONE	16	/* at least so much on both sides of a block is no access */

void __asan_poison_memory_region(const volatile void *p, size_t n) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *p, size_t n) __attribute__((weak));

static void poison(const void *p, size_t n)
{
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(p, n);
}

static void unpoison(const void *p, size_t n)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(p, n);
}

/* Valgrind's other tools do not know the request and leave the answer 0. */
static bool memcheck(void)
{
	static char nothing;

	return VALGRIND_MAKE_MEM_DEFINED(&nothing, sizeof(nothing)) != 0;
}

bool annotate_any(void)
{
	return __asan_poison_memory_region || memcheck();
}

void annotate_pool(const void *pool)
{
	VALGRIND_CREATE_MEMPOOL(pool, REDZONE, 0);
}

void annotate_pool_gone(const void *pool, size_t used)
{
	VALGRIND_DESTROY_MEMPOOL(pool);
	unpoison(pool, used);
}

void annotate_quiet(void)
{
	VALGRIND_DISABLE_ERROR_REPORTING;
}

void annotate_loud(void)
{
	VALGRIND_ENABLE_ERROR_REPORTING;
}

void annotate_unpoison(const void *p, size_t n)
{
	unpoison(p, n);
}

void annotate_poison(const void *p, size_t n)
{
	VALGRIND_MAKE_MEM_NOACCESS(p, n);
	poison(p, n);
}

/* The bytes from old on are new. */
static void fresh(const char *p, size_t old, size_t n, bool defined)
{
	if (n <= old)
		return;
	if (defined)
		(void)VALGRIND_MAKE_MEM_DEFINED(p + old, n - old);
	else
		VALGRIND_MAKE_MEM_UNDEFINED(p + old, n - old);
	unpoison(p + old, n - old);
}

void annotate_alloc(const void *pool, const void *p, size_t n, bool defined)
{
	VALGRIND_MEMPOOL_ALLOC(pool, p, n);
	fresh(p, 0, n, defined);
}

void annotate_free(const void *pool, const void *p, size_t n)
{
	VALGRIND_MEMPOOL_FREE(pool, p);
	annotate_poison(p, n);
}

void annotate_resize(const void *pool, const void *p, size_t old, size_t n, bool defined)
{
	VALGRIND_MEMPOOL_CHANGE(pool, p, p, n);
	fresh(p, old, n, defined);
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What bad pointers lead to: a line and abort, or a failure on request. HEAP_CONTRACT section 4. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <sys/mman.h>

#include "heapapi.h"
#include "privheap.h"

static HANDLE heap, other;

/* In a child: a parent's heaps are not there. */
static void make_heaps(void)
{
	heap = HeapCreate(0, 0, 16 * MIB);
	other = HeapCreate(0, 0, 16 * MIB);
	CHECK_IN_CHILD(heap && other);
}

/* Opaque to the compiler, which knows some of these mistakes by itself. */
static void *volatile launder;

static void *hide(void *p)
{
	launder = p;
	return launder;
}

static void *freed(SIZE_T n)
{
	void *p = HeapAlloc(heap, 0, n);

	HeapFree(heap, 0, p);
	return hide(p);
}

static void *free_elsewhere(void *p)
{
	HeapFree(heap, 0, p);
	return NULL;
}

static void *freed_by_a_thread(void)
{
	void *p = HeapAlloc(heap, 0, 64);
	pthread_t thread;

	pthread_create(&thread, NULL, free_elsewhere, p);
	pthread_join(thread, NULL);
	return hide(p);
}

__attribute__((no_sanitize("address")))
static void *overrun(SIZE_T n, SIZE_T by)
{
	volatile char *p = hide(HeapAlloc(heap, 0, n));
	SIZE_T i;

	for (i = 0; i < by; i++)
		p[n + i] = (char)~p[n + i];	/* never what is there by chance */
	return (void *)p;
}

static void *unmapped(void)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p, 4096);
	return p;
}

static char on_stack_of_main[64] __attribute__((aligned(16)));

static void *small_freed(void) { return freed(64); }
static void *zero_freed(void) { return freed(0); }
static void *medium_freed(void) { return freed(5000); }
static void *large_freed(void) { return freed(1 * MIB); }
static void *interior_small(void) { return (char *)HeapAlloc(heap, 0, 200) + 16; }
static void *interior_large(void) { return (char *)HeapAlloc(heap, 0, 1 * MIB) + 4096; }
static void *misaligned(void) { return (char *)HeapAlloc(heap, 0, 200) + 1; }
static void *misaligned_large(void) { return (char *)HeapAlloc(heap, 0, 1 * MIB) + 8; }
static void *of_other_heap(void) { return HeapAlloc(other, 0, 200); }
static void *of_malloc(void) { return hide(malloc(200)); }
static void *static_data(void) { return on_stack_of_main; }
static void *own_stack(void) { return hide(__builtin_frame_address(0)); }
static void *code(void) { return (void *)(uintptr_t)make_heaps; }
static void *low(void) { return (void *)16; }
static void *high(void) { return (void *)(UINTPTR_MAX - 15); }
static void *non_canonical(void) { return (void *)0x8000000000000000; }
static void *virgin(void) { return (char *)heap + 15 * MIB; }
static void *past_the_end(void) { return (char *)heap + 16 * MIB; }
static void *the_handle(void) { return (char *)hide(heap) + 16 * MIB - 4096; }
static void *overrun_by_one(void) { return overrun(100, 1); }
static void *overrun_by_many(void) { return overrun(100, 12); }

/* name, maker: what HeapFree and HeapReAlloc must refuse. */
#define BAD_POINTERS(X)								\
	X(small_freed) X(zero_freed) X(medium_freed) X(large_freed) X(freed_by_a_thread)	\
	X(interior_small) X(interior_large) X(misaligned) X(misaligned_large)	\
	X(of_other_heap) X(of_malloc) X(static_data) X(own_stack) X(code) X(low) X(high)	\
	X(non_canonical) X(virgin) X(past_the_end) X(the_handle) X(unmapped)

#define OVERRUNS(X)	X(overrun_by_one) X(overrun_by_many)

#define TEST_FREE(maker)							\
	static void free_ ## maker(void)					\
	{									\
		make_heaps();							\
		HeapFree(heap, 0, maker());					\
	}									\
	TEST(free_of_ ## maker)							\
	{									\
		EXPECT_ABORT(free_ ## maker, "privheap: HeapFree: heap 0x", "pointer 0x");	\
	}
BAD_POINTERS(TEST_FREE)
OVERRUNS(TEST_FREE)

#define TEST_REALLOC(maker)							\
	static void realloc_ ## maker(void)					\
	{									\
		make_heaps();							\
		if (HeapReAlloc(heap, 0, maker(), 300))				\
			_exit(1);						\
	}									\
	TEST(realloc_of_ ## maker)						\
	{									\
		EXPECT_ABORT(realloc_ ## maker, "privheap: HeapReAlloc: heap 0x", "pointer 0x"); \
	}
BAD_POINTERS(TEST_REALLOC)

static void native_double_free(void)
{
	make_heaps();
	privheap_free((privheap_t *)heap, small_freed());
}

static void native_realloc_freed(void)
{
	make_heaps();
	if (privheap_realloc((privheap_t *)heap, small_freed(), 1))
		_exit(1);
}

TEST(native_calls_are_named)
{
	EXPECT_ABORT(native_double_free, "privheap: privheap_free: heap 0x", "freed already");
	EXPECT_ABORT(native_realloc_freed, "privheap: privheap_realloc: heap 0x");
}

static void return_mode(void)
{
#define REFUSES(maker) do {							\
	void *p_ = maker();							\
										\
	SetLastError(0);							\
	CHECK_IN_CHILD(!HeapFree(heap, 0, p_));					\
	CHECK_IN_CHILD(GetLastError() == ERROR_INVALID_PARAMETER);		\
	SetLastError(0);							\
	CHECK_IN_CHILD(!HeapReAlloc(heap, 0, p_, 10));				\
	CHECK_IN_CHILD(GetLastError() == ERROR_INVALID_PARAMETER);		\
	p_ = HeapAlloc(heap, 0, 100);						\
	CHECK_IN_CHILD(p_ && HeapFree(heap, 0, p_));				\
} while (0);
	setenv("PRIVHEAP_ON_CORRUPTION", "return", 1);
	make_heaps();
	BAD_POINTERS(REFUSES)
	CHECK_IN_CHILD(HeapValidate(heap, 0, NULL));
	CHECK_IN_CHILD(HeapValidate(other, 0, NULL));
}

TEST(return_mode_fails_calls_and_goes_on)
{
	EXPECT_CHILD_OK(return_mode);
}

static void return_attribute(void)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	void *p;

	attr.on_corruption = PRIVHEAP_CORRUPTION_RETURN;
	heap = privheap_create(&attr);
	CHECK_IN_CHILD(heap);
	p = small_freed();
	CHECK_IN_CHILD(privheap_free(heap, p) == -1 && errno == EINVAL);
	errno = 0;
	CHECK_IN_CHILD(!privheap_realloc(heap, p, 10) && errno == EINVAL);
	errno = 0;
	CHECK_IN_CHILD(privheap_realloc_inplace(heap, p, 10) == -1 && errno == EINVAL);
	CHECK_IN_CHILD(privheap_validate(heap, NULL));
}

TEST(return_attribute_holds_for_its_heap)
{
	EXPECT_CHILD_OK(return_attribute);
}

static void validate_sees_overrun(void)
{
	void *p;

	setenv("PRIVHEAP_ON_CORRUPTION", "return", 1);
	make_heaps();
	p = overrun_by_one();
	SetLastError(77);
	CHECK_IN_CHILD(!HeapValidate(heap, 0, p));
	CHECK_IN_CHILD(!HeapValidate(heap, 0, NULL));
	CHECK_IN_CHILD(GetLastError() == 77);
	CHECK_IN_CHILD(HeapValidate(other, 0, NULL));
}

TEST(validate_reports_an_overrun_quietly)
{
	EXPECT_CHILD_OK(validate_sees_overrun);
}

static void double_free_after_others(void)
{
	void *p, *q;

	make_heaps();
	p = HeapAlloc(heap, 0, 64);
	q = HeapAlloc(heap, 0, 64);
	HeapFree(heap, 0, p);
	HeapFree(heap, 0, q);
	HeapFree(heap, 0, hide(p));
}

TEST(double_free_with_another_free_between)
{
	EXPECT_ABORT(double_free_after_others, "HeapFree", "freed already");
}

TEST_HARNESS_MAIN

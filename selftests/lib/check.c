// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Full checking: how a heap gets it, and what it leaves as it was. The matrix is in attacks.c. */
#include "kselftest_harness.h"
#include "common.h"

#include <setjmp.h>

#include "heapapi.h"
#include "privheap.h"

#define FULL	(HEAP_TAIL_CHECKING_ENABLED | HEAP_FREE_CHECKING_ENABLED)

static HANDLE heap;

/* Other bytes than a sanitizer would allow. */
__attribute__((no_sanitize("address"), noinline))
static void flip(volatile char *p)
{
	*p = (char)~*p;
}

/* Which checks are on, by what they find; a byte is damaged and repaired. */
static bool sees_tail(void)
{
	char *p = HeapAlloc(heap, 0, 64);
	bool seen;

	flip(p + 64);
	seen = !HeapValidate(heap, 0, NULL) && !HeapValidate(heap, 0, p);
	flip(p + 64);
	return seen && HeapValidate(heap, 0, NULL) && HeapFree(heap, 0, p);
}

static bool sees_head(void)
{
	char *p = HeapAlloc(heap, 0, 64);
	bool seen;

	flip(p - 1);
	seen = !HeapValidate(heap, 0, p);
	flip(p - 1);
	return seen && HeapValidate(heap, 0, NULL) && HeapFree(heap, 0, p);
}

static bool sees_freed(void)
{
	char *p = HeapAlloc(heap, 0, 64);
	bool seen;

	HeapFree(heap, 0, p);
	flip(p + 5);
	seen = !HeapValidate(heap, 0, NULL);
	flip(p + 5);
	return seen && HeapValidate(heap, 0, NULL);
}

static bool fills_new(void)
{
	volatile unsigned char *p = HeapAlloc(heap, 0, 64);

	return p[0] == 0x0D && p[1] == 0xF0 && p[62] == 0xAD && p[63] == 0xBA;
}

static void says_nothing(void)
{
	setenv("PRIVHEAP_CHECK", "off", 1);
}

FIXTURE(check) {
};

FIXTURE_SETUP(check)
{
	says_nothing();
	setenv("PRIVHEAP_ON_CORRUPTION", "return", 1);
}

FIXTURE_TEARDOWN(check)
{
}

TEST_F(check, no_option_no_checks)
{
	heap = HeapCreate(0, 0, 0);
	EXPECT_FALSE(sees_freed());
	EXPECT_FALSE(sees_tail());
}

TEST_F(check, both_options)
{
	heap = HeapCreate(FULL, 0, 0);
	EXPECT_TRUE(sees_tail());
	EXPECT_TRUE(sees_head());
	EXPECT_TRUE(sees_freed());
	EXPECT_TRUE(fills_new());
}

TEST_F(check, tails_only)
{
	heap = HeapCreate(HEAP_TAIL_CHECKING_ENABLED, 0, 0);
	EXPECT_TRUE(sees_tail());
	EXPECT_TRUE(sees_head());
	EXPECT_FALSE(sees_freed());
}

TEST_F(check, freed_blocks_only)
{
	heap = HeapCreate(HEAP_FREE_CHECKING_ENABLED, 0, 0);
	EXPECT_FALSE(sees_tail());
	EXPECT_TRUE(sees_freed());
}

TEST_F(check, by_the_environment)
{
	setenv("PRIVHEAP_CHECK", "full", 1);
	heap = HeapCreate(0, 0, 0);
	EXPECT_TRUE(sees_tail() && sees_freed());
	heap = GetProcessHeap();
	EXPECT_TRUE(sees_tail() && sees_freed());
	heap = privheap_create(NULL);
	EXPECT_TRUE(sees_tail() && sees_freed());
}

TEST_F(check, by_an_attribute)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;

	attr.full_check = true;
	heap = privheap_create(&attr);
	EXPECT_TRUE(sees_tail() && sees_head() && sees_freed());
}

/* What was freed is somewhere else than what comes next. */
TEST_F(check, reuse_is_delayed)
{
	void *p, *q;
	int i;

	heap = HeapCreate(FULL, 0, 256 * KIB);
	p = HeapAlloc(heap, 0, 100);
	HeapFree(heap, 0, p);
	for (i = 0; i < 100; i++) {
		q = HeapAlloc(heap, 0, 100);
		EXPECT_NE(p, q);
		HeapFree(heap, 0, q);
	}
	/* But not for ever. */
	while (q && q != p)
		q = HeapAlloc(heap, 0, 100);
	EXPECT_EQ(p, q);
}

/* Neither what is held back nor what is added to blocks makes a request fail that could succeed. */
TEST_F(check, nothing_is_withheld)
{
	void *p, *blocks[200];
	int i, n;

	heap = HeapCreate(FULL, 0, 1 * MIB);
	for (n = 0; n < 200; n++) {
		blocks[n] = HeapAlloc(heap, 0, 5000);
		if (!blocks[n])
			break;
	}
	EXPECT_LT(100, n);
	for (i = 0; i < n; i++) {
		EXPECT_TRUE(HeapFree(heap, 0, blocks[i]));
	}
	p = HeapAlloc(heap, 0, 1 * MIB);
	ASSERT_NE(NULL, p);
	memset(p, 1, 1 * MIB);
	EXPECT_EQ(NULL, HeapAlloc(heap, 0, 1));
	EXPECT_EQ(1 * MIB, HeapSize(heap, 0, p));
	EXPECT_TRUE(HeapFree(heap, 0, p));
	EXPECT_NE(NULL, HeapAlloc(heap, 0, 1 * MIB));
}

TEST_F(check, figures_are_the_programs)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	void *small, *large;

	heap = HeapCreate(FULL, 0, 0);
	small = HeapAlloc(heap, 0, 100);
	large = HeapAlloc(heap, 0, 100000);
	ASSERT_EQ(0, privheap_stats(heap, &stats));
	EXPECT_EQ(100100, stats.allocated);
	EXPECT_EQ(2, stats.blocks);
	HeapFree(heap, 0, small);
	HeapFree(heap, 0, large);
	ASSERT_EQ(0, privheap_stats(heap, &stats));
	EXPECT_EQ(0, stats.allocated);
	EXPECT_EQ(0, stats.blocks);
	EXPECT_EQ((SIZE_T)-1, HeapSize(heap, 0, small));
	EXPECT_EQ((SIZE_T)-1, HeapSize(heap, 0, large));
	EXPECT_FALSE(HeapValidate(heap, 0, small));
	EXPECT_FALSE(HeapValidate(heap, 0, large));
}

TEST_F(check, resizing_in_place)
{
	char *p, *q;

	heap = HeapCreate(FULL, 0, 0);
	q = p = HeapAlloc(heap, 0, 200);
	EXPECT_EQ(p, HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, p, 10));
	EXPECT_EQ(p, HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY | HEAP_ZERO_MEMORY, p, 200));
	EXPECT_TRUE(all_bytes(p + 10, 0, 190));
	flip(p + 200);
	EXPECT_EQ(NULL, HeapReAlloc(heap, 0, p, 100));
	EXPECT_EQ(ERROR_INVALID_PARAMETER, GetLastError());
	flip(p + 200);
	p = HeapAlloc(heap, 0, 300000);
	EXPECT_EQ(p, HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, p, 50000));
	EXPECT_EQ(p, HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, p, 300000));
	memset(p, 7, 300000);
	EXPECT_TRUE(HeapFree(heap, 0, p));
	EXPECT_TRUE(HeapFree(heap, 0, q));
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
}

/* The native calls find a freed block that was written, as HeapAlloc does. */
TEST_F(check, native_allocation_finds_what_was_written)
{
	char *p, *q = NULL;
	int i;

	heap = HeapCreate(FULL, 0, 256 * KIB);
	p = privheap_alloc(heap, 100);
	ASSERT_NE(NULL, p);
	privheap_free(heap, p);
	flip(p + 50);
	errno = 0;
	for (i = 0; i < 4000; i++) {
		q = privheap_alloc(heap, 100);
		if (!q)
			break;
	}
	EXPECT_EQ(NULL, q);
	EXPECT_EQ(EINVAL, errno);
	EXPECT_NE(NULL, privheap_alloc(heap, 100));
}

static sigjmp_buf escape;

static void on_sigsegv(int number)
{
	siglongjmp(escape, number);
}

/* A program that handles SIGSEGV still does, in its own pages and in ours. */
TEST_F(check, sigsegv_goes_to_who_handled_it_before)
{
	static char *volatile nowhere = (char *)16;
	char *p;

	signal(SIGSEGV, on_sigsegv);
	heap = HeapCreate(FULL, 0, 0);
	if (!sigsetjmp(escape, 1)) {
		flip(nowhere);
		ASSERT_TRUE(false);
	}
	p = HeapAlloc(heap, 0, 100000);
	HeapFree(heap, 0, p);
	if (!sigsetjmp(escape, 1)) {
		flip(p);
		ASSERT_TRUE(false);
	}
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
}

static void sends_sigsegv(void)
{
	signal(SIGSEGV, SIG_DFL);
	heap = HeapCreate(FULL, 0, 0);
	kill(getpid(), SIGSEGV);
}

TEST_F(check, sigsegv_that_was_sent_kills_as_ever)
{
	struct outcome out;

	run_in_child(&out, sends_sigsegv);
	EXPECT_TRUE(killed(&out, SIGSEGV));
	EXPECT_STREQ("", out.text);
}

static void writes_far_past(void)
{
	volatile char *p;
	size_t i;

	unsetenv("PRIVHEAP_ON_CORRUPTION");
	signal(SIGSEGV, SIG_DFL);
	heap = HeapCreate(FULL, 0, 0);
	p = HeapAlloc(heap, 0, 100000);
	for (i = 100000; i < 200000; i++)
		flip((char *)p + i);
}

TEST_F(check, guard_page_behind_large_blocks)
{
	EXPECT_ABORT(writes_far_past, "privheap: access: heap 0x", "bytes past the end");
}

TEST_F(check, executable_stays_executable)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };	/* return 42 */
	void *p, *q = NULL;
	int i;

	attr.executable = true;
	attr.full_check = true;
	attr.maximum = 1 * MIB;
	heap = privheap_create(&attr);
	p = privheap_alloc(heap, 100000);
	privheap_free(heap, p);
	for (i = 0; i < 20 && q != p; i++) {
		q = privheap_alloc(heap, 100000);
		privheap_free(heap, q);
	}
	q = privheap_alloc(heap, 900000);
	ASSERT_NE(NULL, q);
	memcpy(q, code, sizeof(code));
#ifdef __x86_64__
	EXPECT_EQ(42, ((int (*)(void))q)());
#endif
}

TEST_HARNESS_MAIN

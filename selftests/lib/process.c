// SPDX-License-Identifier: GPL-2.0 OR MIT
/* fork, exec, and other languages: a heap belongs to the process that made it. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <sys/mman.h>

#include "cplusplus.h"
#include "heapapi.h"
#include "privheap.h"

static HANDLE heap;
static volatile char *block;

static void make(void)
{
	heap = HeapCreate(0, 0, 16 * MIB);
	block = HeapAlloc(heap, 0, 1000);
	if (block)
		memset((char *)block, 0x5A, 1000);
}

static void child_uses_handle(void)
{
	SetLastError(0);
	CHECK_IN_CHILD(!HeapAlloc(heap, 0, 1) && GetLastError() == ERROR_INVALID_HANDLE);
	CHECK_IN_CHILD(!HeapReAlloc(heap, 0, (void *)block, 1));
	CHECK_IN_CHILD(!HeapFree(heap, 0, (void *)block));
	CHECK_IN_CHILD(HeapSize(heap, 0, (void *)block) == (SIZE_T)-1);
	CHECK_IN_CHILD(!HeapValidate(heap, 0, NULL));
	CHECK_IN_CHILD(!HeapDestroy(heap) && GetLastError() == ERROR_INVALID_HANDLE);
}

TEST(child_has_no_heap_of_its_parent)
{
	make();
	ASSERT_NE(NULL, block);
	EXPECT_CHILD_OK(child_uses_handle);
	EXPECT_TRUE(all_bytes((char *)block, 0x5A, 1000));
	EXPECT_TRUE(HeapDestroy(heap));
}

static void child_reads(void)
{
	signal(SIGSEGV, SIG_DFL);
	_exit(*block);
}

TEST(child_cannot_read_its_parents_block)
{
	struct outcome out;

	make();
	run_in_child(&out, child_reads);
	EXPECT_TRUE(killed(&out, SIGSEGV) || killed(&out, SIGBUS)) TH_LOG("%#x", out.status);
	EXPECT_TRUE(all_bytes((char *)block, 0x5A, 1000));
}

static void child_makes_its_own(void)
{
	HANDLE own = HeapCreate(0, 0, 1 * MIB), process = GetProcessHeap();
	void *p = HeapAlloc(own, HEAP_ZERO_MEMORY, 5000);

	CHECK_IN_CHILD(own && process && p);
	CHECK_IN_CHILD(HeapSize(own, 0, p) == 5000);
	CHECK_IN_CHILD(HeapFree(process, 0, HeapAlloc(process, 0, 100)));
	CHECK_IN_CHILD(!HeapDestroy(process));
	CHECK_IN_CHILD(HeapDestroy(own));
}

/* What a sanitizer was told about the parent's heap is not true of what lies there now. */
static void child_maps_there(void)
{
	char *page = (char *)((uintptr_t)block & ~(uintptr_t)4095);

	page = mmap(page, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK_IN_CHILD(page != MAP_FAILED);
	memset(page, 1, 4096);
	CHECK_IN_CHILD(all_bytes(page, 1, 4096));
}

TEST(child_may_use_the_addresses_of_its_parents_heap)
{
	make();
	ASSERT_NE(NULL, block);
	EXPECT_CHILD_OK(child_maps_there);
	EXPECT_TRUE(all_bytes((char *)block, 0x5A, 1000));
}

TEST(child_may_make_heaps)
{
	make();
	ASSERT_NE(NULL, GetProcessHeap());
	EXPECT_CHILD_OK(child_makes_its_own);
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapValidate(GetProcessHeap(), 0, NULL));
}

/* The addresses of the parent's process heap are free in the child; no heap there is special. */
static void child_reuses_addresses(void)
{
	HANDLE heaps[8];
	size_t i;

	for (i = 0; i < COUNT(heaps); i++)
		heaps[i] = HeapCreate(0, 0, 0);
	for (i = 0; i < COUNT(heaps); i++)
		CHECK_IN_CHILD(HeapDestroy(heaps[i]));
}

TEST(child_destroys_what_lies_where_its_parents_process_heap_lay)
{
	ASSERT_NE(NULL, GetProcessHeap());
	EXPECT_CHILD_OK(child_reuses_addresses);
}

static void grandchild(void)
{
	struct outcome out;

	child_makes_its_own();
	make();
	CHECK_IN_CHILD(block);
	run_in_child(&out, child_uses_handle);
	CHECK_IN_CHILD(exited(&out, 0));
	CHECK_IN_CHILD(HeapDestroy(heap));
}

TEST(grandchildren_too)
{
	make();
	EXPECT_CHILD_OK(grandchild);
}

static volatile int stop;

static void *busy(void *own)
{
	while (!stop)
		HeapFree(own, 0, HeapAlloc(own, 0, 100));
	return NULL;
}

TEST(fork_while_other_threads_allocate)
{
	pthread_t threads[4];
	size_t i;

	make();
	for (i = 0; i < COUNT(threads); i++)
		pthread_create(&threads[i], NULL, busy, heap);
	for (i = 0; i < 20; i++)
		EXPECT_CHILD_OK(child_makes_its_own);
	stop = 1;
	for (i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
}

/* The program starts itself again, with a handle of its former life. */
__attribute__((constructor))
static void after_exec(void)
{
	const char *handle = getenv("PRIVHEAP_TEST_HANDLE");

	if (!handle)
		return;
	heap = (HANDLE)strtoull(handle, NULL, 16);
	CHECK_IN_CHILD(!HeapAlloc(heap, 0, 1) && GetLastError() == ERROR_INVALID_HANDLE);
	CHECK_IN_CHILD(!HeapDestroy(heap));
	child_makes_its_own();
	_exit(0);
}

static void exec_self(void)
{
	char text[32];

	make();
	snprintf(text, sizeof(text), "%lx", (unsigned long)heap);
	setenv("PRIVHEAP_TEST_HANDLE", text, 1);
	execl("/proc/self/exe", "process", NULL);
}

TEST(exec_leaves_no_heap)
{
	EXPECT_CHILD_OK(exec_self);
}

TEST(win32_in_cplusplus)
{
	EXPECT_EQ(0, cplusplus_win32());
}

TEST(native_in_cplusplus)
{
	EXPECT_EQ(0, cplusplus_native());
}

TEST(exceptions_in_cplusplus)
{
	EXPECT_EQ(0, cplusplus_exceptions());
}

TEST_HARNESS_MAIN

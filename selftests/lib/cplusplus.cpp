// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The public headers as C++ sees them. */
#include "cplusplus.h"

#include <cstring>
#include <stdexcept>
#include <thread>

#include <stdio.h>
#include <unistd.h>

#include "heapapi.h"
#include "privheap.h"

#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)

int cplusplus_win32(void)
{
	HANDLE heap = HeapCreate(0, 1 << 16, 1 << 20);
	auto *p = static_cast<char *>(HeapAlloc(heap, HEAP_ZERO_MEMORY, 100));

	CHECK(heap && p && p[99] == 0);
	CHECK(HeapSize(heap, 0, p) == 100);
	p = static_cast<char *>(HeapReAlloc(heap, 0, p, 200));
	CHECK(p && HeapValidate(heap, 0, p) && HeapFree(heap, 0, p));
	CHECK(HeapDestroy(heap) && !HeapDestroy(heap));
	CHECK(GetLastError() == ERROR_INVALID_HANDLE);
	return 0;
}

int cplusplus_native(void)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	struct privheap_quota_info quota = PRIVHEAP_QUOTA_INFO_INIT;

	attr.name = "c++";
	attr.maximum = 1 << 20;
	privheap_t *heap = privheap_create(&attr);
	void *p = privheap_alloc(heap, 100);

	CHECK(heap && p && privheap_usable_size(heap, p) == 100);
	CHECK(!privheap_stats(heap, &stats) && stats.blocks == 1);
	CHECK(!privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &quota));
	CHECK(!privheap_free(heap, p) && !privheap_destroy(heap));
	return 0;
}

static int leaves_by_throw()
{
	try {
		HEAP_TRY {
			throw std::runtime_error("through the region");
		} HEAP_EXCEPT(1) {
			return __LINE__;
		} HEAP_END_TRY
	} catch (const std::runtime_error &) {
		return 0;
	}
	return __LINE__;
}

int cplusplus_exceptions(void)
{
	HANDLE heap = HeapCreate(HEAP_GENERATE_EXCEPTIONS, 0, 1 << 20);
	void *volatile p = &heap;
	volatile int taken = 0;

	CHECK(heap);
	HEAP_TRY {
		CHECK(!leaves_by_throw());
		p = HeapAlloc(heap, 0, 1 << 21);
	} HEAP_EXCEPT(GetExceptionCode() == STATUS_NO_MEMORY ? EXCEPTION_EXECUTE_HANDLER
							      : EXCEPTION_CONTINUE_SEARCH) {
		taken = taken + 1;
	} HEAP_END_TRY
	CHECK(taken == 1 && p == &heap);
	HEAP_TRY {
		p = HeapAlloc(heap, 0, 1 << 21);
	} HEAP_EXCEPT(EXCEPTION_CONTINUE_EXECUTION) {
		taken = 99;
	} HEAP_END_TRY
	CHECK(taken == 1 && !p);
	CHECK(HeapDestroy(heap));
	return 0;
}

namespace {

HANDLE statics_heap;

/* Frees its block when it ends, and says so. */
struct owner {
	const char *name;
	void *block;

	explicit owner(const char *n) : name(n), block(HeapAlloc(statics_heap, 0, 100)) { }
	~owner()
	{
		dprintf(STDERR_FILENO, "%s %s\n", name,
			block && HeapFree(statics_heap, 0, block) ? "ok" : "failed");
	}
};

void use_thread_local()
{
	thread_local owner mine("thread_local");

	(void)mine.block;
}

} // namespace

/* Once in a thread that ends, and in this one, which ends with the program. */
void cplusplus_statics(void)
{
	statics_heap = HeapCreate(0, 0, 0);
	static owner local("local static");
	std::thread(use_thread_local).join();
	use_thread_local();
}

void *cplusplus_busy(void *heap)
{
	for (;;)
		HeapFree(heap, 0, HeapAlloc(heap, 0, 1000));
}

int cplusplus_catch(void (*f)(void))
{
	try {
		f();
	} catch (...) {
		return 1;
	}
	return 0;
}

void cplusplus_throw(void)
{
	throw std::runtime_error("out of here");
}

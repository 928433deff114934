// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Heaps on anonymous memory in a process that locks its memory: what is locked is what is committed,
 * however much is reserved: HOSTILE F2.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "heapapi.h"
#include "privheap.h"

#define NOBODY	65534

/* A line of /proc/self/status, in bytes. */
static size_t figure(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[200];
	size_t kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtoul(line + strlen(name) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kib * KIB;
}

/* As a user that may lock so much. */
static void become_limited(size_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	CHECK_IN_CHILD(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (geteuid() == 0)
		CHECK_IN_CHILD(setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
			       setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

static bool close_to(size_t bytes, size_t wanted)
{
	return bytes >= wanted && bytes <= wanted + 1 * MIB;
}

#ifndef __SANITIZE_ADDRESS__	/* which has terabytes mapped, and an mlockall that does nothing */

static privheap_t *make(size_t initial, size_t maximum)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;

	attr.backend = PRIVHEAP_BACKEND_ANON;
	attr.initial = initial;
	attr.maximum = maximum;
	return privheap_create(&attr);
}

static void future(void)
{
	size_t before = figure("VmLck:"), resident;
	privheap_t *heap;
	char *p;

	CHECK_IN_CHILD(mlockall(MCL_FUTURE) == 0);
	heap = make(100 * KIB, 0);
	CHECK_IN_CHILD(heap);
	CHECK_IN_CHILD(close_to(figure("VmLck:") - before, 100 * KIB));
	/* It is locked, so resident, though blocks of this size are not otherwise. */
	resident = figure("VmRSS:");
	p = privheap_alloc(heap, 3 * MIB);
	CHECK_IN_CHILD(p);
	CHECK_IN_CHILD(close_to(figure("VmLck:") - before, 3 * MIB));
	CHECK_IN_CHILD(figure("VmRSS:") >= resident + 2 * MIB);
	CHECK_IN_CHILD(make(0, 64 * MIB) && make(0, 4096));
	CHECK_IN_CHILD(privheap_destroy(heap) == 0);
	CHECK_IN_CHILD(figure("VmLck:") - before <= 1 * MIB);
}

static void future_limited(void)
{
	privheap_t *heap;
	size_t n = 0;

	become_limited(6 * MIB);
	future();
	heap = make(0, 0);
	CHECK_IN_CHILD(heap);
	for (n = 0; n < 100 && privheap_alloc(heap, 1 * MIB); n++)
		;
	CHECK_IN_CHILD(n >= 3 && n < 6 && errno == ENOMEM);
	CHECK_IN_CHILD(figure("VmLck:") <= 6 * MIB);
	CHECK_IN_CHILD(privheap_validate(heap, NULL) && privheap_alloc(heap, 100));
	/* More than may be locked: refused, and nothing is held. */
	n = figure("VmSize:");
	CHECK_IN_CHILD(!make(64 * MIB, 64 * MIB) && errno == ENOMEM);
	CHECK_IN_CHILD(figure("VmSize:") <= n + 64 * KIB);
	CHECK_IN_CHILD(privheap_destroy(heap) == 0);
}

TEST(F2_future)
{
	if (geteuid() == 0)
		EXPECT_CHILD_OK(future);
	EXPECT_CHILD_OK(future_limited);
}

static void on_fault(void)
{
	size_t before, resident;
	privheap_t *heap;
	char *p;

	CHECK_IN_CHILD(mlockall(MCL_FUTURE | MCL_ONFAULT) == 0);
	before = figure("VmLck:");
	heap = make(0, 0);
	CHECK_IN_CHILD(heap);
	CHECK_IN_CHILD(figure("VmLck:") - before <= 1 * MIB);
	resident = figure("VmRSS:");
	p = privheap_alloc(heap, 3 * MIB);
	CHECK_IN_CHILD(p && figure("VmRSS:") <= resident + 1 * MIB);
	memset(p, 1, 3 * MIB);
	CHECK_IN_CHILD(figure("VmRSS:") >= resident + 2 * MIB);
	CHECK_IN_CHILD(privheap_destroy(heap) == 0);
}

static void on_fault_limited(void)
{
	become_limited(6 * MIB);
	on_fault();
}

TEST(F2_on_fault)
{
	if (geteuid() == 0)
		EXPECT_CHILD_OK(on_fault);
	EXPECT_CHILD_OK(on_fault_limited);
}

/* The kernel counts all addresses then; in what is reserved there is nothing that could be locked. */
static void current_after(void)
{
	privheap_t *heap = make(1 * MIB, 0), *other;
	size_t resident;

	CHECK_IN_CHILD(heap && mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
	resident = figure("VmRSS:");
	CHECK_IN_CHILD(privheap_alloc(heap, 3 * MIB));
	other = make(0, 0);
	CHECK_IN_CHILD(other && privheap_alloc(other, 2 * MIB));
	CHECK_IN_CHILD(figure("VmRSS:") >= resident + 3 * MIB);
	CHECK_IN_CHILD(figure("VmRSS:") <= resident + 10 * MIB);
	CHECK_IN_CHILD(privheap_destroy(heap) == 0 && privheap_destroy(other) == 0);
}

static void current_limited(void)
{
	privheap_t *heap = make(1 * MIB, 0);

	become_limited(6 * MIB);
	CHECK_IN_CHILD(heap && mlockall(MCL_CURRENT) == -1 && errno == ENOMEM);
	CHECK_IN_CHILD(privheap_alloc(heap, 3 * MIB) && privheap_destroy(heap) == 0);
}

TEST(F2_current_after_the_first_heap)
{
	if (geteuid() == 0)
		EXPECT_CHILD_OK(current_after);
	EXPECT_CHILD_OK(current_limited);
}

static void no_room_at_all(void)
{
	size_t before;

	become_limited(4096);
	CHECK_IN_CHILD(mlockall(MCL_FUTURE) == 0);
	before = figure("VmSize:");
	CHECK_IN_CHILD(!make(0, 0) && errno == ENOMEM);
	CHECK_IN_CHILD(!make(0, 1 * MIB) && errno == ENOMEM);
	CHECK_IN_CHILD(figure("VmSize:") <= before + 1 * MIB);
}

TEST(F2_no_room_at_all)
{
	EXPECT_CHILD_OK(no_room_at_all);
}

#endif

/* On whichever backend: as VmLck on anonymous memory, as VmPin on the device. */
static size_t locked_by_now(void)
{
	return figure("VmLck:") + figure("VmPin:");
}

static void by_attribute(void)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	privheap_t *heap;
	size_t n;

	become_limited(6 * MIB);
	attr.locked = true;
	attr.initial = 100 * KIB;
	attr.maximum = 64 * MIB;
	heap = privheap_create(&attr);
	CHECK_IN_CHILD(heap && close_to(locked_by_now(), 100 * KIB));
	for (n = 0; n < 100 && privheap_alloc(heap, 1 * MIB); n++)
		;
	CHECK_IN_CHILD(n >= 3 && n <= 6 && errno == ENOMEM);
	CHECK_IN_CHILD(locked_by_now() >= n * MIB && locked_by_now() <= 6 * MIB);
	CHECK_IN_CHILD(privheap_validate(heap, NULL));
	attr.initial = attr.maximum;
	CHECK_IN_CHILD(!privheap_create(&attr) && errno == ENOMEM);
	CHECK_IN_CHILD(privheap_destroy(heap) == 0 && locked_by_now() == 0);
}

TEST(K10_locked_by_attribute)
{
	EXPECT_CHILD_OK(by_attribute);
}

TEST_HARNESS_MAIN

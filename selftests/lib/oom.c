// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What a program can have done before an allocation fails: privheap_set_oom_handler. */
#include "kselftest_harness.h"
#include "common.h"

#include "heapapi.h"
#include "privheap.h"

/* What a handler was told, and what it has to give back. */
struct reserve {
	privheap_t *heap;
	void *spare[3];
	int calls;
	size_t bytes;
};

static bool give_back(privheap_t *heap, size_t bytes, void *argument)
{
	struct reserve *reserve = argument;
	size_t i;

	reserve->calls++;
	reserve->heap = heap;
	reserve->bytes = bytes;
	for (i = 0; i < COUNT(reserve->spare); i++) {
		if (reserve->spare[i]) {
			privheap_free(heap, reserve->spare[i]);
			reserve->spare[i] = NULL;
			return true;
		}
	}
	return false;
}

FIXTURE(full)
{
	privheap_t *heap;
	struct reserve reserve;
	void *p;
};

FIXTURE_SETUP(full)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	size_t i;

	attr.maximum = 4 * MIB;
	self->heap = privheap_create(&attr);
	ASSERT_NE(NULL, self->heap);
	for (i = 0; i < COUNT(self->reserve.spare); i++) {
		self->reserve.spare[i] = privheap_alloc(self->heap, 1 * MIB);
		ASSERT_NE(NULL, self->reserve.spare[i]);
	}
	self->p = privheap_alloc(self->heap, 1 * MIB);
	ASSERT_NE(NULL, self->p);
	ASSERT_EQ(0, privheap_set_oom_handler(self->heap, give_back, &self->reserve));
}

FIXTURE_TEARDOWN(full)
{
	EXPECT_TRUE(privheap_validate(self->heap, NULL));
	EXPECT_EQ(0, privheap_destroy(self->heap));
}

TEST_F(full, handler_makes_room)
{
	errno = 77;
	EXPECT_NE(NULL, privheap_alloc(self->heap, 900 * KIB));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(1, self->reserve.calls);
	EXPECT_EQ(900 * KIB, self->reserve.bytes);
	EXPECT_EQ(self->heap, self->reserve.heap);
}

TEST_F(full, handler_is_called_until_it_gives_up)
{
	errno = 0;
	EXPECT_EQ(NULL, privheap_zalloc(self->heap, 4 * MIB));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(4, self->reserve.calls);
}

TEST_F(full, every_call_that_allocates)
{
	EXPECT_NE(NULL, HeapAlloc(self->heap, 0, 1 * MIB));
	EXPECT_EQ(1, self->reserve.calls);
	EXPECT_NE(NULL, HeapReAlloc(self->heap, 0, self->p, 2 * MIB));
	EXPECT_EQ(3, self->reserve.calls);
}

TEST_F(full, native_realloc)
{
	self->p = privheap_realloc(self->heap, self->p, 2 * MIB);
	EXPECT_NE(NULL, self->p);
	EXPECT_LE(1, self->reserve.calls);
	EXPECT_EQ(2 * MIB, self->reserve.bytes);
}

TEST_F(full, not_in_place)
{
	EXPECT_EQ(-1, privheap_realloc_inplace(self->heap, self->p, 2 * MIB));
	EXPECT_EQ(NULL, HeapReAlloc(self->heap, HEAP_REALLOC_IN_PLACE_ONLY, self->p, 2 * MIB));
	EXPECT_EQ(0, self->reserve.calls);
}

TEST_F(full, before_an_exception)
{
	void *volatile p = NULL;

	HEAP_TRY {
		p = HeapAlloc(self->heap, HEAP_GENERATE_EXCEPTIONS, 1 * MIB);
	} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
		EXPECT_TRUE(false);
	} HEAP_END_TRY
	EXPECT_NE(NULL, p);
	HEAP_TRY {
		HeapAlloc(self->heap, HEAP_GENERATE_EXCEPTIONS, 8 * MIB);
	} HEAP_EXCEPT(GetExceptionCode() == STATUS_NO_MEMORY) {
		p = NULL;
	} HEAP_END_TRY
	EXPECT_EQ(NULL, p);
	EXPECT_EQ(4, self->reserve.calls);
}

TEST_F(full, handler_that_was_removed)
{
	ASSERT_EQ(0, privheap_set_oom_handler(self->heap, NULL, NULL));
	EXPECT_EQ(NULL, privheap_alloc(self->heap, 1 * MIB));
	EXPECT_EQ(0, self->reserve.calls);
}

static bool allocate_inside(privheap_t *heap, size_t bytes, void *argument)
{
	int *calls = argument;
	void *small;

	++*calls;
	if (privheap_alloc(heap, bytes))
		return true;
	small = privheap_alloc(heap, 10);
	privheap_free(heap, small);
	return *calls < 3;
}

TEST_F(full, no_handler_inside_a_handler)
{
	int calls = 0;

	ASSERT_EQ(0, privheap_set_oom_handler(self->heap, allocate_inside, &calls));
	EXPECT_EQ(NULL, privheap_alloc(self->heap, 1 * MIB));
	EXPECT_EQ(3, calls);
	EXPECT_EQ(NULL, privheap_alloc(self->heap, 1 * MIB));
	EXPECT_EQ(4, calls);
}

static bool raise_the_quota(privheap_t *heap, size_t bytes, void *argument)
{
	(void)heap;
	(void)bytes;
	(void)argument;
	return errno != EPERM && privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF,
						    0) == 0;
}

/* Where the process may: on the device that takes CAP_SYS_RESOURCE. */
TEST(handler_raises_a_quota)
{
	privheap_t *heap = privheap_create(NULL);
	void *p;

	ASSERT_EQ(0, privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 1 * MIB));
	ASSERT_EQ(0, privheap_set_oom_handler(heap, raise_the_quota, NULL));
	errno = 0;
	p = privheap_alloc(heap, 16 * MIB);
	EXPECT_TRUE(p ? errno == 0 : errno == EDQUOT);
	if (geteuid() == 0)
		EXPECT_NE(NULL, p);
}

TEST(handler_of_no_heap)
{
	errno = 0;
	EXPECT_EQ(-1, privheap_set_oom_handler(NULL, give_back, NULL));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN

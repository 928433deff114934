// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What is no block is never taken for one; what was overrun is noticed. */
#include "unit.h"

FIXTURE(every_size) {
	struct heap *heap, *other;
};

FIXTURE_VARIANT(every_size) {
	size_t maximum;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(every_size, small) { .maximum = KIB(512) };
FIXTURE_VARIANT_ADD(every_size, large) { .maximum = MIB(32) };
FIXTURE_VARIANT_ADD(every_size, exclusive) {
	.maximum = MIB(32), .flags = HEAP_F_NO_SERIALIZE
};

FIXTURE_VARIANT_ADD(every_size, checked) {
	.maximum = MIB(32), .flags = HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE
};

FIXTURE_SETUP(every_size)
{
	self->heap = unit_heap(0, variant->maximum, variant->flags);
	self->other = unit_heap(0, variant->maximum, variant->flags);
	ASSERT_NE(NULL, self->heap);
	ASSERT_NE(NULL, self->other);
}

FIXTURE_TEARDOWN(every_size)
{
	heap_destroy(self->heap);
	heap_destroy(self->other);
}

/* Small sizes all, larger ones at and around multiples. */
static size_t next_size(size_t n)
{
	return n < 2100 ? n + 1 : n < 70000 ? n + 509 : n + 65521;
}

static bool freed(enum heap_fault fault)
{
	return fault == HEAP_DOUBLE_FREE || fault == HEAP_UNALLOCATED;
}

/* All calls that take a block must agree. */
static bool all_say(struct heap *heap, void *p, bool (*expected)(enum heap_fault fault))
{
	const void *bad;
	size_t size;
	int error;
	void *q;

	return expected(heap_size(heap, p, &size)) && expected(heap_validate(heap, p, &bad)) &&
	       expected(heap_realloc(heap, p, 10, 0, &q, &error)) && !q &&
	       expected(heap_free(heap, p));
}

static bool interior(enum heap_fault fault)
{
	return fault == HEAP_INTERIOR;
}

static bool foreign(enum heap_fault fault)
{
	return fault == HEAP_FOREIGN;
}

TEST_F(every_size, double_free)
{
	for (size_t n = 0; n < KIB(300); n = next_size(n)) {
		char *p = unit_alloc(self->heap, n);

		ASSERT_NE(NULL, p);
		ASSERT_EQ(HEAP_OK, heap_free(self->heap, p));
		ASSERT_TRUE(all_say(self->heap, p, freed)) TH_LOG("size %zu", n);
	}
	EXPECT_TRUE(unit_sound(self->heap));
}

TEST_F(every_size, interior_and_misaligned)
{
	for (size_t n = 2; n < KIB(300); n = next_size(n)) {
		char *p = unit_alloc(self->heap, n);
		size_t at[] = { 1, 8, 15, n / 2, n - 1, n & ~(size_t)4095, n & ~(size_t)15 };

		ASSERT_NE(NULL, p);
		memset(p, 0x11, n);
		for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
			if (at[i] && at[i] < n) {
				ASSERT_TRUE(all_say(self->heap, p + at[i], interior))
					TH_LOG("size %zu, offset %zu", n, at[i]);
			}
		}
		ASSERT_EQ(n, unit_size(self->heap, p));
		ASSERT_EQ(HEAP_OK, heap_free(self->heap, p));
	}
	EXPECT_TRUE(unit_sound(self->heap));
}

TEST_F(every_size, foreign)
{
	char *handle = heap_handle(self->heap);
	void *wild[] = {
		NULL, (void *)1, (void *)-1, self, self->heap, handle - 1,
		handle + variant->maximum, (void *)0x7fffffff0000, unit_alloc(self->other, 100),
		unit_alloc(self->other, 100000),
	};

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		EXPECT_TRUE(!wild[i] || all_say(self->heap, wild[i], foreign))
			TH_LOG("pointer %zu", i);
	}
}

TEST_F(every_size, never_allocated)
{
	char *handle = heap_handle(self->heap);

	ASSERT_NE(NULL, unit_alloc(self->heap, 10000));
	for (size_t at = KIB(100); at < variant->maximum; at += 4093) {
		ASSERT_TRUE(all_say(self->heap, handle + at, freed)) TH_LOG("offset %zu", at);
	}
}

/* Exhaustive: of all addresses of a heap, exactly the blocks' are accepted. */
TEST_F(every_size, no_false_acceptance)
{
	char *handle = heap_handle(self->heap);
	size_t live = 0, found = 0, size;

	for (size_t n = 0; n < 6000; n += 67, live++) {
		ASSERT_NE(NULL, unit_alloc(self->heap, n));
	}
	for (size_t at = 0; at < variant->maximum && at < MIB(1); at++)
		found += heap_size(self->heap, handle + at, &size) == HEAP_OK;
	EXPECT_EQ(live, unit_stats(self->heap).blocks);
	EXPECT_EQ(live, found);
}

/* Behind AddressSanitizer's back. */
__attribute__((no_sanitize("address"), noinline)) static void flip(char *p, char bits)
{
	*p ^= bits;
}

TEST_F_TIMEOUT(every_size, overrun, 240)
{
	const void *bad;
	size_t ignored;

	for (size_t n = 0; n < KIB(300); n = next_size(n)) {
		char *p = unit_alloc(self->heap, n);

		ASSERT_NE(NULL, p);
		/* Sizes without slack have no canary: their next byte is another block's. */
		if (unit_size(self->heap, p + n) != SIZE_MAX || n % 16 == 0)
			goto next;
		flip(p + n, 0x40);
		ASSERT_EQ(HEAP_OVERRUN, heap_validate(self->heap, p, &bad)) TH_LOG("size %zu", n);
		ASSERT_EQ(HEAP_OVERRUN, heap_validate(self->heap, NULL, &bad));
		ASSERT_EQ(p, bad);
		ASSERT_EQ(HEAP_OVERRUN, heap_free(self->heap, p));
		flip(p + n, 0x40);
next:
		ASSERT_EQ(HEAP_OK, heap_free(self->heap, p)) TH_LOG("size %zu", n);
	}
	(void)ignored;
	EXPECT_TRUE(unit_sound(self->heap));
}

/* Every byte of the canary counts, for every slack of a class. */
TEST_F(every_size, every_canary_byte)
{
	for (size_t n = 129; n < 288; n++) {
		char *p = unit_alloc(self->heap, n);
		size_t class = n <= 256 ? (n + 15) / 16 * 16 : 288;
		size_t length = class - n < 16 ? class - n : 16;

		ASSERT_NE(NULL, p);
		for (size_t i = 0; i < length; i++) {
			flip(p + n + i, 1);
			ASSERT_EQ(HEAP_OVERRUN, heap_free(self->heap, p))
				TH_LOG("size %zu, byte %zu", n, i);
			flip(p + n + i, 1);
		}
		ASSERT_EQ(HEAP_OK, heap_free(self->heap, p));
	}
}

TEST_HARNESS_MAIN

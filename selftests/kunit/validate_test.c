// SPDX-License-Identifier: GPL-2.0
/* Sizes, names and flags from user space: what is refused, and what it is rounded to. */
#include <kunit/test.h>

#include "../../kmod/validate.h"

#define PAGE		4096UL
#define SPACE		((1UL << 47) - PAGE)	/* TASK_SIZE of x86-64 */
#define SPACE_32	0xffffe000UL		/* of a 32-bit program there */

static void pages(struct kunit *test)
{
	static const struct {
		u64 bytes;
		unsigned long space, pages;
	} rows[] = {
		{ 0, SPACE, 0 },
		{ 1, SPACE, PAGE },
		{ PAGE - 1, SPACE, PAGE },
		{ PAGE, SPACE, PAGE },
		{ PAGE + 1, SPACE, 2 * PAGE },
		{ 1UL << 31, SPACE, 1UL << 31 },
		{ (1UL << 32) - 1, SPACE, 1UL << 32 },
		{ (1UL << 32) + PAGE, SPACE, (1UL << 32) + PAGE },
		{ 1UL << 40, SPACE, 1UL << 40 },
		/* the end of the address space, with its last page left free */
		{ SPACE - 2 * PAGE, SPACE, SPACE - 2 * PAGE },
		{ SPACE - 2 * PAGE + 1, SPACE, SPACE - PAGE },
		{ SPACE - PAGE, SPACE, SPACE - PAGE },
		{ SPACE - PAGE + 1, SPACE, 0 },
		{ SPACE, SPACE, 0 },
		{ (1UL << 47) - 1, SPACE, 0 },
		{ 1UL << 47, SPACE, 0 },
		/* negative as a long, wrapping when rounded */
		{ (1UL << 63) - 1, SPACE, 0 },
		{ 1UL << 63, SPACE, 0 },
		{ -PAGE, SPACE, 0 },
		{ -PAGE + 1, SPACE, 0 },
		{ -1UL, SPACE, 0 },
		{ SPACE_32 - PAGE, SPACE_32, SPACE_32 - PAGE },
		{ SPACE_32, SPACE_32, 0 },
		{ 1UL << 32, SPACE_32, 0 },
		{ (1UL << 32) + PAGE, SPACE_32, 0 },
	};
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, privheap_validate_pages(rows[i].bytes, rows[i].space),
				    rows[i].pages, "row %d", i);
}

/* Around every power of two: whole pages, no less, less than a page more, or 0. */
static void pages_around_powers(struct kunit *test)
{
	unsigned int bit;
	int off;

	for (bit = 0; bit < 64; bit++) {
		for (off = -2; off <= 2; off++) {
			u64 bytes = (1ULL << bit) + off;
			unsigned long got = privheap_validate_pages(bytes, SPACE);

			if (!bytes || bytes > SPACE - PAGE)
				KUNIT_EXPECT_EQ_MSG(test, got, 0UL, "2^%u%+d", bit, off);
			else
				KUNIT_EXPECT_TRUE_MSG(test, got >= bytes && got - bytes < PAGE &&
						      !(got % PAGE), "2^%u%+d", bit, off);
		}
	}
}

/* Copied into a buffer of exactly the size, so that KASAN sees a read past it. */
static bool name_is_valid(struct kunit *test, const char *bytes, size_t len)
{
	char *name = kunit_kzalloc(test, PRIVHEAP_NAME_LEN, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, name);
	memcpy(name, bytes, len);
	return privheap_validate_name(name);
}

static void names(struct kunit *test)
{
	static const char longest[] = "0123456789abcdef0123456789abcde";
	static const char too_long[] = "0123456789abcdef0123456789abcdef";

	KUNIT_EXPECT_TRUE(test, name_is_valid(test, "", 0));
	KUNIT_EXPECT_TRUE(test, name_is_valid(test, "heap", 4));
	KUNIT_EXPECT_TRUE(test, name_is_valid(test, " a ~b! ", 7));
	KUNIT_EXPECT_EQ(test, sizeof(longest), (size_t)PRIVHEAP_NAME_LEN);
	KUNIT_EXPECT_TRUE(test, name_is_valid(test, longest, PRIVHEAP_NAME_LEN - 1));
	KUNIT_EXPECT_FALSE(test, name_is_valid(test, too_long, PRIVHEAP_NAME_LEN));
	/* What follows the end does not matter. */
	KUNIT_EXPECT_TRUE(test, name_is_valid(test, "ok\0/\n\377", 6));
}

static void every_byte_of_a_name(struct kunit *test)
{
	int c;

	for (c = 1; c < 256; c++) {
		char name[] = { 'a', (char)c, 'z' };

		KUNIT_EXPECT_EQ_MSG(test, name_is_valid(test, name, sizeof(name)),
				    c >= ' ' && c <= '~' && c != '/', "byte 0x%02x", c);
	}
}

static void creates(struct kunit *test)
{
	static const struct privheap_create good[] = {
		{ .maximum = 1 },
		{ .maximum = PAGE, .initial = PAGE },
		{ .maximum = SPACE - PAGE, .initial = SPACE - PAGE },
		{ .maximum = PAGE, .flags = PRIVHEAP_CREATE_EXEC },
		{ .maximum = PAGE, .flags = PRIVHEAP_CREATE_SECRET },
		{ .maximum = PAGE, .flags = PRIVHEAP_CREATE_EXEC | PRIVHEAP_CREATE_SECRET },
		{ .maximum = PAGE, .name = "name" },
		/* out: never looked at */
		{ .maximum = PAGE, .heap = ~0ULL, .base = ~0ULL, .committed = ~0ULL },
	};
	static const struct privheap_create bad[] = {
		{ },
		{ .initial = 1 },
		{ .maximum = PAGE, .initial = PAGE + 1 },
		{ .maximum = 1, .initial = 2 },
		{ .maximum = PAGE, .initial = ~0ULL },
		{ .maximum = ~0ULL },
		{ .maximum = ~0ULL, .initial = ~0ULL },
		{ .maximum = 1ULL << 47 },
		{ .maximum = 1ULL << 63 },
		{ .maximum = SPACE - PAGE + 1 },
		{ .maximum = -PAGE + 1 },
		{ .maximum = PAGE, .name = "a/b" },
		{ .maximum = PAGE, .name = "\n" },
	};
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(good); i++)
		KUNIT_EXPECT_TRUE_MSG(test, privheap_validate_create(&good[i], SPACE), "row %d", i);
	for (i = 0; i < (int)ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, privheap_validate_create(&bad[i], SPACE), "row %d", i);
}

static void every_bit_of_flags_and_reserved(struct kunit *test)
{
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		struct privheap_create flags = { .maximum = PAGE, .flags = 1U << bit };
		struct privheap_create reserved = { .maximum = PAGE, .reserved = 1U << bit };

		KUNIT_EXPECT_EQ_MSG(test, privheap_validate_create(&flags, SPACE), bit < 3,
				    "bit %u", bit);
		KUNIT_EXPECT_FALSE_MSG(test, privheap_validate_create(&reserved, SPACE),
				       "bit %u", bit);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(pages),
	KUNIT_CASE(pages_around_powers),
	KUNIT_CASE(names),
	KUNIT_CASE(every_byte_of_a_name),
	KUNIT_CASE(creates),
	KUNIT_CASE(every_bit_of_flags_and_reserved),
	{ }
};

static struct kunit_suite suite = {
	.name = "validate",
	.test_cases = cases,
};

kunit_test_suite(suite);

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Size classes: every size, every offset. */
#include "unit.h"
#include "alloc/classes.h"

#define SLAB_MAX	KIB(64)

TEST(every_size_has_the_smallest_class_that_holds_it)
{
	for (size_t n = 0; n <= CLASS_MAX; n++) {
		unsigned int class = class_of(n);

		ASSERT_LT(class, CLASSES);
		ASSERT_GE(class_sizes[class], n);
		if (class) {
			ASSERT_LT(class_sizes[class - 1], n);
		}
	}
}

TEST(classes_rise_in_multiples_of_16)
{
	for (unsigned int class = 0; class < CLASSES; class++) {
		EXPECT_EQ(class_sizes[class] % 16, 0);
		if (class) {
			EXPECT_GT(class_sizes[class], class_sizes[class - 1]);
		}
	}
	EXPECT_EQ(class_sizes[0], 16);
	EXPECT_EQ(class_sizes[CLASSES - 1], CLASS_MAX);
}

TEST(rounding_up_costs_little)
{
	for (size_t n = 129; n <= CLASS_MAX; n++) {
		size_t lost = class_sizes[class_of(n)] - n;

		ASSERT_LE(lost * (n <= 1024 ? 9 : 5), class_sizes[class_of(n)]);
	}
}

TEST(reciprocals_divide_exactly)
{
	for (unsigned int class = 0; class < CLASSES; class++) {
		for (uint64_t offset = 0; offset < SLAB_MAX; offset++) {
			ASSERT_EQ(offset / class_sizes[class],
				  offset * class_reciprocals[class] >> 32);
		}
	}
}

/* As lib/heap/fast.h asks it: the product's low half is less than the reciprocal for multiples only. */
TEST(remainders_are_told_by_the_low_half)
{
	for (unsigned int class = 0; class < CLASSES; class++) {
		for (uint64_t offset = 0; offset < SLAB_MAX; offset++) {
			uint32_t low = (uint32_t)(offset * class_reciprocals[class]);

			ASSERT_EQ(offset % class_sizes[class] == 0, low < class_reciprocals[class]);
		}
	}
}

TEST(every_power_of_two_is_a_class)
{
	for (size_t n = 16; n <= CLASS_MAX; n *= 2) {
		EXPECT_EQ(class_sizes[class_of(n)], n);
	}
}

TEST_HARNESS_MAIN

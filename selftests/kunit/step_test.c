// SPDX-License-Identifier: GPL-2.0
/* How far a touch moves the commit: every pair on a grid of pages, and figures by hand. */
#include <kunit/test.h>
#include <linux/sizes.h>

#include "../../kmod/policy.h"

#define PAGE	SZ_4K
#define WINDOW	((unsigned long)PRIVHEAP_WINDOW)
#define GRID	(6 * SZ_1M)

static bool ends_well(unsigned long target)
{
	return target >= SZ_2M ? !(target % SZ_2M) : !(target % WINDOW);
}

/*
 * Every commit and every need of whole pages up to 6 MiB, for a maximum that does not matter:
 * enough, not too much, ends where it should, never over the 2 MiB mark from below.
 */
static void grid(struct kunit *test)
{
	unsigned long committed, needed, target;
	unsigned long pairs = 0, wrong = 0;

	for (committed = 0; committed < GRID; committed += PAGE) {
		for (needed = committed + PAGE; needed <= GRID; needed += PAGE) {
			target = privheap_step_target(committed, needed, SZ_1G);
			pairs++;
			if (target >= needed && target - needed < PRIVHEAP_STEP_MAX &&
			    ends_well(target) && (needed > SZ_2M || target <= SZ_2M))
				continue;
			wrong++;
			kunit_info(test, "committed %lu needed %lu target %lu\n", committed,
				   needed, target);
			if (wrong > 10)
				break;
		}
	}
	KUNIT_EXPECT_EQ(test, wrong, 0UL);
	KUNIT_EXPECT_EQ(test, pairs, 1536UL * 1537 / 2);
}

/* The maximum cuts the same target off, and nothing else changes. */
static void grid_of_maxima(struct kunit *test)
{
	unsigned long committed, needed, maximum, target, free;
	unsigned long wrong = 0;

	for (maximum = PAGE; maximum <= GRID; maximum += 37 * PAGE)
		for (committed = 0; committed < maximum; committed += 5 * PAGE)
			for (needed = committed + PAGE; needed <= maximum; needed += 7 * PAGE) {
				target = privheap_step_target(committed, needed, maximum);
				free = privheap_step_target(committed, needed, SZ_1G);
				wrong += target != (free < maximum ? free : maximum);
				wrong += target < needed || target > maximum;
			}
	KUNIT_EXPECT_EQ(test, wrong, 0UL);
}

static void table(struct kunit *test)
{
	static const struct {
		unsigned long committed, needed, maximum, target;
	} rows[] = {
		{ 0, PAGE, SZ_1G, WINDOW },
		{ 0, WINDOW, SZ_1G, WINDOW },
		{ 0, WINDOW + PAGE, SZ_1G, 2 * WINDOW },
		{ WINDOW, WINDOW + PAGE, SZ_1G, 2 * WINDOW },
		{ SZ_1M, SZ_1M + PAGE, SZ_1G, SZ_1M + SZ_256K + WINDOW },
		{ SZ_2M - WINDOW, SZ_2M - PAGE, SZ_1G, SZ_2M },
		{ SZ_2M - PAGE, SZ_2M, SZ_1G, SZ_2M },
		{ 0, SZ_2M, SZ_1G, SZ_2M },
		{ 0, SZ_2M + PAGE, SZ_1G, SZ_4M },
		{ SZ_2M, SZ_2M + PAGE, SZ_1G, SZ_4M },
		{ SZ_4M - PAGE, SZ_4M, SZ_1G, SZ_4M },
		{ SZ_2M, SZ_2M + PAGE, SZ_2M + PAGE, SZ_2M + PAGE },
		{ 0, PAGE, PAGE, PAGE },
		{ 0, PAGE, WINDOW - PAGE, WINDOW - PAGE },
		/* the last byte of 1 TiB, and of all that TASK_SIZE allows */
		{ 0, 1UL << 40, 1UL << 40, 1UL << 40 },
		{ SZ_2M, (1UL << 47) - 2 * PAGE, (1UL << 47) - 2 * PAGE, (1UL << 47) - 2 * PAGE },
		{ (1UL << 46) + PAGE, (1UL << 46) + 2 * PAGE, 1UL << 47, (1UL << 46) + SZ_2M },
		{ 0, (1UL << 56) - 2 * PAGE, (1UL << 56) - PAGE, (1UL << 56) - PAGE },
	};
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(rows); i++)
		KUNIT_EXPECT_EQ_MSG(test, privheap_step_target(rows[i].committed, rows[i].needed,
							       rows[i].maximum),
				    rows[i].target, "row %d", i);
}

/* A heap that is touched page after page: how often it commits is what saves faults. */
static void walk(struct kunit *test)
{
	unsigned long committed = 0, steps = 0;

	while (committed < SZ_2M) {
		committed = privheap_step_target(committed, committed + PAGE, SZ_1G);
		steps++;
	}
	KUNIT_EXPECT_EQ(test, committed, (unsigned long)SZ_2M);
	KUNIT_EXPECT_LE(test, steps, 16UL);
	while (committed < SZ_64M) {
		committed = privheap_step_target(committed, committed + PAGE, SZ_1G);
		steps++;
	}
	KUNIT_EXPECT_EQ(test, committed, (unsigned long)SZ_64M);
	KUNIT_EXPECT_LE(test, steps, 16UL + 31);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(grid),
	KUNIT_CASE(grid_of_maxima),
	KUNIT_CASE(table),
	KUNIT_CASE(walk),
	{ }
};

static struct kunit_suite suite = {
	.name = "step",
	.test_cases = cases,
};

kunit_test_suite(suite);

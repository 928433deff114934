// SPDX-License-Identifier: GPL-2.0
/* The ledgers: what is charged, refused, undone and counted, level by level. */
#include <kunit/test.h>
#include <linux/minmax.h>

#include "../../kmod/ledger.h"

/* A chain of its own for each test: no limits, defaults from @limits and @heaps_limits. */
struct accounts {
	struct privheap_ledger ledgers[LEDGER_LEVELS];
	unsigned long limits[LEDGER_LEVELS];
	unsigned long heaps_limits[LEDGER_LEVELS];
	struct privheap_ledger_chain chain;
};

static int init(struct kunit *test)
{
	struct accounts *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	int i;

	if (!a)
		return -ENOMEM;
	for (i = 0; i < LEDGER_LEVELS; i++) {
		a->ledgers[i].limit = LEDGER_LIMIT_DEFAULT;
		a->ledgers[i].default_limit = &a->limits[i];
		a->ledgers[i].heaps_limit = &a->heaps_limits[i];
		a->chain.level[i] = &a->ledgers[i];
	}
	test->priv = a;
	return 0;
}

static void expect_used(struct kunit *test, long used)
{
	struct accounts *a = test->priv;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&a->ledgers[i].used), used,
				    "level %d", i);
		KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&a->ledgers[i].charged), used,
				    "level %d", i);
	}
}

static void expect_peak(struct kunit *test, long peak)
{
	struct accounts *a = test->priv;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++)
		KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&a->ledgers[i].peak), peak,
				    "level %d", i);
}

static void expect_heaps(struct kunit *test, long heaps)
{
	struct accounts *a = test->priv;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++)
		KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&a->ledgers[i].heaps), heaps,
				    "level %d", i);
}

/* Exactly @level, or none if that is -1, has counted exactly @count refusals. */
static void expect_denied(struct kunit *test, int level, long count)
{
	struct accounts *a = test->priv;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++)
		KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&a->ledgers[i].denied),
				    i == level ? count : 0L, "level %d", i);
}

static void charge_reaches_every_level(struct kunit *test)
{
	struct accounts *a = test->priv;

	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 4096), 0);
	expect_used(test, 4096);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 8192), 0);
	expect_used(test, 12288);
	privheap_ledger_uncharge(&a->chain, 4096);
	expect_used(test, 8192);
	privheap_ledger_uncharge(&a->chain, 8192);
	expect_used(test, 0);
	expect_denied(test, -1, 0);
}

static void limit_can_be_filled_and_not_passed(struct kunit *test)
{
	struct accounts *a = test->priv;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++) {
		a->ledgers[i].limit = 8192;
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 8193), -EDQUOT);
		expect_used(test, 0);
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 8191), 0);
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 2), -EDQUOT);
		expect_used(test, 8191);
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), 0);
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), -EDQUOT);
		expect_used(test, 8192);
		privheap_ledger_uncharge(&a->chain, 8192);
		a->ledgers[i].limit = 0;
	}
}

static void refusal_is_undone_below(struct kunit *test)
{
	struct accounts *a = test->priv;
	int i;

	KUNIT_ASSERT_EQ(test, privheap_ledger_charge(&a->chain, 4096), 0);
	for (i = 0; i < LEDGER_LEVELS; i++) {
		a->ledgers[i].limit = 8192;
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 4097), -EDQUOT);
		expect_used(test, 4096);
		expect_peak(test, 4096);
		a->ledgers[i].limit = LEDGER_LIMIT_DEFAULT;
	}
	/* Charging refuses; only deny counts it. */
	expect_denied(test, -1, 0);
}

static void limit_0_is_none(struct kunit *test)
{
	struct accounts *a = test->priv;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++)
		a->ledgers[i].limit = 0;
	for (i = 0; i < LEDGER_LEVELS; i++)
		a->limits[i] = 1;	/* defaults do not matter once a limit was set */
	KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[0]), 0UL);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1UL << 62), 0);
	expect_used(test, 1L << 62);
}

static void default_follows_the_parameter(struct kunit *test)
{
	struct accounts *a = test->priv;

	KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[0]), 0UL);
	a->limits[0] = 4096;
	KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[0]), 4096UL);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 8192), -EDQUOT);
	a->limits[0] = 8192;
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 8192), 0);
	a->limits[0] = 4096;
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), -EDQUOT);
	a->ledgers[0].limit = 16384;
	KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[0]), 16384UL);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 8192), 0);
	expect_used(test, 16384);
}

static void lowered_below_used(struct kunit *test)
{
	struct accounts *a = test->priv;

	KUNIT_ASSERT_EQ(test, privheap_ledger_charge(&a->chain, 10000), 0);
	a->ledgers[1].limit = 4096;
	expect_used(test, 10000);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), -EDQUOT);
	privheap_ledger_uncharge(&a->chain, 5904);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), -EDQUOT);
	privheap_ledger_uncharge(&a->chain, 1);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), 0);
	expect_used(test, 4096);
	expect_peak(test, 10000);
}

static void peak_stays(struct kunit *test)
{
	struct accounts *a = test->priv;

	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 5000), 0);
	privheap_ledger_uncharge(&a->chain, 4000);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 3999), 0);
	expect_peak(test, 5000);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 2), 0);
	expect_peak(test, 5001);
}

/* Another charge is under way: it has claimed and not been granted, or not told its peak. */
static void K16_others_under_way(struct kunit *test)
{
	struct accounts *a = test->priv;
	unsigned long used, peak;

	KUNIT_ASSERT_EQ(test, privheap_ledger_charge(&a->chain, 4096), 0);
	atomic_long_set(&a->ledgers[0].charged, 4096 + 65536);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), 0);
	privheap_ledger_read(&a->ledgers[0], &used, &peak);
	KUNIT_EXPECT_EQ(test, used, 4097UL);
	KUNIT_EXPECT_EQ(test, peak, 4097UL);

	atomic_long_set(&a->ledgers[0].used, 8192);
	privheap_ledger_read(&a->ledgers[0], &used, &peak);
	KUNIT_EXPECT_EQ(test, used, 8192UL);
	KUNIT_EXPECT_EQ(test, peak, 8192UL);
	atomic_long_set(&a->ledgers[0].used, 0);
	privheap_ledger_read(&a->ledgers[0], &used, &peak);
	KUNIT_EXPECT_EQ(test, peak, 8192UL);
}

static void levels_are_shared(struct kunit *test)
{
	struct accounts *a = test->priv;
	struct privheap_ledger process = { .default_limit = &a->limits[0] };
	struct privheap_ledger_chain other = a->chain;

	other.level[0] = &process;
	a->ledgers[1].limit = 8192;
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 5000), 0);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&other, 5000), -EDQUOT);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&process.used), 0L);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&other, 3000), 0);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&process.used), 3000L);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&a->ledgers[0].used), 5000L);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&a->ledgers[1].used), 8000L);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&a->ledgers[2].used), 8000L);
}

static void denied_where_it_was(struct kunit *test)
{
	struct accounts *a = test->priv;
	int i;

	KUNIT_ASSERT_EQ(test, privheap_ledger_charge(&a->chain, 4096), 0);
	for (i = 0; i < LEDGER_LEVELS; i++) {
		a->ledgers[i].limit = 8192;
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 4097), -EDQUOT);
		privheap_ledger_deny(&a->chain, 4097);
		expect_denied(test, i, 1);
		atomic_long_set(&a->ledgers[i].denied, 0);
		a->ledgers[i].limit = 0;
	}
}

static void denied_at_the_lowest(struct kunit *test)
{
	struct accounts *a = test->priv;
	int i;

	for (i = LEDGER_LEVELS; i--;) {
		a->ledgers[i].limit = 4096;
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, ULONG_MAX), -EDQUOT);
		privheap_ledger_deny(&a->chain, ULONG_MAX);
		expect_denied(test, i, 1);
		atomic_long_set(&a->ledgers[i].denied, 0);
	}
}

/* Counters are long: with no limit at all they are the limit. */
static void never_past_long_max(struct kunit *test)
{
	static const unsigned long most[] = {
		1, 4096, LONG_MAX, LONG_MAX + 1UL, ULONG_MAX - 4096, ULONG_MAX
	};
	struct accounts *a = test->priv;
	int i, level;

	KUNIT_ASSERT_EQ(test, privheap_ledger_charge(&a->chain, LONG_MAX - 4096), 0);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 4097), -EDQUOT);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 4096), 0);
	for (i = 0; i < (int)ARRAY_SIZE(most); i++)
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, most[i]), -EDQUOT);
	expect_used(test, LONG_MAX);
	privheap_ledger_uncharge(&a->chain, LONG_MAX);
	expect_used(test, 0);

	/* A full level refuses whichever it is, and those below it give back. */
	for (level = 0; level < LEDGER_LEVELS; level++) {
		atomic_long_set(&a->ledgers[level].charged, LONG_MAX);
		KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), -EDQUOT);
		atomic_long_set(&a->ledgers[level].charged, 0);
		expect_used(test, 0);
	}
}

static void wrapping_charges_are_refused(struct kunit *test)
{
	struct accounts *a = test->priv;

	a->ledgers[0].limit = LONG_MAX;
	KUNIT_ASSERT_EQ(test, privheap_ledger_charge(&a->chain, 8192), 0);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, -4096UL), -EDQUOT);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, -8192UL), -EDQUOT);
	expect_used(test, 8192);
}

static unsigned long bound;

static unsigned long bound_by_others(const struct privheap_ledger *ledger)
{
	return bound;
}

static void K3_bound_by_others(struct kunit *test)
{
	struct accounts *a = test->priv;

	a->ledgers[0].bound = bound_by_others;
	bound = 8192;
	a->ledgers[0].limit = 16384;
	KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[0]), 16384UL);
	KUNIT_EXPECT_EQ(test, privheap_ledger_lowest(&a->ledgers[0]), 8192UL);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 8193), -EDQUOT);
	privheap_ledger_deny(&a->chain, 8193);
	expect_denied(test, 0, 1);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 8192), 0);

	a->ledgers[0].limit = 4096;
	KUNIT_EXPECT_EQ(test, privheap_ledger_lowest(&a->ledgers[0]), 4096UL);
	bound = 0;
	a->ledgers[0].limit = 0;
	KUNIT_EXPECT_EQ(test, privheap_ledger_lowest(&a->ledgers[0]), 0UL);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1UL << 40), 0);
}

/* Every pair of limits, of the process itself and of the administrator, set or by default. */
static void K4_the_lower_of_own_and_set(struct kunit *test)
{
	static const unsigned long limits[] = { 0, 1, 4096, 8192, LONG_MAX };
	struct accounts *a = test->priv;
	int own, set, by_default;

	for (own = 0; own < (int)ARRAY_SIZE(limits); own++)
		for (set = 0; set < (int)ARRAY_SIZE(limits); set++)
			for (by_default = 0; by_default < 2; by_default++) {
				unsigned long low = limits[own] && limits[set] ?
						    min(limits[own], limits[set]) :
						    limits[own] + limits[set];

				a->ledgers[0].own = limits[own];
				a->limits[0] = by_default ? limits[set] : 123;
				a->ledgers[0].limit = by_default ? LEDGER_LIMIT_DEFAULT :
								   limits[set];
				KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[0]), low);
			}
}

static void K5_half_of_the_whole(struct kunit *test)
{
	static const struct {
		unsigned long whole, half;
	} rows[] = { { 0, 0 }, { 1, 1 }, { 2, 1 }, { 8192, 4096 }, { LONG_MAX, LONG_MAX / 2 } };
	struct accounts *a = test->priv;
	int i;

	a->limits[1] = LEDGER_LIMIT_DEFAULT;
	a->ledgers[1].whole = &a->ledgers[2];
	for (i = 0; i < (int)ARRAY_SIZE(rows); i++) {
		a->ledgers[2].limit = rows[i].whole;
		KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[1]), rows[i].half);
		a->ledgers[2].limit = LEDGER_LIMIT_DEFAULT;
		a->limits[2] = rows[i].whole;
		KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[1]), rows[i].half);
	}
	a->limits[1] = 12288;
	KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[1]), 12288UL);

	/* Of nothing there is no half: a number like any other. */
	a->limits[1] = LEDGER_LIMIT_DEFAULT;
	a->ledgers[1].whole = NULL;
	KUNIT_EXPECT_EQ(test, privheap_ledger_limit(&a->ledgers[1]), LEDGER_LIMIT_DEFAULT);
}

static bool may;
static int asked;

static bool may_use_reserve(void)
{
	asked++;
	return may;
}

static void K5_reserve(struct kunit *test)
{
	struct accounts *a = test->priv;

	asked = 0;
	may = false;
	a->ledgers[2].may_use_reserve = may_use_reserve;
	a->ledgers[2].limit = 16 * 4096;
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 15 * 4096), 0);
	KUNIT_EXPECT_EQ(test, asked, 0);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), -EDQUOT);
	KUNIT_EXPECT_EQ(test, asked, 1);
	privheap_ledger_deny(&a->chain, 1);
	expect_denied(test, 2, 1);
	expect_used(test, 15 * 4096);

	may = true;
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 4097), -EDQUOT);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 4096), 0);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1), -EDQUOT);
	expect_used(test, 16 * 4096);

	/* Without a limit there is nothing to keep back. */
	may = false;
	asked = 0;
	a->ledgers[2].limit = 0;
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, 1UL << 40), 0);
	KUNIT_EXPECT_EQ(test, privheap_ledger_charge(&a->chain, LONG_MAX), -EDQUOT);
	KUNIT_EXPECT_EQ(test, asked, 0);
}

static void heaps_are_counted(struct kunit *test)
{
	struct accounts *a = test->priv;
	int i;

	for (i = 1; i <= 3; i++) {
		KUNIT_EXPECT_EQ(test, privheap_ledger_add_heap(&a->chain), 0);
		expect_heaps(test, i);
	}
	while (i-- > 1)
		privheap_ledger_remove_heap(&a->chain);
	expect_heaps(test, 0);
	expect_used(test, 0);
}

static void heaps_limit(struct kunit *test)
{
	struct accounts *a = test->priv;
	int i;

	KUNIT_ASSERT_EQ(test, privheap_ledger_add_heap(&a->chain), 0);
	for (i = 0; i < LEDGER_LEVELS; i++) {
		a->heaps_limits[i] = 1;
		KUNIT_EXPECT_EQ(test, privheap_ledger_add_heap(&a->chain), -EDQUOT);
		expect_heaps(test, 1);
		expect_denied(test, i, 1);
		atomic_long_set(&a->ledgers[i].denied, 0);
		a->heaps_limits[i] = 0;
	}
	a->heaps_limits[0] = 2;
	KUNIT_EXPECT_EQ(test, privheap_ledger_add_heap(&a->chain), 0);
	KUNIT_EXPECT_EQ(test, privheap_ledger_add_heap(&a->chain), -EDQUOT);
	expect_heaps(test, 2);
}

static void heaps_without_a_parameter(struct kunit *test)
{
	struct accounts *a = test->priv;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++)
		a->ledgers[i].heaps_limit = NULL;
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, privheap_ledger_add_heap(&a->chain), 0);
	expect_heaps(test, 100);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(charge_reaches_every_level),
	KUNIT_CASE(limit_can_be_filled_and_not_passed),
	KUNIT_CASE(refusal_is_undone_below),
	KUNIT_CASE(limit_0_is_none),
	KUNIT_CASE(default_follows_the_parameter),
	KUNIT_CASE(lowered_below_used),
	KUNIT_CASE(peak_stays),
	KUNIT_CASE(K16_others_under_way),
	KUNIT_CASE(levels_are_shared),
	KUNIT_CASE(denied_where_it_was),
	KUNIT_CASE(denied_at_the_lowest),
	KUNIT_CASE(never_past_long_max),
	KUNIT_CASE(wrapping_charges_are_refused),
	KUNIT_CASE(K3_bound_by_others),
	KUNIT_CASE(K4_the_lower_of_own_and_set),
	KUNIT_CASE(K5_half_of_the_whole),
	KUNIT_CASE(K5_reserve),
	KUNIT_CASE(heaps_are_counted),
	KUNIT_CASE(heaps_limit),
	KUNIT_CASE(heaps_without_a_parameter),
	{ }
};

static struct kunit_suite suite = {
	.name = "ledger",
	.init = init,
	.test_cases = cases,
};

kunit_test_suite(suite);

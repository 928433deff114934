// SPDX-License-Identifier: GPL-2.0
/* A step if the quota has room, else what is needed, else nothing and one refusal counted. */
#include <kunit/test.h>
#include <linux/sizes.h>

#include "../../kmod/policy.h"

#define PAGE	SZ_4K
#define WINDOW	((unsigned long)PRIVHEAP_WINDOW)

struct accounts {
	struct privheap_ledger ledgers[LEDGER_LEVELS];
	struct privheap_ledger_chain chain;
};

static int init(struct kunit *test)
{
	struct accounts *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	int i;

	if (!a)
		return -ENOMEM;
	for (i = 0; i < LEDGER_LEVELS; i++)
		a->chain.level[i] = &a->ledgers[i];
	test->priv = a;
	return 0;
}

static void expect(struct kunit *test, long used, long denied)
{
	struct accounts *a = test->priv;
	long all = 0;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++) {
		KUNIT_EXPECT_EQ_MSG(test, atomic_long_read(&a->ledgers[i].used), used,
				    "level %d", i);
		all += atomic_long_read(&a->ledgers[i].denied);
	}
	KUNIT_EXPECT_EQ(test, all, denied);
}

/* Every limit that a touch at one window can meet, at every level. */
static void touch_under_every_limit(struct kunit *test)
{
	struct accounts *a = test->priv;
	unsigned long limit, committed;
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++) {
		for (limit = PAGE; limit <= 4 * WINDOW; limit += PAGE) {
			unsigned long due = limit >= 2 * WINDOW ? 2 * WINDOW :
					    limit >= WINDOW + PAGE ? WINDOW + PAGE : WINDOW;

			KUNIT_ASSERT_EQ(test, privheap_ledger_charge(&a->chain, WINDOW), 0);
			a->ledgers[i].limit = limit;
			committed = privheap_watermark_touch(&a->chain, WINDOW, WINDOW + PAGE,
							     SZ_1M);
			a->ledgers[i].limit = 0;
			KUNIT_EXPECT_EQ_MSG(test, committed, due, "level %d limit %lu", i, limit);
			expect(test, due, due == WINDOW);
			KUNIT_EXPECT_EQ(test, atomic_long_read(&a->ledgers[i].denied),
					(long)(due == WINDOW));
			privheap_ledger_uncharge(&a->chain, committed);
			atomic_long_set(&a->ledgers[i].denied, 0);
		}
	}
}

static void call_is_exact(struct kunit *test)
{
	struct accounts *a = test->priv;

	a->ledgers[2].limit = SZ_1M;
	KUNIT_EXPECT_EQ(test, privheap_watermark_call(&a->chain, 0, 3 * PAGE), 3UL * PAGE);
	expect(test, 3 * PAGE, 0);
	KUNIT_EXPECT_EQ(test, privheap_watermark_call(&a->chain, 3 * PAGE, SZ_1M + PAGE),
			3UL * PAGE);
	expect(test, 3 * PAGE, 1);
	KUNIT_EXPECT_EQ(test, privheap_watermark_call(&a->chain, 3 * PAGE, SZ_1M),
			(unsigned long)SZ_1M);
	expect(test, SZ_1M, 1);
}

/* A step that was refused and followed by what was needed is no refusal to anybody. */
static void needed_is_no_refusal(struct kunit *test)
{
	struct accounts *a = test->priv;
	unsigned long committed = 0;
	int i;

	a->ledgers[0].limit = 5 * PAGE;
	for (i = 1; i <= 5; i++) {
		committed = privheap_watermark_touch(&a->chain, committed, committed + PAGE, SZ_1M);
		KUNIT_EXPECT_EQ(test, committed, (unsigned long)i * PAGE);
	}
	expect(test, 5 * PAGE, 0);
	for (i = 1; i <= 3; i++) {
		committed = privheap_watermark_touch(&a->chain, committed, committed + PAGE, SZ_1M);
		expect(test, 5 * PAGE, i);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(touch_under_every_limit),
	KUNIT_CASE(call_is_exact),
	KUNIT_CASE(needed_is_no_refusal),
	{ }
};

static struct kunit_suite suite = {
	.name = "watermark",
	.init = init,
	.test_cases = cases,
};

kunit_test_suite(suite);

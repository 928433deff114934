// SPDX-License-Identifier: GPL-2.0
/* The exhaustive check of model.c as a test, and that it checked what it says. */
#include <kunit/test.h>

#include "model.h"

#define SEQUENCES	1111110UL	/* 10 + 10^2 + ... + 10^6 */

static void say_what_is_wrong(struct kunit *test, const struct model_report *report)
{
	int i;

	KUNIT_FAIL(test, "%s differs after sequence %lu:", report->wrong, report->sequences);
	for (i = 0; i < report->length; i++)
		kunit_info(test, "\t%s\n", model_operations[report->sequence[i]]);
}

static void every_sequence(struct kunit *test)
{
	struct model_report *report = kunit_kzalloc(test, sizeof(*report), GFP_KERNEL);
	unsigned long operations = 0;
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, report);
	model_check(report);
	if (report->wrong)
		say_what_is_wrong(test, report);
	KUNIT_EXPECT_EQ(test, report->sequences, SEQUENCES);
	for (i = 0; i < MODEL_OUTCOME_COUNT; i++) {
		kunit_info(test, "%s %lu\n", model_outcomes[i], report->outcomes[i]);
		KUNIT_EXPECT_NE_MSG(test, report->outcomes[i], 0UL, "%s never came of any",
				    model_outcomes[i]);
		operations += report->outcomes[i];
	}
	KUNIT_EXPECT_EQ(test, operations, SEQUENCES);
	kunit_info(test, "sequences %lu\n", report->sequences);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_sequence),
	{ }
};

static struct kunit_suite suite = {
	.name = "model",
	.test_cases = cases,
};

kunit_test_suite(suite);

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Random work across a hundred heaps that come and go. CROWD_SECONDS in the environment: for so
 * long (2).
 */
#include "kselftest_harness.h"
#include "crowd.h"

#include "privheap.h"

/*
 * What is known about heaps stays charged, for those to come, but not more of it the longer this
 * takes: so much for a heap, on the average.
 */
#define KNOWN	(64 * KIB)

FIXTURE(crowd) {
	struct crowd crowd;
};

FIXTURE_SETUP(crowd)
{
}

FIXTURE_TEARDOWN(crowd)
{
}

TEST_F_TIMEOUT(crowd, works_on_a_hundred_heaps, 3600)
{
	const char *seconds = getenv("CROWD_SECONDS");
	struct privheap_quota_info before = PRIVHEAP_QUOTA_INFO_INIT, after = before;

	/* What the first heap of a process brings along stays. */
	ASSERT_TRUE(HeapDestroy(HeapCreate(0, 0, 0)));
	ASSERT_EQ(0, privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &before));
	ASSERT_TRUE(crowd_start(&self->crowd));
	sleep(seconds ? (unsigned int)atoi(seconds) : 2);
	EXPECT_TRUE(crowd_finish(&self->crowd));
	ASSERT_EQ(0, privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &after));
	EXPECT_EQ(before.heaps, after.heaps);
	EXPECT_LE(after.used, before.used + CROWD_HEAPS * KNOWN);
}

TEST_HARNESS_MAIN

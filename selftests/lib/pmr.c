// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What memory_resource.cpp checks, for the harness, which is C. */
#include "kselftest_harness.h"
#include "common.h"
#include "memory_resource.h"

#define CHECKED(name) TEST(name) { EXPECT_EQ(0, check_##name()); }

CHECKED(resource_of_its_own)
CHECKED(resource_on_a_heap)
CHECKED(resource_holds_containers)
CHECKED(resource_reaches_its_maximum)
CHECKED(resource_keeps_alignments)
CHECKED(resource_equality)
CHECKED(resource_that_cannot_be)
CHECKED(resource_of_eight_threads)
CHECKED(resource_after_fork)

TEST_HARNESS_MAIN

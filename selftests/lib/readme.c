// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The two examples of the project's README, compiled from there: main is renamed. */
#include "kselftest_harness.h"

int readme_example_1(void);
int readme_example_2(void);

TEST(win32_example)
{
	EXPECT_EQ(0, readme_example_1());
}

TEST(native_example)
{
	EXPECT_EQ(0, readme_example_2());
}

TEST_HARNESS_MAIN

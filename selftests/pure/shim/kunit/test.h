/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * As much of KUnit as the suites in selftests/kunit use: a failed expectation is told and
 * remembered, a failed assertion also ends the case; what a case allocates goes with it.
 */
#ifndef SHIM_KUNIT_H
#define SHIM_KUNIT_H

#include <errno.h>
#include <limits.h>
#include <linux/types.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define GFP_KERNEL	0

struct kunit {
	void *priv;
	bool failed;
	jmp_buf end;
	struct shim_allocation {
		struct shim_allocation *next;
		void *memory;
	} *allocations;
};

struct kunit_case {
	void (*run)(struct kunit *test);
	const char *name;
};

struct kunit_suite {
	const char *name;
	int (*init)(struct kunit *test);
	struct kunit_case *test_cases;
	struct kunit_suite *next;
};

extern struct kunit_suite *shim_suites;

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp);

#define KUNIT_CASE(f)	{ f, #f }

#define kunit_test_suite(s)						\
	static void __attribute__((constructor)) shim_register(void)	\
	{								\
		(s).next = shim_suites;					\
		shim_suites = &(s);					\
	}

#define kunit_info(test, format, ...)	printf("# " format, ##__VA_ARGS__)

#define KUNIT_FAIL(test, format, ...) do {					\
	(test)->failed = true;							\
	printf("# %s:%d: " format "\n", __FILE__, __LINE__, ##__VA_ARGS__);	\
} while (0)

#define SHIM_COMPARE(test, a, op, b, format, ...) do {				\
	__typeof__(a) a_ = (a);							\
	__typeof__(b) b_ = (b);							\
	if (!(a_ op b_))							\
		KUNIT_FAIL(test, "%s %s %s: %ld, %ld " format, #a, #op, #b,	\
			   (long)a_, (long)b_, ##__VA_ARGS__);			\
} while (0)

#define SHIM_END_IF_FAILED(test) do {	\
	if ((test)->failed)		\
		longjmp((test)->end, 1);\
} while (0)

#define KUNIT_EXPECT_EQ_MSG(test, a, b, ...)	SHIM_COMPARE(test, a, ==, b, __VA_ARGS__)
#define KUNIT_EXPECT_EQ(test, a, b)		SHIM_COMPARE(test, a, ==, b, "")
#define KUNIT_EXPECT_NE_MSG(test, a, b, ...)	SHIM_COMPARE(test, a, !=, b, __VA_ARGS__)
#define KUNIT_EXPECT_LE(test, a, b)		SHIM_COMPARE(test, a, <=, b, "")
#define KUNIT_EXPECT_TRUE_MSG(test, a, ...)	SHIM_COMPARE(test, !!(a), ==, 1, __VA_ARGS__)
#define KUNIT_EXPECT_TRUE(test, a)		SHIM_COMPARE(test, !!(a), ==, 1, "")
#define KUNIT_EXPECT_FALSE_MSG(test, a, ...)	SHIM_COMPARE(test, !!(a), ==, 0, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE(test, a)		SHIM_COMPARE(test, !!(a), ==, 0, "")
#define KUNIT_ASSERT_EQ(test, a, b) do {	\
	KUNIT_EXPECT_EQ(test, a, b);		\
	SHIM_END_IF_FAILED(test);		\
} while (0)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p) do {	\
	KUNIT_EXPECT_TRUE(test, p);			\
	SHIM_END_IF_FAILED(test);			\
} while (0)

#endif

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Runs the KUnit suites that are linked in, and reports as TAP. */
#include <kunit/test.h>

struct kunit_suite *shim_suites;

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	struct shim_allocation *allocation = malloc(sizeof(*allocation));

	if (!allocation)
		return NULL;
	allocation->memory = calloc(1, size);
	allocation->next = test->allocations;
	test->allocations = allocation;
	return allocation->memory;
}

static void free_all(struct kunit *test)
{
	while (test->allocations) {
		struct shim_allocation *allocation = test->allocations;

		test->allocations = allocation->next;
		free(allocation->memory);
		free(allocation);
	}
}

static bool run(struct kunit_suite *suite, struct kunit_case *test_case)
{
	struct kunit test = { };

	if (suite->init && suite->init(&test))
		test.failed = true;
	else if (!setjmp(test.end))
		test_case->run(&test);
	free_all(&test);
	return !test.failed;
}

int main(void)
{
	struct kunit_suite *suite;
	struct kunit_case *test_case;
	int number = 0, failed = 0;

	setlinebuf(stdout);
	printf("TAP version 13\n");
	for (suite = shim_suites; suite; suite = suite->next)
		for (test_case = suite->test_cases; test_case->run; test_case++) {
			bool good = run(suite, test_case);

			failed += !good;
			printf("%sok %d %s.%s\n", good ? "" : "not ", ++number, suite->name,
			       test_case->name);
		}
	printf("1..%d\n", number);
	return failed || !number;
}

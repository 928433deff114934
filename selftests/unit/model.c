// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Random calls against the model. PRIVHEAP_SEED=n replays a run, the seed is printed; ROUNDS=n makes
 * each of the four n times as long: 50 are 50 million calls.
 */
#include <time.h>
#include "unit.h"
#include "model.h"

#define CALLS		250000
#define CHECK_EACH	2500

FIXTURE(model) {
	struct model model;
	uint64_t seed;
	size_t calls;
};

FIXTURE_VARIANT(model) {
	size_t maximum, largest;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(model, tiny) { .maximum = KIB(64), .largest = KIB(20) };
FIXTURE_VARIANT_ADD(model, medium) { .maximum = MIB(2), .largest = KIB(200) };
FIXTURE_VARIANT_ADD(model, large) { .maximum = MIB(64), .largest = MIB(2) };
FIXTURE_VARIANT_ADD(model, growable_exclusive) {
	.largest = MIB(1), .flags = HEAP_F_NO_SERIALIZE
};

#define CHECK_ALL	(HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE)

FIXTURE_VARIANT_ADD(model, checked_tiny) {
	.maximum = KIB(64), .largest = KIB(20), .flags = CHECK_ALL
};
FIXTURE_VARIANT_ADD(model, checked_medium) {
	.maximum = MIB(2), .largest = KIB(200), .flags = CHECK_ALL
};
FIXTURE_VARIANT_ADD(model, checked_tails) {
	.maximum = MIB(64), .largest = MIB(2), .flags = HEAP_F_CHECK_TAIL
};
FIXTURE_VARIANT_ADD(model, checked_frees) {
	.maximum = MIB(64), .largest = MIB(2), .flags = HEAP_F_CHECK_FREE
};
FIXTURE_VARIANT_ADD(model, checked_growable_exclusive) {
	.largest = MIB(1), .flags = HEAP_F_NO_SERIALIZE | CHECK_ALL
};

static uint64_t choose(void *seed)
{
	return unit_random(seed);
}

FIXTURE_SETUP(model)
{
	const char *seed = getenv("PRIVHEAP_SEED"), *rounds = getenv("ROUNDS");

	self->seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
	TH_LOG("PRIVHEAP_SEED=%llu", (unsigned long long)self->seed);
	self->calls = CALLS * (rounds ? strtoul(rounds, NULL, 0) : 1);
	self->model.largest = variant->largest;
	self->model.choose = choose;
	self->model.source = &self->seed;
	self->model.heap = unit_heap(0, variant->maximum, variant->flags);
	ASSERT_NE(NULL, self->model.heap);
}

FIXTURE_TEARDOWN(model)
{
	heap_destroy(self->model.heap);
}

static void say_figures(const struct model *model, size_t calls, time_t began)
{
	printf("# %zu calls: %zu blocks got, %zu freed, %zu resizes, %zu refusals, %zu wrong calls "
	       "told, %zu checks of the whole heap; %ld s\n", calls, model->count.allocations,
	       model->count.frees, model->count.resizes, model->count.refusals,
	       model->count.wrong_calls, model->count.checks, (long)(time(NULL) - began));
	fflush(stdout);
}

TEST_F_TIMEOUT(model, random_calls, 7200)
{
	time_t began = time(NULL);

	for (size_t i = 0; i < self->calls; i++) {
		ASSERT_TRUE(model_step(&self->model)) {
			TH_LOG("call %zu: %s", i, self->model.wrong);
		}
		if (i % CHECK_EACH == 0) {
			ASSERT_TRUE(model_agrees(&self->model)) {
				TH_LOG("call %zu: %s", i, self->model.wrong);
			}
		}
	}
	EXPECT_TRUE(model_empty(&self->model, variant->maximum)) {
		TH_LOG("%s", self->model.wrong);
	}
	say_figures(&self->model, self->calls, began);
}

TEST_HARNESS_MAIN

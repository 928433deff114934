// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A backend whose n-th call fails, for every n until a whole life of a heap succeeds: whatever
 * fails, the heap stays sound, and nothing is left charged.
 */
#include <sys/mman.h>
#include "unit.h"

#define ONCE	1
#define FOREVER	2

static int calls_left, mode;
static unsigned int failures;

static int fail(int error)
{
	if (calls_left > 0) {
		calls_left--;
		return 0;
	}
	if (mode == 0)
		return 0;
	if (mode == ONCE)
		mode = 0;
	failures++;
	return error;
}

static int failing_reserve(struct backend_range *range, size_t initial, size_t maximum,
			   unsigned int flags, const char *name)
{
	int error = fail(-EDQUOT);

	return error ? error : backend_anon.reserve(range, initial, maximum, flags, name);
}

static int failing_commit(struct backend_range *range, size_t committed, bool populate)
{
	int error = fail(populate ? -ENOMEM : -EDQUOT);

	return error ? error : backend_anon.commit(range, committed, populate);
}

static int failing_release(struct backend_range *range)
{
	return backend_anon.release(range);
}

static const struct backend failing = {
	.name = "failing",
	.reserve = failing_reserve,
	.commit = failing_commit,
	.release = failing_release,
};

static const size_t sizes[] = { 10, 100, 1000, 3000, 20000, 50000, 300000, 2000000 };

#define BLOCKS	240

static void *blocks[BLOCKS];

/* Ends with what could be had; false if anything but memory was wrong. */
static bool live(struct heap *heap, unsigned int *refused)
{
	void *moved;
	int error;

	for (size_t i = 0; i < BLOCKS; i++) {
		size_t n = sizes[i % 8] + i;

		error = 0;
		blocks[i] = heap_alloc(heap, n, i % 5 ? 16 : 8192, 0, &error);
		if (!blocks[i]) {
			*refused += 1;
			if (error != ENOMEM && error != EDQUOT)
				return false;
			continue;
		}
		memset(blocks[i], 1, n < 8192 ? n : 8192);
		if (i % 3 == 0) {
			if (heap_realloc(heap, blocks[i], n * 3 / 2, 0, &moved, &error) != HEAP_OK)
				return false;
			blocks[i] = moved ? moved : blocks[i];
		}
		if (i % 3 == 1 && heap_free(heap, blocks[i]) != HEAP_OK)
			return false;
	}
	return unit_sound(heap);
}

static uint64_t used(void)
{
	struct backend_quota quota = { 0 };

	backend_anon.quota_get(0, UINT32_MAX, &quota);
	return quota.used;
}

/* True if no call failed any more; *sound = what was required held. */
static bool life(int n, int how, size_t maximum, unsigned int flags, bool *sound)
{
	struct heap_attr attr = { .maximum = maximum, .flags = flags, .backend = &failing };
	struct heap *heap = NULL;
	unsigned int refused = 0;
	int error;

	calls_left = n;
	mode = how;
	failures = 0;
	error = heap_create(&attr, &heap);
	*sound = error ? error == -ENOMEM || error == -EDQUOT : live(heap, &refused);
	*sound = *sound && (error == 0) == (heap != NULL);
	/* A block is only refused if something failed, one failure refuses few. */
	*sound = *sound && (failures || !refused) && (how == FOREVER || refused <= 4);
	mode = 0;
	if (heap)
		*sound = *sound && unit_alloc(heap, 100) && heap_destroy(heap) == 0;
	return failures == 0;
}

static bool every_life(int how, unsigned int flags, int *lives)
{
	bool sound = true, done = false;
	uint64_t settled = 0;

	for (*lives = 0; !done && sound && *lives < 2000; (*lives)++) {
		done = life(*lives, how, MIB(512), flags, &sound);
		/* The metadata region keeps what it has; after some lives it needs no more. */
		if (*lives == 200)
			settled = used();
		if (*lives > 200 && used() > settled + MIB(1))
			sound = false;
	}
	return done && sound;
}

FIXTURE(failing) {
};

FIXTURE_VARIANT(failing) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(failing, plain) { .flags = 0 };
FIXTURE_VARIANT_ADD(failing, checked) { .flags = HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE };

FIXTURE_SETUP(failing)
{
}

FIXTURE_TEARDOWN(failing)
{
}

TEST_F(failing, one_failure_anywhere)
{
	int lives;

	EXPECT_TRUE(every_life(ONCE, variant->flags, &lives));
	TH_LOG("%d lives", lives);
	EXPECT_GT(lives, 20);
}

TEST_F(failing, failing_from_anywhere_on)
{
	int lives;

	EXPECT_TRUE(every_life(FOREVER, variant->flags, &lives));
	TH_LOG("%d lives", lives);
	EXPECT_GT(lives, 20);
}

TEST_HARNESS_MAIN

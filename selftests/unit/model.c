// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Random allocations, frees and reallocations against a model that remembers what each block
 * must hold. PRIVHEAP_SEED=n replays a run; the seed is printed.
 */
#include <time.h>
#include "unit.h"

#define SLOTS		600
#define OPERATIONS	250000

struct slot {
	unsigned char *p;
	size_t n;
	unsigned char fill;
};

FIXTURE(model) {
	struct heap *heap;
	struct slot slots[SLOTS];
	uint64_t seed;
	size_t bytes, blocks;
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

FIXTURE_SETUP(model)
{
	const char *seed = getenv("PRIVHEAP_SEED");

	self->seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
	TH_LOG("PRIVHEAP_SEED=%llu", (unsigned long long)self->seed);
	self->heap = unit_heap(0, variant->maximum, variant->flags);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(model)
{
	heap_destroy(self->heap);
}

/* Mostly small, now and then anything. */
static size_t random_size(uint64_t *seed, size_t largest)
{
	uint64_t r = unit_random(seed);

	switch (r & 31) {
	case 0:
		return (r >> 8) % (largest + 1);
	case 1 ... 4:
		return (r >> 8) % 9000;
	case 5:
		return 0;
	default:
		return (r >> 8) % 600;
	}
}

static bool slot_holds(const struct slot *slot, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slot->p[i] != slot->fill)
			return false;
	return true;
}

static void slot_fill(struct slot *slot, unsigned char *p, size_t n, uint64_t *seed)
{
	slot->p = p;
	slot->n = n;
	slot->fill = (unsigned char)unit_random(seed);
	memset(p, slot->fill, n);
}

static bool model_alloc(FIXTURE_DATA(model) *self, struct slot *slot, size_t n)
{
	static const size_t aligns[] = { 16, 16, 16, 16, 32, 64, 512, 4096, 16384 };
	size_t align = aligns[unit_random(&self->seed) % 9];
	bool zero = unit_random(&self->seed) & 1;
	struct slot new = { .n = n };
	int error;

	new.p = heap_alloc(self->heap, n, align, zero ? HEAP_F_ZERO : 0, &error);
	if (!new.p)
		return error == ENOMEM;
	if ((uintptr_t)new.p % align || (zero && !slot_holds(&new, n)))
		return false;
	slot_fill(slot, new.p, n, &self->seed);
	self->bytes += n;
	self->blocks++;
	return true;
}

static bool model_free(FIXTURE_DATA(model) *self, struct slot *slot)
{
	if (!slot_holds(slot, slot->n) || unit_size(self->heap, slot->p) != slot->n ||
	    heap_free(self->heap, slot->p) != HEAP_OK)
		return false;
	self->bytes -= slot->n;
	self->blocks--;
	slot->p = NULL;
	return true;
}

static bool model_realloc(FIXTURE_DATA(model) *self, struct slot *slot, size_t n)
{
	unsigned int flags = unit_random(&self->seed) & (HEAP_F_ZERO | HEAP_F_IN_PLACE);
	size_t kept = n < slot->n ? n : slot->n;
	struct slot new = { .fill = slot->fill };
	int error;

	if (heap_realloc(self->heap, slot->p, n, flags, (void **)&new.p, &error) != HEAP_OK)
		return false;
	if (!new.p)
		return error == ENOMEM && unit_size(self->heap, slot->p) == slot->n;
	if (!slot_holds(&new, kept) || (flags & HEAP_F_IN_PLACE && new.p != slot->p))
		return false;
	for (size_t i = kept; flags & HEAP_F_ZERO && i < n; i++)
		if (new.p[i])
			return false;
	self->bytes += n - slot->n;
	slot_fill(slot, new.p, n, &self->seed);
	return true;
}

static bool model_agrees(FIXTURE_DATA(model) *self)
{
	struct heap_stats stats = unit_stats(self->heap);

	return unit_sound(self->heap) && stats.allocated == self->bytes &&
	       stats.blocks == self->blocks && stats.committed <= stats.maximum;
}

TEST_F(model, random_operations)
{
	for (size_t i = 0; i < OPERATIONS; i++) {
		struct slot *slot = &self->slots[unit_random(&self->seed) % SLOTS];
		size_t n = random_size(&self->seed, variant->largest);

		if (!slot->p) {
			ASSERT_TRUE(model_alloc(self, slot, n)) TH_LOG("operation %zu", i);
		} else if (unit_random(&self->seed) % 3) {
			ASSERT_TRUE(model_free(self, slot)) TH_LOG("operation %zu", i);
		} else {
			ASSERT_TRUE(model_realloc(self, slot, n)) TH_LOG("operation %zu", i);
		}
		if (i % 2500 == 0) {
			ASSERT_TRUE(model_agrees(self)) TH_LOG("operation %zu", i);
		}
	}
	for (size_t i = 0; i < SLOTS; i++) {
		if (self->slots[i].p) {
			ASSERT_TRUE(model_free(self, &self->slots[i]));
		}
	}
	EXPECT_TRUE(model_agrees(self));
	EXPECT_EQ(0, self->blocks);
	/* Nothing is left behind: the whole maximum is one block again. */
	if (variant->maximum) {
		EXPECT_NE(NULL, unit_alloc(self->heap, variant->maximum));
	}
}

TEST_HARNESS_MAIN

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A model of a heap: what each block must hold, and what every call must answer. Its driver supplies
 * the choices: a seed (model.c) or a fuzzer (selftests/fuzz).
 *
 *	model_step	one call, chosen, on the heap and on the model; false: they disagree
 *	model_agrees	everything at once: figures, and the heap's own validation
 *	model_empty	all is freed, and the heap is as good as new
 *
 * Wrong calls are chosen too: they must be told as what they are and change nothing.
 */
#ifndef UNIT_MODEL_H
#define UNIT_MODEL_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "heap/block.h"
#include "heap/heap.h"
#include "heap/scan.h"
#include "heap/walk.h"

#define MODEL_SLOTS	600

struct model_slot {
	unsigned char *p;
	size_t n;
	unsigned char fill;
};

struct model {
	struct heap *heap;
	size_t largest;			/* block that is asked for */
	uint64_t (*choose)(void *source);
	void *source;

	struct model_slot slots[MODEL_SLOTS];
	size_t bytes, blocks;
	const char *wrong;		/* what they disagreed about */
	struct {
		size_t allocations, refusals, frees, resizes, wrong_calls, checks;
	} count;
};

static inline bool model_wrong(struct model *model, const char *what)
{
	model->wrong = what;
	return false;
}

/* Mostly small, now and then anything. */
static inline size_t model_bytes(struct model *model)
{
	uint64_t r = model->choose(model->source);

	switch (r & 31) {
	case 0:
		return (r >> 8) % (model->largest + 1);
	case 1 ... 4:
		return (r >> 8) % 9000;
	case 5:
		return 0;
	default:
		return (r >> 8) % 600;
	}
}

static inline bool slot_holds(const struct model_slot *slot, size_t n)
{
	return n == 0 || (slot->p[0] == slot->fill && memcmp(slot->p, slot->p + 1, n - 1) == 0);
}

static inline void slot_fill(struct model *model, struct model_slot *slot, unsigned char *p,
			     size_t n)
{
	slot->p = p;
	slot->n = n;
	slot->fill = (unsigned char)model->choose(model->source);
	memset(p, slot->fill, n);
}

static inline bool model_alloc(struct model *model, struct model_slot *slot)
{
	static const size_t aligns[] = { 16, 16, 16, 16, 32, 64, 512, 4096, 16384 };
	uint64_t r = model->choose(model->source);
	size_t align = aligns[(r >> 1) % 9], n = model_bytes(model);
	bool zero = r & 1;
	struct model_slot new = { .n = n };
	int error = 0;

	new.p = heap_alloc(model->heap, n, align, zero ? HEAP_F_ZERO : 0, &error);
	if (!new.p) {
		model->count.refusals++;
		return error == ENOMEM || model_wrong(model, "a refusal that is not ENOMEM");
	}
	if ((uintptr_t)new.p % align)
		return model_wrong(model, "a block that is not aligned");
	if (zero && !slot_holds(&new, n))
		return model_wrong(model, "a zeroed block that is not zero");
	slot_fill(model, slot, new.p, n);
	model->bytes += n;
	model->blocks++;
	model->count.allocations++;
	return true;
}

static inline bool model_holds(struct model *model, const struct model_slot *slot)
{
	size_t size;

	if (heap_size(model->heap, slot->p, &size) != HEAP_OK || size != slot->n)
		return model_wrong(model, "the size of a block");
	if (!slot_holds(slot, slot->n))
		return model_wrong(model, "the contents of a block");
	return true;
}

static inline bool model_free(struct model *model, struct model_slot *slot)
{
	size_t size;

	if (!model_holds(model, slot))
		return false;
	if (heap_free(model->heap, slot->p) != HEAP_OK)
		return model_wrong(model, "a block that is not freed");
	if (heap_size(model->heap, slot->p, &size) == HEAP_OK)
		return model_wrong(model, "the size of a freed block");
	model->bytes -= slot->n;
	model->blocks--;
	slot->p = NULL;
	model->count.frees++;
	return true;
}

static inline bool model_realloc(struct model *model, struct model_slot *slot)
{
	unsigned int flags = model->choose(model->source) & (HEAP_F_ZERO | HEAP_F_IN_PLACE);
	size_t n = model_bytes(model), kept = n < slot->n ? n : slot->n;
	struct model_slot new = { .fill = slot->fill };
	int error = 0;

	if (heap_realloc(model->heap, slot->p, n, flags, (void **)&new.p, &error) != HEAP_OK)
		return model_wrong(model, "a block that is not resized");
	model->count.resizes++;
	if (!new.p) {
		model->count.refusals++;
		return error == ENOMEM ? model_holds(model, slot) :
					 model_wrong(model, "a refusal that is not ENOMEM");
	}
	if (!slot_holds(&new, kept))
		return model_wrong(model, "the contents of a resized block");
	if (flags & HEAP_F_IN_PLACE && new.p != slot->p)
		return model_wrong(model, "a block that moved");
	for (size_t i = kept; flags & HEAP_F_ZERO && i < n; i++)
		if (new.p[i])
			return model_wrong(model, "a grown part that is not zero");
	model->bytes += n - slot->n;
	slot_fill(model, slot, new.p, n);
	return true;
}

/* Past the end there is a canary, where the block's size leaves room for one. */
__attribute__((no_sanitize("address")))
static inline bool model_overrun(struct model *model, struct model_slot *slot)
{
	unsigned char *past = slot->p + slot->n, was = *past;
	enum heap_fault fault, resize;
	int error;
	void *p;

	*past ^= 1 + model->choose(model->source) % 255;
	fault = heap_free(model->heap, slot->p);
	resize = heap_realloc(model->heap, slot->p, slot->n + 1, 0, &p, &error);
	*past = was;
	return (fault == HEAP_OVERRUN && resize == HEAP_OVERRUN) ||
	       model_wrong(model, "an overrun that is not told");
}

/* A call that no program should make. */
static inline bool model_wrong_call(struct model *model, struct model_slot *slot)
{
	uint64_t r = model->choose(model->source);
	struct model_slot gone = *slot;
	char elsewhere[32];
	void *p = elsewhere;
	enum heap_fault told;

	model->count.wrong_calls++;
	switch (r & 3) {
	case 0:
		if (!model_free(model, slot))
			return false;
		told = heap_free(model->heap, gone.p);
		return (told != HEAP_OK && told != HEAP_OVERRUN) ||
		       model_wrong(model, "a double free that is not told");
	case 1:
		/* The second byte is inside the smallest block, too. */
		p = gone.p + 1 + (gone.n > 1 ? (r >> 8) % (gone.n - 1) : 0);
		told = heap_free(model->heap, p);
		return told != HEAP_OK || model_wrong(model, "an interior pointer that is not told");
	case 2:
		told = heap_free(model->heap, p);
		return told == HEAP_FOREIGN || model_wrong(model, "a foreign pointer");
	default:
		/* Sizes of which no class, and no page, is a multiple: there is room behind. */
		return gone.n % 16 == 0 || model_overrun(model, slot);
	}
}

static inline bool model_step(struct model *model)
{
	uint64_t r = model->choose(model->source);
	struct model_slot *slot = &model->slots[(r >> 16) % MODEL_SLOTS];

	if (!slot->p)
		return model_alloc(model, slot);
	switch (r % 32) {
	case 0:
		return model_wrong_call(model, slot);
	case 1 ... 10:
		return model_realloc(model, slot);
	default:
		return model_free(model, slot);
	}
}

static inline bool model_agrees(struct model *model)
{
	struct heap_stats stats;
	const void *bad;

	model->count.checks++;
	if (heap_validate(model->heap, NULL, &bad) != HEAP_OK)
		return model_wrong(model, "a heap that is not sound");
	heap_stats(model->heap, &stats);
	if (stats.allocated != model->bytes || stats.blocks != model->blocks)
		return model_wrong(model, "figures");
	return stats.committed <= stats.maximum || model_wrong(model, "more than the maximum");
}

/* With a maximum: nothing is left behind, the whole of it is one block again. */
static inline bool model_empty(struct model *model, size_t maximum)
{
	int error;

	for (size_t i = 0; i < MODEL_SLOTS; i++)
		if (model->slots[i].p && !model_free(model, &model->slots[i]))
			return false;
	if (!model_agrees(model))
		return false;
	return model->blocks == 0 && (!maximum || heap_alloc(model->heap, maximum, 16, 0, &error)) ?
	       true : model_wrong(model, "an empty heap that is not whole");
}

#endif

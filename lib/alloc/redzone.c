// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Red zones and fills of a checked heap's slabs (see redzone.h).
 */
#include <string.h>
#include "os/annotate.h"
#include "alloc/redzone.h"

#define CHECK_NEW	0xBAADF00DU
#define CHECK_FREED	0xFEEEFEEEU

static unsigned char tail_byte(const struct heap *heap)
{
	return (unsigned char)heap->canary[0];
}

static bool bytes_are(const char *p, unsigned char byte, size_t n)
{
	while (n--)
		if ((unsigned char)*p++ != byte)
			return false;
	return true;
}

/* p is 16-aligned; n need not be. */
static void pattern_put(char *p, uint32_t pattern, size_t n)
{
	size_t i;

	for (i = 0; i + sizeof(pattern) <= n; i += sizeof(pattern))
		memcpy(p + i, &pattern, sizeof(pattern));
	memcpy(p + i, &pattern, n - i);
}

static bool pattern_intact(const char *p, uint32_t pattern, size_t n)
{
	size_t i;

	for (i = 0; i + sizeof(pattern) <= n; i += sizeof(pattern))
		if (memcmp(p + i, &pattern, sizeof(pattern)))
			return false;
	return memcmp(p + i, &pattern, n - i) == 0;
}

/* The pattern's place does not depend on from. */
void fill_new(char *p, size_t from, size_t n, unsigned int flags)
{
	size_t aligned = (from + 3) & ~(size_t)3;

	if (from >= n)
		return;
	if (flags & HEAP_F_ZERO) {
		memset(p + from, 0, n - from);
		return;
	}
	if (aligned > n)
		aligned = n;
	memset(p + from, 0xad, aligned - from);
	pattern_put(p + aligned, CHECK_NEW, n - aligned);
}

struct redzone redzone_block(struct slab *slab, const void *p)
{
	struct redzone block = { .slab = slab, .size = slab->size };

	block.i = (uint32_t)((size_t)((const char *)p - slab_base(slab)) / slab->size);
	block.p = slab_base(slab) + (size_t)block.i * slab->size;
	return block;
}

enum heap_fault redzone_find(struct heap *heap, const void *p, struct redzone *block)
{
	enum heap_fault fault = ptr_to_block(heap, p, &block->slab, &block->i);

	if (fault == HEAP_OK && block->slab)
		*block = redzone_block(block->slab, p);
	return fault;
}

/* How many of the bytes before the block are a tail for certain: a full block may have none. */
static size_t redzone_before(const struct redzone *block)
{
	size_t slack;

	if (block->i == 0 || slab_is_free(block->slab, block->i - 1))
		return REDZONE_BYTES;
	slack = slab_slack(block->slab, block->i - 1);
	return slack < REDZONE_BYTES ? slack : REDZONE_BYTES;
}

void redzone_unpoison(const struct redzone *block)
{
	annotate_unpoison(block->p - REDZONE_BYTES, block->size + REDZONE_BYTES);
}

void redzone_poison(const struct redzone *block, size_t n)
{
	size_t before = redzone_before(block);

	annotate_poison(block->p - before, before);
	annotate_poison(block->p + n, block->size - n);
}

enum heap_fault redzone_intact(const struct heap *heap, const struct redzone *block)
{
	size_t before = redzone_before(block), slack = slab_slack(block->slab, block->i);
	unsigned char tail = tail_byte(heap);

	if (!bytes_are(block->p + block->size - slack, tail, slack))
		return HEAP_OVERRUN;
	return bytes_are(block->p - before, tail, before) ? HEAP_OK : HEAP_UNDERRUN;
}

bool redzone_still_filled(const struct heap *heap, const struct redzone *block, size_t n)
{
	return !(heap->flags & HEAP_F_CHECK_FREE) || pattern_intact(block->p, CHECK_FREED, n);
}

void redzone_fill(const struct heap *heap, const struct redzone *block)
{
	size_t n = block->size - REDZONE_BYTES;

	if (heap->flags & HEAP_F_CHECK_FREE)
		pattern_put(block->p, CHECK_FREED, n);
	memset(block->p + n, tail_byte(heap), REDZONE_BYTES);
}

void redzone_resize(struct heap *heap, const struct redzone *block, size_t old, size_t n,
			unsigned int flags)
{
	fill_new(block->p, old, n, flags);
	memset(block->p + n, tail_byte(heap), block->size - n);
	slab_set_slack(block->slab, block->i, block->size - n);
}

void redzone_slab_made(struct heap *heap, struct slab *slab)
{
	char *first = slab_base(slab);
	struct redzone block;

	annotate_quiet();
	annotate_unpoison(first - REDZONE_BYTES, slab->bytes + REDZONE_BYTES);
	memset(first - REDZONE_BYTES, tail_byte(heap), REDZONE_BYTES);
	for (uint32_t at = 0; at < slab->bytes; at += slab->size) {
		block = redzone_block(slab, first + at);
		redzone_fill(heap, &block);
	}
	annotate_poison(first - REDZONE_BYTES, slab->bytes + REDZONE_BYTES);
	annotate_loud();
}

void redzone_slab_gone(struct heap *heap, struct slab *slab)
{
	(void)heap;
	annotate_unpoison(slab_base(slab) - REDZONE_BYTES, slab->bytes + REDZONE_BYTES);
}

enum heap_fault redzone_check_slab(struct heap *heap, struct slab *slab, const void **bad)
{
	enum heap_fault fault = HEAP_OK;
	bool live;

	annotate_quiet();
	for (uint32_t i = 0; i < slab_blocks(slab) && fault == HEAP_OK; i++) {
		struct redzone block = redzone_block(slab, slab_base(slab) +
						     (size_t)i * slab->size);

		*bad = block.p;
		live = !slab_is_free(slab, i);
		redzone_unpoison(&block);
		if (live)
			fault = redzone_intact(heap, &block);
		else if (!redzone_still_filled(heap, &block, block.size - REDZONE_BYTES))
			fault = HEAP_USE_AFTER_FREE;
		redzone_poison(&block, live ? block.size - slab_slack(slab, i) : 0);
	}
	annotate_loud();
	return fault;
}

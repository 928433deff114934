// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Blocks of the slabs of a checked heap (see redzone.h).
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

struct spot spot_at(struct slab *slab, const void *p)
{
	struct spot spot = { .slab = slab, .size = slab->size };

	spot.i = (uint32_t)((size_t)((const char *)p - slab_base(slab)) / slab->size);
	spot.p = slab_base(slab) + (size_t)spot.i * slab->size;
	return spot;
}

enum heap_fault spot_find(struct heap *heap, const void *p, struct spot *spot)
{
	enum heap_fault fault = ptr_to_block(heap, p, &spot->slab, &spot->i);

	if (fault == HEAP_OK && spot->slab)
		*spot = spot_at(spot->slab, p);
	return fault;
}

/* How many of the bytes before the block are a tail for certain: a full block may have none. */
static size_t spot_before(const struct spot *spot)
{
	size_t slack;

	if (spot->i == 0 || slab_is_free(spot->slab, spot->i - 1))
		return CHECK_TAIL_BYTES;
	slack = slab_slack(spot->slab, spot->i - 1);
	return slack < CHECK_TAIL_BYTES ? slack : CHECK_TAIL_BYTES;
}

void spot_show(const struct spot *spot)
{
	annotate_show(spot->p - CHECK_TAIL_BYTES, spot->size + CHECK_TAIL_BYTES);
}

void spot_hide(const struct spot *spot, size_t n)
{
	size_t before = spot_before(spot);

	annotate_hide(spot->p - before, before);
	annotate_hide(spot->p + n, spot->size - n);
}

enum heap_fault spot_intact(const struct heap *heap, const struct spot *spot)
{
	size_t before = spot_before(spot), slack = slab_slack(spot->slab, spot->i);
	unsigned char tail = tail_byte(heap);

	if (!bytes_are(spot->p + spot->size - slack, tail, slack))
		return HEAP_OVERRUN;
	return bytes_are(spot->p - before, tail, before) ? HEAP_OK : HEAP_UNDERRUN;
}

bool spot_untouched(const struct heap *heap, const struct spot *spot, size_t n)
{
	return !(heap->flags & HEAP_F_CHECK_FREE) || pattern_intact(spot->p, CHECK_FREED, n);
}

void spot_wipe(const struct heap *heap, const struct spot *spot)
{
	size_t n = spot->size - CHECK_TAIL_BYTES;

	if (heap->flags & HEAP_F_CHECK_FREE)
		pattern_put(spot->p, CHECK_FREED, n);
	memset(spot->p + n, tail_byte(heap), CHECK_TAIL_BYTES);
}

void spot_resize(struct heap *heap, const struct spot *spot, size_t old, size_t n,
			unsigned int flags)
{
	fill_new(spot->p, old, n, flags);
	memset(spot->p + n, tail_byte(heap), spot->size - n);
	slab_set_slack(spot->slab, spot->i, spot->size - n);
}

void check_slab_made(struct heap *heap, struct slab *slab)
{
	char *first = slab_base(slab);
	struct spot spot;

	annotate_quiet();
	annotate_show(first - CHECK_TAIL_BYTES, slab->bytes + CHECK_TAIL_BYTES);
	memset(first - CHECK_TAIL_BYTES, tail_byte(heap), CHECK_TAIL_BYTES);
	for (uint32_t at = 0; at < slab->bytes; at += slab->size) {
		spot = spot_at(slab, first + at);
		spot_wipe(heap, &spot);
	}
	annotate_hide(first - CHECK_TAIL_BYTES, slab->bytes + CHECK_TAIL_BYTES);
	annotate_loud();
}

void check_slab_gone(struct heap *heap, struct slab *slab)
{
	(void)heap;
	annotate_show(slab_base(slab) - CHECK_TAIL_BYTES, slab->bytes + CHECK_TAIL_BYTES);
}

enum heap_fault check_slab(struct heap *heap, struct slab *slab, const void **bad)
{
	enum heap_fault fault = HEAP_OK;
	bool live;

	annotate_quiet();
	for (uint32_t i = 0; i < slab_blocks(slab) && fault == HEAP_OK; i++) {
		struct spot spot = spot_at(slab, slab_base(slab) + (size_t)i * slab->size);

		*bad = spot.p;
		live = !slab_is_free(slab, i);
		spot_show(&spot);
		if (live)
			fault = spot_intact(heap, &spot);
		else if (!spot_untouched(heap, &spot, spot.size - CHECK_TAIL_BYTES))
			fault = HEAP_STALE;
		spot_hide(&spot, live ? spot.size - slab_slack(slab, i) : 0);
	}
	annotate_loud();
	return fault;
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The native API, heaps as a whole: figures, walk, trim, lock, handler, quotas. Thin wrappers as in
 * native.c.
 */
#define _GNU_SOURCE
#include "api/native.h"

#include <string.h>

#include "api/oom.h"
#include "heap/heap.h"
#include "heap/scan.h"
#include "heap/user_lock.h"
#include "heap/walk.h"
#include "os/backend_default.h"

/* The structures as first released: the least that a program can pass. */
#define STATS_SIZE_0	offsetof(struct privheap_stats, high_water)
#define ITEM_SIZE_0	sizeof(struct privheap_item)
#define QUOTA_SIZE_0	sizeof(struct privheap_quota_info)

/* What the program knows of the structure, but for .size, its first member. */
static void give(void *to, const void *from, size_t known, size_t size)
{
	size_t first = sizeof(size_t), end = size < known ? size : known;

	memcpy((char *)to + first, (const char *)from + first, end - first);
}

int privheap_stats(privheap_t *handle, struct privheap_stats *stats)
{
	struct heap *heap = heap_hold(handle);
	struct privheap_stats out;
	struct heap_stats now;
	int error = -EINVAL;

	if (!heap)
		return result(-EINVAL);
	if (stats->size >= STATS_SIZE_0)
		error = heap_stats(heap, &now);
	heap_drop(heap);
	if (error)
		return result(error);
	out = (struct privheap_stats){
		.maximum = now.maximum,
		.committed = now.committed,
		.allocated = now.allocated,
		.blocks = now.blocks,
		.high_water = now.high_water,
		.metadata = now.metadata,
	};
	give(stats, &out, sizeof(out), stats->size);
	return 0;
}

static const enum heap_item_kind kinds[] = {
	[PRIVHEAP_ITEM_REGION] = HEAP_ITEM_REGION,
	[PRIVHEAP_ITEM_BLOCK] = HEAP_ITEM_BLOCK,
	[PRIVHEAP_ITEM_FREE] = HEAP_ITEM_FREE,
	[PRIVHEAP_ITEM_UNCOMMITTED] = HEAP_ITEM_UNCOMMITTED,
};

#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

int privheap_walk(privheap_t *handle, struct privheap_item *item)
{
	struct heap_item next;
	struct heap *heap;
	int error;

	if (item->size < ITEM_SIZE_0 || (unsigned int)item->kind >= KINDS)
		return result(-EINVAL);
	heap = heap_hold(handle);
	if (!heap)
		return result(-EINVAL);
	next = (struct heap_item){ .start = item->start, .kind = kinds[item->kind] };
	error = heap_walk(heap, &next);
	heap_drop(heap);
	if (error <= 0)
		return result(error);
	item->start = next.start;
	item->bytes = next.bytes;
	item->beyond = next.beyond;
	for (unsigned int kind = 0; kind < KINDS; kind++)
		if (kinds[kind] == next.kind)
			item->kind = (enum privheap_item_kind)kind;
	return 1;
}

size_t privheap_trim(privheap_t *handle)
{
	struct heap *heap = heap_hold(handle);
	size_t largest;

	if (!heap) {
		errno = EINVAL;
		return 0;
	}
	largest = heap_compact(heap);
	heap_drop(heap);
	return largest;
}

/* 0 or -1 with errno, and drops the heap. */
static int dropped(struct heap *heap, int error)
{
	heap_drop(heap);
	return result(error);
}

int privheap_lock(privheap_t *handle)
{
	struct heap *heap = heap_hold(handle);

	return heap ? dropped(heap, heap_user_lock(heap)) : result(-EINVAL);
}

int privheap_unlock(privheap_t *handle)
{
	struct heap *heap = heap_hold(handle);

	return heap ? dropped(heap, heap_user_unlock(heap)) : result(-EINVAL);
}

int privheap_set_oom_handler(privheap_t *handle, privheap_oom_handler *function, void *argument)
{
	struct heap *heap = heap_hold(handle);

	return heap ? dropped(heap, oom_set(heap, function, argument)) : result(-EINVAL);
}

int privheap_quota_get(uint32_t scope, uint32_t id, struct privheap_quota_info *info)
{
	const struct backend *backend = backend_default();
	struct backend_quota now;
	int error;

	if (!backend || info->size < QUOTA_SIZE_0)
		return result(-EINVAL);
	error = backend->quota_get(scope, id, &now);
	if (error)
		return result(error);
	info->limit = now.limit;
	info->used = now.used;
	info->peak = now.peak;
	info->denied = now.denied;
	info->heaps = now.heaps;
	info->heaps_limit = now.heaps_limit;
	return 0;
}

int privheap_quota_set(uint32_t scope, uint32_t id, uint64_t limit)
{
	const struct backend *backend = backend_default();

	return result(backend ? backend->quota_set(scope, id, limit) : -EINVAL);
}

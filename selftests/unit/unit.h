/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the library's unit tests share: heaps on anonymous memory, made or the test fails. */
#ifndef UNIT_H
#define UNIT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "heap/block.h"
#include "heap/heap.h"
#include "heap/registry.h"
#include "heap/scan.h"
#include "heap/user_lock.h"
#include "heap/walk.h"
#include "os/backend_anon.h"
#include "kselftest_harness.h"

/* The harness's 30 seconds are few on a machine that does much else. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define KIB(n)		((size_t)(n) << 10)
#define MIB(n)		((size_t)(n) << 20)
#define UNIT_PAGE	((size_t)4096)

static inline struct heap *unit_heap(size_t initial, size_t maximum, unsigned int flags)
{
	struct heap_attr attr = {
		.initial = initial, .maximum = maximum, .flags = flags, .backend = &backend_anon,
	};
	struct heap *heap = NULL;
	int error = heap_create(&attr, &heap);

	if (error)
		fprintf(stderr, "# heap_create: %s\n", strerror(-error));
	return error ? NULL : heap;
}

static inline void *unit_alloc(struct heap *heap, size_t n)
{
	int error;

	return heap_alloc(heap, n, 16, 0, &error);
}

static inline bool unit_sound(struct heap *heap)
{
	const void *bad;
	enum heap_fault fault = heap_validate(heap, NULL, &bad);

	if (fault != HEAP_OK)
		fprintf(stderr, "# heap_validate: fault %d at %p\n", fault, bad);
	return fault == HEAP_OK;
}

static inline size_t unit_size(struct heap *heap, const void *p)
{
	size_t size;

	return heap_size(heap, p, &size) == HEAP_OK ? size : SIZE_MAX;
}

static inline struct heap_stats unit_stats(struct heap *heap)
{
	struct heap_stats stats;

	heap_stats(heap, &stats);
	return stats;
}

static inline uint64_t unit_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif

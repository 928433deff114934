/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A crowd: eight threads at random work on a hundred heaps, which some of them destroy and make
 * anew meanwhile. Each heap has places for blocks, which any thread fills, empties and changes.
 *
 *	place ──▶ | bytes | what every byte behind is | … |
 *
 * A thread that works on a heap holds its lock for reading, who destroys it for writing.
 */
#ifndef SELFTESTS_LIB_CROWD_H
#define SELFTESTS_LIB_CROWD_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "common.h"
#include "heapapi.h"

#define CROWD_THREADS	8
#define CROWD_HEAPS	100
#define CROWD_PLACES	64

struct crowd_block {
	uint64_t bytes, mark;
};

struct crowd_heap {
	pthread_rwlock_t lock;
	HANDLE heap;			/* NULL: there was no memory for one */
	_Atomic(struct crowd_block *) places[CROWD_PLACES];
};

struct crowd {
	struct crowd_heap heaps[CROWD_HEAPS];
	pthread_t threads[CROWD_THREADS];
	atomic_bool over;
	atomic_int numbers;
	atomic_ullong steps, lives, refused, wrong;
	uint64_t seed;
	void (*before)(uint64_t random);	/* each thread, now and then; or NULL */
};

static inline uint64_t crowd_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1d;
}

static inline void crowd_expect(struct crowd *crowd, bool right, const char *what)
{
	if (!right && atomic_fetch_add(&crowd->wrong, 1) < 10)
		fprintf(stderr, "# wrong: %s\n", what);
}

#define CROWD_EXPECT(crowd, condition)	crowd_expect(crowd, condition, #condition)

/* Mostly small, sometimes a page, seldom 100 KiB. */
static inline size_t crowd_size(uint64_t r)
{
	size_t n = r % 16 ? r >> 8 & 0x1ff : r % 256 ? r >> 8 & 0x1fff : (r >> 8) % 100000;

	return sizeof(struct crowd_block) + n;
}

static inline void crowd_fill(struct crowd_block *block, size_t n, uint64_t mark)
{
	block->bytes = n;
	block->mark = mark;
	memset(block + 1, (int)mark, n - sizeof(*block));
}

/* True if the first n bytes are as they were written. */
static inline bool crowd_whole(const struct crowd_block *block, size_t n)
{
	return all_bytes(block + 1, (int)block->mark, n - sizeof(*block));
}

static inline struct crowd_block *crowd_alloc(struct crowd *crowd, HANDLE heap, uint64_t *state)
{
	size_t n = crowd_size(crowd_random(state));
	struct crowd_block *block = HeapAlloc(heap, 0, n);

	if (block)
		crowd_fill(block, n, crowd_random(state));
	else
		crowd->refused++;
	return block;
}

static inline void crowd_free(struct crowd *crowd, HANDLE heap, struct crowd_block *block)
{
	if (!block)
		return;
	CROWD_EXPECT(crowd, HeapSize(heap, 0, block) == block->bytes);
	CROWD_EXPECT(crowd, crowd_whole(block, block->bytes));
	CROWD_EXPECT(crowd, HeapFree(heap, 0, block));
}

static inline struct crowd_block *crowd_resize(struct crowd *crowd, HANDLE heap, uint64_t *state,
					       struct crowd_block *block)
{
	size_t n = crowd_size(crowd_random(state)), kept;
	struct crowd_block *moved;

	if (!block)
		return NULL;
	kept = n < block->bytes ? n : block->bytes;
	moved = HeapReAlloc(heap, 0, block, n);
	if (!moved) {
		crowd->refused++;
		return block;
	}
	CROWD_EXPECT(crowd, crowd_whole(moved, kept));
	crowd_fill(moved, n, crowd_random(state));
	return moved;
}

/* Whoever has the heap's lock for writing: it holds the places' blocks and nothing else. */
static inline void crowd_count(struct crowd *crowd, struct crowd_heap *own)
{
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	size_t bytes = 0, blocks = 0, met = 0;
	int i;

	for (i = 0; i < CROWD_PLACES; i++) {
		struct crowd_block *block = own->places[i];

		bytes += block ? block->bytes : 0;
		blocks += !!block;
	}
	while (HeapWalk(own->heap, &entry))
		met += entry.wFlags == PROCESS_HEAP_ENTRY_BUSY;
	CROWD_EXPECT(crowd, GetLastError() == ERROR_NO_MORE_ITEMS);
	CROWD_EXPECT(crowd, met == blocks);
	CROWD_EXPECT(crowd, HeapSummary(own->heap, 0, &summary));
	CROWD_EXPECT(crowd, summary.cbAllocated == bytes);
	CROWD_EXPECT(crowd, HeapValidate(own->heap, 0, NULL));
}

static inline void crowd_destroy(struct crowd *crowd, struct crowd_heap *own)
{
	int i;

	if (!own->heap)
		return;
	crowd_count(crowd, own);
	for (i = 0; i < CROWD_PLACES; i++)
		own->places[i] = NULL;
	CROWD_EXPECT(crowd, HeapDestroy(own->heap));
	own->heap = NULL;
	crowd->lives++;
}

static inline void crowd_create(struct crowd *crowd, struct crowd_heap *own, uint64_t r)
{
	static const size_t maxima[] = { 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 0 };
	DWORD options = r % 8 ? 0 : HEAP_TAIL_CHECKING_ENABLED | HEAP_FREE_CHECKING_ENABLED;

	own->heap = HeapCreate(options, 0, maxima[(r >> 8) % COUNT(maxima)]);
	if (!own->heap)
		crowd->refused++;
}

static inline void crowd_step(struct crowd *crowd, struct crowd_heap *own, uint64_t *state)
{
	uint64_t r = crowd_random(state);
	_Atomic(struct crowd_block *) *place = &own->places[(r >> 32) % CROWD_PLACES];
	struct crowd_block *block = NULL, *next;

	switch (r % 8) {
	case 0:			/* resize: nobody else may have it meanwhile */
		block = atomic_exchange(place, NULL);
		block = crowd_resize(crowd, own->heap, state, block);
		break;
	case 1: case 2: case 3:	/* only free */
		break;
	default:
		block = crowd_alloc(crowd, own->heap, state);
	}
	next = atomic_exchange(place, block);
	crowd_free(crowd, own->heap, next);
	if (r >> 48 == 0)
		CROWD_EXPECT(crowd, HeapValidate(own->heap, 0, NULL));
	else if (r >> 48 == 1)
		HeapCompact(own->heap, 0);
}

static void *crowd_work(void *argument)
{
	struct crowd *crowd = argument;
	uint64_t state = (crowd->seed + 1) * 0x9e3779b97f4a7c15 + ++crowd->numbers;
	int i;

	while (!crowd->over) {
		uint64_t r = crowd_random(&state);
		struct crowd_heap *own = &crowd->heaps[(r >> 32) % CROWD_HEAPS];

		if (crowd->before)
			crowd->before(r);
		if (r % 256 == 0) {
			pthread_rwlock_wrlock(&own->lock);
			crowd_destroy(crowd, own);
			crowd_create(crowd, own, crowd_random(&state));
			pthread_rwlock_unlock(&own->lock);
		}
		pthread_rwlock_rdlock(&own->lock);
		for (i = 0; i < 64 && own->heap; i++)
			crowd_step(crowd, own, &state);
		pthread_rwlock_unlock(&own->lock);
		crowd->steps += i;
	}
	return NULL;
}

/* SEED in the environment: the same random numbers; how threads meet is up to the machine. */
static inline bool crowd_start(struct crowd *crowd)
{
	const char *seed = getenv("SEED");
	int i;

	crowd->seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	for (i = 0; i < CROWD_HEAPS; i++) {
		if (pthread_rwlock_init(&crowd->heaps[i].lock, NULL))
			return false;
		crowd_create(crowd, &crowd->heaps[i], (uint64_t)i * 0x101);
	}
	for (i = 0; i < CROWD_THREADS; i++)
		if (pthread_create(&crowd->threads[i], NULL, crowd_work, crowd))
			return false;
	return true;
}

/* All at rest, once some heaps have come and gone; then all destroyed. False: something was wrong. */
static inline bool crowd_finish(struct crowd *crowd)
{
	int i;

	while (crowd->lives < CROWD_THREADS)
		usleep(1000);
	crowd->over = true;
	for (i = 0; i < CROWD_THREADS; i++)
		pthread_join(crowd->threads[i], NULL);
	for (i = 0; i < CROWD_HEAPS; i++)
		crowd_destroy(crowd, &crowd->heaps[i]);
	fprintf(stderr, "# %llu steps, %llu heaps, %llu requests refused, seed %llu\n",
	       (unsigned long long)crowd->steps, (unsigned long long)crowd->lives,
	       (unsigned long long)crowd->refused, (unsigned long long)crowd->seed);
	return !crowd->wrong;
}

#endif

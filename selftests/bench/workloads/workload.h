/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Workloads in the manner of well-known allocator benchmarks, written for a heap: players, a
 * thread each, use one heap until their work is done. What they do depends on their seeds alone,
 * not on the subject.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "alloc.h"

#define PLAYERS		4
#define BLOCK_MIN	16	/* a block holds its size while it lives */

struct player {
	_Alignas(64) ptrdiff_t live;	/* bytes got less bytes put, by this player */
	subject_heap heap;
	uint64_t random;
	unsigned int index, calls;
};

struct workload {
	const char *name;
	int players;
	void (*play)(struct player *player);
};

extern const struct workload larson, mstress, rptest, alloc_test, xmalloc_test;

/* A block of n >= BLOCK_MIN bytes, every page of it written. */
void *play_get(struct player *player, size_t n);
void play_put(struct player *player, void *p);
/* The block with its first bytes kept. */
void *play_resize(struct player *player, void *p, size_t n);

/* Goes on as a new thread of the same player, and waits for its end. */
void play_on_in_new_thread(struct player *player, void (*play)(struct player *player));

static inline size_t play_random(struct player *player, size_t below)
{
	return (next_random(&player->random) >> 16) % below;
}

#endif

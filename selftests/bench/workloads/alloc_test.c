// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * One thread, blocks whose sizes and lives vary as in real programs, after alloc-test (ITHare): the
 * slots in use move slowly through a table, and small sizes are far more frequent than large ones.
 */
#include "workload.h"

#define SLOTS		(1 << 17)
#define CALLS		6000000
#define WINDOW		(SLOTS / 2)

static void *blocks[SLOTS];

static size_t block_bytes(struct player *player)
{
	size_t order = (size_t)__builtin_ctzll(next_random(&player->random) | 1 << 9);

	return BLOCK_MIN + play_random(player, (size_t)32 << order);
}

static void play(struct player *player)
{
	for (size_t i = 0; i < CALLS; i++) {
		size_t at = (i / 16 + play_random(player, WINDOW)) % SLOTS;

		if (blocks[at]) {
			play_put(player, blocks[at]);
			blocks[at] = NULL;
		} else {
			blocks[at] = play_get(player, block_bytes(player));
		}
	}
}

const struct workload alloc_test = { .name = "alloc-test", .players = 1, .play = play };

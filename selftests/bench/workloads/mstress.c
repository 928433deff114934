// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Objects of many sizes that are kept, dropped and passed around, after mimalloc's mstress: a few
 * are large, some are kept to the end, and any may end up with another player, who puts it.
 */
#include "workload.h"

#define CALLS		600000
#define KEPT		20000
#define PASSED		2048

static void *kept[PLAYERS][KEPT];
static void *passed[PASSED];

/* Powers of two are likelier the smaller they are; one in 500 is large. */
static size_t object_bytes(struct player *player)
{
	size_t n = (size_t)BLOCK_MIN << __builtin_ctzll(next_random(&player->random) | 64);

	if (play_random(player, 500) == 0)
		n += play_random(player, 64 * KIB);
	return n + play_random(player, n);
}

static void play(struct player *player)
{
	void **mine = kept[player->index];

	for (int i = 0; i < CALLS; i++) {
		void **slot = &mine[play_random(player, KEPT)];
		size_t what = play_random(player, 8);
		void *p;

		if (what == 0) {
			p = __atomic_exchange_n(&passed[play_random(player, PASSED)], *slot,
						__ATOMIC_ACQ_REL);
			*slot = p;
			continue;
		}
		if (*slot && what < 5) {
			play_put(player, *slot);
			*slot = NULL;
		} else if (!*slot) {
			*slot = play_get(player, object_bytes(player));
		}
	}
	for (int i = 0; i < KEPT; i++)
		if (mine[i])
			play_put(player, mine[i]);
}

const struct workload mstress = { .name = "mstress", .players = PLAYERS, .play = play };

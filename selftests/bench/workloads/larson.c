// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A server whose threads come and go, after larson (Larson and Krishnan, 1998): each player
 * replaces random ones of its blocks, and after a while ends and leaves them to a new thread.
 */
#include "workload.h"

#define SLOTS		20000
#define ROUNDS		30
#define PER_ROUND	40000

static void *blocks[PLAYERS][SLOTS];

static void serve(struct player *player)
{
	void **mine = blocks[player->index];

	for (int i = 0; i < PER_ROUND; i++) {
		void **slot = &mine[play_random(player, SLOTS)];

		play_put(player, *slot);
		*slot = play_get(player, BLOCK_MIN + play_random(player, 500));
	}
}

static void play(struct player *player)
{
	void **mine = blocks[player->index];

	for (int i = 0; i < SLOTS; i++)
		mine[i] = play_get(player, BLOCK_MIN + play_random(player, 500));
	for (int i = 0; i < ROUNDS; i++)
		play_on_in_new_thread(player, serve);
}

const struct workload larson = { .name = "larson", .players = PLAYERS, .play = play };

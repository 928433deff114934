// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Bursts of sizes spread evenly up to 16 KiB, resized now and then, after rpmalloc's benchmark:
 * each player puts its oldest blocks in bulk, every other bulk in the place of its neighbour.
 */
#include "workload.h"

#define BLOCKS		1500
#define BULK		100
#define BULKS		2000
#define LARGEST		(16 * KIB)

static void *blocks[PLAYERS][BLOCKS];
static void *handed[PLAYERS][BULK];
static int full[PLAYERS];

/* Puts what the neighbour handed over. */
static void put_handed(struct player *player)
{
	unsigned int from = (player->index + 1) % PLAYERS;

	if (__atomic_load_n(&full[from], __ATOMIC_ACQUIRE) == 0)
		return;
	for (int i = 0; i < BULK; i++)
		play_put(player, handed[from][i]);
	__atomic_store_n(&full[from], 0, __ATOMIC_RELEASE);
}

static void replace(struct player *player, void **bulk)
{
	int *mine = &full[player->index];
	int hand = play_random(player, 2) && !__atomic_load_n(mine, __ATOMIC_ACQUIRE);

	for (int i = 0; i < BULK; i++) {
		if (bulk[i] && hand)
			handed[player->index][i] = bulk[i];
		else if (bulk[i])
			play_put(player, bulk[i]);
	}
	if (hand && bulk[0])
		__atomic_store_n(mine, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < BULK; i++) {
		bulk[i] = play_get(player, BLOCK_MIN + play_random(player, LARGEST));
		if (play_random(player, 16) == 0)
			bulk[i] = play_resize(player, bulk[i],
					      BLOCK_MIN + play_random(player, LARGEST));
	}
}

static void play(struct player *player)
{
	for (int i = 0; i < BULKS; i++) {
		replace(player, &blocks[player->index][i * BULK % BLOCKS]);
		put_handed(player);
	}
}

const struct workload rptest = { .name = "rptest", .players = PLAYERS, .play = play };

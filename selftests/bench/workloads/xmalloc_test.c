// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Half of the players only get, the others only put, after xmalloc-test (Lever and Boreham): every
 * block is put by another thread than the one that got it.
 */
#include <sched.h>
#include "workload.h"

#define BATCH		256
#define BATCHES		4000
#define QUEUE		64

struct batch {
	void *blocks[BATCH];
};

static struct {
	pthread_mutex_t lock;
	struct batch batches[QUEUE];
	int count, ended;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* False: the queue is full, or empty. */
static int queue_push(const struct batch *batch)
{
	int room;

	pthread_mutex_lock(&queue.lock);
	room = queue.count < QUEUE;
	if (room)
		queue.batches[queue.count++] = *batch;
	pthread_mutex_unlock(&queue.lock);
	return room;
}

static int queue_pop(struct batch *batch, int *ended)
{
	int any;

	pthread_mutex_lock(&queue.lock);
	any = queue.count > 0;
	if (any)
		*batch = queue.batches[--queue.count];
	*ended = queue.ended == PLAYERS / 2;
	pthread_mutex_unlock(&queue.lock);
	return any;
}

static void produce(struct player *player)
{
	struct batch batch;

	for (int i = 0; i < BATCHES; i++) {
		for (int k = 0; k < BATCH; k++)
			batch.blocks[k] = play_get(player, BLOCK_MIN + play_random(player, 1000));
		while (!queue_push(&batch))
			sched_yield();
	}
	pthread_mutex_lock(&queue.lock);
	queue.ended++;
	pthread_mutex_unlock(&queue.lock);
}

static void consume(struct player *player)
{
	struct batch batch;
	int ended = 0;

	for (;;) {
		if (queue_pop(&batch, &ended)) {
			for (int k = 0; k < BATCH; k++)
				play_put(player, batch.blocks[k]);
		} else if (ended) {
			return;
		} else {
			sched_yield();
		}
	}
}

static void play(struct player *player)
{
	if (player->index % 2)
		consume(player);
	else
		produce(player);
}

const struct workload xmalloc_test = { .name = "xmalloc-test", .players = PLAYERS, .play = play };

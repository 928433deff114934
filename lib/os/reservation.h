/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * How many addresses the library reserves where the program has named no number: for a growable
 * heap, and for metadata. A reservation cannot grow later, so it has to be large enough; and it
 * must leave room, for other heaps and for the program, which has the half of all addresses at
 * least.
 *
 *	no limit (128 TiB)	the first heap: RAM and swap; 8 TiB at most. The n-th alive: the
 *				same, but at most 1/24n of all addresses. So 10,000 have 300 MiB and
 *				more each, and together less than half, whatever the RAM
 *	RLIMIT_AS		the first heap: two fifths of what is left; metadata: an eighth
 */
#ifndef PRIVHEAP_ROOM_H
#define PRIVHEAP_ROOM_H

#include <stdbool.h>
#include <stddef.h>

struct room {
	size_t memory;	/* RAM and swap: nothing can hold more */
	size_t left;	/* addresses still available; without a limit all there are */
	size_t heaps;	/* growable ones alive */
};

/* What there is at this moment, but for .heaps. Keeps errno. */
void room_now(struct room *room);
/* Bytes, a multiple of 64 KiB, ROOM_LEAST at least. */
size_t room_for_heap(const struct room *room);
size_t room_for_metadata(const struct room *room);

/* Where that many addresses cannot be had in one piece: the next smaller to be tried. */
size_t room_smaller(size_t bytes);

/*
 * Can so many bytes be made resident without the kernel having to kill for them? An estimate of
 * this moment, and asked of large amounts only. Keeps errno.
 */
bool room_has_memory(size_t bytes);

#define ROOM_LEAST	((size_t)1 << 20)	/* less is not worth to have a heap */

#endif

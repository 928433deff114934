/* SPDX-License-Identifier: GPL-2.0 */
/* How far a touch past the commit moves it: pure arithmetic, bytes. */
#ifndef PRIVHEAP_STEP_H
#define PRIVHEAP_STEP_H

#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/sizes.h>

#define PRIVHEAP_WINDOW		SZ_128K	/* small pages mapped by one fault, at most */
#define PRIVHEAP_STEP_MAX	SZ_2M	/* one huge page */

/**
 * privheap_step_target() - the commit after a touch
 * @committed: the commit now
 * @needed: what the touch needs; @committed < @needed <= @maximum
 * @maximum: of the heap
 *
 * Up to 2 MiB a quarter more, at least a window, and never across the 2 MiB mark: a small heap
 * stays small. From there on to the next 2 MiB boundary: tmpfs takes a huge page only where
 * 2 MiB lie inside the commit when the first byte of them is touched.
 *
 * Context: any.
 * Return: @needed <= result <= @maximum, at most PRIVHEAP_STEP_MAX past @needed.
 */
static inline unsigned long privheap_step_target(unsigned long committed, unsigned long needed,
						 unsigned long maximum)
{
	unsigned long target;

	if (needed >= PRIVHEAP_STEP_MAX || committed >= PRIVHEAP_STEP_MAX)
		target = round_up(needed, PRIVHEAP_STEP_MAX);
	else
		target = min(round_up(needed + committed / 4, PRIVHEAP_WINDOW),
			     (unsigned long)PRIVHEAP_STEP_MAX);
	return min(target, maximum);
}

#endif

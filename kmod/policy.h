/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How far the commit of a heap moves when it is asked to, and what is charged for it: pure logic on
 * the ledgers, also compiled by the tests. Bytes. The caller holds the heap's lock and then moves
 * i_size.
 */
#ifndef PRIVHEAP_POLICY_H
#define PRIVHEAP_POLICY_H

#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/sizes.h>

#include "ledger.h"

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

/**
 * privheap_watermark_call() - charge what a call asks for
 * @chain: the heap's accounts
 * @committed: the commit now
 * @wanted: the commit wanted, more than @committed
 *
 * Context: any; does not sleep.
 * Return: the commit that is charged: @wanted, or @committed and the refusal is counted.
 */
static inline unsigned long privheap_watermark_call(struct privheap_ledger_chain *chain,
						    unsigned long committed, unsigned long wanted)
{
	if (!privheap_ledger_charge(chain, wanted - committed))
		return wanted;
	privheap_ledger_deny(chain, wanted - committed);
	return committed;
}

/**
 * privheap_watermark_touch() - charge what a touch asks for
 * @chain: the heap's accounts
 * @committed: the commit now
 * @needed: what the touch needs; @committed < @needed <= @maximum
 * @maximum: of the heap
 *
 * A step more than needed, to save faults, or only what is needed where a quota is nearly used.
 *
 * Context: any; does not sleep.
 * Return: the commit that is charged: at least @needed, or @committed and the refusal is counted.
 */
static inline unsigned long privheap_watermark_touch(struct privheap_ledger_chain *chain,
						     unsigned long committed, unsigned long needed,
						     unsigned long maximum)
{
	unsigned long target = privheap_step_target(committed, needed, maximum);

	if (!privheap_ledger_charge(chain, target - committed))
		return target;
	return privheap_watermark_call(chain, committed, needed);
}

#endif

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How far the commit of a heap moves when it is asked to, and what is charged for it: pure logic
 * on the ledgers, also compiled by the tests. Bytes. The caller holds the heap's lock and then
 * moves i_size.
 */
#ifndef PRIVHEAP_WATERMARK_H
#define PRIVHEAP_WATERMARK_H

#include "ledger.h"
#include "step.h"

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

// SPDX-License-Identifier: GPL-2.0
/*
 * Ledgers: how much is committed, and how much may be.
 *
 *	process 1234 --> user 1000 --> system        a charge of 64 KiB goes up,
 *	used  3 MiB      used 40 MiB   used 90 MiB   level by level; if one refuses,
 *	limit 4 MiB      limit none    limit 8 GiB   the levels below give it back
 *
 * No lock: each level is one compare-and-exchange that never lets what is charged pass the limit,
 * not even for a moment. Only a charge that every level has granted is added to used, so neither
 * used nor the peak ever tells of one that is refused further up. A limit lowered below used
 * refuses everything until enough was given back.
 *
 * What holds is the lowest of: what the administrator set, or the default where nothing was set;
 * what a process has set for itself; and what others bound it by (RLIMIT_DATA).
 */
#include <linux/compiler.h>
#include <linux/errno.h>

#include "ledger.h"

/* The lower of two limits, of which 0 is none. */
static unsigned long lower(unsigned long a, unsigned long b)
{
	return a && (!b || a < b) ? a : b;
}

static unsigned long half(unsigned long limit)
{
	return limit > 1 ? limit / 2 : limit;
}

/**
 * privheap_ledger_limit() - the quota in force
 * @ledger: which
 *
 * Context: any.
 * Return: bytes; 0 = none.
 */
unsigned long privheap_ledger_limit(const struct privheap_ledger *ledger)
{
	unsigned long limit = READ_ONCE(ledger->limit);

	if (limit == LEDGER_LIMIT_DEFAULT)
		limit = READ_ONCE(*ledger->default_limit);
	if (limit == LEDGER_LIMIT_DEFAULT && ledger->whole)
		limit = half(privheap_ledger_limit(ledger->whole));
	return lower(READ_ONCE(ledger->own), limit);
}

/**
 * privheap_ledger_lowest() - the quota in force, or what else is lower
 * @ledger: which
 *
 * Context: any.
 * Return: bytes; 0 = there is no limit.
 */
unsigned long privheap_ledger_lowest(const struct privheap_ledger *ledger)
{
	unsigned long limit = privheap_ledger_limit(ledger);

	return ledger->bound ? lower(ledger->bound(ledger), limit) : limit;
}

/* Adds n unless that passes the limit (0 = none); the limit is honoured at every moment. */
static bool add_within(atomic_long_t *counter, unsigned long n, unsigned long limit)
{
	long old = atomic_long_read(counter);

	do {
		if (n > LONG_MAX - old)
			return false;
		if (limit && (n > limit || old > limit - n))
			return false;
	} while (!atomic_long_try_cmpxchg(counter, &old, old + n));
	return true;
}

static void raise_peak(struct privheap_ledger *ledger, long used)
{
	long peak = atomic_long_read(&ledger->peak);

	while (peak < used && !atomic_long_try_cmpxchg(&ledger->peak, &peak, used))
		;
}

/**
 * privheap_ledger_read() - what is committed, and the most that ever was
 * @ledger: which
 * @used: out
 * @peak: out, never less than @used
 *
 * Whoever has charged may not yet have raised the peak: it is done here, so that nobody sees more
 * used than the peak, and no peak that falls.
 *
 * Context: any; does not sleep.
 */
void privheap_ledger_read(struct privheap_ledger *ledger, unsigned long *used, unsigned long *peak)
{
	*used = atomic_long_read(&ledger->used);
	raise_peak(ledger, *used);
	*peak = atomic_long_read(&ledger->peak);
}

/* Charges one level; the reserve is for those who may use it, when nothing else is left. */
static bool charge_level(struct privheap_ledger *ledger, unsigned long bytes)
{
	unsigned long limit = privheap_ledger_lowest(ledger);

	if (!ledger->may_use_reserve)
		return add_within(&ledger->charged, bytes, limit);
	if (add_within(&ledger->charged, bytes, limit - limit / LEDGER_RESERVE))
		return true;
	return limit && ledger->may_use_reserve() && add_within(&ledger->charged, bytes, limit);
}

/**
 * privheap_ledger_charge() - take bytes from every level
 * @chain: the accounts
 * @bytes: how many
 *
 * Context: any; does not sleep. A refusal is not counted here: a caller that asks for a
 * convenient amount first and the needed one after calls privheap_ledger_deny() at the end.
 * Return: 0, or -EDQUOT with nothing charged.
 */
int privheap_ledger_charge(struct privheap_ledger_chain *chain, unsigned long bytes)
{
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++)
		if (!charge_level(chain->level[i], bytes))
			goto undo;
	for (i = 0; i < LEDGER_LEVELS; i++)
		raise_peak(chain->level[i],
			   atomic_long_add_return(bytes, &chain->level[i]->used));
	return 0;
undo:
	while (i--)
		atomic_long_sub(bytes, &chain->level[i]->charged);
	return -EDQUOT;
}

/**
 * privheap_ledger_deny() - count a refusal where it happened
 * @chain: the accounts
 * @bytes: what was asked for
 *
 * Context: any; does not sleep.
 */
void privheap_ledger_deny(struct privheap_ledger_chain *chain, unsigned long bytes)
{
	int i;

	for (i = 0; i < LEDGER_LEVELS - 1; i++) {
		unsigned long limit = privheap_ledger_lowest(chain->level[i]);
		unsigned long charged = atomic_long_read(&chain->level[i]->charged);

		if (limit && (bytes > limit || charged > limit - bytes))
			break;
	}
	atomic_long_inc(&chain->level[i]->denied);
}

/**
 * privheap_ledger_uncharge() - give bytes back to every level
 * @chain: the accounts
 * @bytes: how many; charged before
 *
 * Context: any; does not sleep.
 */
void privheap_ledger_uncharge(struct privheap_ledger_chain *chain, unsigned long bytes)
{
	int i;

	for (i = LEDGER_LEVELS; i--;) {
		atomic_long_sub(bytes, &chain->level[i]->used);
		atomic_long_sub(bytes, &chain->level[i]->charged);
	}
}

/**
 * privheap_ledger_add_heap() - count a heap at every level
 * @chain: the accounts
 *
 * Context: any; does not sleep.
 * Return: 0, or -EDQUOT with nothing counted but the refusal.
 */
int privheap_ledger_add_heap(struct privheap_ledger_chain *chain)
{
	int i;

	for (i = 0; i < LEDGER_LEVELS; i++) {
		const unsigned long *limit = chain->level[i]->heaps_limit;

		if (!add_within(&chain->level[i]->heaps, 1, limit ? READ_ONCE(*limit) : 0))
			goto undo;
	}
	return 0;
undo:
	atomic_long_inc(&chain->level[i]->denied);
	while (i--)
		atomic_long_dec(&chain->level[i]->heaps);
	return -EDQUOT;
}

/**
 * privheap_ledger_remove_heap() - the heap is gone
 * @chain: the accounts
 *
 * Context: any; does not sleep.
 */
void privheap_ledger_remove_heap(struct privheap_ledger_chain *chain)
{
	int i;

	for (i = LEDGER_LEVELS; i--;)
		atomic_long_dec(&chain->level[i]->heaps);
}

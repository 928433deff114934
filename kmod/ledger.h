/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_LEDGER_H
#define PRIVHEAP_LEDGER_H

#include <linux/atomic.h>
#include <linux/limits.h>
#include <linux/types.h>

#define LEDGER_LEVELS		3	/* process, user, system: a charge walks up in this order */
#define LEDGER_LIMIT_DEFAULT	ULONG_MAX
#define LEDGER_RESERVE		16	/* this part of a limit is kept back where asked */

/**
 * struct privheap_ledger - one quota account; bytes unless said otherwise
 * @charged: @used, and what charges under way have claimed; this is held against the limit
 * @used: committed now: charged at every level
 * @peak: most that @used ever was, as far as those who changed it have told; read it with
 *	privheap_ledger_read()
 * @denied: charges refused by this ledger, a count
 * @heaps: heaps alive, a count
 * @limit: that the administrator set; 0 = none, LEDGER_LIMIT_DEFAULT = it was never set
 * @own: that a process without the right to raise it set for itself; 0 = none
 * @default_limit: the module parameter: what holds where @limit was never set;
 *	LEDGER_LIMIT_DEFAULT = half of what @whole may have, which is none where that has none
 * @whole: a ledger that this one is a part of, or NULL where *@default_limit says a number
 * @bound: a limit that others keep for this account, 0 = none now; NULL = there is no such
 * @may_use_reserve: does the last sixteenth of the limit stand open to the caller; asked only when
 *	nothing else is left; NULL = there is no reserve
 * @heaps_limit: the module parameter for the number of heaps, or NULL
 */
struct privheap_ledger {
	atomic_long_t charged;
	atomic_long_t used;
	atomic_long_t peak;
	atomic_long_t denied;
	atomic_long_t heaps;
	unsigned long limit;
	unsigned long own;
	const unsigned long *default_limit;
	const struct privheap_ledger *whole;
	unsigned long (*bound)(const struct privheap_ledger *ledger);
	bool (*may_use_reserve)(void);
	const unsigned long *heaps_limit;
};

/* The accounts one heap is charged to. */
struct privheap_ledger_chain {
	struct privheap_ledger *level[LEDGER_LEVELS];
};

unsigned long privheap_ledger_limit(const struct privheap_ledger *ledger);
unsigned long privheap_ledger_lowest(const struct privheap_ledger *ledger);
void privheap_ledger_read(struct privheap_ledger *ledger, unsigned long *used,
			  unsigned long *peak);
int privheap_ledger_charge(struct privheap_ledger_chain *chain, unsigned long bytes);
void privheap_ledger_deny(struct privheap_ledger_chain *chain, unsigned long bytes);
void privheap_ledger_uncharge(struct privheap_ledger_chain *chain, unsigned long bytes);
int privheap_ledger_add_heap(struct privheap_ledger_chain *chain);
void privheap_ledger_remove_heap(struct privheap_ledger_chain *chain);

#endif

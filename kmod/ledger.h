/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_LEDGER_H
#define PRIVHEAP_LEDGER_H

#include <linux/atomic.h>
#include <linux/limits.h>
#include <linux/types.h>

#define LEDGER_LEVELS		3	/* process, user, system: a charge walks up in this order */
#define LEDGER_LIMIT_DEFAULT	ULONG_MAX

/**
 * struct privheap_ledger - one quota account; bytes unless said otherwise
 * @charged: @used, and what charges under way have claimed; this is held against the limit
 * @used: committed now: charged at every level
 * @peak: most that @used ever was, as far as those who changed it have told; read it with
 *	privheap_ledger_read()
 * @denied: charges refused by this ledger, a count
 * @heaps: heaps alive, a count
 * @limit: 0 = none, LEDGER_LIMIT_DEFAULT = whatever *@default_limit says now
 * @default_limit: the module parameter
 * @heaps_limit: the module parameter for the number of heaps, or NULL
 */
struct privheap_ledger {
	atomic_long_t charged;
	atomic_long_t used;
	atomic_long_t peak;
	atomic_long_t denied;
	atomic_long_t heaps;
	unsigned long limit;
	const unsigned long *default_limit;
	const unsigned long *heaps_limit;
};

/* The accounts one heap is charged to. */
struct privheap_ledger_chain {
	struct privheap_ledger *level[LEDGER_LEVELS];
};

unsigned long privheap_ledger_limit(const struct privheap_ledger *ledger);
void privheap_ledger_read(struct privheap_ledger *ledger, unsigned long *used,
			  unsigned long *peak);
int privheap_ledger_charge(struct privheap_ledger_chain *chain, unsigned long bytes);
void privheap_ledger_deny(struct privheap_ledger_chain *chain, unsigned long bytes);
void privheap_ledger_uncharge(struct privheap_ledger_chain *chain, unsigned long bytes);
int privheap_ledger_add_heap(struct privheap_ledger_chain *chain);
void privheap_ledger_remove_heap(struct privheap_ledger_chain *chain);

#endif

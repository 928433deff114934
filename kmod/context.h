/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_CONTEXT_H
#define PRIVHEAP_CONTEXT_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "ledger.h"

struct mm_struct;

/**
 * struct privheap_context - one open of the device
 * @node: in the list of all contexts
 * @refs: the descriptor's, and one per heap
 * @mm: the address space that opened it; mm_count is held, never mm_users
 * @ledgers: what its heaps are charged to
 * @heaps: number -> heap, of those alive; holds no reference
 * @last: number given last
 */
struct privheap_context {
	struct list_head node;
	refcount_t refs;
	struct mm_struct *mm;
	struct privheap_ledger_chain ledgers;
	struct xarray heaps;
	atomic_long_t last;
};

int privheap_context_init(void);
void privheap_context_exit(void);
struct privheap_context *privheap_context_new(void);
struct privheap_context *privheap_context_get(struct privheap_context *context);
void privheap_context_put(struct privheap_context *context);
struct privheap_context *privheap_context_next(struct privheap_context *before);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_TMPFS_H
#define PRIVHEAP_TMPFS_H

#include <linux/gfp.h>

struct file;

/*
 * How memory for a heap's pages is asked for: try hard, but let the call fail where a process would
 * have to be killed. swapoff(2) allocates by this mask, too. And how a page is asked for that a
 * fault cannot do without.
 */
#define PRIVHEAP_GFP		(GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define PRIVHEAP_GFP_NEEDED	GFP_HIGHUSER_MOVABLE

int privheap_tmpfs_init(void);
void privheap_tmpfs_exit(void);
struct file *privheap_tmpfs_file(const char *name);
const struct vm_operations_struct *privheap_tmpfs_vm_ops(void);

#endif

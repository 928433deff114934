/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_FILE_H
#define PRIVHEAP_FILE_H

#include <linux/gfp.h>

struct file;
struct privheap_heap;

/*
 * How memory for a heap's pages is asked for: try hard, but let the call fail where a process
 * would have to be killed. swapoff(2) allocates by this mask, too. And how a page is asked for
 * that a fault cannot do without.
 */
#define PRIVHEAP_GFP		(GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define PRIVHEAP_GFP_NEEDED	GFP_HIGHUSER_MOVABLE

int privheap_file_init(void);
void privheap_file_exit(void);
struct file *privheap_file_new(struct privheap_heap *heap, const char *name);
bool privheap_file_is_heap(const struct file *file);
const struct vm_operations_struct *privheap_file_tmpfs(void);

#endif

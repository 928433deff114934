/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_COMMIT_H
#define PRIVHEAP_COMMIT_H

struct privheap_heap;

int privheap_commit_touch(struct privheap_heap *heap, unsigned long needed);
int privheap_commit_populate(struct privheap_heap *heap, unsigned long from, unsigned long to);
int privheap_commit_to(struct privheap_heap *heap, unsigned long committed, bool populate);

#endif

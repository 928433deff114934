/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_PINNED_H
#define PRIVHEAP_PINNED_H

struct privheap_heap;

int privheap_pinned_init(void);
void privheap_pinned_exit(void);

void privheap_pinned_free_pages(struct privheap_heap *heap, unsigned long committed);

#endif

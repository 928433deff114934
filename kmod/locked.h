/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_LOCKED_H
#define PRIVHEAP_LOCKED_H

struct privheap_heap;

void privheap_locked_init(struct privheap_heap *heap);
int privheap_locked_charge(struct privheap_heap *heap, unsigned long bytes);
void privheap_locked_uncharge(struct privheap_heap *heap, unsigned long bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_END_H
#define PRIVHEAP_END_H

struct privheap_heap;

int privheap_end_init(void);
void privheap_end_exit(void);
void privheap_end(struct privheap_heap *heap);

#endif

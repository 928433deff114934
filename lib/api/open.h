/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What both public APIs do when a heap begins. */
#ifndef PRIVHEAP_OPEN_H
#define PRIVHEAP_OPEN_H

#include "heap/heap.h"

/* heap_create, and with the first heap the SIGBUS bridge; says on stderr why there is none. */
int open_heap(const struct heap_attr *attr, struct heap **out);
/* heap_process, likewise. */
int open_process_heap(struct heap **out);

#endif

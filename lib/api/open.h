/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What both public APIs do when a heap begins and when it ends. */
#ifndef PRIVHEAP_OPEN_H
#define PRIVHEAP_OPEN_H

#include "heap/heap.h"

/* heap_create, and with the first heap the SIGBUS bridge; says on stderr why there is none. */
int open_heap(const struct heap_attr *attr, struct heap **out);
/* heap_process, likewise. */
int open_process_heap(struct heap **out);
/* 0; -EINVAL: no live heap, or the process heap; -EPERM: sealed, it lives on. */
int close_heap(void *handle);

#endif

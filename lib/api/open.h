/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What both public APIs do when a heap begins and when it ends. */
#ifndef PRIVHEAP_LIFETIME_H
#define PRIVHEAP_LIFETIME_H

#include "heap/heap.h"

/* heap_create, and with the first heap the SIGBUS bridge; says on stderr why there is none. */
int lifetime_create(const struct heap_attr *attr, struct heap **out);
/* heap_process, likewise. */
int lifetime_process(struct heap **out);
/* 0; -EINVAL: no live heap, or the process heap; -EPERM: sealed, it lives on. */
int lifetime_destroy(void *handle);

#endif

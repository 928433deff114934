/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_BOOTSTRAP_H
#define PRIVHEAP_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory that is never given back, or NULL. align: a power of two. */
void *bootstrap_alloc(size_t n, size_t align);
bool bootstrap_owns(const void *p);
size_t bootstrap_size(const void *p);

#endif

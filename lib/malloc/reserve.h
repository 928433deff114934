/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_RESERVE_H
#define PRIVHEAP_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory that is never given back, or NULL. align: a power of two. */
void *reserve_alloc(size_t n, size_t align);
bool reserve_owns(const void *p);
size_t reserve_size(const void *p);

#endif

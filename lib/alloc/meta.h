/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The metadata of a heap. */
#ifndef PRIVHEAP_META_H
#define PRIVHEAP_META_H

#include "alloc/types.h"

/* Zeroed metadata, 8-aligned (64 from 64 bytes on), for as long as the heap lives. Locked. */
void *heap_meta_alloc(struct heap *heap, size_t bytes, int *error);
/* The descriptor of a page, made if there is none. Locked. NULL and *error. */
struct page *heap_page_make(struct heap *heap, size_t page, int *error);

#endif

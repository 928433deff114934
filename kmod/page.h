/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_PAGE_H
#define PRIVHEAP_PAGE_H

#include <linux/types.h>

struct page;
struct privheap_heap;

struct page *privheap_page_read(struct privheap_heap *heap, pgoff_t index);
pgoff_t privheap_page_try(struct privheap_heap *heap, pgoff_t index);

#endif

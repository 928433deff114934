/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_PAGE_H
#define PRIVHEAP_PAGE_H

#include <linux/mm_types.h>

struct folio;
struct privheap_heap;

pgoff_t privheap_page_populate_nowait(struct privheap_heap *heap, pgoff_t index, bool huge);
vm_fault_t privheap_page_populate(struct privheap_heap *heap, pgoff_t index, struct page **page);
bool privheap_page_is_committed(const struct privheap_heap *heap, struct folio *folio);
bool privheap_page_may_be_huge(const struct privheap_heap *heap, pgoff_t index);
bool privheap_page_takes_huge(const struct vm_area_struct *vma);

#endif

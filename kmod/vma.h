/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_VMA_H
#define PRIVHEAP_VMA_H

#include <linux/types.h>

struct file;
struct privheap_heap;
struct vm_area_struct;

int privheap_vma_mmap(struct file *file, struct vm_area_struct *vma);
int privheap_vma_unmap_all(struct privheap_heap *heap);

#endif

/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_FILE_H
#define PRIVHEAP_FILE_H

#include <linux/types.h>

struct file;
struct privheap_heap;

struct file *privheap_file_new(struct privheap_heap *heap, const char *name);
bool privheap_file_is_heap(const struct file *file);

#endif

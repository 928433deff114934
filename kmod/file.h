/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_FILE_H
#define PRIVHEAP_FILE_H

struct file;
struct privheap_heap;

int privheap_file_init(void);
void privheap_file_exit(void);
struct file *privheap_file_new(struct privheap_heap *heap, const char *name);

#endif

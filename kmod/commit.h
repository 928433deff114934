/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_COMMIT_H
#define PRIVHEAP_COMMIT_H

#include <linux/types.h>

struct privheap_heap;
struct privheap_span;

int privheap_commit_touch(struct privheap_heap *heap, unsigned long needed);
bool privheap_commit_reaches(struct privheap_heap *heap, unsigned long needed);
int privheap_commit_add(struct privheap_heap *heap, unsigned long committed, bool resident,
			struct privheap_span *added);
void privheap_commit_rollback(struct privheap_heap *heap, const struct privheap_span *added);
void privheap_commit_map(struct privheap_heap *heap, const struct privheap_span *span);

#endif

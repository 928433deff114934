/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_OPERATIONS_H
#define PRIVHEAP_OPERATIONS_H

#include "context.h"
#include "../uapi/privheap.h"

struct privheap_span;

int privheap_operations_create(struct privheap_context *context, struct privheap_create *arg);
int privheap_operations_commit(struct privheap_context *context, struct privheap_commit *arg,
			       struct privheap_span *added);
void privheap_operations_map(struct privheap_context *context, unsigned long id,
			     const struct privheap_span *added);
void privheap_operations_uncommit(struct privheap_context *context, unsigned long id,
				  const struct privheap_span *added);
int privheap_operations_destroy(struct privheap_context *context, unsigned long id);

#endif

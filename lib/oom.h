/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_OOM_H
#define PRIVHEAP_OOM_H

#include <stdbool.h>
#include <stddef.h>

struct heap;
struct privheap;

/* A privheap_oom_handler. */
typedef bool oom_function(struct privheap *handle, size_t bytes, void *argument);

/* What the program wants to be called when a block cannot be had. */
struct oom_handler {
	oom_function *function;		/* NULL: none */
	void *argument;
};

/* 0 or -EDEADLK. */
int oom_set(struct heap *heap, oom_function *function, void *argument);
/* A block of so many bytes cannot be had: try again? Pre: no lock of the library is held. */
bool oom_retry(struct heap *heap, size_t bytes);

#endif

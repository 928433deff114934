/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Why there is no heap, in one line on stderr; each cause is told once. */
#ifndef PRIVHEAP_REFUSAL_H
#define PRIVHEAP_REFUSAL_H

#include "heap/heap.h"
#include "os/report.h"

/* The environment names a backend that there is not. */
void refusal_no_backend(void);
/*
 * A heap of these attributes could not be made, and why if that can be told: error of heap_create.
 */
void refusal_explain(const struct backend *backend, const struct heap_attr *attr, int error);
/*
 * Adds ": the process's limit of 8388608 bytes, 8384512 used": of the limits that the caller may
 * see the one that leaves least, if that is not enough for so many bytes more in the heap.
 */
void refusal_quota(struct report *line, const void *handle, size_t bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Tells Valgrind's memcheck and AddressSanitizer which bytes of a heap are a block's, so that they
 * report bugs in private heaps as they do with malloc. They are told from the slow paths of checked
 * heaps only: where such a tool runs, every heap is checked, elsewhere nothing here is called.
 */
#ifndef PRIVHEAP_ANNOTATE_H
#define PRIVHEAP_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a tool is there. The rest does nothing for tools that are not. */
bool annotate_any(void);

/* pool: the heap's handle. gone: used bytes from there on were told about. */
void annotate_pool(const void *pool);
void annotate_pool_gone(const void *pool, size_t used);

/* From here to loud the library itself touches what programs must not; nests. */
void annotate_quiet(void);
void annotate_loud(void);

/* [p, p + n) is accessible to the library; to no one. */
void annotate_unpoison(const void *p, size_t n);
void annotate_poison(const void *p, size_t n);

/*
 * A block began, ended, has another size. defined: its new bytes have values. Bytes that it had
 * are left to annotate_poison, as not all need be the heap's.
 */
void annotate_alloc(const void *pool, const void *p, size_t n, bool defined);
void annotate_free(const void *pool, const void *p, size_t n);
void annotate_resize(const void *pool, const void *p, size_t old, size_t n, bool defined);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_META_REGION_H
#define PRIVHEAP_META_REGION_H

#include "os/backend.h"

#define META_PAGE	((size_t)4096)

/* META_PAGE << order bytes, contents undefined, resident. NULL and *error = -ENOMEM, -EDQUOT, … */
void *meta_pages_alloc(const struct backend *backend, unsigned int order, int *error);
void meta_pages_free(const struct backend *backend, void *p, unsigned int order);

/*
 * A page for a heap's record, with what the record that was there last left in it, or zeros. Once a
 * page was a record it is never anything else: a late reader may still access it.
 */
void *meta_record_alloc(const struct backend *backend, int *error);
/* Its first word is used to keep it. */
void meta_record_free(const struct backend *backend, void *p);

#endif

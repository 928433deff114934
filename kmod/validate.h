/* SPDX-License-Identifier: GPL-2.0 */
/* Is what user space asks for well-formed: pure logic, also compiled by the tests. */
#ifndef PRIVHEAP_VALIDATE_H
#define PRIVHEAP_VALIDATE_H

#include <linux/ctype.h>
#include <linux/math.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/page.h>

#include "../uapi/privheap.h"

/**
 * privheap_validate_pages() - bytes to whole pages
 * @bytes: any number
 * @space: size of the address space, whole pages
 *
 * Context: any.
 * Return: @bytes rounded up; 0 if that is 0, or if it leaves no page of @space free.
 */
static inline unsigned long privheap_validate_pages(u64 bytes, unsigned long space)
{
	return bytes <= space - PAGE_SIZE ? round_up(bytes, PAGE_SIZE) : 0;
}

/**
 * privheap_validate_name() - may a heap be called this
 * @name: PRIVHEAP_NAME_LEN bytes
 *
 * Context: any.
 * Return: true for 0-terminated printable ASCII without '/'; empty is valid.
 */
static inline bool privheap_validate_name(const char *name)
{
	size_t len = strnlen(name, PRIVHEAP_NAME_LEN);
	size_t i;

	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || !isprint(name[i]) || name[i] == '/')
			return false;
	return len < PRIVHEAP_NAME_LEN;
}

/**
 * privheap_validate_create() - is it a heap that could be made
 * @arg: the fields that are "in"
 * @space: size of the address space, whole pages
 *
 * Context: any.
 * Return: false where the uapi header says EINVAL.
 */
static inline bool privheap_validate_create(const struct privheap_create *arg, unsigned long space)
{
	return !(arg->flags & ~(PRIVHEAP_CREATE_EXEC | PRIVHEAP_CREATE_SECRET |
				 PRIVHEAP_CREATE_LOCKED)) &&
	       !arg->reserved && privheap_validate_name(arg->name) &&
	       privheap_validate_pages(arg->maximum, space) && arg->initial <= arg->maximum;
}

#endif

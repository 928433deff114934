/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* How the functions of <privheap.h> fail. */
#ifndef PRIVHEAP_NATIVE_H
#define PRIVHEAP_NATIVE_H

#include <errno.h>
#include "include/privheap.h"

/* 0 or a negative errno -> 0 or -1 with errno. */
static inline int result(int error)
{
	if (!error)
		return 0;
	errno = -error;
	return -1;
}

#endif

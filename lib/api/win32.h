/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* How the functions of <heapapi.h> fail. */
#ifndef PRIVHEAP_WIN32_H
#define PRIVHEAP_WIN32_H

#include <errno.h>
#include "include/heapapi.h"

/* Both errors are set; what is returned is FALSE, and 0. */
static inline BOOL fail(DWORD code, int error)
{
	SetLastError(code);
	errno = error;
	return FALSE;
}

#endif

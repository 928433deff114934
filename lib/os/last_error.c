// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The last error of a thread, as Win32 has it. Apart, as the vectored handlers set it, too. */
#include "include/heapapi.h"

static _Thread_local DWORD last_error __attribute__((tls_model("initial-exec")));

DWORD GetLastError(void)
{
	return last_error;
}

void SetLastError(DWORD code)
{
	last_error = code;
}

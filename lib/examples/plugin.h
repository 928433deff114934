/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* A shared library with a heap of its own, one in every process that links it. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include "heapapi.h"

HANDLE plugin_heap(void);
const char *plugin_remember(const char *text);	/* kept until the process ends */

#endif

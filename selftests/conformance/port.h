/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the checks need beside the Heap API, on both sides: try regions, threads, time.
 */
#ifndef CONFORMANCE_PORT_H
#define CONFORMANCE_PORT_H

#ifdef _WIN32

#include <windows.h>
#include "heap_try.h"

#ifndef STATUS_HEAP_CORRUPTION
#define STATUS_HEAP_CORRUPTION		((DWORD)0xC0000374)
#endif

/* Newer than this compiler's headers. */
#define HeapOptimizeResources		((HEAP_INFORMATION_CLASS)3)
#define HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION	1
typedef struct _HEAP_OPTIMIZE_RESOURCES_INFORMATION {
	DWORD Version;
	DWORD Flags;
} HEAP_OPTIMIZE_RESOURCES_INFORMATION;

#else

#include <heapapi.h>

#endif

struct port_thread;

/* Before anything else. */
void port_begin(void);
struct port_thread *port_start(void (*body)(void *argument), void *argument);
void port_join(struct port_thread *thread);
void port_sleep(unsigned int milliseconds);
/* The bytes of a page of memory that is nobody's: not mapped, never freed. */
void *port_unmapped(void);

#endif

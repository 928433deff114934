/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the scenes share: reading the kernel's figures, and stopping when one does not hold. */
#ifndef SHOW_H
#define SHOW_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#define MIB	((size_t)1 << 20)

/* A scene checks what it shows. */
#define HOLDS(condition, ...) do {				\
	if (!(condition)) {					\
		fprintf(stderr, "DOES NOT HOLD: " __VA_ARGS__);	\
		fprintf(stderr, " (%s)\n", #condition);		\
		exit(1);					\
	}							\
} while (0)

struct show_heap {
	size_t maximum, committed, resident;
};

/* Is this program on /dev/privheap? On anonymous memory the kernel knows no heaps. */
bool show_device(void);
/* A figure of /proc/PID/fdinfo/FD of the device, such as "committed"; pid 0 = this process. */
size_t show_figure(pid_t pid, const char *name);
/* The line of the heap that begins at base, from the same file. */
struct show_heap show_heap(const void *base);
/* The mapping at base in /proc/self/smaps: prints its first line, returns the bytes of Rss. */
size_t show_mapping(const void *base);

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* One line on stderr, put together without allocation: usable when everything else is broken. */
#ifndef PRIVHEAP_REPORT_H
#define PRIVHEAP_REPORT_H

#include <stddef.h>
#include <stdint.h>

struct report {
	size_t length;
	char text[256];
};

#define REPORT_INIT { .length = 0 }

/* What does not fit is cut off. */
void report_text(struct report *report, const char *text);
void report_hex(struct report *report, uintptr_t value);
void report_decimal(struct report *report, uintptr_t value);
/* Ends the line and writes it, all at once. Keeps errno. */
void report_write(struct report *report);
/*
 * One line if this errno of a system call says that the call itself is forbidden, as a seccomp
 * filter does it: in the first such case of the process.
 */
void report_refused(const char *call, int error);

#endif

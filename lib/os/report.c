// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * One line on stderr.
 *
 *	privheap: HeapFree: heap 0x7f5a00000000: pointer 0x7f5a00000040: freed already; aborting
 *
 * It is written when memory is exhausted or damaged, perhaps in a signal handler: so no stdio, no
 * allocation, one write(2), so that lines of several threads do not mix.
 */
#define _GNU_SOURCE
#include "os/report.h"

#include <errno.h>
#include <stdatomic.h>

#include "os/syscalls.h"

void report_text(struct report *report, const char *text)
{
	/* One byte is kept for the newline. */
	while (*text && report->length < sizeof(report->text) - 1)
		report->text[report->length++] = *text++;
}

static void report_number(struct report *report, uintptr_t value, unsigned int base)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	report_text(report, digits + at);
}

void report_hex(struct report *report, uintptr_t value)
{
	report_text(report, "0x");
	report_number(report, value, 16);
}

void report_decimal(struct report *report, uintptr_t value)
{
	report_number(report, value, 10);
}

void report_write(struct report *report)
{
	int saved = errno;

	report->text[report->length++] = '\n';
	/* Where stderr is closed the line is lost. */
	if (sys_write(STDERR_FILENO, report->text, report->length) < 0)
		errno = saved;
	errno = saved;
}

void report_refused(const char *call, int error)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	struct report line = REPORT_INIT;

	if ((error != EPERM && error != ENOSYS) || atomic_flag_test_and_set(&said))
		return;
	report_text(&line, "privheap: the system call ");
	report_text(&line, call);
	report_text(&line, error == EPERM ? " is forbidden to this process"
					  : " is unknown to this system");
	report_text(&line, ": there is no memory without it");
	report_write(&line);
}

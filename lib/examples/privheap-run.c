// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Runs a command that may commit so many bytes of private heaps and no more, whatever it execs:
 *
 *	privheap-run 64M someservice --its-options
 *
 * The limit is of this one process. What the command forks begins with the system's default: set
 * RLIMIT_DATA (ulimit -d) for those, or a limit for their user.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privheap.h"

/* Bytes, or with K, M or G; 0 if it is no such number. */
static unsigned long long bytes_of(const char *text)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	int shift = unit ? 10 * (int)(unit - units + 1) : 0;

	if (text[0] < '0' || text[0] > '9' || (*end && (!unit || end[1])))
		return 0;
	return n > ~0ULL >> 1 >> shift ? 0 : n << shift;
}

int main(int argc, char **argv)
{
	unsigned long long limit = argc > 2 ? bytes_of(argv[1]) : 0;

	if (!limit) {
		fprintf(stderr, "usage: privheap-run BYTES[K|M|G] COMMAND [ARGUMENT...]\n"
				"The limit does not reach processes that COMMAND forks: see ulimit -d.\n");
		return 2;
	}
	if (privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, limit)) {
		fprintf(stderr, "privheap-run: limit of %llu bytes: %s\n", limit, strerror(errno));
		return 1;
	}
	execvp(argv[2], argv + 2);
	fprintf(stderr, "privheap-run: %s: %s\n", argv[2], strerror(errno));
	return 127;
}

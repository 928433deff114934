// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Runs a command that may commit so many bytes of private heaps and no more, whatever it execs:
 *
 *	privheap-run 64M someservice --its-options
 *	privheap-run 64M env LD_PRELOAD=libprivheap-malloc.so program
 *
 * Its heaps are on the device, which alone keeps limits over an exec: PRIVHEAP_BACKEND=device is put into
 * its environment, and anything else that is there is refused.
 *
 * What this does not do: the limit is the process's. Its children begin with the default, so it does not
 * hold a service that forks. With -d RLIMIT_DATA is set to the same number: that one is inherited, but it
 * bounds other private memory of each process, too (brk, anonymous mappings, data of libraries).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

static int limit_data(unsigned long long limit)
{
	struct rlimit data = { limit, limit };

	return setrlimit(RLIMIT_DATA, &data);
}

static int failed(const char *what)
{
	fprintf(stderr, "privheap-run: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	int data = argc > 1 && strcmp(argv[1], "-d") == 0;
	unsigned long long limit = argc > 2 + data ? bytes_of(argv[1 + data]) : 0;
	const char *backend = getenv("PRIVHEAP_BACKEND");

	if (!limit) {
		fprintf(stderr, "usage: privheap-run [-d] BYTES[K|M|G] COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (backend && strcmp(backend, "device")) {
		fprintf(stderr, "privheap-run: PRIVHEAP_BACKEND=%s: a limit is kept on the device only\n",
			backend);
		return 1;
	}
	if (setenv("PRIVHEAP_BACKEND", "device", 1))
		return failed("environment");
	if (privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, limit))
		return failed("limit");
	if (data && limit_data(limit))
		return failed("RLIMIT_DATA");
	execvp(argv[2 + data], argv + 2 + data);
	failed(argv[2 + data]);
	return 127;
}

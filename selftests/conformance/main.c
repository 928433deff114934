// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The Heap API as HEAP_CONTRACT and the Win32 documentation have it, checked by one program that
 * is compiled for Windows and for this library. Each check knows the value the contract wants.
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned int number, failed;

static const char *in_words(char text[24], uint64_t value)
{
	snprintf(text, 24, value < 1000000 ? "%llu" : "0x%llx", (unsigned long long)value);
	return text;
}

void check(uint64_t got, uint64_t expected, const char *format, ...)
{
	char name[80], value[24];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	printf("%s %u %s %s\n", got == expected ? "ok" : "not ok", ++number, name,
	       in_words(value, got));
	if (got != expected) {
		printf("# %s: expected %s\n", name, in_words(value, expected));
		failed++;
	}
	/* What was checked before a crash is told. */
	fflush(stdout);
}

int all_bytes(const void *p, int value, size_t n)
{
	const unsigned char *bytes = p;

	while (n--)
		if (*bytes++ != (unsigned char)value)
			return 0;
	return 1;
}

static unsigned char mixed(size_t i, unsigned int seed)
{
	return (unsigned char)(i * 31 + (i >> 8) * 7 + seed);
}

void mark(void *p, size_t n, unsigned int seed)
{
	unsigned char *bytes = p;
	size_t i;

	for (i = 0; i < n; i++)
		bytes[i] = mixed(i, seed);
}

int marked(const void *p, size_t n, unsigned int seed)
{
	const unsigned char *bytes = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (bytes[i] != mixed(i, seed))
			return 0;
	return 1;
}

HANDLE make_heap(DWORD options, SIZE_T initial, SIZE_T maximum)
{
	HANDLE heap = HeapCreate(options, initial, maximum);

	if (!heap) {
		printf("Bail out! no heap: last error %u\n", (unsigned int)GetLastError());
		exit(1);
	}
	return heap;
}

int main(void)
{
	port_begin();
	printf("TAP version 13\n");
	checks_of_types();
	checks_of_create();
	checks_of_destroy();
	checks_of_alloc();
	checks_of_realloc();
	checks_of_free();
	checks_of_size();
	checks_of_limits();
	checks_of_lock();
	checks_of_walk();
	checks_of_inform();
	check_process_heaps();
	checks_of_raise();
	checks_of_vectored();
	checks_of_corrupt();
	printf("1..%u\n", number);
	return failed != 0;
}

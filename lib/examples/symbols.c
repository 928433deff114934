// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * symbols: which names C sources use, how often, and on which lines.
 *
 *	symbols [-n ROWS] [-m KIB] [-x KIB] FILE...
 *
 *	-n ROWS	how many names to print (10)
 *	-m KIB	size of the first index that is tried (64)
 *	-x KIB	size of the largest (65536)
 *
 * A Win32 console program: the same source is built for Windows and for Linux. It works in three
 * phases with a heap each:
 *	text	growable: all files in one block
 *	index	with a maximum: a hash table of names. Nothing in it is checked for NULL or freed
 *		one by one: when it is full an exception ends the phase, and the whole heap goes
 *	list	growable: the names in order
 */
#ifdef _WIN32
#include <windows.h>
#include "heap_try.h"
#else
#include <heapapi.h>
#endif

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB		((SIZE_T)1024)
#define BUCKETS		1024
#define LINES_SHOWN	6

struct text {
	HANDLE heap;
	char *bytes;
	SIZE_T used;
};

struct symbol {
	struct symbol *next;
	DWORD count;
	DWORD *lines;		/* a block: as many as HeapSize says */
	char name[];
};

struct index {
	HANDLE heap;
	DWORD symbols;
	struct symbol *bucket[BUCKETS];
};

struct options {
	DWORD rows;
	SIZE_T first, most;	/* bytes of an index */
};

static HANDLE heap_or_exit(DWORD options, SIZE_T initial, SIZE_T maximum)
{
	HANDLE heap = HeapCreate(options, initial, maximum);

	if (!heap) {
		fprintf(stderr, "symbols: no heap: error %u\n", (unsigned int)GetLastError());
		exit(1);
	}
	return heap;
}

/* Phase 1: text. */

static BOOL make_room(struct text *text, SIZE_T bytes)
{
	SIZE_T room = HeapSize(text->heap, 0, text->bytes);
	char *grown;

	if (text->used + bytes <= room)
		return TRUE;
	grown = HeapReAlloc(text->heap, 0, text->bytes, 2 * (text->used + bytes));
	if (!grown)
		return FALSE;
	text->bytes = grown;
	return TRUE;
}

static BOOL read_file(struct text *text, const char *name)
{
	FILE *file = fopen(name, "rb");
	BOOL good = file != NULL;
	size_t got;

	while (good) {
		good = make_room(text, 4096);
		if (!good)
			break;
		got = fread(text->bytes + text->used, 1, 4096, file);
		if (got == 0)
			break;
		text->used += got;
	}
	if (file) {
		good = good && !ferror(file);
		fclose(file);
	}
	if (!good)
		fprintf(stderr, "symbols: cannot read %s\n", name);
	return good;
}

/* Phase 2: index. */

static LPVOID take(HANDLE heap, SIZE_T bytes)
{
	return HeapAlloc(heap, HEAP_GENERATE_EXCEPTIONS | HEAP_ZERO_MEMORY, bytes);
}

static struct symbol **find(struct index *index, const char *name, size_t length)
{
	struct symbol **link;
	DWORD hash = 5381;
	size_t i;

	for (i = 0; i < length; i++)
		hash = hash * 33 + (unsigned char)name[i];
	for (link = &index->bucket[hash % BUCKETS]; *link; link = &(*link)->next)
		if (strncmp((*link)->name, name, length) == 0 && !(*link)->name[length])
			break;
	return link;
}

static void add(struct index *index, const char *name, size_t length, DWORD line)
{
	struct symbol **link = find(index, name, length), *symbol = *link;
	SIZE_T room;

	if (!symbol) {
		symbol = take(index->heap, sizeof(*symbol) + length + 1);
		symbol->lines = take(index->heap, 4 * sizeof(DWORD));
		memcpy(symbol->name, name, length);
		index->symbols++;
		*link = symbol;
	}
	room = HeapSize(index->heap, 0, symbol->lines);
	if (symbol->count * sizeof(DWORD) == room)
		symbol->lines = HeapReAlloc(index->heap, HEAP_GENERATE_EXCEPTIONS,
					    symbol->lines, 2 * room);
	symbol->lines[symbol->count++] = line;
}

static BOOL in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static struct index *index_text(HANDLE heap, const struct text *text)
{
	struct index *index = take(heap, sizeof(*index));
	SIZE_T at = 0, begin;
	DWORD line = 1;

	index->heap = heap;
	while (at < text->used) {
		if (!in_name(text->bytes[at])) {
			line += text->bytes[at++] == '\n';
			continue;
		}
		for (begin = at; at < text->used && in_name(text->bytes[at]); at++)
			;
		if (!isdigit((unsigned char)text->bytes[begin]))
			add(index, text->bytes + begin, at - begin, line);
	}
	return index;
}

static LONG when_full(DWORD code)
{
	return code == STATUS_NO_MEMORY ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH;
}

/* NULL: it does not fit, and nothing is left of it. */
static struct index *index_within(const struct text *text, SIZE_T maximum)
{
	HANDLE heap = heap_or_exit(0, maximum / 2, maximum);
	struct index *volatile index = NULL;

	HEAP_TRY {
		index = index_text(heap, text);
	} HEAP_EXCEPT(when_full(GetExceptionCode())) {
		printf("an index of %u KiB is too small\n", (unsigned int)(maximum / KIB));
		HeapDestroy(heap);
	} HEAP_END_TRY
	return index;
}

static struct index *index_of_any_size(const struct text *text, const struct options *options)
{
	struct index *index = NULL;
	SIZE_T maximum;

	for (maximum = options->first; !index && maximum <= options->most; maximum *= 2)
		index = index_within(text, maximum);
	return index;
}

/* Phase 3: list. */

static int by_count(const void *left, const void *right)
{
	const struct symbol *a = *(struct symbol *const *)left;
	const struct symbol *b = *(struct symbol *const *)right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->name, b->name);
}

static struct symbol **sorted(HANDLE heap, const struct index *index)
{
	struct symbol **list = HeapAlloc(heap, 0, index->symbols * sizeof(*list)), *symbol;
	DWORD i, n = 0;

	if (!list)
		return NULL;
	for (i = 0; i < BUCKETS; i++)
		for (symbol = index->bucket[i]; symbol; symbol = symbol->next)
			list[n++] = symbol;
	qsort(list, n, sizeof(*list), by_count);
	return list;
}

static void print_symbol(const struct symbol *symbol)
{
	DWORD i;

	printf("%6u %-24s lines", (unsigned int)symbol->count, symbol->name);
	for (i = 0; i < symbol->count && i < LINES_SHOWN; i++)
		printf(" %u", (unsigned int)symbol->lines[i]);
	printf("%s\n", i < symbol->count ? " ..." : "");
}

/* What each heap holds, by HeapWalk. */
static void print_heap(const char *name, HANDLE heap)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	SIZE_T blocks = 0, bytes = 0, largest = 0;

	if (!HeapLock(heap))
		return;
	while (HeapWalk(heap, &entry)) {
		if (!(entry.wFlags & PROCESS_HEAP_ENTRY_BUSY))
			continue;
		blocks++;
		bytes += entry.cbData;
		if (entry.cbData > largest)
			largest = entry.cbData;
	}
	if (GetLastError() != ERROR_NO_MORE_ITEMS)
		printf("the walk ended early: error %u\n", (unsigned int)GetLastError());
	HeapUnlock(heap);
	printf("%-6s %6u blocks %8u bytes, largest %7u, %s\n", name, (unsigned int)blocks,
	       (unsigned int)bytes, (unsigned int)largest,
	       HeapValidate(heap, 0, NULL) ? "valid" : "DAMAGED");
}

static int analyse(struct text *text, const struct options *options)
{
	struct index *index = index_of_any_size(text, options);
	HANDLE heap = heap_or_exit(0, 0, 0);
	struct symbol **list;
	DWORD i;

	list = index ? sorted(heap, index) : NULL;
	if (!list) {
		fprintf(stderr, "symbols: too many names\n");
		return 2;
	}
	printf("%u names\n", (unsigned int)index->symbols);
	for (i = 0; i < index->symbols && i < options->rows; i++)
		print_symbol(list[i]);
	print_heap("text", text->heap);
	print_heap("index", index->heap);
	print_heap("list", heap);
	return !HeapDestroy(heap) || !HeapDestroy(index->heap);
}

int main(int argc, char **argv)
{
	struct options options = { 10, 64 * KIB, 65536 * KIB };
	struct text text = { NULL, NULL, 0 };
	int i, status;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		unsigned long value = strtoul(argv[i + 1], NULL, 10);

		if (argv[i][1] == 'n')
			options.rows = (DWORD)value;
		else if (argv[i][1] == 'm' && value)
			options.first = value * KIB;
		else if (argv[i][1] == 'x')
			options.most = value * KIB;
		else
			break;
	}
	if (i >= argc || argv[i][0] == '-') {
		fprintf(stderr, "usage: symbols [-n ROWS] [-m KIB] [-x KIB] FILE...\n");
		return 1;
	}
	text.heap = heap_or_exit(0, 256 * KIB, 0);
	text.bytes = HeapAlloc(text.heap, 0, 4096);
	if (!text.bytes)
		return 1;
	for (; i < argc; i++)
		if (!read_file(&text, argv[i]))
			return 1;
	status = analyse(&text, &options);
	HeapDestroy(text.heap);
	return status;
}

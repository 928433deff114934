// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Real work: an index of the words of a text on a heap of its own, dropped with one call. */
#include <ctype.h>
#include <string.h>

#include "heapapi.h"
#include "privheap.h"
#include "show.h"

#define BUCKETS	1024

struct word {
	struct word *next;
	unsigned int *lines;		/* grows by HeapReAlloc; how many: HeapSize says it */
	char text[];
};

static HANDLE heap;
static struct word **buckets;

static struct word **find(const char *text)
{
	unsigned int hash = 5381;
	struct word **at;

	for (const char *c = text; *c; c++)
		hash = hash * 33 + (unsigned char)*c;
	for (at = &buckets[hash % BUCKETS]; *at && strcmp((*at)->text, text); at = &(*at)->next)
		;
	return at;
}

static void add(const char *text, unsigned int line)
{
	struct word **at = find(text), *word = *at;
	size_t size;

	if (!word) {
		word = *at = HeapAlloc(heap, HEAP_ZERO_MEMORY, sizeof(*word) + strlen(text) + 1);
		HOLDS(word, "memory for a word");
		strcpy(word->text, text);
		word->lines = HeapAlloc(heap, 0, 0);
	}
	size = HeapSize(heap, 0, word->lines);
	word->lines = HeapReAlloc(heap, 0, word->lines, size + sizeof(line));
	HOLDS(word->lines, "memory for a line");
	word->lines[size / sizeof(line)] = line;
}

static size_t load(FILE *file)
{
	unsigned int line = 1;
	size_t n = 0, words = 0;
	char text[64];
	int c;

	while ((c = getc(file)) != EOF) {
		if (isalpha(c) && n < sizeof(text) - 1) {
			text[n++] = (char)tolower(c);
		} else if (n) {
			text[n] = '\0';
			add(text, line);
			words++;
			n = 0;
		}
		line += c == '\n';
	}
	return words;
}

static void query(const char *text)
{
	struct word *word = *find(text);
	size_t n = word ? HeapSize(heap, 0, word->lines) / sizeof(*word->lines) : 0, i;

	printf("  %-12s %4zu times; lines", text, n);
	for (i = 0; i < n && i < 8; i++)
		printf(" %u", word->lines[i]);
	printf("%s\n", n > 8 ? " ..." : "");
	HOLDS(!n == !word, "a word has lines");
}

static FILE *open_text(const char *path)
{
	FILE *file = fopen(path ? path : "/usr/share/common-licenses/GPL-3", "r");

	return file || path ? file : fopen("/usr/share/GPL-3", "r");
}

int main(int argc, char **argv)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	FILE *file = open_text(argc > 1 ? argv[1] : NULL);
	size_t words;

	HOLDS(file, "there is a text to read");
	heap = HeapCreate(HEAP_NO_SERIALIZE, 0, 64 * MIB);
	buckets = HeapAlloc(heap, HEAP_ZERO_MEMORY, BUCKETS * sizeof(*buckets));
	HOLDS(heap && buckets, "a heap for the index");
	words = load(file);
	HOLDS(!privheap_stats(heap, &stats) && HeapValidate(heap, 0, NULL), "the heap is whole");
	printf("%zu words read; the index is %zu blocks, %zu bytes; %zu KiB committed\n", words,
	       stats.blocks, stats.allocated, stats.committed >> 10);
	HOLDS(words && stats.blocks > 1, "the text has words");
	query("the");
	query("license");
	query("warranty");
	query("heap");
	HOLDS(HeapFree(heap, 0, buckets), "one block can go by itself");
	HOLDS(HeapDestroy(heap), "all the others go at once");
	HOLDS(HeapSize(heap, 0, buckets) == (SIZE_T)-1, "nothing is left");
	printf("HeapDestroy: the whole index is gone\n");
	fclose(file);
	return 0;
}

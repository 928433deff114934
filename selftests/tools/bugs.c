// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Small programs with a bug in a private heap, and what the tool that watches them must say.
 *
 *	memcheck ─▶ valgrind memcheck ─▶ report	(built with -fsanitize=address: asan ─▶ asan)
 *
 * The program starts itself again with the bug's name in the environment.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heapapi.h"
#include "privheap.h"

#define LARGE	100000

static HANDLE heap;
static volatile int sink;
/* Something of malloc's: memcheck looks for leaks only if there is. */
static void *volatile reachable;

static char *take(SIZE_T n)
{
	return HeapAlloc(heap, 0, n);
}

static char *released(SIZE_T n)
{
	char *p = HeapAlloc(heap, HEAP_ZERO_MEMORY, n);

	HeapFree(heap, 0, p);
	return p;
}

/* Opaque to the compiler. */
static volatile char *hide(char *p)
{
	static char *volatile launder;

	launder = p;
	return launder;
}

/* In a child the heap's addresses are free, and what the tool was told of them is no longer true. */
static bool child_uses_the_addresses(void)
{
	int status = -1;
	pid_t pid = fork();
	char *page;

	if (pid == 0) {
		page = mmap(heap, 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (page == MAP_FAILED)
			_exit(1);
		memset(page, 1, 4096);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

/* Much of everything, in order. */
static void none(void)
{
	volatile char *p = HeapAlloc(heap, HEAP_ZERO_MEMORY, LARGE);
	privheap_t *aligned = heap;
	char *q;
	int i;

	for (i = 0; i < LARGE; i++)
		sink += p[i];
	p = HeapReAlloc(heap, HEAP_ZERO_MEMORY, (void *)p, 2 * LARGE);
	for (i = 0; i < 2 * LARGE; i++)
		sink += p[i];
	p = HeapReAlloc(heap, 0, (void *)p, 10);
	p[9] = 1;
	p = HeapReAlloc(heap, HEAP_ZERO_MEMORY, (void *)p, 20);
	for (i = 0; i < 500; i++) {
		q = privheap_aligned_alloc(aligned, 64, 1 + i);
		memset(q, i, 1 + i);
		privheap_free(aligned, q);
	}
	if (sink || p[19] || !HeapValidate(heap, 0, NULL) || HeapSize(heap, 0, (void *)p) != 20 ||
	    !child_uses_the_addresses())
		_exit(3);
	/* Live at the end, together with the heap: no leak. */
}

static void read_after_free(void) { sink = hide(released(100))[3]; }
static void write_after_free(void) { hide(released(100))[99] = 1; }
static void read_after_free_of_large(void) { sink = hide(released(LARGE))[LARGE / 2]; }
static void write_past(void) { hide(take(100))[100] = 1; }
static void write_past_full(void) { hide(take(64))[64] = 1; }
static void write_past_large(void) { hide(take(LARGE))[LARGE] = 1; }
static void write_before(void) { hide(take(100))[-1] = 1; }
static void past_what_shrank(void) { hide(HeapReAlloc(heap, 0, take(100), 50))[50] = 1; }

static void never_written(void)
{
	if (hide(take(100))[7])
		sink = 1;
}

static void never_written_of_grown(void)
{
	char *p = HeapReAlloc(heap, 0, HeapAlloc(heap, HEAP_ZERO_MEMORY, 50), 60);

	if (hide(p)[55])
		sink = 1;
}

static void lost(void)
{
	int i;

	/* Many: a pointer to the last may be left somewhere. */
	for (i = 0; i < 10; i++)
		hide(take(777));
	heap = HeapCreate(0, 0, 0);
}

/* name, memcheck's words, whether AddressSanitizer sees it. */
#define BUGS(X)										\
	X(none, "ERROR SUMMARY: 0 errors", "definitely lost: 0 bytes", false)		\
	X(read_after_free, "Invalid read", "3 bytes inside a block of size 100 free'd", true)	\
	X(write_after_free, "Invalid write", "99 bytes inside a block of size 100 free'd", true) \
	X(read_after_free_of_large, "Invalid read",					\
	  "50,000 bytes inside a block of size 100,000 free'd", true)			\
	X(write_past, "Invalid write", "0 bytes after a block of size 100", true)	\
	X(write_past_full, "Invalid write", "0 bytes after a block of size 64", true)	\
	X(write_past_large, "Invalid write", "0 bytes after a block of size 100,000", true) \
	X(write_before, "Invalid write", "1 bytes before a block of size 100", true)	\
	X(past_what_shrank, "Invalid write", "0 bytes after a block of size 50", true)	\
	X(never_written, "depends on uninitialised value", "never_written", false)	\
	X(never_written_of_grown, "depends on uninitialised value", "never_written", false) \
	X(lost, "blocks are definitely lost in loss record", "lost (bugs.c", false)

static const struct bug {
	const char *name;
	void (*commit)(void);
	const char *words[2];
	bool asan;
} bugs[] = {
#define BUG(name, first, second, asan)	{ #name, name, { first, second }, asan },
	BUGS(BUG)
};

__attribute__((constructor))
static void become_a_bug(void)
{
	const char *name = getenv("PRIVHEAP_TEST_BUG");
	size_t i;

	if (!name)
		return;
	reachable = malloc(10);
	heap = HeapCreate(0, 0, 0);
	for (i = 0; i < sizeof(bugs) / sizeof(*bugs); i++)
		if (strcmp(bugs[i].name, name) == 0)
			bugs[i].commit();
	HeapDestroy(heap);
	exit(0);
}

static void execute(const char *name)
{
	char self[4096] = "";

	setenv("PRIVHEAP_TEST_BUG", name, 1);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		_exit(4);
#ifdef __SANITIZE_ADDRESS__
	execl(self, self, NULL);
#else
	execlp("valgrind", "valgrind", "--tool=memcheck", "--leak-check=full",
	       "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite", self, NULL);
#endif
	perror("valgrind");
	_exit(4);
}

/* Exit status; text = what was said on stderr. */
static int watch(const char *name, char *text, size_t size)
{
	int file = memfd_create("stderr", 0), status = -1;
	ssize_t length;
	pid_t child = fork();

	if (child == 0) {
		dup2(file, STDERR_FILENO);
		execute(name);
	}
	waitpid(child, &status, 0);
	length = pread(file, text, size - 1, 0);
	text[length > 0 ? length : 0] = '\0';
	close(file);
	return status;
}

#define TEST_BUG(bug, first, second, asan)						\
	TEST_F(tool, bug)								\
	{										\
		judge(_metadata, #bug, (const char *[]){ first, second }, asan);	\
	}

FIXTURE(tool) {
};

FIXTURE_SETUP(tool)
{
}

FIXTURE_TEARDOWN(tool)
{
}

static void judge(struct __test_metadata *_metadata, const char *name, const char *const words[2],
		  bool asan)
{
	static char text[1 << 16];
	int status = watch(name, text, sizeof(text));

#ifdef __SANITIZE_ADDRESS__
	EXPECT_EQ(asan, status != 0);
	EXPECT_EQ(asan, strstr(text, "AddressSanitizer: use-after-poison") != NULL);
	EXPECT_EQ(asan, strstr(text, name) != NULL) {
		TH_LOG("%s", text);
	}
#else
	int i;

	/* Who goes on after memcheck's report may meet a guard page. */
	EXPECT_TRUE(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
	for (i = 0; i < 2; i++) {
		EXPECT_NE(NULL, strstr(text, words[i])) {
			TH_LOG("no '%s' in: %s", words[i], text);
		}
	}
#endif
}

BUGS(TEST_BUG)

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Core dumps and debuggers: what is reserved on anonymous memory and not committed is not visited, and
 * looking at it commits nothing: HOSTILE F3, F4.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "privheap.h"

static privheap_t *make(size_t initial, size_t maximum)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;

	attr.backend = PRIVHEAP_BACKEND_ANON;
	attr.initial = initial;
	attr.maximum = maximum;
	return privheap_create(&attr);
}

#ifndef __SANITIZE_ADDRESS__	/* which is in the dump, too */

/* What a child leaves behind: the size of its core file, and the bytes of disk in it. */
static size_t core_size(const char *dir, void (*body)(void), size_t *blocks)
{
	struct rlimit any = { RLIM_INFINITY, RLIM_INFINITY };
	char path[128], numbered[128];
	struct stat core = { 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (chdir(dir) || setrlimit(RLIMIT_CORE, &any))
			_exit(1);
		body();
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	waitpid(pid, &status, 0);
	snprintf(path, sizeof(path), "%s/core", dir);
	snprintf(numbered, sizeof(numbered), "%s/core.%d", dir, pid);
	if (stat(path, &core))
		stat(numbered, &core);
	unlink(path);
	unlink(numbered);
	*blocks = core.st_blocks * 512;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? core.st_size : 0;
}

static void no_heap(void)
{
}

/* Several reservations, metadata's with them; 5 MiB are used. */
static void heaps(void)
{
	privheap_t *growable = make(0, 0), *fixed = make(1 * MIB, 1024 * MIB);
	char *p = privheap_alloc(growable, 4 * MIB);

	if (!fixed || !p || !make(0, 0))
		_exit(2);
	memset(p, 1, 4 * MIB);
}

TEST(F3_core_dump_visits_what_is_committed)
{
	char dir[] = "/tmp/privheap-core-XXXXXX", pattern[128] = "";
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "r");
	size_t without, with, blocks, more;

	ASSERT_NE(NULL, file);
	if (!fgets(pattern, sizeof(pattern), file))
		pattern[0] = '\0';
	fclose(file);
	/* Somebody else's program or place gets the dumps of this machine; the guests have files. */
	if (strcmp(pattern, "core\n") != 0)
		return;
	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, chmod(dir, 0777));
	without = core_size(dir, no_heap, &blocks);
	with = core_size(dir, heaps, &more);
	rmdir(dir);
	ASSERT_LT(0, without);
	EXPECT_LE(without + 5 * MIB, with);
	EXPECT_GE(without + 5 * MIB + 1 * MIB, with) TH_LOG("%zu, without %zu", with, without);
	EXPECT_GE(blocks + 5 * MIB + 1 * MIB, more);
}

#endif

/* Reads all of a range as debuggers do; how many bytes more are then resident. */
static size_t look_at(char *range, size_t bytes)
{
	static char buffer[1 << 20];
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	size_t offset, before;

	memset(buffer, 1, sizeof(buffer));
	before = statm(1);
	for (offset = 0; offset < bytes; offset += sizeof(buffer)) {
		struct iovec here = { buffer, sizeof(buffer) };
		struct iovec there = { range + offset, sizeof(buffer) };

		if (pread(mem, buffer, sizeof(buffer), (off_t)(uintptr_t)range + offset) < 0 ||
		    process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0)
			continue;	/* not readable there: just as well */
	}
	close(mem);
	return statm(1) - before;
}

/* Some kernels fill what is read so, in any memory: the heap does not make it worse. */
TEST(F4_looking_commits_nothing)
{
	struct privheap_stats before = PRIVHEAP_STATS_INIT, after = PRIVHEAP_STATS_INIT;
	size_t maximum = 64 * MIB, usual;
	privheap_t *heap = make(1 * MIB, maximum);
	char *plain = mmap(NULL, maximum, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			   0);

	ASSERT_NE(NULL, heap);
	ASSERT_NE(MAP_FAILED, plain);
	ASSERT_EQ(0, privheap_stats(heap, &before));
	usual = look_at(plain, maximum);
	EXPECT_GE(usual + 1 * MIB, look_at((char *)heap, maximum));
	ASSERT_EQ(0, privheap_stats(heap, &after));
	EXPECT_EQ(before.committed, after.committed);
	EXPECT_EQ(0, privheap_destroy(heap));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Why there is no heap, in one line on stderr: HOSTILE F11. */
#include "kselftest_harness.h"
#include "common.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "heapapi.h"
#include "privheap.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE	65	/* Linux 6.3 */
#endif

static bool on_device(void)
{
	const char *backend = getenv("PRIVHEAP_BACKEND");

	return !backend || strcmp(backend, "device") == 0;
}

/* The body's checks held, and it said one line that has all the words. */
#define EXPECT_LINE(body, ...) do {						\
	static const char *const words_[] = { __VA_ARGS__ };			\
	struct outcome out_;							\
	size_t i_;								\
										\
	run_in_child(&out_, body);						\
	EXPECT_TRUE(exited(&out_, 0)) TH_LOG("%#x: %s", out_.status, out_.text);\
	for (i_ = 0; i_ < COUNT(words_); i_++)					\
		EXPECT_NE(NULL, strstr(out_.text, words_[i_]))			\
			TH_LOG("no '%s' in: %s", words_[i_], out_.text);	\
	EXPECT_EQ(out_.text + strlen(out_.text) - 1, strchr(out_.text, '\n'));	\
} while (0)

static void misspelt(void)
{
	setenv("PRIVHEAP_BACKEND", "annon", 1);
	CHECK_IN_CHILD(!HeapCreate(0, 0, 0) && errno == EINVAL);
	CHECK_IN_CHILD(!GetProcessHeap() && !privheap_create(NULL));
}

TEST(L15_misspelt_backend)
{
	EXPECT_LINE(misspelt, "PRIVHEAP_BACKEND", "annon", "device", "anon");
}

/* The module is there, the node is not: as in a sandbox that has a /dev of its own. */
static void hidden_node(void)
{
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		CHECK_IN_CHILD(!"a namespace");
	CHECK_IN_CHILD(mount("none", "/dev", "tmpfs", 0, NULL) == 0);
	CHECK_IN_CHILD(!HeapCreate(0, 0, 0) && errno == ENOENT);
}

TEST(L15_hidden_node)
{
	if (on_device())
		EXPECT_LINE(hidden_node, "the module is loaded", "/dev");
}

static void no_descriptor(void)
{
	struct rlimit limit = { 3, 3 };

	CHECK_IN_CHILD(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK_IN_CHILD(!HeapCreate(0, 0, 0) && errno == EMFILE);
}

TEST(L15_descriptor_limit)
{
	if (on_device())
		EXPECT_LINE(no_descriptor, "RLIMIT_NOFILE", "descriptors");
}

/* EXIT_SUCCESS before anything was asked where the kernel knows no such rule. */
static void no_executable_memory(void)
{
	CHECK_IN_CHILD(HeapCreate(0, 0, 0));
	CHECK_IN_CHILD(!HeapCreate(HEAP_CREATE_ENABLE_EXECUTE, 0, 0) && errno == EACCES);
	CHECK_IN_CHILD(HeapCreate(0, 0, 0));
}

static void forbid_and_try(void)
{
	CHECK_IN_CHILD(prctl(PR_SET_MDWE, 1, 0, 0, 0) == 0);
	no_executable_memory();
}

TEST(L15_executable_memory_is_forbidden)
{
	if (prctl(PR_SET_MDWE, 0, 0, 0, 0) && errno == EINVAL)
		return;
	EXPECT_LINE(forbid_and_try, "executable", "PR_SET_MDWE");
}

static void quota_refuses(void)
{
	CHECK_IN_CHILD(privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 8 * MIB) == 0);
	CHECK_IN_CHILD(HeapCreate(0, 1 * MIB, 1 * MIB));
	CHECK_IN_CHILD(!HeapCreate(0, 16 * MIB, 16 * MIB) && errno == EDQUOT);
	CHECK_IN_CHILD(!HeapCreate(0, 32 * MIB, 32 * MIB) && errno == EDQUOT);
}

TEST(L15_refused_quota)
{
	EXPECT_LINE(quota_refuses, "16777216", "the process's limit of 8388608 bytes", "used");
}

static void quota_refuses_a_block(void)
{
	HANDLE heap = HeapCreate(HEAP_GENERATE_EXCEPTIONS, 0, 64 * MIB);

	privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 8 * MIB);
	HeapAlloc(heap, 0, 20 * MIB);
}

static void maximum_refuses_a_block(void)
{
	HeapAlloc(HeapCreate(HEAP_GENERATE_EXCEPTIONS, 0, 4 * MIB), 0, 5 * MIB);
}

TEST(L15_refused_quota_in_an_unhandled_exception)
{
	struct outcome out;

	EXPECT_ABORT(quota_refuses_a_block, "no memory", "20971520",
		     "the process's limit of 8388608 bytes");
	run_in_child(&out, maximum_refuses_a_block);
	EXPECT_EQ(NULL, strstr(out.text, "limit")) TH_LOG("%s", out.text);
}

TEST_HARNESS_MAIN

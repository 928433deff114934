// SPDX-License-Identifier: GPL-2.0 OR MIT
/* lib/examples/privheap-run.c: a command started under a limit keeps it, and cannot raise it. */
#include "kselftest_harness.h"
#include "common.h"

#include <stdlib.h>

#include "privheap.h"

#define UNDER_LIMIT	"PRIVHEAP_TEST_UNDER_LIMIT"

int privheap_run(int argc, char **argv);

static int run(const char *limit, const char *command)
{
	char *argv[] = { "privheap-run", (char *)limit, (char *)command, NULL };
	pid_t pid = fork();
	int status;

	if (!pid) {
		setenv(UNDER_LIMIT, limit, 1);
		_exit(privheap_run(command ? 3 : 2, argv));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(bad_limits)
{
	static const char * const bad[] = { "", "0", "x", "-1", "4T", "4MB", "9999999999G", "M" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(2, run(bad[i], "/bin/true"));
	}
	EXPECT_EQ(2, run("4M", NULL));
}

static bool on_device(void)
{
	const char *backend = getenv("PRIVHEAP_BACKEND");

	return !backend || !strcmp(backend, "device");
}

TEST(no_such_command)
{
	EXPECT_EQ(on_device() ? 127 : 1, run("4M", "/no/such/command"));
}

static void run_on_anon(void)
{
	setenv("PRIVHEAP_BACKEND", "anon", 1);
	_exit(run("4M", "/bin/true"));
}

/* It was run without a limit that holds: the new program begins without one. */
TEST(L13_anonymous_memory_is_refused)
{
	struct outcome out;

	run_in_child(&out, run_on_anon);
	EXPECT_TRUE(exited(&out, 1));
	EXPECT_NE(NULL, strstr(out.text, "PRIVHEAP_BACKEND=anon"));
}

/* What the command under the limit finds: 0, or the number of the line that does not hold. */
static int under_limit(void)
{
	struct privheap_quota_info quota = PRIVHEAP_QUOTA_INFO_INIT;
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	const char *backend = getenv("PRIVHEAP_BACKEND");

	if (!backend || strcmp(backend, "device"))
		return 7;
	attr.maximum = 16 * MIB;
	attr.initial = 8 * MIB;
	if (privheap_create(&attr) || errno != EDQUOT)
		return 1;
	attr.initial = MIB;
	if (!privheap_create(&attr))
		return 2;
	if (privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &quota))
		return 3;
	if (quota.limit != 4 * MIB || quota.denied != 1)
		return 4;
	if (setresuid(65534, 65534, 65534))
		return 5;
	if (!privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 8 * MIB) ||
	    errno != EPERM)
		return 6;
	return 0;
}

TEST(limit_survives_exec_on_the_device)
{
	EXPECT_EQ(on_device() ? 0 : 1, run("4M", "/proc/self/exe"));
}

/* What RLIMIT_DATA is in the command. */
static void limit_data(void)
{
	char *argv[] = { "privheap-run", "-d", "64M", "sh", "-c", "[ $(ulimit -d) = 65536 ]", NULL };

	_exit(privheap_run(6, argv));
}

TEST(L13_children_inherit_rlimit_data)
{
	struct outcome out;

	run_in_child(&out, limit_data);
	EXPECT_TRUE(exited(&out, on_device() ? 0 : 1)) TH_LOG("%#x %s", out.status, out.text);
}

int main(int argc, char **argv)
{
	if (getenv(UNDER_LIMIT))
		return under_limit();
	return test_harness_run(argc, argv);
}

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Executable heaps under SELinux: refused to whom anonymous memory that is both writable and
 * executable is refused (execmem). Needs a kernel started with security=selinux; the policy is
 * selinux.cil, made binary by secilc, and stays loaded, not enforced.
 */
#include <sys/mount.h>

#include "device.h"

#define SELINUX	"/sys/fs/selinux"

__asm__(".section .rodata\n"
	"policy: .incbin \"" POLICY "\"\n"
	"policy_end:\n"
	".previous");
extern const char policy[], policy_end[];

static bool load_policy(void)
{
	int fd = open(SELINUX "/load", O_WRONLY | O_CLOEXEC);
	ssize_t n = write(fd, policy, policy_end - policy);

	close(fd);
	return n == policy_end - policy;
}

FIXTURE(selinux)
{
	int dev;
};

FIXTURE_SETUP(selinux)
{
	ASSERT_TRUE(!mount("selinuxfs", SELINUX, "selinuxfs", 0, NULL) || errno == EBUSY);
	ASSERT_TRUE(load_policy());
	ASSERT_EQ(0, write_file(SELINUX "/enforce", "1"));
	self->dev = device_open();
	ASSERT_GE(self->dev, 0);
}

FIXTURE_TEARDOWN(selinux)
{
	EXPECT_EQ(0, write_file(SELINUX "/enforce", "0"));
}

/* errno of anonymous memory that is writable and executable; 0 = there is some. */
static int map_executable(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0) == MAP_FAILED ? errno : 0;
}

static void heaps_are_as_anonymous_memory(struct __test_metadata *_metadata, int dev)
{
	struct privheap_create heap;

	EXPECT_EQ(EACCES, map_executable());
	EXPECT_EQ(EACCES, heap_create(dev, MIB, 16 * MIB, PRIVHEAP_CREATE_EXEC, &heap));
	EXPECT_EQ(0, quota(dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(0, quota(dev, PRIVHEAP_QUOTA_PROCESS).heaps);
	EXPECT_EQ(0, heap_create(dev, MIB, 16 * MIB, 0, &heap));
	EXPECT_EQ(0, touch(heap.base + 2 * MIB));
}

TEST_F(selinux, K16_no_executable_heap_without_execmem)
{
	heaps_are_as_anonymous_memory(_metadata, self->dev);
}

TEST_F(selinux, K16_nor_for_nobody)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setresuid(NOBODY, NOBODY, NOBODY))
			_exit(1);
		heaps_are_as_anonymous_memory(_metadata, device_open());
		_exit(!_metadata->passed);
	}
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(selinux, K16_executable_heap_where_it_is_not_enforced)
{
	struct privheap_create heap;

	ASSERT_EQ(0, write_file(SELINUX "/enforce", "0"));
	EXPECT_EQ(0, map_executable());
	EXPECT_EQ(0, heap_create(self->dev, MIB, 16 * MIB, PRIVHEAP_CREATE_EXEC, &heap));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HOSTILE.md B: what a process may do to the mapping of its own heap. Each case by its number. */
#include <pthread.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "device.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define MAXIMUM	(16 * MIB)

/* The heap still works: the first and the last byte, and its charge covers them. */
static bool is_alive(int dev, const struct privheap_create *heap)
{
	return !touch(heap->base) && !touch(heap->base + MAXIMUM - 1) &&
	       heap_stat(dev, heap->heap).committed == MAXIMUM;
}

TEST_F(heap, B2_remap_file_pages)
{
	uint64_t base = self->heap.base;

	memset(at(base), 1, 8 * PAGE);
	for (size_t pgoff = 0; pgoff < 8; pgoff++) {
		EXPECT_EQ(-1, syscall(SYS_remap_file_pages, base + 3 * PAGE, PAGE, 0, pgoff, 0));
		EXPECT_TRUE(is_filled(base, 8 * PAGE, 1));
	}
	EXPECT_EQ(0, strncmp(strchr(maps_line(base), ' '), " rw-s ", 6));
}

TEST_F(heap, B4_boundaries)
{
	uint64_t base = self->heap.base;

	EXPECT_EQ(0, touch(base));
	EXPECT_EQ(0, touch(base + MAXIMUM - 1));
	EXPECT_EQ(SIGSEGV, touch(base + MAXIMUM));
	EXPECT_EQ(SIGSEGV, touch(base - 1));
}

TEST_F(heap, B4_past_the_commit_without_quota)
{
	ASSERT_EQ(0, limit_self(self->dev, MIB));
	EXPECT_EQ(0, touch(self->heap.base + MIB - 1));
	EXPECT_EQ(SIGBUS, touch(self->heap.base + MIB));
	EXPECT_EQ(SIGBUS, touch(self->heap.base + MAXIMUM - 1));
	EXPECT_EQ(MIB, heap_stat(self->dev, self->heap.heap).committed);
}

TEST_F(heap, B5_mremap)
{
	uint64_t base = self->heap.base;
	void *room = mmap(NULL, 4 * MAXIMUM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct { size_t old, new; int flags; } cases[] = {
		{ MAXIMUM, 2 * MAXIMUM, MREMAP_MAYMOVE },
		{ MAXIMUM, MAXIMUM, MREMAP_MAYMOVE | MREMAP_FIXED },
		{ PAGE, 2 * PAGE, MREMAP_MAYMOVE },
		{ 0, MAXIMUM, MREMAP_MAYMOVE },
		{ MAXIMUM, MAXIMUM, MREMAP_MAYMOVE | MREMAP_DONTUNMAP },
	};

	memset(at(base), 7, MAXIMUM);
	/* Something right behind, so that the first case cannot grow in place. */
	mmap(at(base + MAXIMUM), PAGE, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_EQ(MAP_FAILED, mremap(at(base), cases[i].old, cases[i].new, cases[i].flags,
					     room)) TH_LOG("case %zu", i);
		ASSERT_TRUE(is_filled(base, MAXIMUM, 7));
	}
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

TEST_F(heap, B5_growth_in_place)
{
	uint64_t base = self->heap.base;

	EXPECT_EQ(MAP_FAILED, mremap(at(base), MAXIMUM, MAXIMUM + PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(is_alive(self->dev, &self->heap));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

TEST_F(heap, B5_shrink_in_place)
{
	EXPECT_EQ(at(self->heap.base), mremap(at(self->heap.base), MAXIMUM, MIB, 0));
	EXPECT_EQ(0, touch(self->heap.base + MIB - 1));
	EXPECT_EQ(SIGSEGV, touch(self->heap.base + MIB));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
}

struct faulter {
	uint64_t base;
	volatile bool stop;
};

static void *fault_everywhere(void *arg)
{
	struct faulter *faulter = arg;

	for (uint64_t i = 0; !faulter->stop; i++)
		*(volatile char *)(faulter->base + i * 37 * PAGE % MAXIMUM) = 1;
	return NULL;
}

TEST_F(heap, B6_mremap_while_another_thread_faults)
{
	struct faulter faulter = { .base = self->heap.base };
	void *room = mmap(NULL, MAXIMUM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, fault_everywhere, &faulter));
	for (int i = 0; i < 2000; i++) {
		madvise(at(self->heap.base), MAXIMUM, MADV_DONTNEED);
		ASSERT_EQ(MAP_FAILED, mremap(at(self->heap.base), MAXIMUM, MAXIMUM,
					     MREMAP_MAYMOVE | MREMAP_FIXED, room));
	}
	faulter.stop = true;
	pthread_join(thread, NULL);
	EXPECT_TRUE(is_alive(self->dev, &self->heap));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

TEST_F(heap, B7_munmap_piece_by_piece)
{
	uint64_t base = self->heap.base;

	memset(at(base), 3, MAXIMUM);
	EXPECT_EQ(0, munmap(at(base), PAGE));
	EXPECT_EQ(0, munmap(at(base + 8 * MIB), PAGE));
	EXPECT_EQ(0, munmap(at(base + MAXIMUM - PAGE), PAGE));
	EXPECT_TRUE(is_filled(base + PAGE, MIB, 3));
	EXPECT_EQ(MAXIMUM, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(0, munmap(at(base + PAGE), 8 * MIB - PAGE));
	EXPECT_EQ(MAXIMUM, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_TRUE(is_filled(base + 8 * MIB + PAGE, MIB, 3));
	EXPECT_EQ(0, munmap(at(base), MAXIMUM));
	EXPECT_TRUE(used_becomes(self->dev, PRIVHEAP_QUOTA_PROCESS, 0));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
}

TEST_F(heap, B7_mapping_over_a_part_survives_destroy)
{
	char *hole = at(self->heap.base + 4 * MIB);

	ASSERT_EQ(hole, mmap(hole, MIB, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	memset(hole, 9, MIB);
	EXPECT_EQ(0, touch(self->heap.base + MAXIMUM - 1));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_TRUE(is_filled((uint64_t)hole, MIB, 9));
	EXPECT_EQ(SIGSEGV, touch(self->heap.base));
	EXPECT_EQ(SIGSEGV, touch(self->heap.base + MAXIMUM - 1));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

TEST_F(heap, B8_protection_of_a_part)
{
	uint64_t base = self->heap.base;

	memset(at(base), 5, MAXIMUM);
	EXPECT_EQ(0, mprotect(at(base + 3 * PAGE), PAGE, PROT_NONE));
	EXPECT_EQ(SIGSEGV, touch(base + 3 * PAGE));
	EXPECT_EQ(0, mprotect(at(base + 5 * PAGE), PAGE, PROT_READ));
	EXPECT_EQ(SIGSEGV, touch(base + 5 * PAGE));
	EXPECT_EQ(0, peek(base + 5 * PAGE));
	EXPECT_EQ(0, mprotect(at(base), MAXIMUM, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(is_filled(base, MAXIMUM, 5));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

TEST_F(heap, B8_commit_around_a_protected_hole)
{
	uint64_t base = self->heap.base;

	EXPECT_EQ(0, mprotect(at(base + 2 * MIB), MIB, PROT_NONE));
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 8 * MIB, PRIVHEAP_COMMIT_POPULATE));
	EXPECT_LE(8 * MIB, heap_stat(self->dev, self->heap.heap).resident);
}

/* Locks nothing (locked.c has what does), and commits nothing: the rest of the range is refused. */
TEST_F(heap, B8_mlock)
{
	uint64_t base = self->heap.base;

	EXPECT_EQ(0, mlock(at(base), 64 * KIB));
	EXPECT_EQ(-1, mlock(at(base), MIB));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(64 * KIB, heap_stat(self->dev, self->heap.heap).committed);
	EXPECT_EQ(0, munlock(at(base), MIB));
	EXPECT_TRUE(is_alive(self->dev, &self->heap));
}

TEST_F(heap, B9_never_executable)
{
	EXPECT_EQ(-1, mprotect(at(self->heap.base), PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(at(self->heap.base), MAXIMUM, PROT_READ | PROT_WRITE | PROT_EXEC));
}

TEST_F(heap, B9_read_implies_exec)
{
	struct privheap_create heap;
	int old = personality(0xffffffff);

	personality(old | READ_IMPLIES_EXEC);
	EXPECT_EQ(0, heap_create(self->dev, 0, MIB, 0, &heap));
	EXPECT_EQ(0, strncmp(strchr(maps_line(heap.base), ' '), " rw-s ", 6));
	EXPECT_EQ(0, mprotect(at(heap.base), MIB, PROT_READ));
	EXPECT_EQ(0, strncmp(strchr(maps_line(heap.base), ' '), " r--s ", 6));
	personality(old);
}

TEST_F(heap, B9_executable_by_flag)
{
	struct privheap_create heap;
	unsigned char *code;

	ASSERT_EQ(0, heap_create(self->dev, PAGE, MIB, PRIVHEAP_CREATE_EXEC, &heap));
	code = at(heap.base);
	memcpy(code, "\xb8\x2a\x00\x00\x00\xc3", 6);	/* mov eax, 42; ret */
	EXPECT_EQ(42, ((int (*)(void))code)());
}

/* The process has asked for no memory that is both writable and executable (since 6.3). */
TEST_F(heap, F11_no_executable_heap_under_mdwe)
{
	struct privheap_quota before = quota(self->dev, PRIVHEAP_QUOTA_PROCESS), after;
	struct privheap_create heap;

	if (kernel_is_older_than(6, 3))
		return;
	ASSERT_EQ(0, prctl(65 /* PR_SET_MDWE */, 1UL, 0UL, 0UL, 0UL));
	EXPECT_EQ(EACCES, heap_create(self->dev, MIB, 4 * MIB, PRIVHEAP_CREATE_EXEC, &heap));
	after = quota(self->dev, PRIVHEAP_QUOTA_PROCESS);
	EXPECT_EQ(before.used, after.used);
	EXPECT_EQ(before.heaps, after.heaps);
	EXPECT_EQ(0, heap_create(self->dev, MIB, 4 * MIB, 0, &heap));
}

static void advise_everything(uint64_t base, uint64_t offset, size_t length)
{
	for (int advice = 0; advice <= 25; advice++)
		madvise(at(base + offset), length, advice);
	/* 100 is MADV_HWPOISON: root may, and loses the page, whatever it is of. */
	for (int advice = geteuid() ? 100 : 101; advice <= 105; advice++)
		madvise(at(base + offset), length, advice);
}

TEST_F(heap, B10_every_advice)
{
	uint64_t base = self->heap.base;

	memset(at(base), 0x42, MAXIMUM);
	advise_everything(base, 0, MAXIMUM);
	advise_everything(base, 5 * PAGE, PAGE);
	advise_everything(base, MAXIMUM - PAGE, 2 * PAGE);
	EXPECT_TRUE(is_filled(base, MAXIMUM, 0x42));
	EXPECT_EQ(MAXIMUM, heap_stat(self->dev, self->heap.heap).committed);
	EXPECT_EQ(MAXIMUM, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

/* Populating a reserve far larger than memory stops at the quota and kills nobody. */
TEST_F(heap, B11_populate_beyond_the_quota)
{
	struct privheap_create big;

	ASSERT_EQ(0, limit_self(self->dev, 8 * MIB));
	ASSERT_EQ(0, heap_create(self->dev, 0, 1024 * GIB, 0, &big));
	EXPECT_EQ(-1, madvise(at(big.base), 1024 * GIB, 23 /* MADV_POPULATE_WRITE */));
	EXPECT_LE(quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used, 8 * MIB);
	EXPECT_LT(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).denied);
	EXPECT_EQ(0, heap_destroy(self->dev, big.heap));
	EXPECT_EQ(0, touch(self->heap.base + 8 * MIB - 1));
}

#define SYS_mseal	462	/* Linux 6.10 */

TEST_F(heap, B13_sealed)
{
	uint64_t base = self->heap.base;
	bool sealed = !syscall(SYS_mseal, base + MIB, MIB, 0);

	if (!sealed)
		EXPECT_EQ(ENOSYS, errno);
	EXPECT_EQ(sealed ? EPERM : 0, heap_destroy(self->dev, self->heap.heap));
	if (sealed) {
		EXPECT_EQ(0, touch(base + MIB));
		EXPECT_EQ(EPERM, heap_destroy(self->dev, self->heap.heap));
		EXPECT_LT(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	}
	/* What exit gives back is seen by the runner's counters. */
}

TEST_F(heap, B14_number_of_mappings)
{
	struct privheap_create heap;
	int err = 0;

	/* Every other page of its own protection, until the kernel has no more mappings to give. */
	for (uint64_t offset = 0; !err && offset < GIB; offset += 2 * PAGE) {
		char *page = mmap(NULL, 2 * PAGE, offset / PAGE % 4 ? PROT_READ : PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		err = page == MAP_FAILED;
	}
	ASSERT_EQ(1, err);
	EXPECT_EQ(ENOMEM, heap_create(self->dev, MIB, MIB, 0, &heap));
	EXPECT_EQ(64 * KIB, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
}

TEST_F(heap, B14_address_space_limit)
{
	struct rlimit old, tight = { .rlim_cur = 256 * MIB, .rlim_max = RLIM_INFINITY };
	struct privheap_create heap;

	getrlimit(RLIMIT_AS, &old);
	tight.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &tight));
	EXPECT_EQ(ENOMEM, heap_create(self->dev, MIB, GIB, 0, &heap));
	setrlimit(RLIMIT_AS, &old);
	EXPECT_EQ(64 * KIB, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
}

TEST_F(heap, B15_userfaultfd)
{
	struct { uint64_t api, features, ioctls; } api = { .api = 0xaa };
	struct { uint64_t start, len, mode, ioctls; } reg = {
		.start = self->heap.base, .len = MAXIMUM, .mode = 1,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, ioctl(fd, _IOWR(0xaa, 0x3f, api), &api));
	EXPECT_EQ(EINVAL, call(fd, _IOWR(0xaa, 0, reg), &reg));
}

TEST_HARNESS_MAIN

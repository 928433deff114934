// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Threads whose CPU has no shard: there was no metadata for one, its number is beyond what was counted, or
 * the thread is not one of the C library's. They find every free block, and have a way of their own.
 */
#include "unit.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "alloc/heap_lock.h"
#include "alloc/meta.h"
#include "alloc/percpu.h"
#include "alloc/shard.h"

static bool no_metadata;
static const char *side_base;

static int tight_reserve(struct backend_range *range, size_t initial, size_t maximum,
			 unsigned int flags, const char *name)
{
	int error = backend_anon.reserve(range, initial, maximum, flags, name);

	if (!error && strcmp(name, "side") == 0)
		side_base = range->base;
	return error;
}

static int tight_commit(struct backend_range *range, size_t committed, bool populate)
{
	if (no_metadata && range->base == side_base)
		return -ENOMEM;
	return backend_anon.commit(range, committed, populate);
}

static int tight_release(struct backend_range *range)
{
	return backend_anon.release(range);
}

/* Memory for blocks, but from some moment on none for what is to be known about them. */
static const struct backend tight = {
	.name = "tight",
	.reserve = tight_reserve,
	.commit = tight_commit,
	.release = tight_release,
};

static bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static void use_up_metadata(struct heap *heap)
{
	int error;

	no_metadata = true;
	heap_lock(heap);
	for (size_t bytes = 512; bytes >= 8; bytes /= 2)
		while (heap_meta_alloc(heap, bytes, &error))
			;
	heap_unlock(heap);
}

#define BLOCKS	200000

static void *blocks[BLOCKS];

/* Until there are `most`, or no more. How many there are then. */
static size_t fill(struct heap *heap, size_t n, size_t count, size_t most)
{
	while (count < most && (blocks[count] = unit_alloc(heap, n)))
		count++;
	return count;
}

FIXTURE(out_of_metadata) {
	struct heap *heap;
};

FIXTURE_VARIANT(out_of_metadata) {
	size_t maximum, size, freed;
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(out_of_metadata, one_block) { .maximum = MIB(16), .size = 16, .freed = 1 };
FIXTURE_VARIANT_ADD(out_of_metadata, many) { .maximum = MIB(16), .size = 16, .freed = 5000 };
FIXTURE_VARIANT_ADD(out_of_metadata, larger) { .maximum = MIB(16), .size = 3000, .freed = 17 };
FIXTURE_VARIANT_ADD(out_of_metadata, shared) { .maximum = MIB(2), .size = 16, .freed = 100 };
FIXTURE_VARIANT_ADD(out_of_metadata, checked) {
	.maximum = MIB(16), .size = 16, .freed = 100, .flags = HEAP_F_CHECK_TAIL,
};

FIXTURE_SETUP(out_of_metadata)
{
	struct heap_attr attr = {
		.maximum = variant->maximum, .flags = variant->flags, .backend = &tight,
	};

	ASSERT_EQ(0, heap_create(&attr, &self->heap));
}

FIXTURE_TEARDOWN(out_of_metadata)
{
	EXPECT_TRUE(unit_sound(self->heap));
	EXPECT_EQ(0, heap_destroy(self->heap));
}

/* Freed by a thread on a CPU that has slabs, wanted by one on a CPU that has not even a shard. */
TEST_F_TIMEOUT(out_of_metadata, L2_blocks_free_on_another_cpu_are_found, 60)
{
	size_t count, i, got;

	if (!run_on(1))
		SKIP(return, "one CPU");
	ASSERT_TRUE(run_on(0));
	ASSERT_EQ(variant->freed, fill(self->heap, variant->size, 0, variant->freed));
	use_up_metadata(self->heap);
	count = fill(self->heap, variant->size, variant->freed, BLOCKS);
	ASSERT_GT(BLOCKS, count);
	for (i = 0; i < variant->freed; i++) {
		ASSERT_EQ(HEAP_OK, heap_free(self->heap, blocks[i]));
	}
	ASSERT_TRUE(run_on(1));
	got = fill(self->heap, variant->size, 0, BLOCKS);
	EXPECT_EQ(variant->freed, got);
	/* And freed here, wanted there. */
	for (i = 0; i < got; i++) {
		ASSERT_EQ(HEAP_OK, heap_free(self->heap, blocks[i]));
	}
	ASSERT_TRUE(run_on(0));
	EXPECT_EQ(got, fill(self->heap, variant->size, 0, BLOCKS));
}

static volatile sig_atomic_t barriers;

/* A membarrier was to be: it has been, as nobody else runs. */
static void on_barrier(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	barriers++;
#ifdef __x86_64__
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 0;
#endif
}

static bool count_barriers(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = filter };
	struct sigaction action = { .sa_sigaction = on_barrier, .sa_flags = SA_SIGINFO };

	return sigaction(SIGSYS, &action, NULL) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Sparse numbers, no /sys to count them in, a CPU that came later: this thread's is one of those. */
TEST(F16_cpu_beyond_the_count_needs_no_barrier_for_each_block)
{
	struct heap *heap;
	size_t i, n;

	if (!PERCPU || !percpu_possible(process_get()) || !run_on(1))
		SKIP(return, "no two CPUs that own");
	process_get()->cpus = 1;
	heap = unit_heap(0, MIB(16), 0);
	ASSERT_NE(NULL, heap);
	ASSERT_EQ(HEAP_PERCPU, heap->mode);
	ASSERT_EQ(1, heap->shard_count);
	ASSERT_TRUE(count_barriers());
	for (int round = 0; round < 5; round++) {
		for (n = 0; n < 20000; n++) {
			blocks[n] = unit_alloc(heap, n % 700);
			ASSERT_NE(NULL, blocks[n]);
		}
		for (i = 0; i < n; i++) {
			ASSERT_EQ(HEAP_OK, heap_free(heap, blocks[i]));
		}
	}
	/* 200,000 calls. */
	EXPECT_GT(1000, barriers);
	TH_LOG("%d barriers", (int)barriers);
	EXPECT_EQ(0, unit_stats(heap).blocks);
	EXPECT_TRUE(unit_sound(heap));
	EXPECT_EQ(0, heap_destroy(heap));
}

/* Without /sys the C library counts the CPUs that this thread may use; their numbers may be higher. */
TEST(F16_the_count_covers_the_numbers)
{
	char empty[] = "/tmp/emptyXXXXXX";
	struct heap *heap;

	if (!PERCPU || !percpu_possible(process_get()) || !run_on(1))
		SKIP(return, "no two CPUs that own");
	/* Once the directory is gone nothing is in it, and nothing of this test stays. */
	ASSERT_NE(NULL, mkdtemp(empty));
	ASSERT_EQ(0, chdir(empty));
	ASSERT_EQ(0, rmdir(empty));
	if (chroot(".")) {
		ASSERT_EQ(0, unshare(CLONE_NEWUSER));
		ASSERT_EQ(0, chroot("."));
	}
	heap = unit_heap(0, MIB(64), 0);
	ASSERT_NE(NULL, heap);
	EXPECT_LT(1, heap->shard_count);
	EXPECT_EQ(0, heap_destroy(heap));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HOSTILE.md C: what the ioctls make of bad arguments, each case by its number; and B1, B3. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/utsname.h>

#include "device.h"

#define HIGH	(1ULL << 63)

/* A page that can be read but not written, and one after which nothing is mapped. */
static char *read_only_page(void)
{
	return mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static char *last_mapped_page(void)
{
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(two + PAGE, PAGE);
	return two;
}

static bool same_ledger(struct privheap_quota a, struct privheap_quota b)
{
	return a.used == b.used && a.heaps == b.heaps && a.limit == b.limit;
}

static const unsigned long commands[] = {
	PRIVHEAP_CREATE, PRIVHEAP_COMMIT, PRIVHEAP_DESTROY, PRIVHEAP_STAT, PRIVHEAP_QUOTA_GET,
	PRIVHEAP_QUOTA_SET,
};
#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

/* A longer structure of a known command is an extension (C3), not an unknown command. */
static bool is_known(unsigned int nr, unsigned int dir, unsigned int size)
{
	return nr < COMMANDS && dir == _IOC_DIR(commands[nr]) && size >= _IOC_SIZE(commands[nr]);
}

TEST_F(heap, C1_unknown_commands)
{
	struct privheap_quota before = quota(self->dev, PRIVHEAP_QUOTA_PROCESS);
	char arg[256] = { 0 };

	for (unsigned int nr = 0; nr < 256; nr++)
		for (unsigned int dir = 0; dir < 4; dir++)
			for (unsigned int size = 0; size <= 128; size++) {
				if (is_known(nr, dir, size))
					continue;
				ASSERT_EQ(ENOTTY, call(self->dev, _IOC(dir, PRIVHEAP_IOC, nr, size),
						       arg))
					TH_LOG("nr %u dir %u size %u", nr, dir, size);
			}
	for (size_t i = 0; i < COMMANDS; i++) {
		EXPECT_EQ(ENOTTY, call(self->dev, commands[i] ^ (1 << _IOC_TYPESHIFT), arg));
	}
	EXPECT_TRUE(same_ledger(before, quota(self->dev, PRIVHEAP_QUOTA_PROCESS)));
}

TEST_F(heap, C2_bad_pointers)
{
	struct privheap_quota before = quota(self->dev, PRIVHEAP_QUOTA_PROCESS);
	char *none = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *bad[] = {
		NULL, (void *)1, none, last_mapped_page() + PAGE - 8,
		(void *)0xffffffff81000000, (void *)0xffff888000000000, (void *)0x8000000000000000,
		(void *)~0UL,
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t c = 0; c < COMMANDS; c++) {
			EXPECT_EQ(EFAULT, call(self->dev, commands[c], bad[i]))
				TH_LOG("pointer %p command %zu", bad[i], c);
		}
	EXPECT_TRUE(same_ledger(before, quota(self->dev, PRIVHEAP_QUOTA_PROCESS)));
}

TEST_F(heap, C2_unaligned_pointer_works)
{
	char raw[sizeof(struct privheap_create) + 1] = { 0 };
	struct privheap_create arg = { .maximum = MIB };

	memcpy(raw + 1, &arg, sizeof(arg));
	ASSERT_EQ(0, call(self->dev, PRIVHEAP_CREATE, raw + 1));
	memcpy(&arg, raw + 1, sizeof(arg));
	EXPECT_EQ(0, heap_destroy(self->dev, arg.heap));
}

TEST_F(heap, C3_unknown_flags)
{
	uint64_t id = self->heap.heap;
	struct privheap_create heap;

	for (int bit = 0; bit < 32; bit++) {
		uint32_t flag = 1U << bit;
		struct privheap_destroy destroy = { .heap = id, .flags = flag };
		struct privheap_stat stat = { .heap = id, .flags = flag };
		struct privheap_quota get = { .id = PRIVHEAP_QUOTA_SELF, .flags = flag };

		if (flag & ~(PRIVHEAP_CREATE_EXEC | PRIVHEAP_CREATE_SECRET |
			     PRIVHEAP_CREATE_LOCKED)) {
			EXPECT_EQ(EINVAL, heap_create(self->dev, 0, MIB, flag, &heap));
		}
		if (flag & ~PRIVHEAP_COMMIT_POPULATE) {
			EXPECT_EQ(EINVAL, heap_commit(self->dev, id, MIB, flag));
		}
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_DESTROY, &destroy));
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_STAT, &stat));
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_QUOTA_GET, &get));
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_QUOTA_SET, &get));
	}
	EXPECT_EQ(64 * KIB, heap_stat(self->dev, id).committed);
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
}

TEST_F(heap, C3_reserved_fields)
{
	for (int bit = 0; bit < 32; bit++) {
		uint32_t dirty = 1U << bit;
		struct privheap_create create = { .maximum = MIB, .reserved = dirty };
		struct privheap_commit commit = { .heap = self->heap.heap, .reserved = dirty };
		struct privheap_destroy destroy = { .heap = self->heap.heap, .reserved = dirty };
		struct privheap_stat stat = { .heap = self->heap.heap, .reserved = dirty };
		struct privheap_quota get = { .id = PRIVHEAP_QUOTA_SELF, .reserved = dirty };

		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_CREATE, &create));
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_COMMIT, &commit));
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_DESTROY, &destroy));
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_STAT, &stat));
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_QUOTA_GET, &get));
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_QUOTA_SET, &get));
	}
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
}

TEST_F(heap, C3_longer_structures)
{
	for (size_t c = 0; c < COMMANDS; c++) {
		unsigned int size = _IOC_SIZE(commands[c]);
		unsigned long longer = _IOC(_IOC_DIR(commands[c]), PRIVHEAP_IOC, c, size + 8);
		char arg[256] = { 0 };

		/* All zero: no number, no size, an own process's ledger that is not named. */
		EXPECT_EQ(call(self->dev, commands[c], arg), call(self->dev, longer, arg));
		memset(arg, 0, sizeof(arg));
		arg[size + 7] = 1;
		EXPECT_EQ(E2BIG, call(self->dev, longer, arg));
	}
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
}

TEST_F(heap, C3_names)
{
	static const char * const bad[] = { "a/b", "a\nb", "\x7f", "\xc3\xa4", "\x01" };
	struct privheap_create arg = { .maximum = MIB };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(arg.name, 0, sizeof(arg.name));
		strcpy(arg.name, bad[i]);
		EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_CREATE, &arg));
	}
	memset(arg.name, 'x', sizeof(arg.name));
	EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_CREATE, &arg));
	arg.name[PRIVHEAP_NAME_LEN - 1] = 0;
	EXPECT_EQ(0, call(self->dev, PRIVHEAP_CREATE, &arg));
}

TEST_F(heap, C5_B3_sizes_of_create)
{
	static const struct { uint64_t initial, maximum; int error; } cases[] = {
		{ 0, 0, EINVAL },		{ 0, 1, 0 },
		{ 1, 1, 0 },			{ 0, PAGE - 1, 0 },
		{ 0, PAGE, 0 },			{ 0, PAGE + 1, 0 },
		{ 2, 1, EINVAL },		{ PAGE + 1, PAGE, EINVAL },
		{ ~0ULL, PAGE, EINVAL },	{ 0, 1ULL << 31, 0 },
		{ 0, (1ULL << 32) + PAGE, 0 },	{ 0, 1ULL << 47, EINVAL },
		{ 0, (1ULL << 47) - 16 * PAGE, ENOMEM },
		{ 0, HIGH, EINVAL },		{ 0, HIGH - PAGE, EINVAL },
		{ 0, ~0ULL, EINVAL },		{ 0, ~0ULL - PAGE + 1, EINVAL },
		{ ~0ULL, ~0ULL, EINVAL },	{ HIGH, HIGH, EINVAL },
	};
	struct privheap_quota before = quota(self->dev, PRIVHEAP_QUOTA_PROCESS);
	struct privheap_create heap;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_EQ(cases[i].error, heap_create(self->dev, cases[i].initial,
						      cases[i].maximum, 0, &heap))
			TH_LOG("case %zu", i);
		if (!cases[i].error) {
			EXPECT_EQ(0, heap_destroy(self->dev, heap.heap));
		}
	}
	EXPECT_TRUE(same_ledger(before, quota(self->dev, PRIVHEAP_QUOTA_PROCESS)));
}

TEST_F(heap, C5_sizes_of_commit)
{
	static const uint64_t bad[] = {
		16 * MIB + 1, 16 * MIB + PAGE, 1ULL << 32, HIGH, HIGH + PAGE, ~0ULL, ~0ULL - PAGE,
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(EINVAL, heap_commit(self->dev, self->heap.heap, bad[i], 0));
	}
	EXPECT_EQ(64 * KIB, heap_stat(self->dev, self->heap.heap).committed);
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 0, 0));
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 16 * MIB, 0));
}

TEST_F(heap, C6_numbers_never_issued)
{
	int other = device_open();
	uint64_t bad[] = {
		0, self->heap.heap + 1, ~0ULL, HIGH, self->heap.base, self->heap.heap | HIGH,
		self->heap.heap | 1ULL << 32,
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(ENOENT, heap_destroy(self->dev, bad[i]));
		EXPECT_EQ(ENOENT, heap_commit(self->dev, bad[i], MIB, 0));
		EXPECT_EQ(0, heap_stat(self->dev, bad[i]).base);
	}
	/* A number belongs to its descriptor. */
	EXPECT_EQ(ENOENT, heap_destroy(other, self->heap.heap));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(ENOENT, heap_commit(self->dev, self->heap.heap, MIB, 0));
	close(other);
}

TEST_F(heap, C6_unmapped_by_hand)
{
	ASSERT_EQ(0, munmap((void *)self->heap.base, 16 * MIB));
	EXPECT_EQ(ENOENT, heap_commit(self->dev, self->heap.heap, MIB, 0));
	EXPECT_EQ(ENOENT, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

TEST_F(heap, C7_results_leave_no_byte_undefined)
{
	struct privheap_stat a, b;

	memset(&a, 0xa5, sizeof(a));
	memset(&b, 0x5a, sizeof(b));
	a.heap = b.heap = self->heap.heap;
	a.flags = b.flags = a.reserved = b.reserved = 0;
	ASSERT_EQ(0, call(self->dev, PRIVHEAP_STAT, &a));
	ASSERT_EQ(0, call(self->dev, PRIVHEAP_STAT, &b));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
}

TEST_F(heap, C7_a_failed_call_leaves_the_argument_alone)
{
	struct privheap_create arg, copy;

	memset(&arg, 0xa5, sizeof(arg));
	copy = arg;
	EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_CREATE, &arg));
	EXPECT_EQ(0, memcmp(&arg, &copy, sizeof(arg)));
}

TEST_F(heap, C9_read_only_result)
{
	struct privheap_quota before = quota(self->dev, PRIVHEAP_QUOTA_PROCESS);
	struct privheap_create create = { .initial = MIB, .maximum = MIB };
	struct privheap_commit commit = { .heap = self->heap.heap, .committed = 8 * MIB };
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(page, &create, sizeof(create));
	memcpy(page + 1024, &commit, sizeof(commit));
	mprotect(page, PAGE, PROT_READ);
	EXPECT_EQ(EFAULT, call(self->dev, PRIVHEAP_CREATE, page));
	EXPECT_EQ(EFAULT, call(self->dev, PRIVHEAP_COMMIT, page + 1024));
	EXPECT_EQ(EFAULT, call(self->dev, PRIVHEAP_QUOTA_GET, read_only_page()));
	EXPECT_TRUE(same_ledger(before, quota(self->dev, PRIVHEAP_QUOTA_PROCESS)));
}

/* Makes the result of a COMMIT read-only once the call has moved the commit. */
struct spoiler {
	int dev;
	uint64_t heap, before, relied_on;
	struct privheap_commit *arg;
	atomic_bool ready;
};

static void *spoil(void *arg)
{
	struct spoiler *s = arg;

	atomic_store(&s->ready, true);
	for (int i = 0; i < 10000 && heap_stat(s->dev, s->heap).committed == s->before; i++)
		;
	heap_commit(s->dev, s->heap, s->relied_on, 0);
	mprotect(s->arg, PAGE, PROT_READ);
	return NULL;
}

/* A COMMIT with a spoiler beside it; its error. */
static int commit_spoiled(struct spoiler *s, uint64_t committed, uint32_t flags)
{
	pthread_t thread;
	int err;

	mprotect(s->arg, PAGE, PROT_READ | PROT_WRITE);
	*s->arg = (struct privheap_commit) { .heap = s->heap, .committed = committed,
					     .flags = flags };
	atomic_store(&s->ready, false);
	pthread_create(&thread, NULL, spoil, s);
	while (!atomic_load(&s->ready))
		;
	err = call(s->dev, PRIVHEAP_COMMIT, s->arg);
	pthread_join(thread, NULL);
	return err;
}

/* What another thread was told is there stays there; the rest of a failed call does not. */
TEST_F(heap, C9_result_read_only_when_the_call_ends)
{
	struct spoiler s = { .dev = self->dev };
	int spoiled = 0;

	s.arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 2000 && spoiled < 20; i++) {
		int err;

		ASSERT_EQ(0, heap_destroy(self->dev, self->heap.heap));
		ASSERT_EQ(0, heap_create(self->dev, 64 * KIB, 16 * MIB, 0, &self->heap));
		s.heap = self->heap.heap;
		s.before = 64 * KIB;
		s.relied_on = i % 2 ? MIB : 0;
		err = commit_spoiled(&s, 8 * MIB, PRIVHEAP_COMMIT_POPULATE);
		ASSERT_TRUE(!err || err == EFAULT);
		spoiled += err == EFAULT;
		ASSERT_EQ(!err ? 8 * MIB : s.relied_on ?: s.before,
			  heap_stat(self->dev, s.heap).committed);
		ASSERT_EQ(heap_stat(self->dev, s.heap).committed,
			  quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
		ASSERT_GE(quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used,
			  heap_stat(self->dev, s.heap).resident);
	}
	EXPECT_LT(0, spoiled);
}

TEST_F(heap, C12_argument_inside_the_heap)
{
	struct privheap_commit *commit = (void *)(self->heap.base + 5 * MIB);
	struct privheap_destroy *destroy = (void *)(self->heap.base + MIB);

	*commit = (struct privheap_commit) {
		.heap = self->heap.heap, .committed = 9 * MIB, .flags = PRIVHEAP_COMMIT_POPULATE,
	};
	EXPECT_EQ(0, call(self->dev, PRIVHEAP_COMMIT, commit));
	EXPECT_EQ(9 * MIB, commit->committed);
	*destroy = (struct privheap_destroy) { .heap = self->heap.heap };
	EXPECT_EQ(0, call(self->dev, PRIVHEAP_DESTROY, destroy));
}

TEST_F(heap, C13_other_calls_on_the_descriptor)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->dev, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->dev, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->dev, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, ftruncate(self->dev, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_NE(0, posix_fallocate(self->dev, 0, PAGE));
	EXPECT_EQ(0, touch(self->heap.base));
}

TEST_F(heap, B1_mmap_of_the_device)
{
	static const int flags[] = {
		MAP_SHARED, MAP_PRIVATE, MAP_SHARED | MAP_POPULATE, MAP_SHARED_VALIDATE,
		MAP_PRIVATE | MAP_STACK, MAP_SHARED | MAP_NORESERVE,
	};
	static const off_t offsets[] = { 0, PAGE, 1L << 32, 1L << 46 };

	for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++)
		for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++)
			for (size_t length = PAGE; length < GIB; length *= 64) {
				ASSERT_EQ(MAP_FAILED, mmap(NULL, length, PROT_READ | PROT_WRITE,
							   flags[f], self->dev, offsets[o]));
				ASSERT_EQ(ENODEV, errno);
			}
}

TEST_HARNESS_MAIN

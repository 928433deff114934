// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HOSTILE.md "Faults and load": every allocation and every copy of every entry point fails once.
 *
 *	n = 1, 2, ...	prepare -> the n-th from now on fails -> the call -> looked at -> clean up
 *
 * until a call comes through with fewer than n. A failed call returns a documented error, leaves
 * the ledger as it was, and succeeds when repeated; a successful one has made the best of it.
 * Needs fault injection in the kernel; guest/job-tests configures it. guest/nothing-lost looks
 * for leaks afterwards.
 */
#include "device.h"

struct world {
	int dev;		/* the one the operation uses */
	int observer;		/* never used while something may fail */
	int fail_nth;
	struct privheap_create heap;
	pid_t other;
};

struct operation {
	int (*prepare)(struct world *w);
	int (*run)(struct world *w);	/* 0, errno or signal */
	int (*clean)(struct world *w);	/* after a run that succeeded */
	int allowed[4];			/* of run, 0-terminated */
	int at_least;			/* failures that there must be for the sweep to mean much */
};

static bool arm(struct world *w, int n)
{
	char number[16];
	int length = snprintf(number, sizeof(number), "%d", n);

	return pwrite(w->fail_nth, number, length, 0) == length;
}

/* Ends the injection; true if there was one. Reading copies too, and so may be what fails. */
static bool disarm(struct world *w)
{
	char left[16] = "";
	bool injected = pread(w->fail_nth, left, sizeof(left) - 1, 0) > 0 && atoi(left) == 0;

	for (int i = 0; i < 2 && !arm(w, 0); i++)
		;
	return injected;
}

static bool same(struct privheap_quota a, struct privheap_quota b)
{
	return a.used == b.used && a.heaps == b.heaps && a.limit == b.limit;
}

static bool is_allowed(const struct operation *op, int err)
{
	for (const int *allowed = op->allowed; *allowed; allowed++)
		if (*allowed == err)
			return true;
	return !err;
}

static void sweep(struct __test_metadata *_metadata, struct world *w, const struct operation *op)
{
	struct privheap_quota start = quota(w->observer, PRIVHEAP_QUOTA_PROCESS);
	bool injected = true;
	int failed = 0, n;

	for (n = 0; injected; n++) {
		struct privheap_quota before;
		int err;

		ASSERT_EQ(0, op->prepare ? op->prepare(w) : 0);
		before = quota(w->observer, PRIVHEAP_QUOTA_PROCESS);
		ASSERT_TRUE(arm(w, n + 1));
		err = op->run(w);
		injected = disarm(w);
		EXPECT_TRUE(is_allowed(op, err) && (injected || !err))
			TH_LOG("failure %d: %d (%s)", n + 1, err, strerror(err));
		if (err) {
			failed++;
			EXPECT_TRUE(same(before, quota(w->observer, PRIVHEAP_QUOTA_PROCESS)))
				TH_LOG("failure %d: %s, and the ledger changed", n + 1, strerror(err));
			ASSERT_EQ(0, op->run(w)) TH_LOG("after failure %d", n + 1);
		}
		ASSERT_EQ(0, op->clean ? op->clean(w) : 0);
		ASSERT_TRUE(same(start, quota(w->observer, PRIVHEAP_QUOTA_PROCESS)))
			TH_LOG("after failure %d the ledger changed", n + 1);
	}
	TH_LOG("%d injected, of which %d failed the call", n - 1, failed);
	EXPECT_LE(op->at_least, n - 1);
}

FIXTURE(failnth)
{
	struct world w;
};

FIXTURE_SETUP(failnth)
{
	self->w.dev = device_open();
	self->w.observer = device_open();
	self->w.fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_GE(self->w.dev, 0);
	ASSERT_GE(self->w.observer, 0);
	ASSERT_GE(self->w.fail_nth, 0);
}

FIXTURE_TEARDOWN(failnth)
{
}

static int run_open(struct world *w)
{
	w->dev = device_open();
	return w->dev < 0 ? errno : 0;
}

static int run_close(struct world *w)
{
	return close(w->dev) ? errno : 0;
}

TEST_F_TIMEOUT(failnth, open_, 1800)
{
	close(self->w.dev);
	sweep(_metadata, &self->w, &(struct operation) {
		.run = run_open, .clean = run_close, .allowed = { ENOMEM, EFAULT }, .at_least = 3,
	});
}

/* Whatever fails inside, a close is a close. */
TEST_F_TIMEOUT(failnth, close_, 1800)
{
	close(self->w.dev);
	sweep(_metadata, &self->w, &(struct operation) { .prepare = run_open, .run = run_close });
}

static int create(struct world *w, uint64_t initial)
{
	return heap_create(w->dev, initial, 16 * MIB, 0, &w->heap);
}

static int create_empty(struct world *w)
{
	return create(w, 0);
}

static int create_small(struct world *w)
{
	return create(w, 128 * KIB);
}

/* A huge page, and a page beyond it. */
static int create_big(struct world *w)
{
	return create(w, 2 * MIB + PAGE);
}

static int destroy(struct world *w)
{
	return heap_destroy(w->dev, w->heap.heap);
}

TEST_F_TIMEOUT(failnth, create_empty, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.run = create_empty, .clean = destroy, .allowed = { ENOMEM, EFAULT }, .at_least = 10,
	});
}

TEST_F_TIMEOUT(failnth, create_with_initial_pages, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.run = create_small, .clean = destroy, .allowed = { ENOMEM, EFAULT }, .at_least = 30,
	});
}

TEST_F_TIMEOUT(failnth, create_with_a_huge_page, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.run = create_big, .clean = destroy, .allowed = { ENOMEM, EFAULT }, .at_least = 10,
	});
}

static int commit(struct world *w)
{
	return heap_commit(w->dev, w->heap.heap, 128 * KIB, 0);
}

static int commit_populate(struct world *w)
{
	return heap_commit(w->dev, w->heap.heap, 128 * KIB, PRIVHEAP_COMMIT_POPULATE);
}

TEST_F_TIMEOUT(failnth, commit_, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_empty, .run = commit, .clean = destroy,
		.allowed = { EFAULT }, .at_least = 2,
	});
}

TEST_F_TIMEOUT(failnth, commit_populate, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_empty, .run = commit_populate, .clean = destroy,
		.allowed = { ENOMEM, EFAULT }, .at_least = 30,
	});
}

static int touch_uncommitted(struct world *w)
{
	return touch(w->heap.base + MIB);
}

static int touch_committed(struct world *w)
{
	return touch(w->heap.base);
}

static int create_committed(struct world *w)
{
	int err = create(w, 0);

	return err ?: heap_commit(w->dev, w->heap.heap, 64 * KIB, 0);
}

TEST_F_TIMEOUT(failnth, fault_inside_the_commit, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_committed, .run = touch_committed, .clean = destroy,
		.allowed = { SIGBUS }, .at_least = 10,
	});
}

/* The kernel may have moved the commit before it failed to find a page: touched is charged. */
static int touch_then_destroy(struct world *w)
{
	int sig = touch_uncommitted(w);

	if (!sig)
		return 0;
	return sig == SIGBUS && !touch_uncommitted(w) ? 0 : sig;
}

TEST_F_TIMEOUT(failnth, fault_past_the_commit, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_empty, .run = touch_then_destroy, .clean = destroy, .at_least = 10,
	});
}

static int stat_(struct world *w)
{
	struct privheap_stat arg = { .heap = w->heap.heap };

	return call(w->dev, PRIVHEAP_STAT, &arg);
}

TEST_F_TIMEOUT(failnth, stat_, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_small, .run = stat_, .clean = destroy,
		.allowed = { EFAULT }, .at_least = 2,
	});
}

static int quota_get(struct world *w)
{
	struct privheap_quota arg = { .id = PRIVHEAP_QUOTA_SELF };

	return call(w->dev, PRIVHEAP_QUOTA_GET, &arg);
}

static int quota_get_pid(struct world *w)
{
	struct privheap_quota arg = { .id = getpid() };

	return call(w->dev, PRIVHEAP_QUOTA_GET, &arg);
}

TEST_F_TIMEOUT(failnth, quota_get, 1800)
{
	struct operation op = {
		.run = quota_get, .allowed = { ENOMEM, EFAULT }, .at_least = 2,
	};

	sweep(_metadata, &self->w, &op);
	if (geteuid())
		return;
	op.run = quota_get_pid;
	sweep(_metadata, &self->w, &op);
}

/* The same value: what counts is that a failure leaves it. */
static int quota_set_(struct world *w)
{
	return limit_self(w->dev, 64 * MIB);
}

TEST_F_TIMEOUT(failnth, quota_set, 1800)
{
	ASSERT_EQ(0, limit_self(self->w.dev, 64 * MIB));
	sweep(_metadata, &self->w, &(struct operation) {
		.run = quota_set_, .allowed = { ENOMEM, EFAULT }, .at_least = 1,
	});
}

/* A process that has no account yet. */
static int fork_other(struct world *w)
{
	w->other = fork();
	if (!w->other)
		pause();
	return w->other < 0 ? errno : 0;
}

static int quota_set_other(struct world *w)
{
	return quota_set(w->dev, PRIVHEAP_QUOTA_PROCESS, w->other, 64 * MIB);
}

static int end_other(struct world *w)
{
	return kill(w->other, SIGKILL) || waitpid(w->other, NULL, 0) != w->other ? errno : 0;
}

TEST_F_TIMEOUT(failnth, quota_set_of_another, 1800)
{
	if (geteuid())
		return;
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = fork_other, .run = quota_set_other, .clean = end_other,
		.allowed = { ENOMEM, EFAULT }, .at_least = 1,
	});
}

TEST_F_TIMEOUT(failnth, destroy_, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_small, .run = destroy, .allowed = { EFAULT }, .at_least = 1,
	});
}

/* In pieces, so that unmapping has to work on more than one. */
static int create_split(struct world *w)
{
	int err = create(w, 128 * KIB);

	if (!err && mprotect((void *)(w->heap.base + 8 * PAGE), 8 * PAGE, PROT_READ))
		err = errno;
	return err;
}

TEST_F_TIMEOUT(failnth, destroy_pieces, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_split, .run = destroy, .allowed = { EFAULT }, .at_least = 1,
	});
}

static int unmap(struct world *w)
{
	return munmap((void *)w->heap.base, 16 * MIB) ? errno : 0;
}

TEST_F_TIMEOUT(failnth, munmap_, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_small, .run = unmap, .allowed = { ENOMEM },
	});
}

static int unmap_a_part(struct world *w)
{
	return munmap((void *)(w->heap.base + 8 * PAGE), 8 * PAGE) ? errno : 0;
}

TEST_F_TIMEOUT(failnth, munmap_a_part, 1800)
{
	sweep(_metadata, &self->w, &(struct operation) {
		.prepare = create_small, .run = unmap_a_part, .clean = destroy,
		.allowed = { ENOMEM }, .at_least = 1,
	});
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HOSTILE.md "Faults and load": every allocation and every copy of every entry point fails, once
 * and for as long as the call lasts.
 *
 *	once		n = 1, 2, ...: prepare -> the n-th from now on fails -> the call -> looked
 *			at -> clean up; until a call comes through with fewer than n
 *	persistently	prepare -> all of a kind fail -> the call -> none fails -> the same
 *
 * A failed call returns a documented error, leaves the ledger as it was, and succeeds when
 * repeated; a successful one has made the best of it.
 * Needs fault injection in the kernel; guest/job-tests configures it. guest/nothing-lost looks
 * for leaks afterwards. `failnth nobody` drops privilege first: only root may have a task's
 * allocations fail persistently, and a task whose copies all fail cannot end that itself.
 */
#include <stdatomic.h>
#include <sys/prctl.h>

#include "device.h"

/* What a task that has asked for it is made to suffer. */
static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/**
 * struct helper - what a process of root's does for the test
 * @wanted: 0 = nothing fails, else 1 + the kind that does
 * @given: the same; follows
 * @slow: how often it ended a failure itself because the call did not return
 */
struct helper {
	atomic_int wanted, given, slow;
};

struct world {
	int dev;		/* the one the operation uses */
	int observer;		/* never used while something may fail */
	int fail_nth;
	struct helper *helper;
	struct privheap_create heap;
	pid_t other;
};

struct operation {
	int (*prepare)(struct world *w);
	int (*run)(struct world *w);	/* 0, errno or signal */
	int (*clean)(struct world *w);	/* after a run that succeeded */
	int allowed[4];			/* of run, 0-terminated */
	int at_least;			/* failures that there must be for the sweep to mean much */
	bool patient;			/* without memory it waits: the kernel repeats a fault */
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

static void sweep_once(struct __test_metadata *_metadata, struct world *w, const struct operation *op)
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
	TH_LOG("once: %d injected, of which %d failed the call", n - 1, failed);
	EXPECT_LE(op->at_least, n - 1);
}

/* Without a system call: those fail, too. */
static void fail(struct world *w, int wanted)
{
	atomic_store(&w->helper->wanted, wanted);
	while (atomic_load(&w->helper->given) != wanted)
		;
}

/* May the call fail of this kind: usercopy is EFAULT, the others are not. */
static bool is_of_kind(int err, int kind)
{
	return !err || (err == EFAULT) == (kind == KINDS - 1);
}

static void sweep_persistently(struct __test_metadata *_metadata, struct world *w,
			       const struct operation *op, int kind)
{
	struct privheap_quota start = quota(w->observer, PRIVHEAP_QUOTA_PROCESS), before;
	int slow = atomic_load(&w->helper->slow);
	int err;

	ASSERT_EQ(0, op->prepare ? op->prepare(w) : 0);
	before = quota(w->observer, PRIVHEAP_QUOTA_PROCESS);
	fail(w, 1 + kind);
	err = op->run(w);
	fail(w, 0);
	EXPECT_TRUE(is_allowed(op, err) && is_of_kind(err, kind))
		TH_LOG("%s: %d (%s)", kinds[kind], err, strerror(err));
	EXPECT_TRUE(op->patient || atomic_load(&w->helper->slow) == slow)
		TH_LOG("%s: the call waited", kinds[kind]);
	if (err) {
		EXPECT_TRUE(same(before, quota(w->observer, PRIVHEAP_QUOTA_PROCESS)))
			TH_LOG("%s: %s, and the ledger changed", kinds[kind], strerror(err));
		ASSERT_EQ(0, op->run(w)) TH_LOG("after %s", kinds[kind]);
	}
	ASSERT_EQ(0, op->clean ? op->clean(w) : 0);
	EXPECT_TRUE(same(start, quota(w->observer, PRIVHEAP_QUOTA_PROCESS)))
		TH_LOG("after %s the ledger changed", kinds[kind]);
	TH_LOG("%s persistently: %s", kinds[kind], err ? strerror(err) : "the call succeeded");
}

static void sweep(struct __test_metadata *_metadata, struct world *w, const struct operation *op)
{
	sweep_once(_metadata, w, op);
	for (int kind = 0; kind < KINDS; kind++)
		sweep_persistently(_metadata, w, op, kind);
}

static bool set_probability(int kind, const char *percent)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/probability", kinds[kind]);
	return !write_file(path, percent);
}

/*
 * Makes the parent's allocations fail as it wants. Another task's are left alone: task-filter is
 * set. A call that has not returned after a quarter of a second is let go.
 */
static void help(struct helper *helper, int make_it_fail, pid_t parent)
{
	while (getppid() == parent) {
		int wanted = atomic_load(&helper->wanted), ticks = 0;

		if (!wanted) {
			usleep(200);
			continue;
		}
		if (!set_probability(wanted - 1, "100") || pwrite(make_it_fail, "1", 1, 0) != 1)
			_exit(1);
		atomic_store(&helper->given, wanted);
		while (atomic_load(&helper->wanted) && ticks < 250) {
			usleep(1000);
			ticks++;
		}
		atomic_fetch_add(&helper->slow, ticks == 250);
		if (pwrite(make_it_fail, "0", 1, 0) != 1 || !set_probability(wanted - 1, "0"))
			_exit(1);
		while (atomic_load(&helper->wanted) && getppid() == parent)
			usleep(200);
		atomic_store(&helper->given, 0);
	}
}

static struct helper *helper_start(void)
{
	struct helper *helper = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid(), pid = helper == MAP_FAILED ? -1 : fork();
	char path[64];

	if (!pid) {
		snprintf(path, sizeof(path), "/proc/%d/make-it-fail", parent);
		help(helper, open(path, O_WRONLY | O_CLOEXEC), parent);
		_exit(0);
	}
	return pid < 0 ? NULL : helper;
}

static bool as_nobody;

FIXTURE(failnth)
{
	struct world w;
};

FIXTURE_SETUP(failnth)
{
	self->w.helper = helper_start();
	ASSERT_NE(NULL, self->w.helper);
	if (as_nobody) {
		ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
		prctl(PR_SET_DUMPABLE, 1);	/* so that our own /proc files are ours */
	}
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

/* A page alone, and one of a row, which brings a window with it. */
static int touch_two(uint64_t address)
{
	return touch(address) ?: touch(address + PAGE);
}

static int touch_uncommitted(struct world *w)
{
	return touch_two(w->heap.base + MIB);
}

static int touch_committed(struct world *w)
{
	return touch_two(w->heap.base);
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
		.allowed = { SIGBUS }, .at_least = 10, .patient = true,
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
		.patient = true,
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
		.prepare = create_small, .run = destroy, .allowed = { ENOMEM, EFAULT },
		.at_least = 1,
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
		.prepare = create_split, .run = destroy, .allowed = { ENOMEM, EFAULT },
		.at_least = 1,
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

int main(int argc, char **argv)
{
	as_nobody = argc == 2 && !strcmp(argv[1], "nobody");
	return test_harness_run(1, argv);
}

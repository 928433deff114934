// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What tenants of one machine can do to their limits and see of each other (HOSTILE.md E). Root
 * only: it makes the tenants. Each case by its letter.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "told.h"

/* Runs f in a child that is user uid; its return value, or 128 + the signal that ended it. */
static int as_user(unsigned int uid, int (*f)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setresuid(uid, uid, uid))
			_exit(100);
		_exit(f(arg));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Peaks */

struct refused {
	int dev;
	uint64_t heap;
	atomic_bool over;
};

/* The process would allow it, the user's limit does not. */
static void *ask_for_too_much(void *arg)
{
	struct refused *r = arg;

	while (!atomic_load(&r->over))
		if (heap_commit(r->dev, r->heap, 64 * MIB, 0) != EDQUOT)
			return "granted";
	return NULL;
}

static int peak_beside_refusals(void *unused)
{
	struct refused r = { .dev = device_open() };
	struct privheap_create heap;
	struct privheap_quota q;
	pthread_t thread;
	void *wrong;

	if (heap_create(r.dev, 0, 64 * MIB, 0, &heap))
		return 1;
	r.heap = heap.heap;
	if (pthread_create(&thread, NULL, ask_for_too_much, &r))
		return 2;
	for (unsigned long i = setting("ROUNDS", 2500) / 5; i; i--) {
		if (heap_create(r.dev, PAGE, PAGE, 0, &heap) || heap_destroy(r.dev, heap.heap))
			return 3;
		q = quota(r.dev, PROCESS);
		if (q.used > q.peak)
			return 4;
		if (q.peak != PAGE)
			return 5;
	}
	atomic_store(&r.over, true);
	pthread_join(thread, &wrong);
	return wrong ? 6 : 0;
}

TEST(K16_a_refused_charge_raises_no_peak)
{
	int dev = device_open();

	ASSERT_EQ(0, quota_set(dev, USER, NOBODY, MIB));
	EXPECT_EQ(0, as_user(NOBODY, peak_beside_refusals, NULL));
	EXPECT_EQ(0, quota_set(dev, USER, NOBODY, 0));
	close(dev);
}

/* Own limits */

static int opt_out(int dev, int step)
{
	static struct privheap_create heap;

	switch (step) {
	case 'o':
		return limit_self(dev, 0);
	case 'l':
		return limit_self(dev, 2 * MIB);
	case 'c':
		return heap_create(dev, 8 * MIB, 8 * MIB, 0, &heap);
	case 'd':
		return heap_destroy(dev, heap.heap);
	case 'm':
		return quota(dev, PROCESS).limit / MIB;
	case 'f':
		return quota(dev, PROCESS).flags;
	}
	return -1;
}

TEST(K4_nobody_opts_out_of_a_default_set_later)
{
	uint64_t before = parameter(PARAMETERS "process_limit");
	struct told t;

	tell_start(&t, NOBODY, opt_out);
	EXPECT_EQ(0, tell(&t, 'o'));
	EXPECT_EQ(0, tell(&t, 'c'));
	EXPECT_EQ(0, tell(&t, 'd'));
	ASSERT_EQ(0, set_parameter(PARAMETERS "process_limit", 4 * MIB));
	EXPECT_EQ(EDQUOT, tell(&t, 'c'));
	EXPECT_EQ(4, tell(&t, 'm'));
	EXPECT_EQ(EPERM, tell(&t, 'o'));
	EXPECT_EQ(PRIVHEAP_QUOTA_DEFAULT, tell(&t, 'f'));
	/* Its own, if lower, stays when the default goes. */
	EXPECT_EQ(0, tell(&t, 'l'));
	EXPECT_EQ(0, set_parameter(PARAMETERS "process_limit", before));
	EXPECT_EQ(2, tell(&t, 'm'));
	EXPECT_EQ(0, tell(&t, 'f'));
	EXPECT_EQ(EDQUOT, tell(&t, 'c'));
	tell_end(&t);
}

TEST(K4_what_the_administrator_sets_stands_alone)
{
	int dev = device_open();
	struct told t;

	tell_start(&t, NOBODY, opt_out);
	EXPECT_EQ(0, tell(&t, 'l'));
	EXPECT_EQ(0, quota_set(dev, PROCESS, t.pid, 16 * MIB));
	EXPECT_EQ(16, tell(&t, 'm'));
	EXPECT_EQ(0, tell(&t, 'c'));
	EXPECT_EQ(0, tell(&t, 'd'));
	EXPECT_EQ(0, tell(&t, 'l'));
	EXPECT_EQ(2, tell(&t, 'm'));
	EXPECT_EQ(0, quota_set(dev, PROCESS, t.pid, 0));
	EXPECT_EQ(0, tell(&t, 'm'));
	EXPECT_EQ(0, tell(&t, 'c'));
	tell_end(&t);
	close(dev);
}

/* Totals */

#define TOTALS	"/sys/class/misc/privheap/"

static int look(int dev, int step)
{
	struct privheap_quota q = quota(dev, SYSTEM);

	switch (step) {
	case 'g':
		return q.used % MIB || q.peak % MIB ? -1 : (int)(q.used / MIB);
	case 's':
		return parameter(TOTALS "committed") % MIB || parameter(TOTALS "peak") % MIB ? -1 :
		       (int)(parameter(TOTALS "committed") / MIB);
	}
	return -1;
}

TEST(K16_others_see_totals_by_the_mebibyte)
{
	struct privheap_create heap;
	int dev = device_open();
	struct told t;

	tell_start(&t, NOBODY, look);
	EXPECT_EQ(0, tell(&t, 'g'));
	EXPECT_EQ(0, tell(&t, 's'));
	ASSERT_EQ(0, heap_create(dev, PAGE, 16 * MIB, 0, &heap));
	for (int pages = 1; pages <= 513; pages += 64) {
		ASSERT_EQ(0, heap_commit(dev, heap.heap, pages * PAGE, 0));
		EXPECT_EQ((pages + 255) / 256, tell(&t, 'g'));
		EXPECT_EQ((pages + 255) / 256, tell(&t, 's'));
		EXPECT_EQ(pages * PAGE, quota(dev, SYSTEM).used);
		EXPECT_EQ(pages * PAGE, parameter(TOTALS "committed"));
	}
	tell_end(&t);
	close(dev);
}

/* Lists */

#define LIST	"/sys/kernel/debug/privheap/heaps"

/* Reads on to the end; the caller frees it. */
static char *rest_of(int fd)
{
	size_t size = 4 * MIB, n = 0;
	char *text = calloc(size, 1);
	ssize_t got;

	while (n < size - 1 && (got = read(fd, text + n, size - 1 - n)) > 0)
		n += got;
	return text;
}

/* In how many lines this is to be found. */
static int lines_with(const char *text, const char *what)
{
	int n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static int create_named(int dev, const char *name, struct privheap_create *heap)
{
	*heap = (struct privheap_create) { .maximum = PAGE };
	strcpy(heap->name, name);
	return call(dev, PRIVHEAP_CREATE, heap);
}

FIXTURE(list)
{
	int dev, list;
	struct privheap_create heaps[1000];
	char first[100];
};

FIXTURE_SETUP(list)
{
	self->dev = device_open();
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, create_named(self->dev, "early", &self->heaps[i]));
	}
	self->list = open(LIST, O_RDONLY);
	ASSERT_LE(0, self->list);
	ASSERT_EQ(sizeof(self->first), read(self->list, self->first, sizeof(self->first)));
}

FIXTURE_TEARDOWN(list)
{
	close(self->list);
	close(self->dev);
}

/* Not at once, under a lock that others wait for. */
TEST_F(list, K21_is_made_as_it_is_read)
{
	struct privheap_create heap;
	char *rest;

	ASSERT_EQ(0, create_named(self->dev, "late", &heap));
	rest = rest_of(self->list);
	EXPECT_EQ(1, lines_with(rest, " late\n"));
	EXPECT_EQ(1000, lines_with(rest, " early\n") + lines_with(self->first, " early\n"));
	EXPECT_EQ(0, lines_with(rest, "owners name\n"));
	free(rest);
}

TEST_F(list, K21_goes_on_when_heaps_are_gone)
{
	char *rest;

	for (int i = 0; i < 999; i++) {
		ASSERT_EQ(0, heap_destroy(self->dev, self->heaps[i].heap));
	}
	rest = rest_of(self->list);
	EXPECT_GT(200, lines_with(rest, " early\n"));
	EXPECT_EQ('\n', rest[strlen(rest) - 1]);
	EXPECT_EQ(0, lseek(self->list, 0, SEEK_SET));
	free(rest);
	rest = rest_of(self->list);
	EXPECT_EQ(1, lines_with(rest, " early\n"));
	EXPECT_EQ(1, lines_with(rest, "owners name\n"));
	free(rest);
}

TEST_F(list, K16_fdinfo_has_every_heap)
{
	char path[64], *text;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->dev);
	fd = open(path, O_RDONLY);
	text = rest_of(fd);
	EXPECT_EQ(1000, lines_with(text, "privheap-heap:\t"));
	EXPECT_EQ(1000, lines_with(text, " name early\n"));
	free(text);
	close(fd);
}

TEST_HARNESS_MAIN

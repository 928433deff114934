// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HOSTILE.md D, between the threads of one process. Each case by its number. */
#include "race.h"

static uint64_t anywhere(struct round *round, int who)
{
	return round->heap.base + next(&round->random[who]) % round->heap.maximum;
}

/* Mostly small, to make a round cheap; now and then large enough for a huge page. */
static uint64_t maximum(struct round *round)
{
	return round->number % 32 ? 256 * KIB : 4 * MIB;
}

static void prepare(struct round *round, int dev, uint64_t initial)
{
	int err = heap_create(dev, initial, maximum(round), 0, &round->heap);

	if (err)
		wrong(round, "create: %d", err);
}

static void prepare_heap(struct round *round)
{
	prepare(round, round->dev, next(&round->random[0]) % 3 * 64 * KIB);
}

static void prepare_empty_heap(struct round *round)
{
	prepare(round, round->dev, 0);
}

static void check_gone(struct round *round)
{
	int sig = touch(round->heap.base);

	if (sig != SIGSEGV)
		wrong(round, "touch after the end: signal %d", sig);
}

/* A few touches; before the end they work, after it they draw SIGSEGV, and nothing in between. */
static void touch_until_gone(struct round *round, int who)
{
	int gone = 0;

	for (int i = 0; i < 4; i++) {
		int sig = touch(anywhere(round, who));

		if ((sig && sig != SIGSEGV) || sig < gone)
			wrong(round, "touch: signal %d after %d", sig, gone);
		gone = sig;
	}
}

static void destroy(struct round *round)
{
	int err = heap_destroy(round->dev, round->heap.heap);

	if (err)
		wrong(round, "destroy: %d", err);
}

static void destroy_or_touch(struct round *round, int who)
{
	if (!who)
		destroy(round);
	else
		touch_until_gone(round, who);
}

TEST_F(race, D1_destroy_against_fault)
{
	struct race r = { .racers = 2, .dev = self->dev, .total = share(2),
			  .prepare = prepare_heap,
			  .run = destroy_or_touch, .check = check_gone };

	EXPECT_STREQ("", race(&r));
}

TEST_F(race, D1_destroy_against_faults_of_three)
{
	struct race r = { .racers = 4, .dev = self->dev, .total = share(2),
			  .prepare = prepare_heap,
			  .run = destroy_or_touch, .check = check_gone };

	EXPECT_STREQ("", race(&r));
}

static void prepare_heap_of_another_descriptor(struct round *round)
{
	round->other = device_open();
	prepare(round, round->other, 64 * KIB);
}

static void unmap(struct round *round, uint64_t from, uint64_t to)
{
	if (to > from && munmap((void *)(round->heap.base + from), to - from))
		wrong(round, "munmap: %s", strerror(errno));
}

static void close_or_touch(struct round *round, int who)
{
	if (!who)
		close(round->other);
	else
		for (int i = 0; i < 4; i++)
			if (touch(anywhere(round, who)))
				wrong(round, "touch failed although only a descriptor was closed");
}

static void unmap_all(struct round *round)
{
	unmap(round, 0, round->heap.maximum);
	check_gone(round);
}

TEST_F(race, D2_close_against_fault)
{
	struct race r = { .racers = 2, .dev = self->dev, .total = share(4),
			  .run = close_or_touch,
			  .prepare = prepare_heap_of_another_descriptor, .check = unmap_all };

	EXPECT_STREQ("", race(&r));
}

/* Unmaps everything, in up to three pieces. */
static void unmap_in_pieces(struct round *round, int who)
{
	uint64_t *random = &round->random[who];
	uint64_t end = round->heap.maximum;
	uint64_t one = next(random) % (end / PAGE) * PAGE;
	uint64_t two = next(random) % (end / PAGE) * PAGE;

	unmap(round, one, end);
	unmap(round, two, one);
	unmap(round, 0, one < two ? one : two);
}

static void touch_anywhere(struct round *round, int who)
{
	for (int i = 0; i < 4; i++) {
		int sig = touch(anywhere(round, who));

		if (sig && sig != SIGSEGV)
			wrong(round, "touch: signal %d", sig);
	}
}

static void unmap_or_touch(struct round *round, int who)
{
	if (!who)
		unmap_in_pieces(round, who);
	else
		touch_anywhere(round, who);
}

TEST_F(race, D2_munmap_against_fault)
{
	struct race r = { .racers = 2, .dev = self->dev, .total = share(4),
			  .prepare = prepare_heap,
			  .run = unmap_or_touch, .check = check_gone };

	EXPECT_STREQ("", race(&r));
}

static void close_or_unmap_or_touch(struct round *round, int who)
{
	if (who == 2)
		close(round->other);
	else
		unmap_or_touch(round, who);
}

TEST_F(race, D2_close_against_munmap_against_fault)
{
	struct race r = { .racers = 3, .dev = self->dev, .total = share(4),
			  .run = close_or_unmap_or_touch,
			  .prepare = prepare_heap_of_another_descriptor, .check = check_gone };

	EXPECT_STREQ("", race(&r));
}

/* One ends the heap by call, one by munmap; whoever comes second finds nothing. */
static void destroy_or_unmap_or_touch(struct round *round, int who)
{
	if (who == 2)
		round->result[2] = heap_destroy(round->dev, round->heap.heap);
	else
		unmap_or_touch(round, who);
}

static void check_destroyed_or_gone(struct round *round)
{
	if (round->result[2] && round->result[2] != ENOENT)
		wrong(round, "destroy: %d", round->result[2]);
	check_gone(round);
}

TEST_F(race, D2_munmap_against_destroy_against_fault)
{
	struct race r = { .racers = 3, .dev = self->dev, .total = share(4),
			  .prepare = prepare_heap,
			  .run = destroy_or_unmap_or_touch, .check = check_destroyed_or_gone };

	EXPECT_STREQ("", race(&r));
}

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

static void compact(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY);

	if (fd >= 0 && write(fd, "1", 1) != 1)
		fprintf(stderr, "# compact_memory: %s\n", strerror(errno));
	close(fd);
}

/* The range may be gone, in part or whole: ENOMEM, and what is there has been advised. */
static void reclaim(struct round *round, int who)
{
	static const int advices[] = { MADV_PAGEOUT, MADV_COLD, MADV_PAGEOUT, MADV_DONTNEED };
	int advice = advices[next(&round->random[who]) % 4];

	if (madvise((void *)round->heap.base, round->heap.maximum, advice) && errno != ENOMEM)
		wrong(round, "madvise %d: %s", advice, strerror(errno));
	if (!getuid() && next(&round->random[who]) % 128 == 0)
		compact();
}

static void unmap_or_touch_or_reclaim(struct round *round, int who)
{
	if (who == 2)
		reclaim(round, who);
	else
		unmap_or_touch(round, who);
}

/* Without swap nothing goes out, only down the lists; memory.c has the same with swap. */
TEST_F(race, D3_munmap_against_reclaim)
{
	struct race r = { .racers = 3, .dev = self->dev, .total = share(1),
			  .prepare = prepare_heap,
			  .run = unmap_or_touch_or_reclaim, .check = check_gone };

	EXPECT_STREQ("", race(&r));
}

static void commit(struct round *round, int who)
{
	uint64_t *random = &round->random[who];
	uint32_t flags = next(random) % 2 ? PRIVHEAP_COMMIT_POPULATE : 0;
	uint64_t target = next(random) % round->heap.maximum;

	round->result[who] = heap_commit(round->dev, round->heap.heap, target, flags);
}

static void commit_or_touch_or_destroy(struct round *round, int who)
{
	if (who == 2)
		commit(round, who);
	else
		destroy_or_touch(round, who);
}

static void check_committed_or_gone(struct round *round)
{
	if (round->result[2] && round->result[2] != ENOENT)
		wrong(round, "commit: %d", round->result[2]);
	check_gone(round);
}

TEST_F(race, D5_commit_against_fault_against_destroy)
{
	struct race r = { .racers = 3, .dev = self->dev, .total = share(2),
			  .prepare = prepare_heap,
			  .run = commit_or_touch_or_destroy, .check = check_committed_or_gone };

	EXPECT_STREQ("", race(&r));
}

/* Two commit and one touches; the quota has room for less than they want. */
static void commit_or_touch_or_destroy_at_the_quota(struct round *round, int who)
{
	if (!who)
		destroy(round);
	else if (who == 1)
		for (int i = 0; i < 4; i++)
			touch(anywhere(round, who));
	else
		commit(round, who);
}

static void check_quota_held(struct round *round)
{
	for (int who = 2; who < 4; who++) {
		int err = round->result[who];

		if (err && err != ENOENT && err != EDQUOT)
			wrong(round, "commit: %d", err);
	}
	if (quota(round->dev, PROCESS).peak > round->race->expected)
		wrong(round, "the quota was passed");
	check_gone(round);
}

TEST_F(race, D5_commit_against_fault_against_destroy_at_the_quota)
{
	struct race r = { .racers = 4, .dev = self->dev, .total = share(2),
			  .prepare = prepare_empty_heap,
			  .run = commit_or_touch_or_destroy_at_the_quota,
			  .check = check_quota_held, .expected = MIB / 2 };

	ASSERT_EQ(0, limit_self(self->dev, r.expected));
	EXPECT_STREQ("", race(&r));
	EXPECT_LT(0, quota(self->dev, PROCESS).denied);
}

static void touch_the_same_page(struct round *round, int who)
{
	int sig = touch(round->heap.base + 5 * PAGE + who);

	if (sig)
		wrong(round, "touch: signal %d", sig);
}

static void check_charged_once(struct round *round)
{
	struct privheap_stat stat = heap_stat(round->dev, round->heap.heap);
	uint64_t used = quota(round->dev, PROCESS).used, expected = round->race->expected;

	/* The whole batch has been touched, the rounds before this one are destroyed. */
	if (stat.committed != expected || used % expected || used / expected > BATCH)
		wrong(round, "committed %llu, used %llu", (unsigned long long)stat.committed,
		      (unsigned long long)used);
	if (stat.resident > stat.committed)
		wrong(round, "resident %llu", (unsigned long long)stat.resident);
	if (!is_filled(round->heap.base + 5 * PAGE, round->race->racers, 1))
		wrong(round, "a byte was lost");
	destroy(round);
}

TEST_F(race, D6_one_page_is_charged_once)
{
	struct race r = { .racers = 4, .dev = self->dev, .total = share(1),
			  .prepare = prepare_empty_heap,
			  .run = touch_the_same_page, .check = check_charged_once };

	struct round alone = { .race = &r, .number = 1, .dev = self->dev };

	/* What one thread alone is charged. */
	prepare_empty_heap(&alone);
	touch_the_same_page(&alone, 0);
	r.expected = heap_stat(self->dev, alone.heap.heap).committed;
	ASSERT_LT(0, r.expected);
	destroy(&alone);
	EXPECT_STREQ("", race(&r));
}

static void destroy_by_all(struct round *round, int who)
{
	round->result[who] = heap_destroy(round->dev, round->heap.heap);
}

static void check_one_destroyed(struct round *round)
{
	int done = 0;

	for (int who = 0; who < round->race->racers; who++) {
		done += !round->result[who];
		if (round->result[who] && round->result[who] != ENOENT)
			wrong(round, "destroy: %d", round->result[who]);
	}
	if (done != 1)
		wrong(round, "%d destroyed it", done);
	check_gone(round);
}

TEST_F(race, D7_destroy_against_destroy)
{
	struct race r = { .racers = 2, .dev = self->dev, .total = share(2),
			  .prepare = prepare_heap,
			  .run = destroy_by_all, .check = check_one_destroyed };

	EXPECT_STREQ("", race(&r));
}

TEST_F(race, D7_four_destroy)
{
	struct race r = { .racers = 4, .dev = self->dev, .total = share(2),
			  .prepare = prepare_heap,
			  .run = destroy_by_all, .check = check_one_destroyed };

	EXPECT_STREQ("", race(&r));
}

/* Reads a file whole, or says why not; the text is 0-terminated. */
static bool slurp(struct round *round, const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, size - 1);

	if (n < 0)
		wrong(round, "%s: %s", path, strerror(errno));
	text[n < 0 ? 0 : n] = 0;
	close(fd);
	return n >= 0;
}

static void look_by_stat(struct round *round)
{
	struct privheap_stat arg = { .heap = round->heap.heap };
	int err = call(round->dev, PRIVHEAP_STAT, &arg);

	if (err ? err != ENOENT : arg.base != round->heap.base ||
				  arg.maximum != round->heap.maximum)
		wrong(round, "stat: %d, base 0x%llx", err, (unsigned long long)arg.base);
}

/* The text has no line of the heap, or one that goes on as it must. */
static void look_for_line(struct round *round, const char *text, const char *start,
			  const char *format)
{
	const char *line = strstr(text, start);
	char rest[96];

	snprintf(rest, sizeof(rest), format, (unsigned long long)round->heap.base,
		 (unsigned long long)round->heap.maximum);
	if (line && strncmp(line + strlen(start), rest, strlen(rest)))
		wrong(round, "%.100s", line);
}

static void look_by_fdinfo(struct round *round)
{
	char path[64], text[8192], start[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", round->dev);
	snprintf(start, sizeof(start), "\nprivheap-heap:\t%llu ",
		 (unsigned long long)round->heap.heap);
	if (!slurp(round, path, text, sizeof(text)))
		return;
	if (!strstr(text, "privheap-heaps:"))
		wrong(round, "fdinfo: %.100s", text);
	look_for_line(round, text, start, "base 0x%llx maximum %llu committed ");
}

static void look_by_sysfs(struct round *round)
{
	static const char *const files[] = {
		"/sys/class/misc/privheap/heaps", "/sys/class/misc/privheap/committed",
	};
	char text[64];

	for (int i = 0; i < 2; i++)
		if (slurp(round, files[i], text, sizeof(text)) && atol(text) < 0)
			wrong(round, "%s: %s", files[i], text);
}

static void look_by_debugfs(struct round *round)
{
	char text[8192], start[64];

	snprintf(start, sizeof(start), "\n%d %llu ", getpid(),
		 (unsigned long long)round->heap.heap);
	if (slurp(round, "/sys/kernel/debug/privheap/heaps", text, sizeof(text)))
		look_for_line(round, text, start, "0x%llx %llu ");
}

static void destroy_or_look(struct round *round, int who)
{
	if (!who) {
		destroy(round);
	} else if (who == 1) {
		look_by_stat(round);
		look_by_fdinfo(round);
	} else if (getuid()) {
		look_by_sysfs(round);
	} else {
		look_by_debugfs(round);
		look_by_sysfs(round);
	}
}

TEST_F(race, D11_looks_against_destroy)
{
	struct race r = { .racers = 3, .dev = self->dev, .total = share(1),
			  .prepare = prepare_heap,
			  .run = destroy_or_look, .check = check_gone };

	EXPECT_STREQ("", race(&r));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HOSTILE.md D, against what only root can do: D10 takes the module out and puts it in again,
 * D12 moves the process between cgroups. Nobody else may use the device meanwhile.
 */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "race.h"

#define MAXIMUM	(4 * MIB)
#define OPENS	25	/* of the device, for a round of reloading */
#define CGROUPS	"/sys/fs/cgroup"
#define RACE	CGROUPS "/race"
#define RCU_EXPEDITED	"/sys/kernel/rcu_expedited"	/* unloading waits for many grace periods */

static bool is_loaded(void)
{
	return !access("/sys/module/privheap/refcnt", F_OK);
}

static int load(void)
{
	struct utsname uts;
	char path[256];
	int fd, ret;

	uname(&uts);
	snprintf(path, sizeof(path), "/lib/modules/%s/privheap.ko", uts.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = syscall(SYS_finit_module, fd, "", 0) ? errno : 0;
	close(fd);
	return ret;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "privheap", O_NONBLOCK) ? errno : 0;
}

/* While somebody has the device open the module stays: tries until nobody has. */
static void reload(struct round *round)
{
	int err;

	while ((err = unload()) == EWOULDBLOCK)
		delay(&round->random[0]);
	if (err)
		wrong(round, "delete_module: %d", err);
	round->race->expected += !err;
	err = load();
	if (err)
		wrong(round, "finit_module: %d", err);
}

enum { USED, NO_DEVICE, OPEN_FAILED, DOES_NOT_WORK };

/* Where the module has gone, or comes or goes just now, there is no device. */
static int use(void *close_first)
{
	struct privheap_create heap;
	int dev = device_open();

	if (dev < 0)
		return errno == ENOENT || errno == ENODEV || errno == ENXIO ? NO_DEVICE :
									      OPEN_FAILED;
	if (heap_create(dev, 64 * KIB, MAXIMUM, 0, &heap) || touch(heap.base + MIB))
		return DOES_NOT_WORK;
	if (close_first)
		close(dev);
	munmap((void *)heap.base, MAXIMUM);
	close(dev);
	return USED;
}

/* A process of its own each time: one that has made a heap holds the module to its end. */
static void open_and_use(struct round *round)
{
	int ret;

	usleep(next(&round->random[1]) % 500);	/* so that nobody has it, now and then */
	ret = in_child(use, next(&round->random[1]) % 2 ? round : NULL);
	if (ret == NO_DEVICE)
		return;
	if (ret != USED)
		wrong(round, ret == OPEN_FAILED ? "open failed" : "an open descriptor does not work");
	atomic_fetch_add(&round->race->running, 1);
	atomic_fetch_add(&round->opens, 1);
}

static void wait_for_opens(struct round *round, int opens)
{
	while (atomic_load(&round->opens) < opens && !atomic_load(&round->race->wrong))
		usleep(50);
}

/* A reload takes a hundred times as long as an open: after some of these, and before others. */
static void reload_or_open(struct round *round, int who)
{
	if (who) {
		while (!atomic_load(&round->over))
			open_and_use(round);
		return;
	}
	wait_for_opens(round, next(&round->random[0]) % OPENS);
	reload(round);
	wait_for_opens(round, OPENS);
	atomic_store(&round->over, true);
}

static void check_loaded(struct round *round)
{
	if (!is_loaded())
		wrong(round, "the module is not loaded");
}

/* No descriptor of our own, which would hold the module. */
FIXTURE(module)
{
};

FIXTURE_SETUP(module)
{
	ASSERT_TRUE(is_loaded());
	ASSERT_EQ(0, write_file(RCU_EXPEDITED, "1"));
}

FIXTURE_TEARDOWN(module)
{
	EXPECT_TRUE(is_loaded() || !load());
	EXPECT_EQ(0, write_file(RCU_EXPEDITED, "0"));
}

TEST_F(module, D10_unload_and_load_against_open)
{
	struct race r = { .racers = 2, .total = (all_rounds() + OPENS - 1) / OPENS,
			  .run = reload_or_open, .check = check_loaded };
	int dev;

	EXPECT_STREQ("", race(&r));
	TH_LOG("unloaded %lu times, opened %d times", r.expected, r.running);
	EXPECT_LE(r.total, r.expected);
	EXPECT_LE(all_rounds(), r.running);
	dev = device_open();
	ASSERT_LE(0, dev);
	EXPECT_EQ(0, quota(dev, SYSTEM).used);
	EXPECT_EQ(0, quota(dev, SYSTEM).heaps);
}

/*
 * What was a heap's file, by a path of its own that neither opens it nor holds the module. As the
 * number of a descriptor: made in a child that shares them, as who has had a heap holds the module.
 */
static int path_of_ended_heap(void)
{
	int dev = device_open(), fd;
	struct privheap_create heap;
	char path[64];

	if (heap_create(dev, 64 * KIB, MAXIMUM, 0, &heap))
		return 0;
	snprintf(path, sizeof(path), "/proc/self/map_files/%llx-%llx",
		 (unsigned long long)heap.base, (unsigned long long)heap.base + MAXIMUM);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (heap_destroy(dev, heap.heap))
		fd = 0;
	close(dev);
	return fd;
}

TEST_F(module, K9_the_inode_outlives_the_module)
{
	pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	int status, fd, err;
	char path[64];

	if (!pid)
		_exit(path_of_ended_heap());
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	fd = WEXITSTATUS(status);
	ASSERT_LT(2, fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_EQ(-1, open(path, O_RDONLY));
	EXPECT_EQ(EIO, errno);
	while ((err = unload()) == EWOULDBLOCK)
		usleep(1000);
	ASSERT_EQ(0, err);
	EXPECT_EQ(-1, open(path, O_RDONLY));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, open(path, O_RDWR));
	EXPECT_EQ(0, load());
	EXPECT_EQ(-1, open(path, O_RDONLY));
	EXPECT_EQ(EIO, errno);
	close(fd);
}

/* Makes a heap and ends it, tells by a byte, and by the pipe's end that exec has another image. */
static int use_and_sleep(void *arg)
{
	int *say = arg;
	char *const sleep[] = { "sleep", "1000", NULL };

	if (use(say) || write(say[1], "", 1) != 1 || raise(SIGSTOP))
		return 1;
	execvp(*sleep, sleep);
	return 2;
}

/* Its core dumps go through the module, whatever it has closed. */
TEST_F(module, K14_held_by_a_process_that_had_a_heap_until_exec)
{
	int say[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe2(say, O_CLOEXEC));
	pid = fork();
	if (!pid)
		_exit(use_and_sleep(say));
	ASSERT_LT(0, pid);
	close(say[1]);
	ASSERT_EQ(1, read(say[0], &byte, 1));
	EXPECT_EQ(EWOULDBLOCK, unload());
	ASSERT_EQ(pid, waitpid(pid, NULL, WUNTRACED));
	EXPECT_EQ(0, kill(pid, SIGCONT));
	EXPECT_EQ(0, read(say[0], &byte, 1));
	for (int i = 0; i < 1000 && unload() == EWOULDBLOCK; i++)
		usleep(10000);
	EXPECT_FALSE(is_loaded());
	EXPECT_EQ(0, load());
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

/* Cgroups whose directory is gone and that something still refers to. */
static long dying_cgroups(void)
{
	FILE *file = fopen(CGROUPS "/cgroup.stat", "r");
	char line[128];
	long n = -1;

	while (file && n < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "nr_dying_descendants %ld", &n);
	if (file)
		fclose(file);
	return n;
}

/*
 * A thread that was joined may still be on its way out in the kernel, and counts until it is: the
 * directory is busy that long, which is up to the machine. 0, or an errno.
 */
static int remove_cgroup(const char *path)
{
	for (int i = 0; rmdir(path); i++) {
		if (errno != EBUSY || i == 60000)
			return errno;
		usleep(1000);
	}
	return 0;
}

/* To the other cgroup, whose directory is new; the old one's goes. */
static void move(struct round *round)
{
	static const char *const dirs[] = { RACE "/0", RACE "/1" };
	const char *from = dirs[round->number % 2], *to = dirs[(round->number + 1) % 2];
	char path[64];
	int err;

	snprintf(path, sizeof(path), "%s/cgroup.procs", to);
	if (mkdir(to, 0700) || write_file(path, "0"))
		wrong(round, "to %s: %s", to, strerror(errno));
	err = remove_cgroup(from);
	if (err)
		wrong(round, "rmdir %s: %s", from, strerror(err));
}

static void prepare_heap(struct round *round)
{
	if (heap_create(round->dev, 64 * KIB, MAXIMUM, 0, &round->heap))
		wrong(round, "create failed");
}

/* Touches heaps of the whole batch, so that their pages are of several cgroups. */
static void touch_some(struct round *round, int who)
{
	struct race *race = round->race;
	unsigned long left = race->total - race->done;	/* the last batch may be a small one */
	unsigned long heaps = left < race->batch ? left : race->batch;
	uint64_t *random = &round->random[who];

	for (int i = 0; i < 4; i++) {
		struct round *other = &race->rounds[next(random) % heaps];
		int sig = touch(other->heap.base + next(random) % MAXIMUM);

		if (sig)
			wrong(round, "touch: signal %d", sig);
	}
}

static void move_or_touch(struct round *round, int who)
{
	if (!who)
		move(round);
	else
		touch_some(round, who);
}

static void destroy(struct round *round)
{
	if (heap_destroy(round->dev, round->heap.heap))
		wrong(round, "destroy failed");
}

/* In a child, so that no page of a process that lives is left on a dead group's account. */
static int move_with_heaps(void *unused)
{
	struct race r = { .racers = 3, .dev = device_open(), .total = all_rounds(),
			  .batch = 20, .prepare = prepare_heap, .run = move_or_touch,
			  .check = destroy };

	if (mkdir(RACE "/0", 0700) || write_file(RACE "/0/cgroup.procs", "0"))
		return 1;
	if (race(&r)[0] || write_file(CGROUPS "/cgroup.procs", "0"))
		return 2;
	return remove_cgroup(r.done % 2 ? RACE "/1" : RACE "/0");
}

/*
 * Dead groups go when nothing is charged to them any more. A processor holds on to the group that
 * it charged last until it charges another one, which one that is busy otherwise need not do for a
 * long time: the limit has it let go.
 */
static bool dying_cgroups_become(long most)
{
	for (int i = 0; i < 6000 && dying_cgroups() > most; i++) {
		write_file(RACE "/memory.high", "0");
		usleep(10000);
	}
	return dying_cgroups() <= most;
}

TEST_F(race, D12_cgroup_moved_and_removed_against_a_live_heap)
{
	long dying = dying_cgroups();

	ASSERT_EQ(0, write_file(CGROUPS "/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(RACE, 0700));
	EXPECT_EQ(0, write_file(RACE "/cgroup.subtree_control", "+memory"));
	EXPECT_EQ(0, in_child(move_with_heaps, NULL));
	dying += sysconf(_SC_NPROCESSORS_ONLN);
	EXPECT_TRUE(dying_cgroups_become(dying)) TH_LOG("%ld dying", dying_cgroups());
	rmdir(RACE "/0");
	rmdir(RACE "/1");
	EXPECT_EQ(0, remove_cgroup(RACE));
}

TEST_HARNESS_MAIN

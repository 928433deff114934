// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HOSTILE.md F3, as root: core dumps to a handler, which is this program itself. It keeps what it
 * is given, without the zeroes, up to ENOUGH; the process that died may be anybody's.
 */
#include "dump.h"

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"
#define ENOUGH		GIB

/* The handler: standard input to a file, which has its name when it is whole. */
static int receive(const char *path)
{
	static char buffer[64 * KIB];
	char draft[128];
	off_t size = 0;
	ssize_t n;
	int fd;

	snprintf(draft, sizeof(draft), "%s.draft", path);
	fd = open(draft, O_WRONLY | O_CREAT | O_EXCL, 0600);
	while (size < ENOUGH && (n = read(0, buffer, sizeof(buffer))) > 0) {
		if (!is_filled((uint64_t)buffer, n, 0) && pwrite(fd, buffer, n, size) != n)
			return 1;
		size += n;
	}
	return ftruncate(fd, size) || rename(draft, path);
}

static __attribute__((constructor)) void be_the_handler(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "receive"))
		_exit(receive(argv[2]));
}

/* The kernel does not wait for its handler: four minutes. */
static bool appears(const char *path)
{
	for (int i = 0; i < 24000 && access(path, F_OK); i++)
		usleep(10000);
	return !access(path, F_OK);
}

/* How a process ends whose dump goes to the handler. */
static int end_to_handler(const struct death *death, const char *core)
{
	char before[128] = "", pattern[128];
	int fd = open(CORE_PATTERN, O_RDONLY | O_CLOEXEC), status;

	if (read(fd, before, sizeof(before) - 1) <= 0)
		return -1;
	close(fd);
	snprintf(pattern, sizeof(pattern), "|/proc/%%P/exe receive %s", core);
	if (write_file(CORE_PATTERN, pattern))
		return -1;
	status = end_of(death);
	return write_file(CORE_PATTERN, before) ? -1 : status;
}

static const struct {
	const char *name;
	uid_t user;
	int (*prepare)(int dev, struct notes *notes);
} cases[] = {
	{ "root", 0, make_heaps }, { "nobody", NOBODY, make_heaps },
	{ "root, kept out", 0, make_heaps_kept_out },
	{ "nobody, kept out", NOBODY, make_heaps_kept_out },
};

TEST_F_TIMEOUT(dump, K14_F3_to_a_handler, 1200)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct death death = { .prepare = cases[i].prepare, .dir = self->dir,
				       .user = cases[i].user, .notes = self->notes };
		int status;

		TH_LOG("%s", cases[i].name);
		memset(self->notes, 0, sizeof(*self->notes));
		status = end_to_handler(&death, self->core);
		ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) TH_LOG("%#x", status);
		ASSERT_TRUE(appears(self->core));
		EXPECT_STREQ("", compare(self->core, self->notes));
		EXPECT_EQ(0, unlink(self->core));
	}
}

TEST_HARNESS_MAIN

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* For root's tests: the module's parameters, and children of other users that do as they are told. */
#ifndef KERNEL_TOLD_H
#define KERNEL_TOLD_H

#include "device.h"

#define PROCESS	PRIVHEAP_QUOTA_PROCESS
#define USER	PRIVHEAP_QUOTA_USER
#define SYSTEM	PRIVHEAP_QUOTA_SYSTEM

#define PARAMETERS	"/sys/module/privheap/parameters/"

static inline int set_parameter(const char *path, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return write_file(path, text);
}

static inline uint64_t parameter(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	return n > 0 ? strtoull(text, NULL, 10) : ~0ULL;
}

/* A child that does as it is told, step by step. */
struct told {
	pid_t pid;
	int go, done;
};

static inline void tell_start(struct told *t, unsigned int uid, int (*f)(int dev, int step))
{
	int go[2], done[2];

	if (pipe(go) || pipe(done))
		return;
	t->pid = fork();
	if (!t->pid) {
		int dev, result;
		char step;

		close(go[1]);
		if (setresuid(uid, uid, uid))
			_exit(100);
		dev = device_open();
		while (read(go[0], &step, 1) == 1) {
			result = f(dev, step);
			if (write(done[1], &result, sizeof(result)) != sizeof(result))
				_exit(101);
		}
		_exit(0);
	}
	close(go[0]);
	close(done[1]);
	t->go = go[1];
	t->done = done[0];
}

static inline int tell(struct told *t, char step)
{
	int result = -1;

	if (write(t->go, &step, 1) != 1 || read(t->done, &result, sizeof(result)) != sizeof(result))
		return -1;
	return result;
}

/* Others have inherited the pipes: it would not see them closed. */
static inline void tell_end(struct told *t)
{
	kill(t->pid, SIGKILL);
	close(t->go);
	close(t->done);
	waitpid(t->pid, NULL, 0);
}

static inline struct privheap_quota quota_of_user(int dev, uint32_t uid)
{
	struct privheap_quota arg = { .scope = USER, .id = uid };

	if (call(dev, PRIVHEAP_QUOTA_GET, &arg))
		arg.limit = ~0ULL;
	return arg;
}

#endif

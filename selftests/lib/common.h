/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the library's tests share. They see the public headers only, and run on whichever backend
 * PRIVHEAP_BACKEND names. A test body runs in a forked child of the harness, so heaps are made in
 * the body (or in FIXTURE_SETUP, which runs there too).
 */
#ifndef SELFTESTS_LIB_COMMON_H
#define SELFTESTS_LIB_COMMON_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The harness's 30 seconds are few on a machine that does much else. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

/* As gcc says it, for clang. */
#if defined(__has_feature) && !defined(__SANITIZE_ADDRESS__)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__	1
#endif
#endif

/* What these tests do on purpose, and the library's stack copies, are not for the sanitizer. */
#ifdef __SANITIZE_ADDRESS__
__attribute__((used))
const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=0:handle_sigbus=0:handle_segv=0:handle_abort=0:"
	       "detect_leaks=0";
}
#endif

#define KIB		((size_t)1024)
#define MIB		(1024 * KIB)
#define COUNT(array)	(sizeof(array) / sizeof(*(array)))

/* How a child ended, and what it wrote to stderr. */
struct outcome {
	int status;
	char text[1024];
};

__attribute__((unused))
static void run_in_child(struct outcome *out, void (*body)(void))
{
	size_t length = 0;
	int ends[2];
	ssize_t got;
	pid_t child;

	memset(out, 0, sizeof(*out));
	out->status = -1;
	if (pipe(ends))
		return;
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		body();
		_exit(0);
	}
	close(ends[1]);
	while ((got = read(ends[0], out->text + length, sizeof(out->text) - 1 - length)) > 0)
		length += (size_t)got;
	close(ends[0]);
	waitpid(child, &out->status, 0);
}

__attribute__((unused))
static bool exited(const struct outcome *out, int code)
{
	return WIFEXITED(out->status) && WEXITSTATUS(out->status) == code;
}

__attribute__((unused))
static bool killed(const struct outcome *out, int number)
{
	return WIFSIGNALED(out->status) && WTERMSIG(out->status) == number;
}

/* Aborted, with one line on stderr that holds every one of the words. */
#define EXPECT_ABORT(body, ...) do {						\
	static const char *const words_[] = { __VA_ARGS__ };			\
	struct outcome out_;							\
	size_t i_;								\
										\
	run_in_child(&out_, body);						\
	EXPECT_TRUE(killed(&out_, SIGABRT));					\
	for (i_ = 0; i_ < COUNT(words_); i_++)					\
		EXPECT_NE(NULL, strstr(out_.text, words_[i_]))			\
			TH_LOG("no '%s' in: %s", words_[i_], out_.text);	\
	EXPECT_EQ(out_.text + strlen(out_.text) - 1, strchr(out_.text, '\n'));	\
} while (0)

/* The body runs in a child and says by its exit code which check failed; 0 = none. */
#define EXPECT_CHILD_OK(body) do {						\
	struct outcome out_;							\
										\
	run_in_child(&out_, body);						\
	EXPECT_TRUE(exited(&out_, 0))						\
		TH_LOG("status %#x: %s", out_.status, out_.text);		\
} while (0)

#define CHECK_IN_CHILD(condition) do {						\
	if (!(condition)) {							\
		dprintf(STDERR_FILENO, "line %d: %s\n", __LINE__, #condition);	\
		_exit(1);							\
	}									\
} while (0)

/* All n bytes are value. */
__attribute__((unused))
static bool all_bytes(const void *p, int value, size_t n)
{
	const unsigned char *bytes = p;

	while (n--)
		if (*bytes++ != (unsigned char)value)
			return false;
	return true;
}

/* Bytes that a field of /proc/self/statm counts in pages: 0 addresses, 1 resident; 0 = not there. */
static inline size_t statm(int field)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t pages[2] = { 0 };

	if (!file || fscanf(file, "%zu %zu", &pages[0], &pages[1]) != 2)
		pages[field] = 0;
	if (file)
		fclose(file);
	return pages[field] * 4096;
}

#endif

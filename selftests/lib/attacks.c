// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The attack matrix: 28 ways to hand in a bad pointer or to damage a heap, each often, each time
 * with other sizes and other neighbours.
 *
 *			policy abort			policy return
 *	default		the exact line			FALSE, NULL or -1 with 87 (6)
 *	full checks	the same, more attacks		the same
 *
 * Whether an attack is caught or not, in the end the heap validates, every block holds what was
 * written into it, and all can be freed: no block ever has two owners. `ROUNDS` and `SEED` in the
 * environment repeat a run.
 *
 * abort(3) is left by siglongjmp, which glibc allows a handler of SIGABRT; so each line can be
 * compared without a process for each. One run of each is in a process of its own, and really dies.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <setjmp.h>
#include <sys/mman.h>

#include "attacks.h"

static sigjmp_buf escape;

static void on_signal(int number)
{
	siglongjmp(escape, number);
}

static void make_arena(DWORD options, unsigned int seed)
{
	memset(arena, 0, offsetof(struct arena, saved));
	arena->options = options;
	arena->seed = seed;
	arena->error = ERROR_INVALID_PARAMETER;
	arena->heap = HeapCreate(options, 0, 16 * MIB);
	arena->other = HeapCreate(options, 0, 16 * MIB);
	if (!arena->heap || !arena->other)
		_exit(2);
	crowd();
}

/* Every block is its owner's alone, and the heap is whole. */
static bool unharmed(void)
{
	struct block *block;
	size_t i;

	crowd();
	for (i = 0; i < arena->count; i++) {
		block = &arena->blocks[i];
		if (!all_bytes(block->p, block->value, block->n) ||
		    HeapSize(arena->heap, 0, block->p) != block->n ||
		    !HeapFree(arena->heap, 0, block->p))
			return false;
	}
	return HeapValidate(arena->heap, 0, NULL) &&
	       (!arena->other || HeapValidate(arena->other, 0, NULL));
}

static bool end_arena(void)
{
	return HeapDestroy(arena->heap) && (!arena->other || HeapDestroy(arena->other));
}

/* The exact line, or that there is none. */
static bool says(const struct attack *attack, const char *text)
{
	char line[256];

	if (!attack->what || !arena->call)
		return !*text;
	snprintf(line, sizeof(line), "privheap: %s: heap 0x%lx: pointer 0x%lx: %s; aborting\n",
		 arena->call, (unsigned long)arena->at, (unsigned long)arena->pointer,
		 attack->what);
	return strcmp(text, line) == 0;
}

static unsigned int setting(const char *name, unsigned int otherwise)
{
	const char *value = getenv(name);

	return value ? (unsigned int)strtoul(value, NULL, 0) : otherwise;
}

/* A mode and a policy. */
FIXTURE(matrix) {
	unsigned int rounds, seed;
	int ends[2], stderr_fd;
};

FIXTURE_VARIANT(matrix) {
	DWORD options;
	bool abort;
};

FIXTURE_VARIANT_ADD(matrix, default_abort) { .abort = true };
FIXTURE_VARIANT_ADD(matrix, default_return) { .abort = false };
FIXTURE_VARIANT_ADD(matrix, full_abort) { .options = FULL, .abort = true };
FIXTURE_VARIANT_ADD(matrix, full_return) { .options = FULL, .abort = false };

FIXTURE_SETUP(matrix)
{
	struct sigaction action = { .sa_handler = on_signal };

	self->rounds = setting("ROUNDS", 0);
	if (self->rounds < 100)
		self->rounds = 100;
	self->seed = setting("SEED", 1);
	setenv("PRIVHEAP_ON_CORRUPTION", variant->abort ? "abort" : "return", 1);
	/* What the heap was made with, no more, also under AddressSanitizer. */
	setenv("PRIVHEAP_CHECK", "off", 1);
	arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)arena);
	sigaction(SIGABRT, &action, NULL);
	/* On the return of errors the touch of a guard page cannot return. */
	sigaction(SIGSEGV, &action, NULL);
	ASSERT_EQ(0, pipe2(self->ends, O_NONBLOCK | O_CLOEXEC));
	self->stderr_fd = dup(STDERR_FILENO);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

FIXTURE_TEARDOWN(matrix)
{
}

/* 0, or the signal that ended it. */
static int strike(const struct attack *attack)
{
	int number = sigsetjmp(escape, 1);

	if (number == 0)
		attack->strike();
	else
		arena->told = true;
	repair();
	return number;
}

/* How many of the runs were caught; -1: it did harm, or said something else. */
static int runs(FIXTURE_DATA(matrix) *self, const FIXTURE_VARIANT(matrix) *variant,
		const struct attack *attack)
{
	unsigned int round;
	int caught = 0;
	bool good;

	for (round = 0; round < self->rounds; round++) {
		char text[512] = "";
		int number;

		make_arena(variant->options, self->seed + round * 7919);
		dup2(self->ends[1], STDERR_FILENO);
		number = strike(attack);
		dup2(self->stderr_fd, STDERR_FILENO);
		if (read(self->ends[0], text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		if (arena->told && variant->abort)
			good = says(attack, text) && (number == SIGABRT) == (attack->what != NULL);
		else
			good = !*text;
		good = good && unharmed();
		if (!good)
			ksft_print_msg("%s, SEED=%u: signal %d, %s: %s\n", attack->name,
				       self->seed + round * 7919, number,
				       arena->told ? "told" : "not told", text);
		if (!end_arena() || !good)
			return -1;
		caught += arena->told;
	}
	return caught;
}

TEST_F_TIMEOUT(matrix, all, 300)
{
	unsigned int always = 0;
	size_t i;
	int caught;

	for (i = 0; i < COUNT(attacks); i++) {
		caught = runs(self, variant, &attacks[i]);
		ksft_print_msg("%-32s %4d of %u\n", attacks[i].name, caught, self->rounds);
		EXPECT_LE(0, caught) {
			TH_LOG("%s did harm", attacks[i].name);
		}
		always += caught == (int)self->rounds;
		if (variant->options == FULL || attacks[i].by_default == ALWAYS) {
			EXPECT_EQ(self->rounds, caught) {
				TH_LOG("%s", attacks[i].name);
			}
		}
		if (attacks[i].by_default == USUALLY) {
			EXPECT_LT(0, caught) {
				TH_LOG("%s", attacks[i].name);
			}
		}
	}
	ksft_print_msg("always caught: %u of %zu\n", always, COUNT(attacks));
}

static const struct attack *fatal;

static void die(void)
{
	signal(SIGABRT, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	make_arena(FULL, 1);
	fatal->strike();
}

TEST_F(matrix, kills)
{
	struct outcome out;
	size_t i;

	if (variant->options != FULL || !variant->abort)
		return;
	for (i = 0; i < COUNT(attacks); i++) {
		fatal = &attacks[i];
		run_in_child(&out, die);
		EXPECT_TRUE(fatal->what ? killed(&out, SIGABRT) : exited(&out, 0)) {
			TH_LOG("%s: status %#x", fatal->name, out.status);
		}
		EXPECT_TRUE(says(fatal, out.text)) {
			TH_LOG("%s: %s", fatal->name, out.text);
		}
	}
}

TEST_HARNESS_MAIN

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

#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>

#include "heapapi.h"

#define PAGE		((size_t)4096)
#define NEIGHBOURS	24
#define FULL		(HEAP_TAIL_CHECKING_ENABLED | HEAP_FREE_CHECKING_ENABLED)

#define FOREIGN		"not a block of this heap: outside of it"
#define UNALLOCATED	"not a block: nothing is allocated there"
#define INTERIOR	"not the start of a block"
#define FREED		"freed already: double free or use after free"
#define OVERRUN		"bytes past the end of the block were written"
#define UNDERRUN	"bytes before the block were written"
#define STALE		"a freed block was written: use after free"

struct block {
	unsigned char *p;
	SIZE_T n;
	unsigned char value;
};

/* One run of one attack. */
struct arena {
	HANDLE heap, other;
	DWORD options;
	unsigned int seed;
	struct block blocks[4 * NEIGHBOURS];
	size_t count;
	/* What the line must say, but for why. */
	const char *call;
	HANDLE at;
	volatile char *pointer;
	DWORD error;
	bool told;
	/* Bytes an attack has overwritten. */
	volatile char *damaged;
	SIZE_T damage;
	char saved[3 * PAGE];
};

/* In a child its parent can read it. */
static struct arena *arena;

static unsigned int draw(unsigned int below)
{
	arena->seed = arena->seed * 1103515245 + 12345;
	return (arena->seed >> 8) % below;
}

static SIZE_T small(void)
{
	SIZE_T n = draw(4) ? draw(300) : draw(3000);

	return n & 1 || !draw(2) ? n + 1 : (n + 15) & ~(SIZE_T)15;
}

/* Often whole pages. */
static SIZE_T large(void)
{
	SIZE_T n = 40000 + draw(300000);

	return draw(3) ? n : (n + PAGE - 1) & ~(PAGE - 1);
}

static SIZE_T any(void)
{
	return draw(16) ? small() : large();
}

/* A block to attack. */
static char *take(SIZE_T n)
{
	char *p = HeapAlloc(arena->heap, 0, n);

	if (!p)
		_exit(2);
	return p;
}

static void crowd(void)
{
	struct block *block;
	size_t i;

	for (i = 0; i < NEIGHBOURS; i++) {
		block = &arena->blocks[arena->count++];
		block->n = any();
		block->p = (unsigned char *)take(block->n);
		block->value = (unsigned char)draw(256);
		memset(block->p, block->value, block->n);
		if (draw(3) == 0) {
			HeapFree(arena->heap, 0, block->p);
			arena->count--;
		}
	}
}

/* The attack's last step, which must fail. */
static void expect_of(const char *call, HANDLE heap, void *p)
{
	arena->call = call;
	arena->at = heap;
	arena->pointer = p;
	SetLastError(0);
}

static void told(bool failed)
{
	arena->told = failed && GetLastError() == arena->error;
}

static void bad_free_in(HANDLE heap, void *p)
{
	expect_of("HeapFree", heap, p);
	told(!HeapFree(heap, 0, p));
}

static void bad_free(void *p)
{
	bad_free_in(arena->heap, p);
}

static void bad_realloc(void *p)
{
	expect_of("HeapReAlloc", arena->heap, p);
	told(!HeapReAlloc(arena->heap, 0, p, any()));
}

/* Writes what is not there; other bytes than a sanitizer would allow. */
__attribute__((no_sanitize("address")))
static void damage(char *p, SIZE_T n)
{
	SIZE_T i;

	arena->damaged = p;
	for (i = 0; i < n; i++) {
		arena->saved[i] = arena->damaged[i];
		arena->damage = i + 1;
		arena->damaged[i] = (char)~arena->saved[i];
	}
}

__attribute__((no_sanitize("address")))
static void repair(void)
{
	SIZE_T i;

	for (i = 0; i < arena->damage; i++)
		arena->damaged[i] = arena->saved[i];
	arena->damage = 0;
}

static char *freed(SIZE_T n)
{
	char *p = take(n);

	HeapFree(arena->heap, 0, p);
	return p;
}

static void *free_elsewhere(void *p)
{
	HeapFree(arena->heap, 0, p);
	return NULL;
}

static void double_free(void)
{
	bad_free(freed(small()));
}

static void double_free_of_another_threads(void)
{
	char *p = take(small());
	pthread_t thread;

	pthread_create(&thread, NULL, free_elsewhere, p);
	pthread_join(thread, NULL);
	bad_free(p);
}

/* Others had the block in between, and gave it back. */
static void double_free_after_reuse(void)
{
	SIZE_T n = small();
	char *p = freed(n), *q[8];
	size_t i;

	for (i = 0; i < COUNT(q); i++)
		q[i] = take(n);
	for (i = 0; i < COUNT(q); i++)
		HeapFree(arena->heap, 0, q[i]);
	bad_free(p);
}

/* Perhaps with its pages joined to others that are free. */
static void double_free_of_large(void)
{
	char *before = take(large()), *p = take(large()), *after = take(large());

	if (draw(2))
		HeapFree(arena->heap, 0, before);
	HeapFree(arena->heap, 0, p);
	if (draw(2))
		HeapFree(arena->heap, 0, after);
	bad_free(p);
}

static void double_free_of_nothing(void)
{
	bad_free(freed(0));
}

static void interior_of_small(void)
{
	SIZE_T n = 32 + small();

	bad_free(take(n) + 16 * (1 + draw((unsigned int)n / 16 - 1)));
}

static void interior_of_large(void)
{
	SIZE_T n = large();

	bad_free(take(n) + PAGE * (1 + draw((unsigned int)(n / PAGE) - 1)));
}

static void misaligned_in_small(void)
{
	bad_free(take(small()) + 1 + draw(15));
}

static void misaligned_in_large(void)
{
	bad_free(take(large()) + 1 + draw(PAGE - 1));
}

static void small_of_other_heap(void)
{
	bad_free(HeapAlloc(arena->other, 0, small()));
}

static void large_of_other_heap(void)
{
	bad_free(HeapAlloc(arena->other, 0, large()));
}

static void of_malloc(void)
{
	void *p = malloc(small());

	bad_free(p);
	free(p);
}

static void on_stack(void)
{
	_Alignas(16) char block[512];

	bad_free(block + 16 * draw(32));
}

/* A forged block, as other allocators write them: a header before, one behind. */
static void forged(void)
{
	static _Alignas(16) size_t block[64];
	size_t i;

	for (i = 0; i < COUNT(block); i++)
		block[i] = 0x40 | (i & 1);
	bad_free(&block[2 + 2 * draw(8)]);
}

static void wild(void)
{
	uintptr_t handle = (uintptr_t)arena->heap;
	uintptr_t places[] = {
		16, PAGE - 16, UINTPTR_MAX - 15, 0x8000000000000000, 0xffff888000000000,
		handle - 16, handle + 16 * MIB, (uintptr_t)draw | 15, ~handle,
	};

	bad_free((void *)places[draw(COUNT(places))]);
}

static void never_allocated(void)
{
	bad_free((char *)arena->heap + 12 * MIB + 16 * draw(4 * MIB / 16));
}

/* The only mistake with a handle, so the only other error. */
static void of_destroyed_heap(void)
{
	HANDLE dead = arena->other;
	char *p = HeapAlloc(dead, 0, any());

	HeapDestroy(dead);
	arena->other = NULL;
	arena->error = ERROR_INVALID_HANDLE;
	bad_free_in(dead, p);
}

static void realloc_of_freed(void)
{
	bad_realloc(freed(small()));
}

static void realloc_of_freed_large(void)
{
	bad_realloc(freed(large()));
}

/* Never corruption: asking is allowed. */
static void size_of_freed(void)
{
	char *p = freed(any());

	expect_of("HeapSize", arena->heap, p);
	told(HeapSize(arena->heap, 0, p) == (SIZE_T)-1);
}

static void overflow(SIZE_T n, SIZE_T by)
{
	char *p = take(n);

	take(n);
	damage(p + n, by);
	bad_free(p);
}

static void overflow_by_1(void)
{
	overflow(small(), 1);
}

static void overflow_by_16(void)
{
	overflow(small(), 16);
}

static void overflow_of_large(void)
{
	overflow(large(), 1 + draw(16));
}

/* Into the next page, and on. */
static void overflow_without_end(void)
{
	SIZE_T n = large(), end;
	char *p, *q;

	/* In a heap of its own nothing is free, and so q is right behind p. */
	HeapDestroy(arena->other);
	arena->other = HeapCreate(arena->options, 0, 16 * MIB);
	p = HeapAlloc(arena->other, 0, n);
	q = HeapAlloc(arena->other, 0, n);
	end = (size_t)(q - p);
	expect_of("access", arena->other, q - PAGE);
	damage(p + n, end - n + 16);
	bad_free_in(arena->other, p);
}

static void underflow(SIZE_T by)
{
	char *p;

	/*
	 * Inside a slab: what is before a large block may be anything. Without full checks a page
	 * begins with a block, and before it may be nothing at all.
	 */
	do {
		p = take(small());
	} while (((uintptr_t)p & (PAGE - 1)) == 0);
	damage(p - by, by);
	bad_free(p);
}

static void underflow_by_1(void)
{
	underflow(1);
}

static void underflow_by_16(void)
{
	underflow(16);
}

/* Found when the bytes are handed out again, in a heap so small that it is soon. */
static void write_after_free(void)
{
	SIZE_T n = 1 + draw(1000);
	char *p;

	HeapDestroy(arena->other);
	arena->other = HeapCreate(arena->options, 0, 128 * KIB);
	p = HeapAlloc(arena->other, 0, n);
	HeapFree(arena->other, 0, p);
	damage(p + draw((unsigned int)n), 1);
	arena->damage = 0;
	expect_of("HeapAlloc", arena->other, p);
	while (HeapAlloc(arena->other, 0, n))
		;
	told(true);
}

static void write_after_free_of_large(void)
{
	SIZE_T n = large();
	char *p = freed(n), *q = p + draw((unsigned int)n);

	expect_of("access", arena->heap, q);
	damage(q, 1);
	arena->damage = 0;
}

/* usually: without full checks it depends on sizes whether it is caught; never: or on nothing. */
enum caught { NEVER, USUALLY, ALWAYS };

static const struct attack {
	const char *name;
	void (*strike)(void);
	const char *what;	/* NULL: no line, just an error */
	enum caught by_default;
} attacks[] = {
#define ATTACK(name, ...)	{ #name, name, __VA_ARGS__ }
	ATTACK(double_free, FREED, ALWAYS),
	ATTACK(double_free_of_another_threads, FREED, ALWAYS),
	ATTACK(double_free_after_reuse, FREED, ALWAYS),
	ATTACK(double_free_of_large, FREED, ALWAYS),
	ATTACK(double_free_of_nothing, FREED, ALWAYS),
	ATTACK(interior_of_small, INTERIOR, ALWAYS),
	ATTACK(interior_of_large, INTERIOR, ALWAYS),
	ATTACK(misaligned_in_small, INTERIOR, ALWAYS),
	ATTACK(misaligned_in_large, INTERIOR, ALWAYS),
	ATTACK(small_of_other_heap, FOREIGN, ALWAYS),
	ATTACK(large_of_other_heap, FOREIGN, ALWAYS),
	ATTACK(of_malloc, FOREIGN, ALWAYS),
	ATTACK(on_stack, FOREIGN, ALWAYS),
	ATTACK(forged, FOREIGN, ALWAYS),
	ATTACK(wild, FOREIGN, ALWAYS),
	ATTACK(never_allocated, UNALLOCATED, ALWAYS),
	ATTACK(of_destroyed_heap, NULL, ALWAYS),
	ATTACK(realloc_of_freed, FREED, ALWAYS),
	ATTACK(realloc_of_freed_large, FREED, ALWAYS),
	ATTACK(size_of_freed, NULL, ALWAYS),
	ATTACK(overflow_by_1, OVERRUN, USUALLY),
	ATTACK(overflow_by_16, OVERRUN, USUALLY),
	ATTACK(overflow_of_large, OVERRUN, USUALLY),
	ATTACK(overflow_without_end, OVERRUN, USUALLY),
	ATTACK(underflow_by_1, UNDERRUN, NEVER),
	ATTACK(underflow_by_16, UNDERRUN, NEVER),
	ATTACK(write_after_free, STALE, NEVER),
	ATTACK(write_after_free_of_large, FREED, NEVER),
};

_Static_assert(COUNT(attacks) == 28, "the matrix");

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

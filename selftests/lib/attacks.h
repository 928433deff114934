/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The attacks themselves, for attacks.c: each prepares its victim, does its damage and makes the
 * call that must find it, in an arena that has seen other blocks come and go.
 */
#ifndef SELFTESTS_LIB_ATTACKS_H
#define SELFTESTS_LIB_ATTACKS_H

#include "common.h"

#include <pthread.h>

#include "heapapi.h"

#define PAGE		((size_t)4096)
#define NEIGHBOURS	16
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
	SIZE_T n = 40000 + draw(60000);

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

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Slabs that belong to CPUs: the four operations as restartable sequences (rseq(2)), and the only
 * assembly of the library.
 *
 *	3: rseq area ◀── address of { start 1, length 2 - 1, abort 4 }
 *	1: which CPU?  gate open?  …  loads, decisions, stores that nobody minds  …
 *	   one store: the commit
 *	2:
 *	4: signature before it; the kernel comes here instead of going on: jump to 3
 *
 * If a thread between 1 and 2 is preempted, migrated or gets a signal, the kernel sends it to 4
 * before anything else runs in its place. So between 1 and 2 nobody else is inside a sequence on
 * the same CPU, and words that only sequences of one CPU write need no atomic operation. Before
 * the commit only such stores are made as are harmless if they come to nothing: into a block that
 * is free, its canary; into the slack of a block that is free.
 *
 * The gate is how many CPUs have shards while the heap is owned and running, else 0. One compare
 * with the CPU's number asks: is the heap in this mode, has this CPU a shard, is nobody stopping
 * the heap? Who closes the gate calls owned_barrier(): membarrier aborts every sequence that runs.
 *
 * glibc registers the area for every thread that it makes; where it could not the CPU's number there is
 * negative, and no sequence passes the gate. In a child of vfork, which is on its parent's area without
 * being registered, percpu_vfork.c makes it so. A thread of another making has to have an area of its own that is
 * registered, or says so.
 */
#ifndef PRIVHEAP_OWNED_H
#define PRIVHEAP_OWNED_H

#include "alloc/types.h"
#include "os/process.h"

/* The thread sanitizer sees no sequences: it would take their stores for races. */
#if defined(__SANITIZE_THREAD__)
#define OWNED 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OWNED 0
#endif
#endif
#ifdef OWNED
#elif defined(__x86_64__) && __has_include(<sys/rseq.h>)
#define OWNED 1
#else
#define OWNED 0
#endif

#if OWNED
/* Where the area is, from the thread pointer; set before the first heap is known to anybody. */
extern ptrdiff_t owned_area __attribute__((visibility("hidden")));

#define OWNED_BEGIN							\
	".pushsection __rseq_cs, \"aw\"\n"				\
	".balign 32\n"							\
	"9:\n"								\
	".long 0, 0\n"							\
	".quad 1f, 2f - 1f, 4f\n"					\
	".popsection\n"							\
	"3:\n\t"							\
	"leaq 9b(%%rip), %[t]\n\t"					\
	"movq %[t], %%fs:8(%[area])\n"					\
	"1:\n\t"

#define OWNED_CPU							\
	"movl %%fs:4(%[area]), %k[t]\n\t"

#define OWNED_GATE							\
	OWNED_CPU							\
	"cmpl %c[gate](%[heap]), %k[t]\n\t"				\
	"jae %l[none]\n\t"

#define OWNED_END							\
	"2:\n"								\
	".pushsection __rseq_failure, \"ax\"\n"				\
	".byte 0x0f, 0xb9, 0x3d\n"					\
	".long 0x53053053\n"						\
	"4:\n\t"							\
	"jmp 3b\n"							\
	".popsection\n"

/*
 * *p = a block of this CPU's current group, sealed: its slack noted, its canary written. False:
 * none, or the gate is closed. When avail is empty all of freed becomes avail, by one store of
 * both; but not what is in remote too, because somebody freed it twice.
 */
static inline bool owned_take(struct heap *heap, size_t class, size_t n, void **p)
{
	uint64_t seen, t, slack, q;

	__asm__ volatile goto(
		OWNED_BEGIN
		OWNED_GATE
		"movq %c[shards](%[heap], %[t], 8), %[t]\n\t"
		"movq (%[t], %[class], 8), %[t]\n\t"
		"movq %c[avail](%[t]), %[seen]\n\t"
		"testq %[seen], %[seen]\n\t"
		"jnz 5f\n\t"
		"movq %c[freed](%[t]), %[seen]\n\t"
		"movq %c[remote](%[t]), %[p]\n\t"
		"andq %[seen], %[p]\n\t"
		"xorq %[p], %[seen]\n\t"
		"jz %l[none]\n\t"
		"movq %[seen], %%xmm0\n\t"
		"movq %[p], %%xmm1\n\t"
		"punpcklqdq %%xmm1, %%xmm0\n\t"
		"movdqa %%xmm0, %c[avail](%[t])\n"
		"5:\n\t"
		"rep bsfq %[seen], %[p]\n\t"
		"movq %c[slacks](%[t]), %[q]\n\t"
		"movq %c[size](%[t]), %[slack]\n\t"
		"btrq %[p], %[seen]\n\t"
		"leaq (%[q], %[p], 2), %[q]\n\t"
		"imulq %[slack], %[p]\n\t"
		"addq %c[base](%[t]), %[p]\n\t"
		"subq %[n], %[slack]\n\t"
		"movw %w[slack], (%[q])\n\t"
		"jz 6f\n\t"
		/* q = bytes of the program among the 16 that are written: max(16, slack) - slack */
		"movl $16, %k[q]\n\t"
		"cmpq %[q], %[slack]\n\t"
		"cmovaq %[slack], %[q]\n\t"
		"subq %[slack], %[q]\n\t"
		"movq %[p], %[slack]\n\t"
		"subq %[q], %[slack]\n\t"
		"movdqa %c[canary](%[heap]), %%xmm0\n\t"
		"movdqu %%xmm0, (%[slack], %[n])\n"
		"6:\n\t"
		"movq %[seen], %c[avail](%[t])\n"
		OWNED_END
		: [p] "=&a" (*(uintptr_t *)p), [seen] "=&r" (seen), [t] "=&r" (t),
		  [slack] "=&r" (slack), [q] "=&r" (q)
		: [area] "r" (owned_area), [heap] "r" (heap), [class] "r" (class), [n] "r" (n),
		  [gate] "i" (offsetof(struct heap, gate)),
		  [canary] "i" (offsetof(struct heap, canary)),
		  [shards] "i" (offsetof(struct heap, shards)),
		  [avail] "i" (offsetof(struct group, avail)),
		  [freed] "i" (offsetof(struct group, freed)),
		  [remote] "i" (offsetof(struct group, remote)),
		  [base] "i" (offsetof(struct group, base)),
		  [slacks] "i" (offsetof(struct group, slack)),
		  [size] "i" (offsetof(struct group, size))
		: "memory", "cc", "xmm0", "xmm1"
		: none);
	return true;
none:
	return false;
}

/* Block i of a slab of this CPU is free. False: it is so already, or not here, or not now. */
static inline bool owned_give(struct heap *heap, struct slab *slab, struct group *group, size_t i)
{
	uint64_t freed, t;

	__asm__ volatile goto(
		OWNED_BEGIN
		OWNED_GATE
		"cmpl %c[local](%[slab]), %k[t]\n\t"
		"jne %l[none]\n\t"
		"movq %c[at_freed](%[group]), %[freed]\n\t"
		"movq %c[avail](%[group]), %[t]\n\t"
		"orq %c[remote](%[group]), %[t]\n\t"
		"orq %[freed], %[t]\n\t"
		"btq %[i], %[t]\n\t"
		"jc %l[none]\n\t"
		"btsq %[i], %[freed]\n\t"
		"movq %[freed], %c[at_freed](%[group])\n"
		OWNED_END
		: [freed] "=&r" (freed), [t] "=&r" (t)
		: [area] "r" (owned_area), [heap] "r" (heap), [slab] "r" (slab),
		  [group] "r" (group), [i] "r" (i),
		  [gate] "i" (offsetof(struct heap, gate)),
		  [local] "i" (offsetof(struct slab, local)),
		  [avail] "i" (offsetof(struct group, avail)),
		  [at_freed] "i" (offsetof(struct group, freed)),
		  [remote] "i" (offsetof(struct group, remote))
		: "memory", "cc"
		: none);
	return true;
none:
	return false;
}

/* The same from any CPU: the commit is an atomic operation on `remote`. */
static inline bool owned_give_remote(struct heap *heap, struct group *group, size_t i)
{
	uint64_t old, t;

	__asm__ volatile goto(
		OWNED_BEGIN
		OWNED_GATE
		"movq %c[remote](%[group]), %[old]\n\t"
		"movq %c[freed](%[group]), %[t]\n\t"
		"orq %c[avail](%[group]), %[t]\n\t"
		"orq %[old], %[t]\n\t"
		"btq %[i], %[t]\n\t"
		"jc %l[none]\n\t"
		"movq %[old], %[t]\n\t"
		"btsq %[i], %[t]\n\t"
		"lock cmpxchgq %[t], %c[remote](%[group])\n"
		OWNED_END
		"jnz 3b\n\t"
		: [old] "=&a" (old), [t] "=&r" (t)
		: [area] "r" (owned_area), [heap] "r" (heap), [group] "r" (group), [i] "r" (i),
		  [gate] "i" (offsetof(struct heap, gate)),
		  [avail] "i" (offsetof(struct group, avail)),
		  [freed] "i" (offsetof(struct group, freed)),
		  [remote] "i" (offsetof(struct group, remote))
		: "memory", "cc"
		: none);
	return true;
none:
	return false;
}

/* *word |= bits, if this is that CPU. */
static inline bool owned_or(uint32_t cpu, _Atomic uint64_t *word, uint64_t bits)
{
	uint64_t t;

	__asm__ volatile goto(
		OWNED_BEGIN
		OWNED_CPU
		"cmpl %[cpu], %k[t]\n\t"
		"jne %l[none]\n\t"
		"orq %[bits], (%[word])\n"
		OWNED_END
		: [t] "=&r" (t)
		: [area] "r" (owned_area), [cpu] "r" (cpu), [word] "r" (word), [bits] "r" (bits)
		: "memory", "cc"
		: none);
	return true;
none:
	return false;
}

/* The CPU this thread runs on, or ran on until now. */
static inline uint32_t owned_cpu(void)
{
	const char *area = (const char *)__builtin_thread_pointer() + owned_area;

	return *(const volatile uint32_t *)(area + 4);
}
#else
static inline bool owned_take(struct heap *heap, size_t class, size_t n, void **p)
{
	(void)heap;
	(void)class;
	(void)n;
	(void)p;
	return false;
}

static inline bool owned_give(struct heap *heap, struct slab *slab, struct group *group, size_t i)
{
	(void)heap;
	(void)slab;
	(void)group;
	(void)i;
	return false;
}

static inline bool owned_give_remote(struct heap *heap, struct group *group, size_t i)
{
	(void)heap;
	(void)group;
	(void)i;
	return false;
}

static inline bool owned_or(uint32_t cpu, _Atomic uint64_t *word, uint64_t bits)
{
	(void)cpu;
	(void)word;
	(void)bits;
	return false;
}

static inline uint32_t owned_cpu(void)
{
	return 0;
}
#endif

/* True if heaps of this process can be owned. Finds the area: before any of the above. */
bool owned_possible(struct process *process);
/*
 * On return every sequence that ran on any CPU has committed or will start again. False: the kernel
 * refuses membarrier, now, and owned_possible() is over.
 */
bool owned_barrier(void);
/* The same without membarrier: slow, for the last time. A line and abort if that is refused too. */
void owned_last_barrier(void);

#endif

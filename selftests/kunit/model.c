// SPDX-License-Identifier: GPL-2.0
/*
 * Every sequence of one to six operations, on the module's ledgers and watermark and on a
 * reference that is nothing but sums; after each operation the two must agree in every figure.
 *
 *	heap A (a window initial, at most 2 and a bit) --> process a --+
 *	                                                               +--> user --> system
 *	heap B (nothing initial, at most 6 MiB) ---------> process b --+
 *
 * Process a sets limits for itself and may use the system's reserve; b is bound by others.
 *
 * The sizes and limits are chosen so that six operations reach every outcome: see model.h. The
 * sequences form a tree; each node is one sequence and costs one operation.
 */
#include <linux/sizes.h>
#include <linux/types.h>

#include "../../kmod/ledger.h"
#include "../../kmod/policy.h"
#include "model.h"

enum { A, B, HEAPS };
enum { PROCESS_A, PROCESS_B, USER, SYSTEM, LEDGERS };

#define PAGE	SZ_4K
#define WINDOW	((unsigned long)PRIVHEAP_WINDOW)

static const struct {
	unsigned long initial, maximum, call;	/* call: what the commit operation asks for */
	int ledgers[LEDGER_LEVELS];
} heaps[HEAPS] = {
	[A] = { WINDOW, 2 * WINDOW + 3 * PAGE, 2 * WINDOW + 3 * PAGE, { PROCESS_A, USER, SYSTEM } },
	[B] = { 0, 6 * SZ_1M, 1792 * SZ_1K, { PROCESS_B, USER, SYSTEM } },
};

/*
 * What "lower" and "raise" go down and up; 0 = none. Each rung has another level refuse first, so
 * the second gives a process its freedom back; on the last all three refuse, and a second heap too.
 * The user has half of what the system has, until that is said otherwise.
 */
#define HALF	LEDGER_LIMIT_DEFAULT
static const struct rung {
	unsigned long process, own_of_a, bound_of_b, user, system, heaps;
} ladder[] = {
	{ 0, 0, 0, HALF, 8 * SZ_1M + 2 * WINDOW, 2 },
	{ 4 * WINDOW, 2 * WINDOW + PAGE, 3 * WINDOW, HALF, 8 * SZ_1M + 2 * WINDOW, 2 },
	{ 0, 0, 0, 4 * WINDOW, 2 * WINDOW + 4 * PAGE, 2 },
	{ 2 * WINDOW + PAGE, 0, 0, 2 * WINDOW, WINDOW + PAGE, 1 },
};

#define LOWEST ((int)(sizeof(ladder) / sizeof(ladder[0])) - 1)

struct heap {
	bool alive;
	unsigned long committed;
};

/* The module's code at work. The parameters are what the ledgers' pointers lead to. */
static struct real {
	struct privheap_ledger ledgers[LEDGERS];
	struct privheap_ledger_chain chains[HEAPS];
	struct heap heaps[HEAPS];
	unsigned long process_limit, user_limit, system_limit, system_heaps, bound_of_b;
	bool may_use_reserve;
	int rung;
} real;

/* The same in plain numbers. */
static struct reference {
	struct sums {
		long used, peak, denied, heaps;
	} ledgers[LEDGERS];
	struct heap heaps[HEAPS];
	int rung;
} reference;

static struct {
	struct real real;
	struct reference reference;
} saved[MODEL_DEPTH];

/* The module's side. What commit.c and end.c do around these calls, in the same order. */

static void real_set_limits(void)
{
	const struct rung *rung = &ladder[real.rung];

	real.process_limit = rung->process;
	real.ledgers[PROCESS_A].own = rung->own_of_a;
	real.bound_of_b = rung->bound_of_b;
	real.user_limit = rung->user;
	real.system_limit = rung->system;
	real.system_heaps = rung->heaps;
}

static unsigned long bound_of_b(const struct privheap_ledger *ledger)
{
	return real.bound_of_b;
}

static bool may_use_reserve(void)
{
	return real.may_use_reserve;
}

static void real_init(void)
{
	int i, level;

	real = (struct real){ };
	for (i = 0; i < LEDGERS; i++)
		real.ledgers[i].limit = LEDGER_LIMIT_DEFAULT;
	real.ledgers[PROCESS_A].default_limit = &real.process_limit;
	real.ledgers[PROCESS_B].default_limit = &real.process_limit;
	real.ledgers[PROCESS_B].bound = bound_of_b;
	real.ledgers[USER].default_limit = &real.user_limit;
	real.ledgers[USER].whole = &real.ledgers[SYSTEM];
	real.ledgers[SYSTEM].default_limit = &real.system_limit;
	real.ledgers[SYSTEM].may_use_reserve = may_use_reserve;
	real.ledgers[SYSTEM].heaps_limit = &real.system_heaps;
	for (i = 0; i < HEAPS; i++)
		for (level = 0; level < LEDGER_LEVELS; level++)
			real.chains[i].level[level] = &real.ledgers[heaps[i].ledgers[level]];
	real_set_limits();
}

static void real_create(int h)
{
	struct heap *heap = &real.heaps[h];

	if (heap->alive || privheap_ledger_add_heap(&real.chains[h]))
		return;
	heap->alive = true;
	heap->committed = 0;
	if (!heaps[h].initial)
		return;
	heap->committed = privheap_watermark_call(&real.chains[h], 0, heaps[h].initial);
	if (heap->committed)
		return;
	privheap_ledger_remove_heap(&real.chains[h]);
	heap->alive = false;
}

static void real_touch(int h)
{
	struct heap *heap = &real.heaps[h];

	if (heap->alive && heap->committed < heaps[h].maximum)
		heap->committed = privheap_watermark_touch(&real.chains[h], heap->committed,
							   heap->committed + PAGE,
							   heaps[h].maximum);
}

static void real_call(int h)
{
	struct heap *heap = &real.heaps[h];

	if (heap->alive && heap->committed < heaps[h].call)
		heap->committed = privheap_watermark_call(&real.chains[h], heap->committed,
							  heaps[h].call);
}

static void real_destroy(int h)
{
	struct heap *heap = &real.heaps[h];

	if (!heap->alive)
		return;
	privheap_ledger_uncharge(&real.chains[h], heap->committed);
	privheap_ledger_remove_heap(&real.chains[h]);
	heap->alive = false;
	heap->committed = 0;
}

static void real_limit(int by)
{
	real.rung += by;
	if (real.rung < 0)
		real.rung = 0;
	if (real.rung > LOWEST)
		real.rung = LOWEST;
	real_set_limits();
}

/* The reference: add up first, act when nothing is in the way. */

static long lowest_of(long a, long b)
{
	return !a || (b && b < a) ? b : a;
}

/* The quota; what else binds is not in it. */
static long limit_of(int ledger)
{
	const struct rung *rung = &ladder[reference.rung];

	switch (ledger) {
	case PROCESS_A:
		return lowest_of(rung->process, rung->own_of_a);
	case USER:
		return rung->user == HALF ? rung->system / 2 : rung->user;
	case SYSTEM:
		return rung->system;
	default:
		return rung->process;
	}
}

/* What this heap may fill a ledger up to; 0 = any amount. */
static long room_of(int ledger, int h)
{
	long limit = limit_of(ledger);

	if (ledger == PROCESS_B)
		return lowest_of(limit, ladder[reference.rung].bound_of_b);
	return ledger == SYSTEM && h == B ? limit - limit / 16 : limit;
}

/* The lowest level that is in the way of so many bytes more, or -1. */
static int refuser(int h, long bytes)
{
	int level;

	for (level = 0; level < LEDGER_LEVELS; level++) {
		int ledger = heaps[h].ledgers[level];
		long limit = room_of(ledger, h);

		if (limit && reference.ledgers[ledger].used + bytes > limit)
			return level;
	}
	return -1;
}

/* Which of a process's limits it was: the one that binds. */
static enum model_outcome denied_by_process(int h, enum model_outcome by_process)
{
	const struct rung *rung = &ladder[reference.rung];

	if (h == A && rung->own_of_a)
		return DENIED_BY_OWN;
	return h == B && rung->bound_of_b ? DENIED_BY_BOUND : by_process;
}

static bool is_in_reserve(void)
{
	long limit = limit_of(SYSTEM);

	return reference.ledgers[SYSTEM].used > limit - limit / 16;
}

static void grow(int h, unsigned long committed)
{
	long bytes = committed - reference.heaps[h].committed;
	int level;

	for (level = 0; level < LEDGER_LEVELS; level++) {
		struct sums *sums = &reference.ledgers[heaps[h].ledgers[level]];

		sums->used += bytes;
		if (sums->peak < sums->used)
			sums->peak = sums->used;
	}
	reference.heaps[h].committed = committed;
}

static void count_heap(int h, int by)
{
	int level;

	for (level = 0; level < LEDGER_LEVELS; level++)
		reference.ledgers[heaps[h].ledgers[level]].heaps += by;
}

static enum model_outcome reference_create(int h)
{
	int level = refuser(h, heaps[h].initial);

	if (reference.heaps[h].alive)
		return NOTHING;
	if (reference.ledgers[SYSTEM].heaps >= (long)ladder[reference.rung].heaps) {
		reference.ledgers[SYSTEM].denied++;
		return CREATE_OVER_HEAPS;
	}
	if (heaps[h].initial && level >= 0) {
		reference.ledgers[heaps[h].ledgers[level]].denied++;
		return CREATE_DENIED;
	}
	reference.heaps[h].alive = true;
	count_heap(h, 1);
	grow(h, heaps[h].initial);
	return is_in_reserve() ? CREATED_INTO_RESERVE : CREATED;
}

/* Where a step may end: at the next whole window, or whole 2 MiB from the 2 MiB mark on. */
static unsigned long next_end(unsigned long committed, unsigned long needed)
{
	unsigned long end = 0;

	if (needed >= SZ_2M) {
		while (end < needed)
			end += SZ_2M;
		return end;
	}
	while (end < needed + committed / 4 && end < SZ_2M)
		end += WINDOW;
	return end;
}

static enum model_outcome reference_touch(int h)
{
	unsigned long committed = reference.heaps[h].committed;
	unsigned long needed = committed + PAGE;
	unsigned long end = next_end(committed, needed);
	int level;

	if (!reference.heaps[h].alive || needed > heaps[h].maximum)
		return NOTHING;
	if (end > heaps[h].maximum)
		end = heaps[h].maximum;
	if (refuser(h, end - committed) < 0) {
		grow(h, end);
		if (end == heaps[h].maximum)
			return TOUCH_UP_TO_MAXIMUM;
		if (needed > SZ_2M)
			return TOUCH_HUGE;
		return end == SZ_2M ? TOUCH_UP_TO_2M : TOUCH_STEP;
	}
	level = refuser(h, needed - committed);
	if (level < 0) {
		grow(h, needed);
		return TOUCH_ONLY_NEEDED;
	}
	reference.ledgers[heaps[h].ledgers[level]].denied++;
	return level ? TOUCH_DENIED_BY_PROCESS + level :
		       denied_by_process(h, TOUCH_DENIED_BY_PROCESS);
}

static enum model_outcome reference_call(int h)
{
	int level = refuser(h, heaps[h].call - reference.heaps[h].committed);

	if (!reference.heaps[h].alive || reference.heaps[h].committed >= heaps[h].call)
		return NOTHING;
	if (level < 0) {
		grow(h, heaps[h].call);
		return is_in_reserve() ? CALL_INTO_RESERVE : CALL;
	}
	reference.ledgers[heaps[h].ledgers[level]].denied++;
	return level ? CALL_DENIED_BY_PROCESS + level :
		       denied_by_process(h, CALL_DENIED_BY_PROCESS);
}

static enum model_outcome reference_destroy(int h)
{
	if (!reference.heaps[h].alive)
		return NOTHING;
	grow(h, 0);
	count_heap(h, -1);
	reference.heaps[h].alive = false;
	return DESTROYED;
}

static enum model_outcome reference_limit(int by)
{
	int i;

	if (reference.rung == (by < 0 ? 0 : LOWEST))
		return NOTHING;
	reference.rung += by;
	if (by < 0)
		return RAISED;
	for (i = 0; i < LEDGERS; i++)
		if (limit_of(i) && reference.ledgers[i].used > limit_of(i))
			return LOWERED_BELOW_USED;
	return LOWERED;
}

/* Both sides, and the tree. */

static const struct {
	void (*real)(int argument);
	enum model_outcome (*reference)(int argument);
	int argument;
} operations[MODEL_OPERATIONS] = {
	{ real_create, reference_create, A },
	{ real_create, reference_create, B },
	{ real_touch, reference_touch, A },
	{ real_touch, reference_touch, B },
	{ real_call, reference_call, A },
	{ real_call, reference_call, B },
	{ real_destroy, reference_destroy, A },
	{ real_destroy, reference_destroy, B },
	{ real_limit, reference_limit, 1 },
	{ real_limit, reference_limit, -1 },
};

const char * const model_operations[MODEL_OPERATIONS] = {
	"create A", "create B", "touch A", "touch B", "commit A", "commit B",
	"destroy A", "destroy B", "lower", "raise",
};

#define MODEL_NAME(outcome) #outcome,
const char * const model_outcomes[MODEL_OUTCOME_COUNT] = { MODEL_OUTCOMES(MODEL_NAME) };

static const char *difference(void)
{
	int i;

	for (i = 0; i < LEDGERS; i++) {
		const struct privheap_ledger *ledger = &real.ledgers[i];
		const struct sums *sums = &reference.ledgers[i];

		if (atomic_long_read(&ledger->used) != sums->used)
			return "used";
		if (atomic_long_read(&ledger->charged) != sums->used)
			return "charged";
		if (atomic_long_read(&ledger->peak) != sums->peak)
			return "peak";
		if (atomic_long_read(&ledger->denied) != sums->denied)
			return "denied";
		if (atomic_long_read(&ledger->heaps) != sums->heaps)
			return "heaps";
		if (privheap_ledger_limit(ledger) != (unsigned long)limit_of(i))
			return "limit";
		if (privheap_ledger_lowest(ledger) != (unsigned long)room_of(i, A))
			return "lowest limit";
	}
	for (i = 0; i < HEAPS; i++) {
		if (real.heaps[i].alive != reference.heaps[i].alive)
			return "alive";
		if (real.heaps[i].committed != reference.heaps[i].committed)
			return "committed";
	}
	return NULL;
}

/* All sequences that begin with the one in the report, which was run: stops at a difference. */
static void extend(struct model_report *report, int length)
{
	int i;

	saved[length].real = real;
	saved[length].reference = reference;
	for (i = 0; i < MODEL_OPERATIONS && !report->wrong; i++) {
		report->sequence[length] = i;
		report->length = length + 1;
		report->sequences++;
		real.may_use_reserve = operations[i].argument == A;
		operations[i].real(operations[i].argument);
		report->outcomes[operations[i].reference(operations[i].argument)]++;
		report->wrong = difference();
		if (!report->wrong && length + 1 < MODEL_DEPTH)
			extend(report, length + 1);
		real = saved[length].real;
		reference = saved[length].reference;
	}
}

/**
 * model_check() - run every sequence
 * @report: filled
 *
 * Context: one at a time.
 */
void model_check(struct model_report *report)
{
	*report = (struct model_report){ };
	reference = (struct reference){ };
	real_init();
	extend(report, 0);
}

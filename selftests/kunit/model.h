/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_MODEL_H
#define PRIVHEAP_MODEL_H

#define MODEL_OPERATIONS	10
#define MODEL_DEPTH		6

/* What came of an operation, to show that the sequences reach everything that can come of one. */
#define MODEL_OUTCOMES(X)		\
	X(CREATED)			\
	X(CREATED_INTO_RESERVE)		\
	X(CREATE_OVER_HEAPS)		\
	X(CREATE_DENIED)		\
	X(TOUCH_STEP)			\
	X(TOUCH_UP_TO_2M)		\
	X(TOUCH_HUGE)			\
	X(TOUCH_UP_TO_MAXIMUM)		\
	X(TOUCH_ONLY_NEEDED)		\
	X(TOUCH_DENIED_BY_PROCESS)	\
	X(TOUCH_DENIED_BY_USER)		\
	X(TOUCH_DENIED_BY_SYSTEM)	\
	X(CALL)				\
	X(CALL_INTO_RESERVE)		\
	X(CALL_DENIED_BY_PROCESS)	\
	X(CALL_DENIED_BY_USER)		\
	X(CALL_DENIED_BY_SYSTEM)	\
	X(DENIED_BY_OWN)		\
	X(DENIED_BY_BOUND)		\
	X(DESTROYED)			\
	X(LOWERED)			\
	X(LOWERED_BELOW_USED)		\
	X(RAISED)			\
	X(NOTHING)

#define MODEL_ENUM(outcome) outcome,
enum model_outcome { MODEL_OUTCOMES(MODEL_ENUM) MODEL_OUTCOME_COUNT };
#undef MODEL_ENUM

/**
 * struct model_report - what model_check() found
 * @sequences: how many were run
 * @outcomes: how many of their last operations came to this
 * @wrong: what differed from the reference first, or NULL
 * @length: of the sequence that did
 * @sequence: numbers of its operations
 */
struct model_report {
	unsigned long sequences;
	unsigned long outcomes[MODEL_OUTCOME_COUNT];
	const char *wrong;
	int length;
	unsigned char sequence[MODEL_DEPTH];
};

extern const char * const model_operations[MODEL_OPERATIONS];
extern const char * const model_outcomes[MODEL_OUTCOME_COUNT];

void model_check(struct model_report *report);

#endif

// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libFuzzer against the model of selftests/unit: the input is the choices.
 *
 *	| which heap | choice | choice | …	4 bytes each; when they are used up the heap is emptied
 *
 * libFuzzer keeps and varies inputs that reach new branches of the library; AddressSanitizer sees what
 * a branch does to memory outside of heaps, the model what it does inside.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../unit/model.h"
#include "os/backend_anon.h"

#define KIB	((size_t)1 << 10)
#define MIB	((size_t)1 << 20)

static const struct {
	size_t maximum, largest;
	unsigned int flags;
} heaps[] = {
	{ 4 * KIB, 6000, 0 },
	{ 64 * KIB, 20 * KIB, 0 },
	{ 64 * KIB, 70 * KIB, HEAP_F_NO_SERIALIZE },
	{ 1 * MIB, 200 * KIB, 0 },
	{ 5 * MIB, 2 * MIB, 0 },
	{ 0, 1 * MIB, 0 },
};

struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t choose(void *source)
{
	struct input *input = source;
	uint32_t word = 0;
	size_t n = input->left < sizeof(word) ? input->left : sizeof(word);

	memcpy(&word, input->at, n);
	input->at += n;
	input->left -= n;
	return word;
}

static void disagree(const struct model *model)
{
	fprintf(stderr, "the heap and the model disagree: %s\n", model->wrong);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model model;
	struct input input = { data, size };
	struct heap_attr attr = { .backend = &backend_anon };
	size_t which = choose(&input) % (sizeof(heaps) / sizeof(heaps[0]));

	attr.maximum = heaps[which].maximum;
	attr.flags = heaps[which].flags;
	memset(&model, 0, sizeof(model));
	model.largest = heaps[which].largest;
	model.choose = choose;
	model.source = &input;
	if (heap_create(&attr, &model.heap))
		return 0;
	while (input.left)
		if (!model_step(&model))
			disagree(&model);
	if (!model_agrees(&model) || !model_empty(&model, attr.maximum))
		disagree(&model);
	if (heap_destroy(model.heap))
		abort();
	return 0;
}

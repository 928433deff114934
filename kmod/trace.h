/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints privheap:*. Sizes are bytes; base is an address of the process; heap is its number
 * in its descriptor, so (pid of the line, heap) names it. No kernel address is in any of them.
 */
#include <linux/kconfig.h>

#if !IS_ENABLED(CONFIG_PRIVHEAP_TRACE)
#ifndef PRIVHEAP_TRACE_H
#define PRIVHEAP_TRACE_H

#define trace_create(heap)			((void)0)
#define trace_commit(heap, from, to)		((void)0)
#define trace_deny(heap, committed, wanted)	((void)0)
#define trace_fault(heap, offset, result)	((void)0)
#define trace_destroy(heap, committed)		((void)0)

#endif
#else

#undef TRACE_SYSTEM
#define TRACE_SYSTEM privheap

#if !defined(PRIVHEAP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PRIVHEAP_TRACE_H

#include <linux/tracepoint.h>

#include "heap.h"

/* A heap exists. */
TRACE_EVENT(create,
	TP_PROTO(const struct privheap_heap *heap),
	TP_ARGS(heap),
	TP_STRUCT__entry(
		__field(unsigned long, heap)
		__field(unsigned long, base)
		__field(unsigned long, initial)
		__field(unsigned long, maximum)
		__array(char, name, PRIVHEAP_NAME_LEN)
	),
	TP_fast_assign(
		__entry->heap = heap->id;
		__entry->base = heap->base;
		__entry->initial = heap->initial;
		__entry->maximum = heap->maximum;
		memcpy(__entry->name, heap->name, PRIVHEAP_NAME_LEN);
	),
	TP_printk("heap=%lu base=0x%lx initial=%lu maximum=%lu name=%s", __entry->heap,
		  __entry->base, __entry->initial, __entry->maximum, __entry->name)
);

/* The commit of a heap has moved. */
TRACE_EVENT(commit,
	TP_PROTO(const struct privheap_heap *heap, unsigned long from, unsigned long to),
	TP_ARGS(heap, from, to),
	TP_STRUCT__entry(
		__field(unsigned long, heap)
		__field(unsigned long, from)
		__field(unsigned long, to)
	),
	TP_fast_assign(
		__entry->heap = heap->id;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("heap=%lu from=%lu to=%lu", __entry->heap, __entry->from, __entry->to)
);

/* A quota refused to commit more. */
TRACE_EVENT(deny,
	TP_PROTO(const struct privheap_heap *heap, unsigned long committed, unsigned long wanted),
	TP_ARGS(heap, committed, wanted),
	TP_STRUCT__entry(
		__field(unsigned long, heap)
		__field(unsigned long, committed)
		__field(unsigned long, wanted)
	),
	TP_fast_assign(
		__entry->heap = heap->id;
		__entry->committed = committed;
		__entry->wanted = wanted;
	),
	TP_printk("heap=%lu committed=%lu wanted=%lu", __entry->heap, __entry->committed,
		  __entry->wanted)
);

/* A page fault in a heap was answered; result is the VM_FAULT_* mask. */
TRACE_EVENT(fault,
	TP_PROTO(const struct privheap_heap *heap, unsigned long offset, unsigned int result),
	TP_ARGS(heap, offset, result),
	TP_STRUCT__entry(
		__field(unsigned long, heap)
		__field(unsigned long, offset)
		__field(unsigned int, result)
	),
	TP_fast_assign(
		__entry->heap = heap->id;
		__entry->offset = offset;
		__entry->result = result;
	),
	TP_printk("heap=%lu offset=%lu result=0x%x", __entry->heap, __entry->offset,
		  __entry->result)
);

/* A heap has ended and its charge was given back: by DESTROY, munmap or exit. */
TRACE_EVENT(destroy,
	TP_PROTO(const struct privheap_heap *heap, unsigned long committed),
	TP_ARGS(heap, committed),
	TP_STRUCT__entry(
		__field(unsigned long, heap)
		__field(unsigned long, committed)
	),
	TP_fast_assign(
		__entry->heap = heap->id;
		__entry->committed = committed;
	),
	TP_printk("heap=%lu committed=%lu", __entry->heap, __entry->committed)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

#endif

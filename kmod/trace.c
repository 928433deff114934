// SPDX-License-Identifier: GPL-2.0
/* The bodies of the tracepoints that trace.h declares. */
#include <linux/trace_events.h>

/* perf's own function of the name that the event "destroy" would get. */
#define perf_trace_destroy privheap_perf_trace_destroy

#define CREATE_TRACE_POINTS
#include "trace.h"

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Each: 0, or the line of the check that failed. */
#ifndef SELFTESTS_LIB_MEMORY_RESOURCE_H
#define SELFTESTS_LIB_MEMORY_RESOURCE_H

#ifdef __cplusplus
extern "C" {
#endif

int check_resource_of_its_own(void);
int check_resource_on_a_heap(void);
int check_resource_holds_containers(void);
int check_resource_reaches_its_maximum(void);
int check_resource_keeps_alignments(void);
int check_resource_equality(void);
int check_resource_that_cannot_be(void);
int check_resource_of_eight_threads(void);
int check_resource_after_fork(void);

#ifdef __cplusplus
}
#endif

#endif

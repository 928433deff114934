/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_PROCESS_H
#define PRIVHEAP_PROCESS_H

#include <linux/types.h>

struct mm_struct;
struct pid;

bool privheap_process_is_dead(struct pid *pid);
struct mm_struct *privheap_process_grab_mm(struct pid *pid);
bool privheap_process_uses(struct pid *pid, const struct mm_struct *mm);
bool privheap_process_may_share(struct pid *pid, struct mm_struct *mm);
unsigned long privheap_process_data_limit(struct pid *pid);

#endif

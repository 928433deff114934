/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_QUOTA_H
#define PRIVHEAP_QUOTA_H

#include "ledger.h"

struct privheap_quota;

int privheap_quota_init(void);
void privheap_quota_exit(void);

/* The accounts of the calling process; put when the last heap charged to them is gone. */
int privheap_quota_get_chain(struct privheap_ledger_chain *chain);
void privheap_quota_put_chain(struct privheap_ledger_chain *chain);

pid_t privheap_quota_pid(const struct privheap_ledger_chain *chain);
struct privheap_ledger *privheap_quota_system(void);
void privheap_quota_totals(unsigned long *used, unsigned long *peak);

int privheap_quota_read(struct privheap_ledger_chain *own, struct privheap_quota *arg);
int privheap_quota_write(struct privheap_ledger_chain *own, struct privheap_quota *arg);

#endif

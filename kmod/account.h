/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_ACCOUNT_H
#define PRIVHEAP_ACCOUNT_H

#include <linux/types.h>
#include <linux/uidgid.h>

#include "ledger.h"

struct pid;

int privheap_account_init(void);
void privheap_account_exit(void);

/* An account, with a reference, made if need be as a copy of @fresh; NULL = no memory. */
struct privheap_ledger *privheap_account_of_process(struct pid *pid,
						    const struct privheap_ledger *fresh);
struct privheap_ledger *privheap_account_of_user(kuid_t uid, const struct privheap_ledger *fresh);

void privheap_account_get(struct privheap_ledger *ledger);
void privheap_account_put(struct privheap_ledger *ledger);
void privheap_account_pin(struct privheap_ledger *ledger);

struct pid *privheap_account_pid(const struct privheap_ledger *ledger);

#endif

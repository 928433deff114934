// SPDX-License-Identifier: GPL-2.0
/*
 * Quotas: whose ledgers a process charges, what their limits are, and who may set them.
 *
 *	process (account.c) --> user (account.c) --> system (one, static)
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/sysfs.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "account.h"
#include "process.h"
#include "quota.h"
#include "../uapi/privheap.h"

static unsigned long process_limit;
module_param(process_limit, ulong, 0644);
MODULE_PARM_DESC(process_limit, "bytes a process may commit if no limit was set for it; 0 = no limit");

static unsigned long system_limit = ULONG_MAX;
module_param(system_limit, ulong, 0644);
MODULE_PARM_DESC(system_limit, "bytes all may commit together; 0 = no limit (default: half of RAM)");

static unsigned long process_heaps = 16384;
module_param(process_heaps, ulong, 0644);
MODULE_PARM_DESC(process_heaps, "heaps a process may have; 0 = no limit");

static unsigned long user_heaps = ULONG_MAX;
module_param(user_heaps, ulong, 0644);
MODULE_PARM_DESC(user_heaps, "heaps a user may have; 0 = no limit (default: one per 40 KiB of RAM)");

static DEFINE_MUTEX(limits_lock);	/* every write of a limit */

/* May the caller do what administrators may? Nothing is refused by the answer, nor audited. */
static bool would_be_administrator(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
}

static struct privheap_ledger system_ledger = {
	.limit = LEDGER_LIMIT_DEFAULT,
	.default_limit = &system_limit,
	.may_use_reserve = would_be_administrator,	/* so that root is not locked out */
};

/*
 * RLIMIT_DATA bounds what a process has committed in private heaps, beside the quotas: it is there
 * in every child, and ulimit, limits.conf, LimitDATA= and prlimit set it. One of 0 leaves no page,
 * as one of 1 does; 0 is no limit here.
 */
static unsigned long data_limit(const struct privheap_ledger *ledger)
{
	unsigned long limit = privheap_process_data_limit(privheap_account_pid(ledger));

	return limit == RLIM_INFINITY ? 0 : max(limit, 1UL);
}

/* What new accounts begin with. */
static const struct privheap_ledger fresh_process = {
	.limit = LEDGER_LIMIT_DEFAULT,
	.default_limit = &process_limit,
	.bound = data_limit,
	.heaps_limit = &process_heaps,
};

static unsigned long user_limit = LEDGER_LIMIT_DEFAULT;

static const struct privheap_ledger fresh_user = {
	.limit = LEDGER_LIMIT_DEFAULT,
	.default_limit = &user_limit,
	.whole = &system_ledger,
	.heaps_limit = &user_heaps,
};

/* Read is what holds, also where that follows the system's limit. */
static int user_limit_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%lu\n", privheap_ledger_limit(&fresh_user));
}

static const struct kernel_param_ops user_limit_ops = {
	.set = param_set_ulong,
	.get = user_limit_get,
};

module_param_cb(user_limit, &user_limit_ops, &user_limit, 0644);
__MODULE_PARM_TYPE(user_limit, "ulong");
MODULE_PARM_DESC(user_limit, "bytes a user may commit if no limit was set for them; 0 = no limit; 18446744073709551615 = half of the system's limit, as it is by default");

/*
 * A user namespace gives its root as many ids as it was mapped, and below the outermost one every
 * id is owned by that one's owner: they have one account together.
 */
static kuid_t user_to_charge(void)
{
	struct user_namespace *ns = current_user_ns();

	if (ns == &init_user_ns)
		return current_uid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	return ns->owner;
}

/**
 * privheap_quota_get_chain() - the accounts of the calling process
 * @chain: filled
 *
 * Context: process, may sleep.
 * Return: 0, or -ENOMEM with nothing held.
 */
int privheap_quota_get_chain(struct privheap_ledger_chain *chain)
{
	chain->level[0] = privheap_account_of_process(task_tgid(current), &fresh_process);
	if (!chain->level[0])
		return -ENOMEM;
	chain->level[1] = privheap_account_of_user(user_to_charge(), &fresh_user);
	if (!chain->level[1]) {
		privheap_account_put(chain->level[0]);
		return -ENOMEM;
	}
	chain->level[2] = &system_ledger;
	return 0;
}

/**
 * privheap_quota_put_chain() - undo privheap_quota_get_chain()
 * @chain: the accounts
 *
 * Context: process, may sleep; also under an mmap_lock.
 */
void privheap_quota_put_chain(struct privheap_ledger_chain *chain)
{
	privheap_account_put(chain->level[1]);
	privheap_account_put(chain->level[0]);
}

/**
 * privheap_quota_pid() - the process whose accounts these are
 * @chain: the accounts
 *
 * Context: any.
 * Return: its id in the initial namespace.
 */
pid_t privheap_quota_pid(const struct privheap_ledger_chain *chain)
{
	return pid_nr(privheap_account_pid(chain->level[0]));
}

/**
 * privheap_quota_system() - the ledger that everything is charged to
 *
 * Context: any.
 * Return: the ledger; it lives as long as the module.
 */
struct privheap_ledger *privheap_quota_system(void)
{
	return &system_ledger;
}

/**
 * privheap_quota_totals() - what all have committed together
 * @used: out
 * @peak: out
 *
 * Page by page they would tell of each of the others' commits, so all but administrators get
 * multiples of 1 MiB, rounded up.
 *
 * Context: process.
 */
void privheap_quota_totals(unsigned long *used, unsigned long *peak)
{
	privheap_ledger_read(&system_ledger, used, peak);
	if (would_be_administrator())
		return;
	*used = round_up(*used, SZ_1M);
	*peak = round_up(*peak, SZ_1M);
}

/* May the caller see and change accounts that are not its own? A refusal is audited. */
static bool is_administrator(void)
{
	return capable(CAP_SYS_RESOURCE);
}

static struct pid *process_by_id(u32 id)
{
	struct pid *pid = find_get_pid(id);

	if (pid && privheap_process_is_dead(pid)) {
		put_pid(pid);
		pid = NULL;
	}
	return pid ?: ERR_PTR(-ESRCH);
}

static struct privheap_ledger *process_ledger(u32 id)
{
	struct privheap_ledger *ledger;
	struct pid *pid;

	if (!is_administrator())
		return ERR_PTR(-EPERM);
	pid = process_by_id(id);
	if (IS_ERR(pid))
		return ERR_CAST(pid);
	ledger = privheap_account_of_process(pid, &fresh_process);
	put_pid(pid);
	return ledger ?: ERR_PTR(-ENOMEM);
}

static struct privheap_ledger *user_ledger(u32 id)
{
	kuid_t uid = make_kuid(current_user_ns(), id);

	if (!uid_valid(uid))
		return ERR_PTR(-EINVAL);
	if (!is_administrator())
		return ERR_PTR(-EPERM);
	return privheap_account_of_user(uid, &fresh_user) ?: ERR_PTR(-ENOMEM);
}

/* The ledger that arg names, with a reference (the system's needs none). */
static struct privheap_ledger *ledger_by_arg(struct privheap_ledger_chain *own,
					     const struct privheap_quota *arg)
{
	struct privheap_ledger *ledger;

	if (arg->flags || arg->reserved)
		return ERR_PTR(-EINVAL);
	if (arg->scope == PRIVHEAP_QUOTA_SYSTEM)
		return arg->id ? ERR_PTR(-EINVAL) : &system_ledger;
	if (arg->scope != PRIVHEAP_QUOTA_PROCESS && arg->scope != PRIVHEAP_QUOTA_USER)
		return ERR_PTR(-EINVAL);
	if (arg->id != PRIVHEAP_QUOTA_SELF)
		return arg->scope == PRIVHEAP_QUOTA_USER ? user_ledger(arg->id)
							 : process_ledger(arg->id);
	ledger = own->level[arg->scope];
	privheap_account_get(ledger);
	return ledger;
}

static void ledger_put(struct privheap_ledger *ledger)
{
	if (ledger != &system_ledger)
		privheap_account_put(ledger);
}

static bool was_set(const struct privheap_ledger *ledger)
{
	return READ_ONCE(ledger->limit) != LEDGER_LIMIT_DEFAULT || READ_ONCE(ledger->own);
}

/**
 * privheap_quota_read() - PRIVHEAP_QUOTA_GET
 * @own: the caller's accounts
 * @arg: in and out, see the uapi header
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL, -EPERM, -ESRCH or -ENOMEM as the uapi header says.
 */
int privheap_quota_read(struct privheap_ledger_chain *own, struct privheap_quota *arg)
{
	struct privheap_ledger *ledger = ledger_by_arg(own, arg);
	unsigned long limit, used, peak;

	if (IS_ERR(ledger))
		return PTR_ERR(ledger);
	if (ledger == &system_ledger)
		privheap_quota_totals(&used, &peak);
	else
		privheap_ledger_read(ledger, &used, &peak);
	limit = privheap_ledger_limit(ledger);
	arg->limit = privheap_ledger_lowest(ledger);
	arg->flags = was_set(ledger) ? 0 : PRIVHEAP_QUOTA_DEFAULT;
	if (arg->limit != limit)
		arg->flags |= PRIVHEAP_QUOTA_RLIMIT;
	arg->used = used;
	arg->peak = peak;
	arg->denied = atomic_long_read(&ledger->denied);
	arg->heaps = atomic_long_read(&ledger->heaps);
	arg->heaps_limit = ledger->heaps_limit ? READ_ONCE(*ledger->heaps_limit) : 0;
	ledger_put(ledger);
	return 0;
}

static bool is_raise(unsigned long from, unsigned long to)
{
	return from && (!to || to > from);
}

/*
 * What a process sets without the right to raise it is its own and comes on top: it can never be
 * in the way of a limit that is set for it, or for all, later. What an administrator sets stands
 * alone.
 */
static int set_limit(struct privheap_ledger *ledger, bool is_own, unsigned long limit)
{
	if ((!is_own || is_raise(privheap_ledger_limit(ledger), limit)) && !is_administrator())
		return -EPERM;
	if (would_be_administrator()) {
		WRITE_ONCE(ledger->limit, limit);
		WRITE_ONCE(ledger->own, 0);
	} else {
		WRITE_ONCE(ledger->own, limit);
	}
	return 0;
}

/**
 * privheap_quota_write() - PRIVHEAP_QUOTA_SET
 * @own: the caller's accounts
 * @arg: in, see the uapi header
 *
 * Context: process, may sleep.
 * Return: 0, -EINVAL, -EPERM, -ESRCH or -ENOMEM as the uapi header says.
 */
int privheap_quota_write(struct privheap_ledger_chain *own, struct privheap_quota *arg)
{
	struct privheap_ledger *ledger;
	int err;

	if (arg->limit >= LONG_MAX)
		return -EINVAL;
	ledger = ledger_by_arg(own, arg);
	if (IS_ERR(ledger))
		return PTR_ERR(ledger);
	mutex_lock(&limits_lock);
	err = set_limit(ledger, ledger == own->level[0], arg->limit);
	if (!err && ledger != &system_ledger)
		privheap_account_pin(ledger);
	mutex_unlock(&limits_lock);
	ledger_put(ledger);
	return err;
}

/**
 * privheap_quota_init() - make the accounts ready
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int privheap_quota_init(void)
{
	if (system_limit == ULONG_MAX)
		system_limit = (totalram_pages() / 2) << PAGE_SHIFT;
	if (user_heaps == ULONG_MAX)
		user_heaps = max(totalram_pages() * (PAGE_SIZE / SZ_1K) / 40, process_heaps);
	return privheap_account_init();
}

/**
 * privheap_quota_exit() - undo privheap_quota_init()
 *
 * Context: module unload: no context is left, only limits that were set.
 */
void privheap_quota_exit(void)
{
	privheap_account_exit();
	WARN_ON(atomic_long_read(&system_ledger.used));
	WARN_ON(atomic_long_read(&system_ledger.charged));
	WARN_ON(atomic_long_read(&system_ledger.heaps));
}

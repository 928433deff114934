// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts: which ledger belongs to which process and which user.
 *
 *	processes: struct pid of the thread group --> account      an account lives while a
 *	users:     uid in the initial namespace   --> account      context refers to it, and
 *	system:    one, static                                     longer if a limit was set:
 *	                                                           a process's until it is dead,
 *	                                                           a user's until rmmod
 *
 * The key is what makes a limit stick: struct pid survives exec and is never reused while we
 * hold it, so a limit set before exec is in force after it, and a second open finds the same
 * account; the uid is the global one, so user namespaces do not multiply it.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/refcount.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

#include "quota.h"
#include "../uapi/privheap.h"

#define REAP_INTERVAL	(5 * HZ)	/* how long a dead process's limit may linger */

static unsigned long process_limit;
module_param(process_limit, ulong, 0644);
MODULE_PARM_DESC(process_limit, "bytes a process may commit if no limit was set for it; 0 = no limit");

static unsigned long user_limit;
module_param(user_limit, ulong, 0644);
MODULE_PARM_DESC(user_limit, "bytes a user may commit if no limit was set for them; 0 = no limit");

static unsigned long system_limit = ULONG_MAX;
module_param(system_limit, ulong, 0644);
MODULE_PARM_DESC(system_limit, "bytes all may commit together; 0 = no limit (default: half of RAM)");

static unsigned long process_heaps = 16384;
module_param(process_heaps, ulong, 0644);
MODULE_PARM_DESC(process_heaps, "heaps a process may have; 0 = no limit");

/**
 * struct account - a ledger and whose it is
 * @ledger: the figures; first, so that a chain's pointer leads back here
 * @node: in processes or users
 * @refs: one per context, one while @pinned
 * @pinned: a limit was set, so the account outlives its contexts
 * @pid: of a process account, referenced; else NULL
 * @uid: of a user account
 */
struct account {
	struct privheap_ledger ledger;
	struct hlist_node node;
	refcount_t refs;
	bool pinned;
	struct pid *pid;
	kuid_t uid;
};

static struct kmem_cache *account_cache;
static DEFINE_HASHTABLE(processes, 8);
static DEFINE_HASHTABLE(users, 6);
static DEFINE_MUTEX(accounts_lock);	/* both tables, @pinned, and every write of a limit */

static struct privheap_ledger system_ledger = {
	.limit = LEDGER_LIMIT_DEFAULT,
	.default_limit = &system_limit,
};

static void reap(struct work_struct *work);
static DECLARE_DELAYED_WORK(reaper, reap);

static struct account *account_of_process(struct pid *pid)
{
	struct account *account;

	hash_for_each_possible(processes, account, node, (unsigned long)pid)
		if (account->pid == pid)
			return account;
	return NULL;
}

static struct account *account_of_user(kuid_t uid)
{
	struct account *account;

	hash_for_each_possible(users, account, node, __kuid_val(uid))
		if (uid_eq(account->uid, uid))
			return account;
	return NULL;
}

/* The account of a process (pid) or a user (pid NULL), made if need be, with a reference. */
static struct privheap_ledger *account_get(struct pid *pid, kuid_t uid)
{
	struct account *account, *fresh;

	fresh = kmem_cache_zalloc(account_cache, GFP_KERNEL_ACCOUNT);
	if (!fresh)
		return NULL;
	mutex_lock(&accounts_lock);
	account = pid ? account_of_process(pid) : account_of_user(uid);
	if (account) {
		refcount_inc(&account->refs);
		mutex_unlock(&accounts_lock);
		kmem_cache_free(account_cache, fresh);
		return &account->ledger;
	}
	fresh->ledger.limit = LEDGER_LIMIT_DEFAULT;
	refcount_set(&fresh->refs, 1);
	if (pid) {
		fresh->pid = get_pid(pid);
		fresh->ledger.default_limit = &process_limit;
		fresh->ledger.heaps_limit = &process_heaps;
		hash_add(processes, &fresh->node, (unsigned long)pid);
	} else {
		fresh->uid = uid;
		fresh->ledger.default_limit = &user_limit;
		hash_add(users, &fresh->node, __kuid_val(uid));
	}
	mutex_unlock(&accounts_lock);
	return &fresh->ledger;
}

static void account_free(struct account *account)
{
	WARN_ON_ONCE(atomic_long_read(&account->ledger.used));
	WARN_ON_ONCE(atomic_long_read(&account->ledger.charged));
	WARN_ON_ONCE(atomic_long_read(&account->ledger.heaps));
	hash_del(&account->node);
	put_pid(account->pid);
	kmem_cache_free(account_cache, account);
}

static void account_put(struct privheap_ledger *ledger)
{
	struct account *account = container_of(ledger, struct account, ledger);

	if (!refcount_dec_and_mutex_lock(&account->refs, &accounts_lock))
		return;
	account_free(account);
	mutex_unlock(&accounts_lock);
}

static bool process_is_dead(struct pid *pid)
{
	bool dead;

	rcu_read_lock();
	dead = !pid_task(pid, PIDTYPE_TGID);
	rcu_read_unlock();
	return dead;
}

/* Unpins accounts of processes that ended; runs as long as there are pinned ones. */
static void reap(struct work_struct *work)
{
	struct account *account;
	struct hlist_node *next;
	bool more = false;
	int bucket;

	mutex_lock(&accounts_lock);
	hash_for_each_safe(processes, bucket, next, account, node) {
		if (!account->pinned)
			continue;
		if (!process_is_dead(account->pid)) {
			more = true;
			continue;
		}
		account->pinned = false;
		if (refcount_dec_and_test(&account->refs))
			account_free(account);
	}
	mutex_unlock(&accounts_lock);
	if (more)
		schedule_delayed_work(&reaper, REAP_INTERVAL);
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
	chain->level[0] = account_get(task_tgid(current), INVALID_UID);
	if (!chain->level[0])
		return -ENOMEM;
	chain->level[1] = account_get(NULL, current_uid());
	if (!chain->level[1]) {
		account_put(chain->level[0]);
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
	account_put(chain->level[1]);
	account_put(chain->level[0]);
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
	return pid_nr(container_of(chain->level[0], struct account, ledger)->pid);
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

/* May the caller see and change accounts that are not its own? */
static bool is_administrator(void)
{
	return capable(CAP_SYS_RESOURCE);
}

static struct pid *process_by_id(u32 id)
{
	struct pid *pid = find_get_pid(id);

	if (pid && process_is_dead(pid)) {
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
	ledger = account_get(pid, INVALID_UID);
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
	return account_get(NULL, uid) ?: ERR_PTR(-ENOMEM);
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
	refcount_inc(&container_of(ledger, struct account, ledger)->refs);
	return ledger;
}

static void ledger_put(struct privheap_ledger *ledger)
{
	if (ledger != &system_ledger)
		account_put(ledger);
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
	unsigned long used, peak;

	if (IS_ERR(ledger))
		return PTR_ERR(ledger);
	privheap_ledger_read(ledger, &used, &peak);
	arg->flags = READ_ONCE(ledger->limit) == LEDGER_LIMIT_DEFAULT ? PRIVHEAP_QUOTA_DEFAULT : 0;
	arg->limit = privheap_ledger_limit(ledger);
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

/* A limit that was set must be found again by the next open, also after exec. */
static void pin(struct privheap_ledger *ledger)
{
	struct account *account = container_of(ledger, struct account, ledger);

	if (account->pinned)
		return;
	account->pinned = true;
	refcount_inc(&account->refs);
	if (account->pid)
		schedule_delayed_work(&reaper, REAP_INTERVAL);
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
	int err = 0;

	if (arg->limit >= LONG_MAX)
		return -EINVAL;
	ledger = ledger_by_arg(own, arg);
	if (IS_ERR(ledger))
		return PTR_ERR(ledger);
	mutex_lock(&accounts_lock);
	if ((arg->scope != PRIVHEAP_QUOTA_PROCESS ||
	     is_raise(privheap_ledger_limit(ledger), arg->limit)) && !is_administrator()) {
		err = -EPERM;
	} else {
		WRITE_ONCE(ledger->limit, arg->limit);
		if (ledger != &system_ledger)
			pin(ledger);
	}
	mutex_unlock(&accounts_lock);
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
	account_cache = KMEM_CACHE(account, SLAB_ACCOUNT);
	return account_cache ? 0 : -ENOMEM;
}

/**
 * privheap_quota_exit() - undo privheap_quota_init()
 *
 * Context: module unload: no context is left, only limits that were set.
 */
void privheap_quota_exit(void)
{
	struct account *account;
	struct hlist_node *next;
	int bucket;

	cancel_delayed_work_sync(&reaper);
	hash_for_each_safe(processes, bucket, next, account, node)
		account_free(account);
	hash_for_each_safe(users, bucket, next, account, node)
		account_free(account);
	WARN_ON(atomic_long_read(&system_ledger.used));
	WARN_ON(atomic_long_read(&system_ledger.charged));
	WARN_ON(atomic_long_read(&system_ledger.heaps));
	kmem_cache_destroy(account_cache);
}

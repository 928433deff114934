// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts: which ledger belongs to which process and which user.
 *
 *	processes: struct pid of the thread group --> account      an account lives while a
 *	spaces:    its mm                         --> account      context refers to it, and
 *	users:     uid in the initial namespace   --> account      longer if a limit was set:
 *	                                                           a process's until it and its
 *	                                                           address space are dead, a
 *	                                                           user's until rmmod
 *
 * The key is what makes a limit stick: struct pid survives exec and is never reused while we
 * hold it, so a limit set before exec is in force after it, and a second open finds the same
 * account; the uid is one of the initial namespace, so user namespaces do not multiply it.
 *
 * Processes that share an address space (CLONE_VM without CLONE_THREAD) would each commit a limit
 * of their own into it, so they have one account: that of the first for whom one was made.
 */
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "account.h"
#include "process.h"

#define REAP_INTERVAL	(5 * HZ)	/* how long a dead process's limit may linger */

/**
 * struct account - a ledger and whose it is
 * @ledger: the figures; first, so that a chain's pointer leads back here
 * @node: in processes or users
 * @refs: one per context, one while @pinned
 * @pinned: a limit was set, so the account outlives its contexts
 * @pid: of a process account, referenced; else NULL
 * @mm: the process's when the account was last asked for, until that is dead; mm_count is held.
 *	NULL = it had none
 * @space: in spaces, if there is an @mm
 * @uid: of a user account
 */
struct account {
	struct privheap_ledger ledger;
	struct hlist_node node;
	refcount_t refs;
	bool pinned;
	struct pid *pid;
	struct mm_struct *mm;
	struct hlist_node space;
	kuid_t uid;
};

static struct kmem_cache *account_cache;
static DEFINE_HASHTABLE(processes, 8);
static DEFINE_HASHTABLE(spaces, 8);
static DEFINE_HASHTABLE(users, 6);
static DEFINE_MUTEX(accounts_lock);	/* the tables, @pinned and @mm */

static void reap(struct work_struct *work);
static DECLARE_DELAYED_WORK(reaper, reap);

static struct account *account_of(struct privheap_ledger *ledger)
{
	return container_of(ledger, struct account, ledger);
}

static struct account *account_of_pid(struct pid *pid)
{
	struct account *account;

	hash_for_each_possible(processes, account, node, (unsigned long)pid)
		if (account->pid == pid)
			return account;
	return NULL;
}

static struct account *account_of_mm(struct mm_struct *mm)
{
	struct account *account;

	hash_for_each_possible(spaces, account, space, (unsigned long)mm)
		if (account->mm == mm)
			return account;
	return NULL;
}

static struct account *account_of_uid(kuid_t uid)
{
	struct account *account;

	hash_for_each_possible(users, account, node, __kuid_val(uid))
		if (uid_eq(account->uid, uid))
			return account;
	return NULL;
}

static struct account *account_new(const struct privheap_ledger *ledger)
{
	struct account *account = kmem_cache_zalloc(account_cache, GFP_KERNEL_ACCOUNT);

	if (!account)
		return NULL;
	account->ledger = *ledger;
	refcount_set(&account->refs, 1);
	return account;
}

/* The account of a process that has exec'ed since it was last asked for, and shares this mm. */
static struct account *account_sharing(struct mm_struct *mm)
{
	struct account *account;
	int bucket;

	hash_for_each(processes, bucket, account, node)
		if (privheap_process_uses(account->pid, mm))
			return account;
	return NULL;
}

static struct account *find_process(struct pid *pid, struct mm_struct *mm)
{
	struct account *account = mm ? account_of_mm(mm) : NULL;

	if (!account)
		account = account_of_pid(pid);
	if (!account && mm && privheap_process_may_share(pid, mm))
		account = account_sharing(mm);
	return account;
}

static bool mm_is_dead(struct mm_struct *mm)
{
	return !mm || !atomic_read(&mm->mm_users);
}

static void forget_mm(struct account *account)
{
	if (!account->mm)
		return;
	hash_del(&account->space);
	mmdrop(account->mm);
	account->mm = NULL;
}

/* After exec the old space may live on in others, who then still find the account by it. */
static void remember_mm(struct account *account, struct mm_struct *mm)
{
	if (!mm || mm == account->mm || !mm_is_dead(account->mm))
		return;
	forget_mm(account);
	mmgrab(mm);
	account->mm = mm;
	hash_add(spaces, &account->space, (unsigned long)mm);
}

/**
 * privheap_account_of_process() - the account of a process, or of whom it shares its mm with
 * @pid: of its thread group
 * @fresh: what a new account's ledger looks like
 *
 * Context: process, may sleep.
 * Return: the account, with a reference; NULL if there is no memory.
 */
struct privheap_ledger *privheap_account_of_process(struct pid *pid,
						    const struct privheap_ledger *fresh)
{
	struct account *account, *made = account_new(fresh);
	struct mm_struct *mm;

	if (!made)
		return NULL;
	mm = privheap_process_grab_mm(pid);
	mutex_lock(&accounts_lock);
	account = find_process(pid, mm);
	if (account) {
		refcount_inc(&account->refs);
	} else {
		swap(account, made);
		account->pid = get_pid(pid);
		hash_add(processes, &account->node, (unsigned long)pid);
	}
	remember_mm(account, mm);
	mutex_unlock(&accounts_lock);
	if (mm)
		mmdrop(mm);
	if (made)
		kmem_cache_free(account_cache, made);
	return &account->ledger;
}

/**
 * privheap_account_of_user() - the account of a user
 * @uid: who
 * @fresh: what a new account's ledger looks like
 *
 * Context: process, may sleep.
 * Return: the account, with a reference; NULL if there is no memory.
 */
struct privheap_ledger *privheap_account_of_user(kuid_t uid, const struct privheap_ledger *fresh)
{
	struct account *account, *made = account_new(fresh);

	if (!made)
		return NULL;
	mutex_lock(&accounts_lock);
	account = account_of_uid(uid);
	if (account) {
		refcount_inc(&account->refs);
	} else {
		swap(account, made);
		account->uid = uid;
		hash_add(users, &account->node, __kuid_val(uid));
	}
	mutex_unlock(&accounts_lock);
	if (made)
		kmem_cache_free(account_cache, made);
	return &account->ledger;
}

/**
 * privheap_account_get() - one more reference
 * @ledger: of an account on which the caller has one
 *
 * Context: any.
 */
void privheap_account_get(struct privheap_ledger *ledger)
{
	refcount_inc(&account_of(ledger)->refs);
}

static void account_free(struct account *account)
{
	WARN_ON_ONCE(atomic_long_read(&account->ledger.used));
	WARN_ON_ONCE(atomic_long_read(&account->ledger.charged));
	WARN_ON_ONCE(atomic_long_read(&account->ledger.heaps));
	hash_del(&account->node);
	forget_mm(account);
	put_pid(account->pid);
	kmem_cache_free(account_cache, account);
}

/**
 * privheap_account_put() - one reference less
 * @ledger: of the account
 *
 * Context: process, may sleep; also under an mmap_lock.
 */
void privheap_account_put(struct privheap_ledger *ledger)
{
	struct account *account = account_of(ledger);

	if (!refcount_dec_and_mutex_lock(&account->refs, &accounts_lock))
		return;
	account_free(account);
	mutex_unlock(&accounts_lock);
}

/**
 * privheap_account_pin() - a limit was set: the next open must find it, also after exec
 * @ledger: of an account on which the caller has a reference
 *
 * Context: process, may sleep.
 */
void privheap_account_pin(struct privheap_ledger *ledger)
{
	struct account *account = account_of(ledger);

	mutex_lock(&accounts_lock);
	if (!account->pinned) {
		account->pinned = true;
		refcount_inc(&account->refs);
		if (account->pid)
			schedule_delayed_work(&reaper, REAP_INTERVAL);
	}
	mutex_unlock(&accounts_lock);
}

/**
 * privheap_account_pid() - whose account this is
 * @ledger: of a process's account
 *
 * Context: any.
 * Return: the process, on which the account has a reference; it may be dead.
 */
struct pid *privheap_account_pid(const struct privheap_ledger *ledger)
{
	return container_of(ledger, struct account, ledger)->pid;
}

/* Unpins accounts of processes and spaces that ended; runs as long as there are pinned ones. */
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
		if (!privheap_process_is_dead(account->pid) || !mm_is_dead(account->mm)) {
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
 * privheap_account_init() - make ready
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int privheap_account_init(void)
{
	account_cache = KMEM_CACHE(account, SLAB_ACCOUNT);
	return account_cache ? 0 : -ENOMEM;
}

/**
 * privheap_account_exit() - undo privheap_account_init()
 *
 * Context: module unload: no context is left, only limits that were set.
 */
void privheap_account_exit(void)
{
	struct account *account;
	struct hlist_node *next;
	int bucket;

	cancel_delayed_work_sync(&reaper);
	hash_for_each_safe(processes, bucket, next, account, node)
		account_free(account);
	hash_for_each_safe(users, bucket, next, account, node)
		account_free(account);
	kmem_cache_destroy(account_cache);
}

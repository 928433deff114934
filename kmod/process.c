// SPDX-License-Identifier: GPL-2.0
/*
 * Looking at a process by the struct pid of its thread group. It may die in between, or be dead;
 * its leader may be dead while other threads live on.
 */
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/resource.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "process.h"

/**
 * privheap_process_is_dead() - is there no such process any more
 * @pid: referenced
 *
 * Context: any.
 */
bool privheap_process_is_dead(struct pid *pid)
{
	bool dead;

	rcu_read_lock();
	dead = !pid_task(pid, PIDTYPE_TGID);
	rcu_read_unlock();
	return dead;
}

/* A thread of it that has an address space: all that have one have the same. Under RCU. */
static struct task_struct *living_thread(struct pid *pid)
{
	struct task_struct *leader = pid_task(pid, PIDTYPE_TGID), *thread;

	if (!leader)
		return NULL;
	for_each_thread(leader, thread)
		if (READ_ONCE(thread->mm))
			return thread;
	return NULL;
}

/**
 * privheap_process_grab_mm() - its address space
 * @pid: referenced
 *
 * Context: any.
 * Return: the mm with mm_count held, or NULL.
 */
struct mm_struct *privheap_process_grab_mm(struct pid *pid)
{
	struct mm_struct *mm = NULL;
	struct task_struct *thread;

	rcu_read_lock();
	thread = living_thread(pid);
	if (thread) {
		task_lock(thread);
		if (!(thread->flags & PF_KTHREAD))
			mm = thread->mm;
		if (mm)
			mmgrab(mm);
		task_unlock(thread);
	}
	rcu_read_unlock();
	return mm;
}

/**
 * privheap_process_uses() - is this its address space
 * @pid: referenced
 * @mm: mm_count is held
 *
 * Context: any.
 */
bool privheap_process_uses(struct pid *pid, const struct mm_struct *mm)
{
	struct task_struct *thread;
	bool uses;

	rcu_read_lock();
	thread = living_thread(pid);
	uses = thread && READ_ONCE(thread->mm) == mm;
	rcu_read_unlock();
	return uses;
}

/**
 * privheap_process_may_share() - may others than its threads use its address space
 * @pid: referenced
 * @mm: its address space; mm_count is held
 *
 * Counted is who uses it, as a dead leader is among the threads and uses nothing.
 *
 * Context: any.
 * Return: true if so, or if somebody comes, goes or looks just now.
 */
bool privheap_process_may_share(struct pid *pid, struct mm_struct *mm)
{
	struct task_struct *leader, *thread;
	int own = 0;

	rcu_read_lock();
	leader = pid_task(pid, PIDTYPE_TGID);
	if (leader)
		for_each_thread(leader, thread)
			own += READ_ONCE(thread->mm) == mm;
	rcu_read_unlock();
	return atomic_read(&mm->mm_users) > own;
}

/**
 * privheap_process_data_limit() - its RLIMIT_DATA, the soft one
 * @pid: referenced
 *
 * Where the process is gone and others live on in its address space it is the caller's.
 *
 * Context: any; does not sleep.
 * Return: bytes; RLIM_INFINITY = there is no limit.
 */
unsigned long privheap_process_data_limit(struct pid *pid)
{
	struct task_struct *task;
	unsigned long limit;

	if (likely(pid == task_tgid(current)))
		return rlimit(RLIMIT_DATA);
	rcu_read_lock();
	task = pid_task(pid, PIDTYPE_TGID);
	limit = task_rlimit(task ?: current, RLIMIT_DATA);
	rcu_read_unlock();
	return limit;
}

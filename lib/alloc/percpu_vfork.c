// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * vfork, as the C library has it, and one store more.
 *
 *	parent	… cpu_id 3 … vfork ───────── asleep ─────────▶ 3, by the kernel or percpu_renew()
 *	child			   ╰▶ cpu_id -1 … its calls go by the lock … exec or _exit
 *
 * The child runs in its parent's memory, on its stack and with its thread pointer, and so with its
 * rseq area; but it is not registered, so the kernel neither keeps the CPU's number there up to
 * date, nor restarts its sequences. There is nothing in memory or registers by which it could be
 * told from its parent, which may have left the area in any state; only the kernel knows, and to
 * ask it in each call costs more than the call. So the child is told from its parent where it
 * begins, in here, and the area is made to say what is true: this thread's CPU is not known. Then
 * no sequence passes the limit.
 *
 * As a symbol of the library it comes before the C library's, for programs that are linked with
 * this one or have it preloaded. AddressSanitizer has a vfork of its own in that place.
 */
#define _GNU_SOURCE
#include "alloc/percpu.h"

#if PERCPU && !defined(__SANITIZE_ADDRESS__)
#include <errno.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static uint32_t cpu_now(void)
{
	return *(volatile uint32_t *)&area()->cpu_id;
}

/*
 * From 6.19 on the kernel does not write again what it takes for unchanged, and before that it may
 * not have slept at all. Registering anew makes it write. Where that fails this thread's calls go
 * by the lock until it is moved to another CPU.
 */
static void percpu_renew(void)
{
	uint32_t bytes = __rseq_size < sizeof(struct rseq) ? sizeof(struct rseq) : __rseq_size;
	int saved = errno;

	if (cpu_now() == (uint32_t)RSEQ_CPU_ID_UNINITIALIZED &&
	    syscall(SYS_rseq, area(), bytes, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0)
		syscall(SYS_rseq, area(), bytes, 0, RSEQ_SIG);
	errno = saved;
}

/* Where both come back to; result: of the system call. */
__attribute__((used, visibility("hidden")))
pid_t percpu_vforked(long result)
{
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	if (result)
		percpu_renew();
	else if ((int32_t)cpu_now() >= 0)
		*(volatile uint32_t *)&area()->cpu_id = (uint32_t)RSEQ_CPU_ID_UNINITIALIZED;
	return (pid_t)result;
}

static_assert(SYS_vfork == 58, "as below");

/* The child writes over the return address: the parent keeps it in a register. */
__asm__(
	".pushsection .text\n"
	".globl vfork\n"
	".type vfork, @function\n"
	".balign 16\n"
	"vfork:\n\t"
	".cfi_startproc\n\t"
	"popq %rdi\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	".cfi_register %rip, %rdi\n\t"
	"movl $58, %eax\n\t"
	"syscall\n\t"
	"pushq %rdi\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	".cfi_rel_offset %rip, 0\n\t"
	"movq %rax, %rdi\n\t"
	"jmp percpu_vforked\n\t"
	".cfi_endproc\n"
	".size vfork, . - vfork\n"
	".popsection\n");
#endif

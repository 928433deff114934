/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Tests in C++, for the harness, which is C. Each returns 0, or the line that failed. */
#ifdef __cplusplus
extern "C" {
#endif

int cplusplus_win32(void);
int cplusplus_native(void);
int cplusplus_exceptions(void);

/* 1: f threw something. */
int cplusplus_catch(void (*f)(void));
void cplusplus_throw(void);

/* Owners of blocks whose destructors say on stderr whether they could free them. */
void cplusplus_statics(void);
/* A thread that allocates for ever. */
void *cplusplus_busy(void *heap);

#ifdef __cplusplus
}
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without a C library.
 *
 * The stub runs between the host and a stranger's image.  It has no heap, no
 * stdio, no locale, no dynamic linker and no lazy symbol: what is not in these
 * files does not run.  Each call returns the kernel's own answer, negative errno
 * on failure.
 *
 * With -DHOSTED the same sources are linked against libc, so that the
 * sanitizers can watch them.
 */
#ifndef OCIRUN_SYS_H
#define OCIRUN_SYS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#ifdef HOSTED
#include <errno.h>
#include <unistd.h>

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	long result = syscall(nr, a, b, c, d, e, f);

	return result == -1 ? -errno : result;
}
#elif defined(__x86_64__)
static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	                 : "memory");
	return x0;
}
#else
#error "add the system call instruction of this architecture"
#endif

#define sys(nr, a, b, c, d, e) sys6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define sys0(nr)               sys(nr, 0, 0, 0, 0, 0)
#define sys1(nr, a)            sys(nr, a, 0, 0, 0, 0)
#define sys2(nr, a, b)         sys(nr, a, b, 0, 0, 0)
#define sys3(nr, a, b, c)      sys(nr, a, b, c, 0, 0)
#define sys4(nr, a, b, c, d)   sys(nr, a, b, c, d, 0)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* mem* are also what the compiler itself calls for struct copies. */
void *memset(void *to, int byte, size_t count);
void *memcpy(void *restrict to, const void *restrict from, size_t count);
size_t strlen(const char *text);

static inline void sys_close(int fd)
{
	(void)sys1(SYS_close, fd);
}

#endif

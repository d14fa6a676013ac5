/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine and the stub say to each other.
 *
 * The plan is one block of memory: struct wire_plan, then `ops` operations one
 * after the other, then strings and tables.  An argument is a number; a string
 * is the offset of its first byte from the start of the plan, and ends with NUL;
 * a table is the offset of u64 offsets of strings and ends with 0.
 *
 * A slot is the number of one of the stub's descriptors.  An operation on an
 * empty slot does nothing, which is how "if the path exists" is said.
 *
 * src/ocirun/engine/wire.py has the same numbers; tests/style compares them.
 */
#ifndef OCIRUN_WIRE_H
#define OCIRUN_WIRE_H

#include "sys.h"

#define WIRE_MAGIC   0x4e55524f
#define WIRE_VERSION 2
#define WIRE_SLOTS   64
#define WIRE_TEXT    4096
#define WIRE_HOME    (~0ULL) /* in a table: the text that HOME got */

/* X(name, number, arguments) */
#define WIRE_OPERATIONS(X)       \
	X(FD, 1, 2)              \
	X(CLOSE, 2, 1)           \
	X(WRITE, 3, 2)           \
	X(WRITE_AT, 4, 3)        \
	X(CLONE, 7, 2)           \
	X(SYNC, 8, 1)            \
	X(IDENTITY, 11, 2)       \
	X(GROUPS, 12, 2)         \
	X(OPEN, 15, 2)           \
	X(OPEN_PROC, 16, 2)      \
	X(OPEN_TREE, 17, 3)      \
	X(CLONE_TREE, 18, 3)     \
	X(RESOLVE, 19, 4)        \
	X(TARGET, 20, 5)         \
	X(FSOPEN, 21, 2)         \
	X(FSCONFIG, 22, 3)       \
	X(FSMODE, 23, 2)         \
	X(FSMOUNT, 24, 3)        \
	X(SETATTR, 25, 6)        \
	X(ATTACH, 26, 2)         \
	X(PARENT_PRIVATE, 27, 1) \
	X(MKNOD, 28, 6)          \
	X(SYMLINK, 29, 4)        \
	X(MASK, 30, 3)           \
	X(PIVOT_ROOT, 31, 1)     \
	X(CHROOT, 33, 1)         \
	X(CHDIR, 35, 2)          \
	X(CONSOLE, 36, 4)        \
	X(STDIO_OWNER, 37, 1)    \
	X(BOUNDING, 38, 1)       \
	X(CAPABILITIES, 39, 4)   \
	X(KEYRING, 41, 2)        \
	X(SECCOMP, 42, 4)        \
	X(HOME, 43, 2)           \
	X(PROGRAM, 44, 1)        \
	X(START, 45, 1)          \
	X(HOOK, 46, 7)           \
	X(EXEC, 47, 2)           \
	X(NULL_STDIO, 49, 2)     \
	X(LOOPBACK, 50, 0)       \
	X(MKDIR, 51, 2)          \
	X(SOURCE, 52, 3)         \
	X(HIDE, 53, 1)           \
	X(EXCHANGE, 59, 3)       \
	X(IDMAP, 60, 3)          \
	X(READ_AT, 61, 3)

/*
 * Operations that are one system call and nothing else.
 * Y(name, number, arguments, system call, which are slots, which are offsets), the last
 * two as sets of bits; offset 0 is a null pointer.
 */
#define WIRE_CALLS(Y)                                    \
	Y(SETNS, 5, 2, SYS_setns, 1, 0)                  \
	Y(UNSHARE, 6, 1, SYS_unshare, 0, 0)              \
	Y(PRCTL, 9, 3, SYS_prctl, 0, 0)                  \
	Y(SETSID, 10, 0, SYS_setsid, 0, 0)               \
	Y(HOSTNAME, 13, 2, SYS_sethostname, 0, 1)        \
	Y(DOMAINNAME, 14, 2, SYS_setdomainname, 0, 1)    \
	Y(FCHDIR, 34, 1, SYS_fchdir, 1, 0)               \
	Y(UMASK, 40, 1, SYS_umask, 0, 0)                 \
	Y(CLOEXEC, 48, 3, SYS_close_range, 0, 0)         \
	Y(PERSONALITY, 54, 1, SYS_personality, 0, 0)     \
	Y(AFFINITY, 55, 3, SYS_sched_setaffinity, 0, 4)  \
	Y(SCHEDULER, 56, 3, SYS_sched_setattr, 0, 2)     \
	Y(IO_PRIORITY, 57, 3, SYS_ioprio_set, 0, 0)      \
	Y(MEMORY_POLICY, 58, 3, SYS_set_mempolicy, 0, 2) \
	Y(MOVE_ROOT, 32, 5, SYS_mount, 0, 7)             \
	Y(SETXATTR, 62, 5, SYS_setxattr, 0, 7)

enum wire_code {
#define X(name, number, arguments) WIRE_OP_##name = (number),
	WIRE_OPERATIONS(X)
#undef X
#define Y(name, number, ...) WIRE_OP_##name = (number),
		WIRE_CALLS(Y)
#undef Y
};

struct wire_plan {
	u32 magic;
	u32 version;
	u32 size;
	u32 ops;
	u32 fail_at; /* for tests: refuse this operation with EIO; 0xffffffff for none */
	u32 trace;   /* a descriptor for records of when each operation began; 0 for none */
};

struct wire_op {
	u16 code;
	u16 optional; /* its failure is none of the plan's */
	u32 argc;
	u64 arg[];
};

/* Messages, one SOCK_SEQPACKET packet each; `length` bytes of text follow. */
enum wire_kind {
	WIRE_PID = 1,    /* stub: the container's process is `value` */
	WIRE_SYNC = 2,   /* stub: reached synchronisation point `value`, waiting */
	WIRE_FD = 3,     /* stub: here is a descriptor, of what `value` says */
	WIRE_ERROR = 4,  /* stub: operation `index` failed with errno `value`; text: more */
	WIRE_GO = 5,     /* engine: go on; text: what was asked for */
	WIRE_READY = 6,  /* stub: all is done but to start the program */
};

struct wire_message {
	u32 kind;
	u32 index;
	int value;
	u32 length;
};

/* What TARGET and RESOLVE take as flags. */
#define TARGET_FILE      1 /* make a file, not a directory, if nothing is there */
#define TARGET_ORDINARY  2 /* no symbolic link on the way, and a directory at the end */
#define TARGET_IN_PROC   4 /* may lie on a procfs */
#define RESOLVE_OPTIONAL 1 /* leave the slot empty if there is nothing */

/* What CHDIR takes. */
#define CHDIR_IF_ALLOWED 1 /* EACCES: leave it to the next CHDIR */
#define CHDIR_IF_NEEDED  2 /* only if the one before could not */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Who the process is and what it may do: ids, capabilities, keyring, seccomp. */
#include "stub.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* IDENTITY UID GID: group first, for afterwards there is no right to it. */
int op_IDENTITY(struct stub *stub, const u64 *arg)
{
	long error = sys3(SYS_setresgid, arg[1], arg[1], arg[1]);

	(void)stub;
	if (!error)
		error = sys3(SYS_setresuid, arg[0], arg[0], arg[0]);
	/* A seccomp filter, loaded before, can make the calls succeed without effect. */
	if (!error && (sys0(SYS_geteuid) != (long)arg[0] || sys0(SYS_getegid) != (long)arg[1]))
		error = -EPERM;
	return (int)error;
}

/* GROUPS COUNT LIST: the list is u32s, in the place of a string. */
int op_GROUPS(struct stub *stub, const u64 *arg)
{
	const void *list = plan_array(stub, arg[1], arg[0], sizeof(u32));

	if (arg[0] && !list)
		return -EPROTO;
	return (int)sys2(SYS_setgroups, arg[0], list);
}

/* BOUNDING MASK: drops all that is not in the mask, up to the last the kernel knows. */
int op_BOUNDING(struct stub *stub, const u64 *arg)
{
	(void)stub;
	for (u64 cap = 0; cap < 64; cap++) {
		long have = sys2(SYS_prctl, PR_CAPBSET_READ, cap);
		long error;

		if (have == -EINVAL)
			break;
		if (have != 1 || arg[0] & (1ULL << cap))
			continue;
		error = sys2(SYS_prctl, PR_CAPBSET_DROP, cap);
		if (error)
			return (int)error;
	}
	return 0;
}

/* CAPABILITIES EFFECTIVE PERMITTED INHERITABLE AMBIENT */
int op_CAPABILITIES(struct stub *stub, const u64 *arg)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	long error;

	(void)stub;
	for (unsigned int i = 0; i < 2; i++) {
		data[i].effective = (u32)(arg[0] >> 32 * i);
		data[i].permitted = (u32)(arg[1] >> 32 * i);
		data[i].inheritable = (u32)(arg[2] >> 32 * i);
	}
	error = sys2(SYS_capset, &header, data);
	if (!error)
		error = sys(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (u64 cap = 0; !error && cap < 64; cap++) {
		/* The kernel wants it permitted and inheritable; the engine warned if not. */
		if (arg[3] & arg[1] & arg[2] & (1ULL << cap))
			error = sys(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	}
	return (int)error;
}

/* KEYRING NAME PERMISSIONS: a session keyring of its own; without permissions (0) as it is. */
int op_KEYRING(struct stub *stub, const u64 *arg)
{
	const char *name = plan_text(stub, arg[0]);
	long ring = name ? sys2(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name) : -EPROTO;

	if (ring > 0 && arg[1])
		ring = sys3(SYS_keyctl, KEYCTL_SETPERM, ring, arg[1]);
	/* ENOSYS: not in this kernel, or hidden by an outer container's filter: best effort. */
	return ring < 0 && ring != -ENOSYS ? (int)ring : 0;
}

/*
 * SECCOMP FLAGS PROGRAM LENGTH POINT: with SECCOMP_FILTER_FLAG_NEW_LISTENER the
 * listener goes to the engine as synchronisation point POINT.
 */
int op_SECCOMP(struct stub *stub, const u64 *arg)
{
	struct sock_filter *filter = plan_array(stub, arg[1], arg[2], sizeof(*filter));
	struct sock_fprog program;
	long fd;
	int error;

	if (!filter)
		return -EPROTO;
	/* What does not fit must not be cut off: the rest of a filter is no filter. */
	if (arg[2] > BPF_MAXINSNS)
		return -EINVAL;
	program.len = (unsigned short)arg[2];
	program.filter = filter;
	fd = sys3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, arg[0], &program);
	if (fd < 0 || !(arg[0] & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return fd < 0 ? (int)fd : 0;
	error = channel_send(stub, WIRE_FD, (int)arg[3], NULL, (int)fd);
	sys_close((int)fd);
	return error ?: channel_wait(stub, NULL, 0);
}

/* STDIO_OWNER UID: what the user is to read and write must be the user's. */
int op_STDIO_OWNER(struct stub *stub, const u64 *arg)
{
	(void)stub;
	for (int fd = 0; fd < 3; fd++) {
		struct stat found;
		long error = sys2(SYS_fstat, fd, &found);

		/* Everybody's null device stays everybody's. */
		if (error || found.st_uid == arg[0] ||
		    (S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3)))
			continue;
		error = sys3(SYS_fchown, fd, arg[0], -1);
		/* Owned by a user who has no number in here, or on a read-only filesystem. */
		if (error && error != -EINVAL && error != -EPERM && error != -EROFS)
			return (int)error;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The stub's whole state, and the functions that the files offer each other. */
#ifndef OCIRUN_STUB_H
#define OCIRUN_STUB_H

#include "wire.h"

struct stub {
	char *plan;        /* private mapping of the plan */
	u32 size;
	u32 index;         /* of the operation under way, for the report */
	int channel;       /* to the engine; -1 while nobody listens */
	int slot[WIRE_SLOTS];
	u32 mode[WIRE_SLOTS]; /* st_mode of what TARGET found there, 0 if it made it */
	int chdir_done;
	int mask_attached;
	const char *program;
	int evidence;      /* what a failed hook printed, sent with the report; or -1 */
	char detail[256];  /* what else the kernel said about a failure */
	char home[WIRE_TEXT];
};

/*
 * All of these return 0 (or a descriptor, where they say so) or a negative errno,
 * which is passed up unchanged.  Nothing here prints, and nothing allocates.
 */
typedef int (*operation)(struct stub *stub, const u64 *arg);

/* plan.c */
int plan_map(struct stub *stub, int fd);
int plan_run(struct stub *stub);
const char *plan_text(const struct stub *stub, u64 offset);
char **plan_table(struct stub *stub, u64 offset);
void *plan_array(const struct stub *stub, u64 offset, u64 count, size_t size);
int slot_get(const struct stub *stub, u64 slot);
int slot_set(struct stub *stub, u64 slot, int fd);

/* channel.c */
int channel_send(const struct stub *stub, u32 kind, int value, const char *text, int fd);
int channel_wait(struct stub *stub, char *text, size_t size);
int channel_accept(struct stub *stub, int listener);

/* path.c: every path below a container's root goes through these */
int path_open(int root, const char *path, u64 flags, u64 extra_resolve);
int path_make(int root, const char *path, int make_file);
int path_refuse_proc(int fd);
int path_parent(int root, const char *path, const char **ret_name);

/* mount.c */
int mount_copy(int fd, int target);

/* main.c */
_Noreturn void stub_exit(int status);
long number_from(const char *text);
char *number_to(char *end, u64 number);

#define X(name, number, arguments) int op_##name(struct stub *stub, const u64 *arg);
WIRE_OPERATIONS(X)
#undef X

#endif

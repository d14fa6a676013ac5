/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between the stub and the engine, over a SOCK_SEQPACKET socket.
 *
 * A closed channel means that the engine died: the stub then ends too, at once
 * and without a word, since nobody is left to hear it.
 */
#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>

int channel_send(const struct stub *stub, u32 kind, int value, const char *text, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	size_t length = text ? strlen(text) : 0;
	struct wire_message message = { kind, stub->index, value, (u32)length };
	struct iovec part[2] = { { &message, sizeof(message) },
	                         { (void *)(uintptr_t)text, length } };
	struct msghdr packet;
	long sent;

	memset(&packet, 0, sizeof(packet));
	packet.msg_iov = part;
	packet.msg_iovlen = length ? 2 : 1;
	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		packet.msg_control = &control;
		packet.msg_controllen = sizeof(control);
	}
	do {
		sent = sys3(SYS_sendmsg, stub->channel, &packet, MSG_NOSIGNAL);
	} while (sent == -EINTR);
	return sent < 0 ? (int)sent : 0;
}

/* Waits for WIRE_GO, with what belongs to it. */
static int receive(struct stub *stub, char *text, size_t size, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct wire_message message;
	struct iovec part[2] = { { &message, sizeof(message) }, { text, size ? size - 1 : 0 } };
	struct msghdr packet;
	long got;

	memset(&packet, 0, sizeof(packet));
	packet.msg_iov = part;
	packet.msg_iovlen = size ? 2 : 1;
	if (ret_fd) {
		memset(&control, 0, sizeof(control));
		packet.msg_control = &control;
		packet.msg_controllen = sizeof(control);
	}
	do {
		got = sys3(SYS_recvmsg, stub->channel, &packet, MSG_CMSG_CLOEXEC);
	} while (got == -EINTR);
	if (got <= 0)
		return -ECONNRESET;
	if (ret_fd && packet.msg_controllen >= CMSG_LEN(sizeof(int)) &&
	    control.header.cmsg_level == SOL_SOCKET && control.header.cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(&control.header), sizeof(*ret_fd));
	if (got < (long)sizeof(message) || message.kind != WIRE_GO || packet.msg_flags & MSG_TRUNC)
		return -EPROTO;
	if (size)
		text[got - (long)sizeof(message)] = '\0';
	return 0;
}

/* Waits for WIRE_GO; its text, NUL-terminated, goes to `text` if there is room. */
int channel_wait(struct stub *stub, char *text, size_t size)
{
	return receive(stub, text, size, NULL);
}

/*
 * Waits until somebody connects and says WIRE_GO; that connection becomes the
 * channel.  One that goes away without a word is forgotten: whoever was killed
 * between the two may try again.
 */
int channel_accept(struct stub *stub, int listener)
{
	for (;;) {
		long fd = sys4(SYS_accept4, listener, 0, 0, SOCK_CLOEXEC);

		if (fd == -EINTR || fd == -ECONNABORTED)
			continue;
		if (fd < 0)
			return (int)fd;
		stub->channel = (int)fd;
		if (!channel_wait(stub, NULL, 0))
			return 0;
		sys_close(stub->channel);
		stub->channel = -1;
	}
}

/*
 * EXCHANGE POINT GIVE TAKE: waits for the engine at synchronisation point POINT.  It
 * gets what is in the slot GIVE, and what it sends in answer goes into the slot TAKE.
 */
int op_EXCHANGE(struct stub *stub, const u64 *arg)
{
	int give = slot_get(stub, arg[1]), fd = -1;
	int error = channel_send(stub, give < 0 ? WIRE_SYNC : WIRE_FD, (int)arg[0], NULL, give);

	if (!error)
		error = receive(stub, NULL, 0, arg[2] < WIRE_SLOTS ? &fd : NULL);
	if (error == -ECONNRESET || error == -EPIPE)
		stub_exit(1);
	if (!error && arg[2] < WIRE_SLOTS)
		return fd < 0 ? -EPROTO : slot_set(stub, arg[2], fd);
	if (fd >= 0)
		sys_close(fd);
	return error;
}

int op_SYNC(struct stub *stub, const u64 *arg)
{
	const u64 all[] = { arg[0], WIRE_SLOTS, WIRE_SLOTS };

	return op_EXCHANGE(stub, all);
}

/*
 * SOURCE SLOT PATH POINT: a path of the host, like OPEN.  Where the root of our user
 * namespace may not pass, the engine, which may, opens the path in our mount
 * namespace and sends it in answer to synchronisation point POINT.
 */
int op_SOURCE(struct stub *stub, const u64 *arg)
{
	const u64 all[] = { arg[2], WIRE_SLOTS, arg[0] };
	int error = op_OPEN(stub, arg);

	return error == -EACCES ? op_EXCHANGE(stub, all) : error;
}

/* As the kernel has it; the C library's own struct differs. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(int);
	u64 mask;
};

#define KERNEL_SA_RESTORER 0x04000000

static void die_of(int signal)
{
	stub_exit(128 + signal);
}

/*
 * The first process of a pid namespace gets no signal that it has no handler for
 * (pid_namespaces(7)), but a container that was only created can be killed.  An
 * exec takes the handlers away again.
 */
static void die_of_signals(void)
{
	static const unsigned char deadly[] = { SIGHUP,  SIGINT,  SIGQUIT,   SIGUSR1, SIGUSR2,
	                                        SIGALRM, SIGTERM, SIGVTALRM, SIGPROF, SIGIO };
	/* x86 wants a way back, though nobody takes it. */
	struct kernel_sigaction action = { die_of, KERNEL_SA_RESTORER, die_of, 0 };

	for (size_t i = 0; i < sizeof(deadly); i++) {
		struct kernel_sigaction before;

		/* What the caller ignores, as nohup(1) does, stays ignored. */
		if (!sys4(SYS_rt_sigaction, deadly[i], 0, &before, 8) && before.handler != SIG_IGN)
			(void)sys4(SYS_rt_sigaction, deadly[i], &action, 0, 8);
	}
}

/*
 * START LISTENER: report that all is ready, and wait for the word to start.  With
 * an empty slot the engine stays and gives it; otherwise the engine goes, and it
 * comes from whoever connects to the listening socket.
 */
int op_START(struct stub *stub, const u64 *arg)
{
	int listener = slot_get(stub, arg[0]);
	int error = channel_send(stub, WIRE_READY, 0, NULL, -1);

	if (!error)
		error = channel_wait(stub, NULL, 0);
	if (error == -ECONNRESET || error == -EPIPE)
		stub_exit(1);
	if (error)
		return error;
	/* Also with the engine there, which passes signals on: a hook may hang before the exec. */
	die_of_signals();
	if (listener < 0)
		return 0;
	sys_close(stub->channel);
	stub->channel = -1;
	return channel_accept(stub, listener);
}

/*
 * played_kernel.c - generic netlink and IPVS as far as the library asks for them, and everything a real kernel
 * can't be made to do on demand: answers lost, cut, late or from somebody else.
 */
#include "played_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAMILY 0x21

struct kernel kernel;

struct answer *answer(void)
{
	struct answer *a = &kernel.queue[kernel.tail++ % QUEUE];

	memset(a, 0, sizeof *a);
	return a;
}

void put_header(struct answer *a, uint16_t type, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr h = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = seq};

	memcpy(a->data, &h, sizeof h);
	a->len = sizeof h;
}

void put_bytes(struct answer *a, const void *data, size_t len)
{
	uint32_t total;

	memcpy(a->data + a->len, data, len);
	a->len += NLMSG_ALIGN(len);
	total = (uint32_t)a->len;
	memcpy(a->data, &total, sizeof total);
}

static void put_genl(struct answer *a, uint8_t cmd)
{
	struct genlmsghdr g = {.cmd = cmd, .version = 1};

	put_bytes(a, &g, sizeof g);
}

static void put_attr(struct answer *a, uint16_t type, const void *data, size_t len)
{
	struct nlattr h = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};

	put_bytes(a, &h, sizeof h);
	put_bytes(a, data, len);
}

void put_error(uint32_t seq, uint32_t error)
{
	struct answer *a = answer();
	int32_t code = -(int32_t)error;

	put_header(a, NLMSG_ERROR, NLM_F_CAPPED, seq);
	put_bytes(a, &code, sizeof code);
}

static void put_end(uint32_t seq, uint32_t error)
{
	struct answer *a = answer();
	int32_t code = -(int32_t)error;

	put_header(a, NLMSG_DONE, NLM_F_MULTI, seq);
	put_bytes(a, &code, sizeof code);
}

/* A server or a real server whose address is its number. */
static void put_record(uint8_t cmd, uint32_t seq, uint32_t number)
{
	struct answer *a = answer();
	uint8_t nest[44];
	uint16_t attrs[4][2] = {{6, 1}, {6, 2}, {20, 3}, {6, 4}};
	uint16_t dest_attrs[3][2] = {{6, 11}, {20, 1}, {6, 2}};
	uint16_t af = AF_INET, protocol = 6;
	bool service = cmd == IPVS_CMD_NEW_SERVICE;
	size_t len = 0;

	memset(nest, 0, sizeof nest);
	for (int i = 0; i < (service ? 4 : 3); i++) {
		const uint16_t *h = service ? attrs[i] : dest_attrs[i];
		memcpy(nest + len, h, 4);
		if (i == 0)
			memcpy(nest + len + 4, &af, 2);
		else if (service && i == 1)
			memcpy(nest + len + 4, &protocol, 2);
		else if (h[0] == 20)
			memcpy(nest + len + 4, &number, 4);
		len += (size_t)NLA_ALIGN(h[0]);
	}
	put_header(a, FAMILY, NLM_F_MULTI, seq);
	put_genl(a, cmd);
	put_attr(a, service ? IPVS_CMD_ATTR_SERVICE : IPVS_CMD_ATTR_DEST, nest, len);
}

static void play_dump(uint8_t cmd, uint32_t seq)
{
	bool bad = ++kernel.dumps == kernel.dump_fail_nth;

	for (uint32_t i = 0; i < kernel.dump_records; i++) {
		if (bad && kernel.dump_error != 0 && i == kernel.dump_cut) {
			answer()->error = kernel.dump_error;
			return;
		}
		put_record(cmd, seq, i);
		if (bad && kernel.dump_truncate == i + 1)
			kernel.queue[(kernel.tail - 1) % QUEUE].truncated = true;
	}
	put_end(seq, 0);
}

/* The port of an operation's key: the attribute behind AF (8), PROTOCOL (8) and ADDR (20) in the nest. */
static uint32_t port_of(const uint8_t *message)
{
	const uint8_t *port = message + 20 + 4 + 8 + 8 + 20 + 4;

	return (uint32_t)port[0] << 8 | port[1];
}

static void play_message(const uint8_t *message, const struct nlmsghdr *h, uint8_t cmd)
{
	uint16_t id = FAMILY;
	uint32_t info[2] = {0x010201, 4096};
	uint32_t error;

	kernel.messages++;
	if (h->nlmsg_type == GENL_ID_CTRL) {
		if (kernel.family_error != 0) {
			put_error(h->nlmsg_seq, kernel.family_error);
			return;
		}
		struct answer *a = answer();
		put_header(a, GENL_ID_CTRL, 0, h->nlmsg_seq);
		put_genl(a, CTRL_CMD_NEWFAMILY);
		put_attr(a, CTRL_ATTR_FAMILY_ID, &id, sizeof id);
	} else if (cmd == IPVS_CMD_GET_INFO && kernel.info_error == 0) {
		struct answer *a = answer();
		put_header(a, FAMILY, 0, h->nlmsg_seq);
		put_genl(a, IPVS_CMD_SET_INFO);
		put_attr(a, IPVS_INFO_ATTR_VERSION, &info[0], 4);
		put_attr(a, IPVS_INFO_ATTR_CONN_TAB_SIZE, &info[1], 4);
	} else if (cmd == IPVS_CMD_GET_INFO) {
		put_error(h->nlmsg_seq, kernel.info_error);
	} else if (h->nlmsg_flags & NLM_F_DUMP) {
		play_dump(cmd == IPVS_CMD_GET_DEST ? IPVS_CMD_NEW_DEST : IPVS_CMD_NEW_SERVICE, h->nlmsg_seq);
	} else if (cmd == IPVS_CMD_GET_SERVICE) {
		if (port_of(message) == 80)
			put_record(IPVS_CMD_NEW_SERVICE, h->nlmsg_seq, 5);
		else
			put_error(h->nlmsg_seq, ESRCH);
	} else {
		bool ack = (h->nlmsg_flags & NLM_F_ACK) != 0;
		kernel.acks_wanted += ack;
		error = kernel.fail_every != 0 && port_of(message) % kernel.fail_every == 0 ? EEXIST : 0;
		if ((error != 0 || ack) && !(ack && kernel.mute))
			put_error(h->nlmsg_seq, error);
	}
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
int __wrap_recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *timeout);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	const uint8_t *at = data, *end = at + len;

	(void)fd, (void)flags;
	if (kernel.send_error != 0) {
		errno = kernel.send_error;
		kernel.send_error = 0;
		return -1;
	}
	kernel.sends++;
	if (kernel.inject != 0) {
		answer()->error = kernel.inject;
		kernel.inject = 0;
	}
	while (at < end) {
		struct nlmsghdr h;
		memcpy(&h, at, sizeof h);
		play_message(at, &h, at[NLMSG_HDRLEN]);
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
	return (ssize_t)len;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *timeout)
{
	static bool interrupted;
	unsigned n = 0;

	(void)fd, (void)flags, (void)timeout;
	interrupted = kernel.eintr && !interrupted;
	if (interrupted) {
		errno = EINTR;
		return -1;
	}
	while (n < count && kernel.head != kernel.tail) {
		struct answer *a = &kernel.queue[kernel.head % QUEUE];
		struct sockaddr_nl from = {.nl_family = AF_NETLINK, .nl_pid = a->sender};
		struct msghdr *m = &headers[n].msg_hdr;

		if (a->error != 0) {
			if (n > 0)
				break;
			kernel.head++;
			errno = a->error;
			return -1;
		}
		memcpy(m->msg_iov->iov_base, a->data, a->len);
		memcpy(m->msg_name, &from, sizeof from);
		m->msg_namelen = sizeof from;
		m->msg_flags = a->truncated ? MSG_TRUNC : 0;
		headers[n++].msg_len = (unsigned)a->len;
		kernel.head++;
	}
	if (n == 0)
		errno = EAGAIN;
	return n == 0 ? -1 : (int)n;
}

int __wrap_socket(int domain, int type, int protocol)
{
	(void)domain, (void)type, (void)protocol;
	kernel.sockets++;
	kernel.head = kernel.tail; /* a fresh socket has no old answers */
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int __wrap_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	(void)fd, (void)addr, (void)len;
	return 0;
}

int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	(void)fd, (void)addr, (void)len;
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd, (void)level, (void)name, (void)value, (void)len;
	return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	int size = 16 << 20;

	(void)fd, (void)level, (void)name, (void)len;
	memcpy(value, &size, sizeof size);
	return 0;
}

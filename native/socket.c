/*
 * socket.c - a "lane": one netlink socket to the kernel, the buffers it receives into and its sequence
 * numbers. Sends what others have encoded and hands out datagrams that came from the kernel, and from nobody else.
 */
#include "internal.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SOCKET_BUFFER (8 << 20)

int vipvs_lane_connect(struct vipvs_lane *lane, int protocol, uint32_t timeout_ms)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
	int size = SOCKET_BUFFER, on = 1, error;

	lane->received = lane->next = 0;
	lane->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (lane->fd < 0)
		return -errno;
	/* Without CAP_NET_ADMIN the buffers stay small; vipvs_open() sizes its bursts by what it got */
	(void)setsockopt(lane->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	(void)setsockopt(lane->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	/* Errors without a copy of the request: 36 bytes each. Older kernels refuse these two: larger answers */
	(void)setsockopt(lane->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	(void)setsockopt(lane->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	if (setsockopt(lane->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0 ||
	    bind(lane->fd, (struct sockaddr *)&kernel, sizeof kernel) < 0 ||
	    connect(lane->fd, (struct sockaddr *)&kernel, sizeof kernel) < 0) {
		error = errno;
		close(lane->fd);
		lane->fd = -1;
		return -error;
	}
	return 0;
}

void vipvs_lane_init(struct vipvs_lane *lane, uint8_t *slots)
{
	lane->fd = -1;
	lane->seq = 1;
	lane->slots = slots;
	for (uint32_t i = 0; i < VIPVS_SLOTS; i++) {
		lane->vectors[i] = (struct iovec){slots + i * VIPVS_SLOT_BYTES, VIPVS_SLOT_BYTES};
		lane->headers[i].msg_hdr.msg_iov = &lane->vectors[i];
		lane->headers[i].msg_hdr.msg_iovlen = 1;
		lane->headers[i].msg_hdr.msg_name = &lane->senders[i];
	}
}

int vipvs_lane_send(const struct vipvs_lane *lane, const void *data, size_t len)
{
	ssize_t sent;

	do
		sent = send(lane->fd, data, len, 0);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == len ? 0 : -EMSGSIZE; /* a netlink send is whole or not at all */
}

/* recvmmsg: the data and the end of a small dump come with one system call. */
int vipvs_lane_receive(struct vipvs_lane *lane, int flags, struct vipvs_cursor *out)
{
	for (;;) {
		uint32_t i = lane->next;
		int n;

		if (i < lane->received) {
			lane->next++;
			if (lane->headers[i].msg_hdr.msg_namelen < sizeof(struct sockaddr_nl) ||
			    lane->senders[i].nl_pid != 0)
				continue; /* not from the kernel */
			if (lane->headers[i].msg_hdr.msg_flags & MSG_TRUNC)
				return -EMSGSIZE;
			*out = (struct vipvs_cursor){lane->slots + i * VIPVS_SLOT_BYTES, lane->headers[i].msg_len};
			return 0;
		}
		for (i = 0; i < VIPVS_SLOTS; i++)
			lane->headers[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_nl);
		lane->received = lane->next = 0;
		n = recvmmsg(lane->fd, lane->headers, VIPVS_SLOTS, MSG_WAITFORONE | flags, NULL);
		if (n >= 0)
			lane->received = (uint32_t)n;
		else if (errno == EAGAIN)
			return -ETIMEDOUT;
		else if (errno != EINTR)
			return -errno;
	}
}

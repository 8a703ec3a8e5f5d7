/*
 * tune.c - options that npm netlink can't set on its sockets (src/ipvs-node/kernel/addresses/rtnetlink.ts): a receive buffer above
 * net.core.rmem_max, and no error where it overflows all the same. The package aborts its process on that error;
 * the kernel still counts what it dropped in /proc/net/netlink.
 */
#include "vipvs.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

int vipvs_tune_netlink(int fd, uint32_t receive_bytes)
{
	int bytes = receive_bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)receive_bytes;
	int on = 1;

	if (setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		return -errno;
	return 0;
}

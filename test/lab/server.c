/*
 * server NAME PORT... - answers on TCP, UDP and SCTP, IPv4 and IPv6, on every PORT; prints "ready" when all are open.
 * TCP and SCTP: sends "NAME\n" to whoever connects, then echoes.  UDP: answers each datagram with "NAME\n" from the
 * address that was asked, as a real server behind DR or TUN must.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { LISTENER, DATAGRAMS, CONNECTION };

#define MAX_SOCKETS 4096
static struct pollfd sockets[MAX_SOCKETS];
static enum kind kinds[MAX_SOCKETS];
static int count;

static char greeting[64];
static size_t greeting_len;

static void add(int fd, enum kind kind)
{
	if (count == MAX_SOCKETS) {
		close(fd);
		return;
	}
	sockets[count] = (struct pollfd){ .fd = fd, .events = POLLIN };
	kinds[count++] = kind;
}

static void fail(const char *what, int port)
{
	fprintf(stderr, "server: %s, port %d: %s\n", what, port, strerror(errno));
	exit(1);
}

static void open_port(int type, int protocol, int port)
{
	const int on = 1, off = 0;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, type, protocol);

	if (fd < 0 && protocol == IPPROTO_SCTP)
		return; /* a kernel without SCTP */
	if (fd < 0)
		fail("socket", port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (type == SOCK_DGRAM) {
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
	}
	if (bind(fd, (struct sockaddr *)&any, sizeof any))
		fail("bind", port);
	if (type == SOCK_STREAM && listen(fd, 512))
		fail("listen", port);
	add(fd, type == SOCK_STREAM ? LISTENER : DATAGRAMS);
}

/* The received packet-info goes back as it came (source = the address that was asked), but for the interface: the
 * reply must take the route, not the tunnel that the request came out of. */
static void answer_datagram(int fd)
{
	char data[65536], control[256];
	struct sockaddr_storage peer;
	struct iovec io = { data, sizeof data };
	struct msghdr message = {
		.msg_name = &peer, .msg_namelen = sizeof peer, .msg_iov = &io, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof control,
	};

	if (recvmsg(fd, &message, 0) < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level == IPPROTO_IPV6)
			((struct in6_pktinfo *)CMSG_DATA(c))->ipi6_ifindex = 0;
		else if (c->cmsg_level == IPPROTO_IP)
			((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex = 0;
	}
	io = (struct iovec){ greeting, greeting_len };
	message.msg_flags = 0;
	sendmsg(fd, &message, 0);
}

static void greet(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		return;
	if (write(fd, greeting, greeting_len) < 0)
		close(fd);
	else
		add(fd, CONNECTION);
}

static void echo(struct pollfd *socket)
{
	char data[65536];
	ssize_t got = read(socket->fd, data, sizeof data);

	if (got <= 0 || write(socket->fd, data, (size_t)got) < 0) {
		close(socket->fd);
		socket->fd = -1;
	}
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: server NAME PORT...\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	greeting_len = (size_t)snprintf(greeting, sizeof greeting, "%.60s\n", argv[1]);
	for (int i = 2; i < argc; i++) {
		open_port(SOCK_STREAM, IPPROTO_TCP, atoi(argv[i]));
		open_port(SOCK_DGRAM, IPPROTO_UDP, atoi(argv[i]));
		open_port(SOCK_STREAM, IPPROTO_SCTP, atoi(argv[i]));
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		int polled = count;

		if (poll(sockets, (nfds_t)polled, -1) < 0)
			continue;
		for (int i = 0; i < polled; i++) {
			if (!sockets[i].revents)
				continue;
			if (kinds[i] == LISTENER)
				greet(sockets[i].fd);
			else if (kinds[i] == DATAGRAMS)
				answer_datagram(sockets[i].fd);
			else
				echo(&sockets[i]);
		}
		for (int i = 0; i < count;) {
			if (sockets[i].fd >= 0) {
				i++;
				continue;
			}
			sockets[i] = sockets[--count];
			kinds[i] = kinds[count];
		}
	}
}

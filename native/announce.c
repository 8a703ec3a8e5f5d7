/*
 * announce.c - tells the neighbours of one Ethernet segment which MAC address owns an address now.
 * IPv4: gratuitous ARP in both forms, as some stacks only learn from one of them: request (the "ARP
 * Announcement" of RFC 5227 2.3) and reply, both broadcast (packet format RFC 826). IPv6: unsolicited neighbour
 * advertisement to all nodes with the override flag (RFC 4861 4.4, 7.2.6). Frames go out through AF_PACKET.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAC 6
#define BATCH 64u
#define ARP_BYTES 42u
#define NA_BYTES 32u /* ICMPv6 header 8 + target 16 + option 8 */
#define IPV6_HEADER 40u
#define HOP_LIMIT 255 /* RFC 4861 7.1.2: anything else is discarded */

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

size_t vipvs_arp_frame(enum vipvs_arp_form form, const uint8_t mac[MAC], const uint8_t addr[4], uint8_t *out)
{
	uint8_t *arp = out + ETH_HLEN;

	memset(out, 0xff, MAC);
	memcpy(out + MAC, mac, MAC);
	put16(out + 12, ETH_P_ARP);
	put16(arp, ARPHRD_ETHER);
	put16(arp + 2, ETH_P_IP);
	arp[4] = MAC;
	arp[5] = 4;
	put16(arp + 6, form);
	memcpy(arp + 8, mac, MAC);
	memcpy(arp + 14, addr, 4);
	/* Target hardware address: undefined and zero in a request, our own in a reply */
	if (form == VIPVS_ARP_REPLY)
		memcpy(arp + 18, mac, MAC);
	else
		memset(arp + 18, 0, MAC);
	memcpy(arp + 24, addr, 4);
	return ARP_BYTES;
}

/* RFC 4443 2.3: over the pseudo-header (both addresses, length, next header) and the message. */
static uint16_t icmp6_checksum(const uint8_t *ip6, const uint8_t *icmp, size_t len)
{
	uint32_t sum = (uint32_t)len + IPPROTO_ICMPV6;

	for (size_t i = 8; i < IPV6_HEADER; i += 2)
		sum += (uint32_t)ip6[i] << 8 | ip6[i + 1];
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)icmp[i] << 8 | icmp[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

size_t vipvs_na_frame(bool router, const uint8_t mac[MAC], const uint8_t addr[16], uint8_t *out)
{
	static const uint8_t all_nodes_mac[MAC] = {0x33, 0x33, 0, 0, 0, 1}; /* RFC 2464 7 */
	uint8_t *ip6 = out + ETH_HLEN, *icmp = ip6 + IPV6_HEADER;

	memset(out, 0, ETH_HLEN + IPV6_HEADER + NA_BYTES);
	memcpy(out, all_nodes_mac, MAC);
	memcpy(out + MAC, mac, MAC);
	put16(out + 12, ETH_P_IPV6);
	ip6[0] = 0x60;
	put16(ip6 + 4, NA_BYTES);
	ip6[6] = IPPROTO_ICMPV6;
	ip6[7] = HOP_LIMIT;
	memcpy(ip6 + 8, addr, 16);
	ip6[24] = 0xff; /* ff02::1 */
	ip6[25] = 0x02;
	ip6[39] = 0x01;
	icmp[0] = 136; /* neighbour advertisement */
	icmp[4] = router ? 0xa0 : 0x20; /* R and O; not S: nobody asked */
	memcpy(icmp + 8, addr, 16);
	icmp[24] = 2; /* target link-layer address, in units of 8 bytes */
	icmp[25] = 1;
	memcpy(icmp + 26, mac, MAC);
	put16(icmp + 2, icmp6_checksum(ip6, icmp, NA_BYTES));
	return ETH_HLEN + IPV6_HEADER + NA_BYTES;
}

struct outbox {
	int fd;
	uint32_t used;
	struct sockaddr_ll to;
	struct mmsghdr headers[BATCH];
	struct iovec vectors[BATCH];
	uint32_t *errors[BATCH]; /* where the fate of each frame is written */
	uint8_t frames[BATCH][VIPVS_FRAME_MAX];
};

static void outbox_flush(struct outbox *box)
{
	uint32_t at = 0;

	while (at < box->used) {
		int n = sendmmsg(box->fd, box->headers + at, box->used - at, 0);

		if (n > 0) {
			at += (uint32_t)n;
		} else if (n == 0 || errno != EINTR) { /* it is the first one that failed: the rest goes on */
			*box->errors[at] = n == 0 ? EIO : (uint32_t)errno;
			at++;
		}
	}
	box->used = 0;
}

static uint8_t *outbox_next(struct outbox *box)
{
	if (box->used == BATCH)
		outbox_flush(box);
	return box->frames[box->used];
}

static void outbox_add(struct outbox *box, size_t len, uint32_t *error)
{
	uint32_t i = box->used++;

	box->vectors[i] = (struct iovec){box->frames[i], len};
	box->headers[i].msg_hdr = (struct msghdr){.msg_name = &box->to,
						  .msg_namelen = sizeof box->to,
						  .msg_iov = &box->vectors[i],
						  .msg_iovlen = 1};
	box->errors[i] = error;
}

static void announce_one(struct outbox *box, const uint8_t mac[MAC], struct vipvs_announcement *a)
{
	a->error = 0;
	if (a->af == AF_INET) {
		outbox_add(box, vipvs_arp_frame(VIPVS_ARP_REQUEST, mac, a->addr, outbox_next(box)), &a->error);
		outbox_add(box, vipvs_arp_frame(VIPVS_ARP_REPLY, mac, a->addr, outbox_next(box)), &a->error);
	} else if (a->af == AF_INET6) {
		outbox_add(box, vipvs_na_frame(a->router != 0, mac, a->addr, outbox_next(box)), &a->error);
	} else {
		a->error = EAFNOSUPPORT;
	}
}

/* The interface's own MAC; -EPROTONOSUPPORT where it is no Ethernet. */
static int interface_mac(int fd, uint32_t ifindex, uint8_t mac[MAC])
{
	struct ifreq request = {.ifr_ifindex = (int)ifindex};

	if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EPROTONOSUPPORT;
	memcpy(mac, request.ifr_hwaddr.sa_data, MAC);
	return 0;
}

int vipvs_announce(uint32_t ifindex, struct vipvs_announcement *list, uint32_t count)
{
	struct outbox box = {.to = {.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex, .sll_halen = MAC}};
	uint8_t mac[MAC];
	int r, failed = 0;

	box.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: sends only, receives nothing */
	if (box.fd < 0)
		return -errno;
	r = interface_mac(box.fd, ifindex, mac);
	if (r == 0) {
		for (uint32_t i = 0; i < count; i++)
			announce_one(&box, mac, &list[i]);
		outbox_flush(&box);
		for (uint32_t i = 0; i < count; i++)
			failed += list[i].error != 0;
	}
	close(box.fd);
	return r < 0 ? r : failed;
}

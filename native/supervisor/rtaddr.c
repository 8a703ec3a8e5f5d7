/*
 * rtaddr.c - the rtnetlink messages with which VIPs are bound, removed and listed; the same bytes as the agent's codec
 * (src/ipvs-node/kernel/addresses/rtnetlink-codec.ts): tagged, and in IPv6 without duplicate address detection and
 * never preferred as a source. Pure.
 */
#include "supervisor.h"

#include "../internal.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#ifndef IFA_PROTO /* headers before 5.18 */
#define IFA_PROTO 11
#endif

static size_t put(uint8_t *out, size_t at, uint16_t type, const void *data, size_t len)
{
	struct nlattr header = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};

	memcpy(out + at, &header, NLA_HDRLEN);
	memcpy(out + at + NLA_HDRLEN, data, len);
	return at + NLA_HDRLEN + NLA_ALIGN(len);
}

static void put_header(uint8_t *out, size_t len, uint16_t type, int flags, uint32_t seq)
{
	struct nlmsghdr header = {.nlmsg_len = (uint32_t)len,
				  .nlmsg_type = type,
				  .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
				  .nlmsg_seq = seq};

	memcpy(out, &header, sizeof header);
}

size_t encode_address(enum duty duty, const struct binding *b, uint32_t seq, bool ack, uint8_t *out)
{
	static const uint8_t tag = ADDRESS_TAG;
	static const uint32_t flags = IFA_F_NODAD | IFA_F_PERMANENT;
	static const struct ifa_cacheinfo never_preferred = {.ifa_prefered = 0, .ifa_valid = UINT32_MAX};
	struct ifaddrmsg body = {.ifa_family = b->af, .ifa_prefixlen = b->prefix, .ifa_index = b->ifindex};
	size_t len = b->af == AF_INET ? 4 : 16, at = NLMSG_HDRLEN + sizeof body;
	bool binds = duty == DUTY_BIND;

	memset(out, 0, ADDRESS_MESSAGE_MAX);
	memcpy(out + NLMSG_HDRLEN, &body, sizeof body);
	at = put(out, at, IFA_LOCAL, b->addr, len);
	at = put(out, at, IFA_ADDRESS, b->addr, len);
	if (binds && b->af == AF_INET6) {
		at = put(out, at, IFA_FLAGS, &flags, sizeof flags);
		at = put(out, at, IFA_CACHEINFO, &never_preferred, sizeof never_preferred);
	}
	if (binds)
		at = put(out, at, IFA_PROTO, &tag, sizeof tag);
	put_header(out, at, binds ? RTM_NEWADDR : RTM_DELADDR,
		   (ack ? NLM_F_ACK : 0) | (binds ? NLM_F_CREATE | NLM_F_EXCL : 0), seq);
	return at;
}

size_t encode_address_dump(uint32_t seq, uint8_t *out)
{
	size_t len = NLMSG_HDRLEN + sizeof(struct ifaddrmsg);

	memset(out, 0, len);
	put_header(out, len, RTM_GETADDR, NLM_F_DUMP, seq);
	return len;
}

/* On a point-to-point link IFA_LOCAL is ours and IFA_ADDRESS the peer's; IPv6 mostly has the second one alone. */
int decode_address(const uint8_t *body, size_t len, struct address *out)
{
	struct ifaddrmsg header;
	struct vipvs_cursor c;
	struct vipvs_attr a;
	bool local = false, found = false, bad = false;
	size_t want;
	int r;

	memset(out, 0, sizeof *out);
	if (len < sizeof header)
		return -EBADMSG;
	memcpy(&header, body, sizeof header);
	if (header.ifa_family != AF_INET && header.ifa_family != AF_INET6)
		return -EBADMSG;
	want = header.ifa_family == AF_INET ? 4 : 16;
	out->at.af = header.ifa_family;
	out->at.prefix = header.ifa_prefixlen;
	out->at.ifindex = header.ifa_index;
	c = (struct vipvs_cursor){body + sizeof header, len - sizeof header};
	while ((r = vipvs_attr_next(&c, &a)) > 0) {
		if (a.type == IFA_PROTO)
			out->tag = (uint8_t)vipvs_attr_u8(&a, &bad);
		if (a.type != IFA_LOCAL && (a.type != IFA_ADDRESS || local))
			continue;
		local = local || a.type == IFA_LOCAL;
		found = true;
		bad = bad || a.len != want;
		if (!bad)
			memcpy(out->at.addr, a.data, want);
	}
	return r < 0 || bad || !found ? -EBADMSG : 0;
}

/* Behind an IPv4 address there are zeros. */
int compare_bindings(const void *a, const void *b)
{
	const struct binding *x = a, *y = b;

	if (x->ifindex != y->ifindex)
		return x->ifindex < y->ifindex ? -1 : 1;
	if (x->af != y->af)
		return x->af < y->af ? -1 : 1;
	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return memcmp(x->addr, y->addr, sizeof x->addr);
}

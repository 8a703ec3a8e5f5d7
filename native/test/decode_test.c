/*
 * decode_test.c - replies that no kernel sends: cut, lying about lengths, with unknown attributes, of other
 * families. A real kernel's are in captured_test.c.
 */
#include "check.h"
#include "take.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>

struct maker {
	uint8_t data[4096];
	size_t len;
	size_t message; /* offset of the open message */
};

static void add(struct maker *m, const void *data, size_t len)
{
	memcpy(m->data + m->len, data, len);
	m->len += len;
	while (m->len % 4 != 0)
		m->data[m->len++] = 0;
}

static void add_attr_len(struct maker *m, uint16_t type, const void *data, size_t len, uint16_t claimed)
{
	uint16_t header[2] = {claimed, type};

	add(m, header, sizeof header);
	add(m, data, len);
}

static void add_attr(struct maker *m, uint16_t type, const void *data, size_t len)
{
	add_attr_len(m, type, data, len, (uint16_t)(4 + len));
}

static void add_u16(struct maker *m, uint16_t type, uint16_t v)
{
	add_attr(m, type, &v, sizeof v);
}

static void open_message(struct maker *m, uint16_t type, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = seq};

	m->message = m->len;
	add(m, &header, sizeof header);
}

static void close_message(struct maker *m)
{
	uint32_t len = (uint32_t)(m->len - m->message);

	memcpy(m->data + m->message, &len, sizeof len);
}

static size_t open_nest(struct maker *m, uint16_t type)
{
	uint16_t header[2] = {0, type};

	add(m, header, sizeof header);
	return m->len - sizeof header;
}

static void close_nest(struct maker *m, size_t at)
{
	uint16_t len = (uint16_t)(m->len - at);

	memcpy(m->data + at, &len, sizeof len);
}

static void add_genl(struct maker *m, uint8_t cmd)
{
	struct genlmsghdr genl = {.cmd = cmd, .version = 1};

	add(m, &genl, sizeof genl);
}

static void add_key(struct maker *m, uint16_t protocol)
{
	add_u16(m, IPVS_SVC_ATTR_AF, AF_INET);
	add_u16(m, IPVS_SVC_ATTR_PROTOCOL, protocol);
	add_attr(m, IPVS_SVC_ATTR_ADDR, "\xc0\x00\x02\x01", 4);
	add_u16(m, IPVS_SVC_ATTR_PORT, htons(80));
}

/* STATS64 as kernels with alignment padding send it: PAD attributes between u64 values. */
static void add_counters(struct maker *m)
{
	size_t stats = open_nest(m, IPVS_SVC_ATTR_STATS64);

	for (uint16_t i = IPVS_STATS_ATTR_CONNS; i <= IPVS_STATS_ATTR_OUTBYTES; i++) {
		uint64_t value = 0x1122334455660000u + i;
		add_attr(m, IPVS_STATS_ATTR_PAD, "", 0);
		add_attr(m, i, &value, sizeof value);
	}
	close_nest(m, stats);
}

static void counters_between_padding(void)
{
	struct maker m = {0};
	struct vipvs_service s[RECORDS];
	struct vipvs_dump d;
	size_t nest;

	open_message(&m, FAMILY, NLM_F_MULTI, SEQ);
	add_genl(&m, IPVS_CMD_NEW_SERVICE);
	nest = open_nest(&m, IPVS_CMD_ATTR_SERVICE | NLA_F_NESTED);
	add_counters(&m);
	add_key(&m, 50);
	add_attr(&m, 0x3ff0, "unknown", 8);
	add_attr(&m, IPVS_SVC_ATTR_SCHED_NAME, "not terminated, too long", 24);
	add_attr(&m, IPVS_SVC_ATTR_PE_NAME, "", 0);
	close_nest(&m, nest);
	close_message(&m);
	CHECK_EQUAL(take(IPVS_CMD_NEW_SERVICE, m.data, m.len, s, &d), 1, "a strange service");
	CHECK_EQUAL(d.error, 0, "it is no error");
	CHECK_EQUAL(s[0].counters.connections, 0x1122334455660001u, "connections");
	CHECK_EQUAL(s[0].counters.in_packets, 0x1122334455660002u, "packets in");
	CHECK_EQUAL(s[0].counters.out_packets, 0x1122334455660003u, "packets out");
	CHECK_EQUAL(s[0].counters.in_bytes, 0x1122334455660004u, "bytes in");
	CHECK_EQUAL(s[0].counters.out_bytes, 0x1122334455660005u, "bytes out");
	CHECK_EQUAL(s[0].key.protocol, 50, "ESP");
	CHECK(strcmp(s[0].scheduler, "not terminated,") == 0, "%s", s[0].scheduler);
	CHECK(!d.done, "no end was sent");
}

/* One service message with one attribute in its nest that lies; the dump must be incomplete. */
static void broken_attr(const char *what, uint16_t type, const void *data, size_t len, uint16_t claimed)
{
	struct maker m = {0};
	struct vipvs_service s[RECORDS];
	struct vipvs_dump d;
	size_t nest;

	open_message(&m, FAMILY, NLM_F_MULTI, SEQ);
	add_genl(&m, IPVS_CMD_NEW_SERVICE);
	nest = open_nest(&m, IPVS_CMD_ATTR_SERVICE);
	add_key(&m, 6);
	add_attr_len(&m, type, data, len, claimed);
	close_nest(&m, nest);
	close_message(&m);
	CHECK_EQUAL(take(IPVS_CMD_NEW_SERVICE, m.data, m.len, s, &d), 0, what);
	CHECK_EQUAL(d.error, EBADMSG, what);
}

static void broken_services(void)
{
	broken_attr("attribute shorter than its header", IPVS_SVC_ATTR_TIMEOUT, "\0\0\0\0", 4, 3);
	broken_attr("attribute longer than its nest", IPVS_SVC_ATTR_TIMEOUT, "\0\0\0\0", 4, 400);
	broken_attr("u32 of two bytes", IPVS_SVC_ATTR_TIMEOUT, "\0\0", 2, 6);
	broken_attr("u16 of one byte", IPVS_SVC_ATTR_PORT, "\0", 1, 5);
	broken_attr("flags without mask", IPVS_SVC_ATTR_FLAGS, "\0\0\0\0", 4, 8);
	broken_attr("family of a socket file", IPVS_SVC_ATTR_AF, "\1\0", 2, 6);
	broken_attr("address of three bytes", IPVS_SVC_ATTR_ADDR, "abc", 3, 7);
	broken_attr("counters that lie", IPVS_SVC_ATTR_STATS64, "\x08\0\x01\0\0\0\0\0", 8, 12);
	broken_attr("counters cut", IPVS_SVC_ATTR_STATS64, "\xff\0\x01\0", 4, 8);
}

/* A service or a destination with an address of so many bytes. */
static void addr_of(const char *what, uint8_t cmd, uint16_t af, size_t len, bool good)
{
	static const uint8_t bytes[] = "\x20\x01\x0d\xb8\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11";
	static const uint8_t zeros[12];
	struct maker m = {0};
	union {
		struct vipvs_service services[RECORDS];
		struct vipvs_dest dests[RECORDS];
	} out;
	bool service = cmd == IPVS_CMD_NEW_SERVICE;
	const uint8_t *addr = service ? out.services[0].key.addr : out.dests[0].addr;
	struct vipvs_dump d;
	size_t nest;

	memset(&out, 0xee, sizeof out);
	open_message(&m, FAMILY, NLM_F_MULTI, SEQ);
	add_genl(&m, cmd);
	nest = open_nest(&m, service ? IPVS_CMD_ATTR_SERVICE : IPVS_CMD_ATTR_DEST);
	add_u16(&m, service ? IPVS_SVC_ATTR_AF : IPVS_DEST_ATTR_ADDR_FAMILY, af);
	if (service)
		add_u16(&m, IPVS_SVC_ATTR_PROTOCOL, 6);
	add_attr(&m, service ? IPVS_SVC_ATTR_ADDR : IPVS_DEST_ATTR_ADDR, bytes, len);
	add_u16(&m, service ? IPVS_SVC_ATTR_PORT : IPVS_DEST_ATTR_PORT, htons(80));
	close_nest(&m, nest);
	close_message(&m);
	CHECK_EQUAL(take(cmd, m.data, m.len, &out, &d), good, what);
	CHECK_EQUAL(d.error, good ? 0 : EBADMSG, what);
	if (!good)
		return;
	CHECK(memcmp(addr, bytes, af == AF_INET6 ? 16 : 4) == 0, "%s: its bytes", what);
	CHECK(af == AF_INET6 || memcmp(addr + 4, zeros, 12) == 0, "%s: nothing behind them", what);
}

/* The kernel sends 16 bytes for both families; IPv4 may come with less, IPv6 is whole or nothing. */
static void addresses(void)
{
	for (uint8_t i = 0; i < 2; i++) {
		uint8_t cmd = i == 0 ? IPVS_CMD_NEW_SERVICE : IPVS_CMD_NEW_DEST;

		addr_of("IPv6", cmd, AF_INET6, 16, true);
		addr_of("IPv6 of 15 bytes", cmd, AF_INET6, 15, false);
		addr_of("IPv6 of 4 bytes", cmd, AF_INET6, 4, false);
		addr_of("IPv6 of no bytes", cmd, AF_INET6, 0, false);
		addr_of("IPv6 with a byte behind it", cmd, AF_INET6, 17, true);
		addr_of("IPv4 in 16 bytes", cmd, AF_INET, 16, true);
		addr_of("IPv4 in 4 bytes", cmd, AF_INET, 4, true);
		addr_of("IPv4 of 3 bytes", cmd, AF_INET, 3, false);
	}
}

/* A message of the dump without what its record can't do without. */
static void incomplete_record(uint8_t cmd, const char *what)
{
	struct maker m = {0};
	uint8_t out[RECORDS * sizeof(struct vipvs_service)];
	struct vipvs_dump d;

	open_message(&m, FAMILY, NLM_F_MULTI, SEQ);
	add_genl(&m, cmd);
	close_nest(&m, open_nest(&m, cmd == IPVS_CMD_NEW_SERVICE ? 1 : cmd == IPVS_CMD_NEW_DEST ? 2 : 3));
	close_message(&m);
	CHECK_EQUAL(take(cmd, m.data, m.len, out, &d), 0, what);
	CHECK_EQUAL(d.error, EBADMSG, what);
	m.len -= 4; /* no nest at all */
	close_message(&m);
	CHECK_EQUAL(take(cmd, m.data, m.len, out, &d), 0, what);
	CHECK_EQUAL(d.error, EBADMSG, what);
}

/* A message without payload of its own: the control messages. */
static void control(const char *what, uint16_t type, uint16_t flags, uint32_t seq, const int32_t *code,
		    bool done, uint32_t error)
{
	struct maker m = {0};
	struct vipvs_service s[RECORDS];
	struct vipvs_dump d;

	open_message(&m, type, flags, seq);
	if (code != NULL)
		add(&m, code, sizeof *code);
	close_message(&m);
	CHECK_EQUAL(take(IPVS_CMD_NEW_SERVICE, m.data, m.len, s, &d), 0, what);
	CHECK_EQUAL(d.done, done, what);
	CHECK_EQUAL(d.error, error, what);
}

static void ends_of_dumps(void)
{
	const int32_t ok = 0, perm = -EPERM, size = -EMSGSIZE, positive = 5, least = INT32_MIN;

	control("done", NLMSG_DONE, NLM_F_MULTI, SEQ, &ok, true, 0);
	control("done without a code", NLMSG_DONE, NLM_F_MULTI, SEQ, NULL, true, 0);
	control("done with an error", NLMSG_DONE, NLM_F_MULTI, SEQ, &size, true, EMSGSIZE);
	control("done of another dump", NLMSG_DONE, NLM_F_MULTI, SEQ + 1, &ok, false, 0);
	control("error", NLMSG_ERROR, 0, SEQ, &perm, true, EPERM);
	control("error above 0", NLMSG_ERROR, 0, SEQ, &positive, true, 0);
	control("the least error", NLMSG_ERROR, 0, SEQ, &least, true, 0x80000000u);
	control("error without a code", NLMSG_ERROR, 0, SEQ, NULL, false, EBADMSG);
	control("interrupted", NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, SEQ, &ok, false, EINTR);
	control("overrun", NLMSG_OVERRUN, 0, SEQ, NULL, false, ENOBUFS);
	control("no operation", NLMSG_NOOP, 0, SEQ, NULL, false, 0);
	control("generic message without its header", FAMILY, 0, SEQ, NULL, false, EBADMSG);
	incomplete_record(IPVS_CMD_NEW_SERVICE, "empty service");
	incomplete_record(IPVS_CMD_NEW_DEST, "empty destination");
	incomplete_record(IPVS_CMD_NEW_DAEMON, "empty daemon");
}

static void foreign_messages(void)
{
	struct maker m = {0};
	struct vipvs_service s[RECORDS];
	struct vipvs_dump d;

	open_message(&m, FAMILY + 1, 0, SEQ);
	add_genl(&m, IPVS_CMD_NEW_SERVICE);
	close_message(&m);
	open_message(&m, FAMILY, 0, SEQ);
	add_genl(&m, IPVS_CMD_NEW_DEST);
	close_message(&m);
	CHECK_EQUAL(take(IPVS_CMD_NEW_SERVICE, m.data, m.len, s, &d), 0, "other families and commands");
	CHECK(d.error == 0 && !d.done, "are passed over");
}

/* A record of the dump before, and whole records of this one around it. */
static void foreign_sequence(void)
{
	const uint32_t seqs[] = {SEQ, SEQ + 1, SEQ - 1, SEQ};
	struct maker m = {0};
	struct vipvs_service s[RECORDS];
	struct vipvs_dump d;

	for (uint16_t i = 0; i < 4; i++) {
		size_t nest;

		open_message(&m, FAMILY, NLM_F_MULTI, seqs[i]);
		add_genl(&m, IPVS_CMD_NEW_SERVICE);
		nest = open_nest(&m, IPVS_CMD_ATTR_SERVICE);
		add_key(&m, i + 1);
		close_nest(&m, nest);
		close_message(&m);
	}
	CHECK_EQUAL(take(IPVS_CMD_NEW_SERVICE, m.data, m.len, s, &d), 2, "records of this dump");
	CHECK(d.error == 0 && !d.done, "others are no error");
	CHECK_EQUAL(s[0].key.protocol, 1, "the first");
	CHECK_EQUAL(s[1].key.protocol, 4, "the last");
}

int main(void)
{
	counters_between_padding();
	broken_services();
	addresses();
	ends_of_dumps();
	foreign_messages();
	foreign_sequence();
	return report("decode_test");
}

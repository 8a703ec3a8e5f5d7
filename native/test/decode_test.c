/*
 * decode_test.c - replies of a real kernel (test/vectors/reply-*, captured from Linux 6.1) and replies that no
 * kernel sends: cut, lying about lengths, with unknown attributes. Every prefix and every flipped byte of the real
 * ones is decoded, from memory of exactly that size, so that the sanitizers and valgrind see one byte too far.
 */
#include "internal.h"
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#define FAMILY 0x20
#define SEQ 1
#define RECORDS 16

/* Decodes one datagram as part of a dump; returns how many records it held. */
static uint32_t take(uint8_t cmd, const uint8_t *data, size_t len, void *out, struct vipvs_dump *d)
{
	struct vipvs_cursor c = {data, len};
	uint32_t count = 0;

	*d = (struct vipvs_dump){.family = FAMILY, .cmd = cmd, .seq = SEQ, .key_index = 7};
	vipvs_dump_take(d, &c, out, RECORDS, &count);
	return count;
}

static void check_counters_zero(const struct vipvs_counters *c, const char *what)
{
	CHECK_EQUAL(c->connections | c->in_packets | c->out_packets | c->in_bytes | c->out_bytes, 0, what);
}

/* ---- a real kernel's answers ---- */

static void captured_services(void)
{
	static const uint8_t vip6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	uint8_t data[4096];
	struct vipvs_service s[RECORDS];
	struct vipvs_dump d;
	uint32_t n = take(IPVS_CMD_NEW_SERVICE, data, read_vector("reply-services", data, sizeof data), s, &d);

	CHECK_EQUAL(n, 4, "services");
	CHECK(d.done && d.error == 0, "the dump is complete");
	CHECK_EQUAL(s[0].key.af, AF_INET, "af");
	CHECK_EQUAL(s[0].key.protocol, IPPROTO_TCP, "protocol");
	CHECK(memcmp(s[0].key.addr, "\xc0\x00\x02\x0a\0\0\0\0\0\0\0\0\0\0\0\0", 16) == 0, "address");
	CHECK_EQUAL(s[0].key.port, 80, "port");
	CHECK_EQUAL(s[0].flags, 0x1b, "flags");
	CHECK_EQUAL(s[0].timeout, 300, "timeout");
	CHECK_EQUAL(s[0].netmask, 0xffffffff, "netmask");
	CHECK(strcmp(s[0].scheduler, "mh") == 0, "%s", s[0].scheduler);
	check_counters_zero(&s[0].counters, "counters");
	CHECK(s[1].key.af == AF_INET6 && memcmp(s[1].key.addr, vip6, 16) == 0, "address of the IPv6 server");
	CHECK_EQUAL(s[1].key.port, 53, "port of the IPv6 server");
	CHECK_EQUAL(s[1].netmask, 128, "prefix");
	CHECK_EQUAL(s[2].key.fwmark, 7, "mark");
	CHECK_EQUAL(s[2].key.af, AF_INET, "family of the mark");
	CHECK_EQUAL(s[2].key.protocol | s[2].key.port, 0, "a mark has no protocol and port");
	CHECK_EQUAL(s[3].key.fwmark, 8, "IPv6 mark");
	CHECK_EQUAL(s[3].netmask, 64, "prefix of the IPv6 mark");
}

static void captured_dests(void)
{
	uint8_t data[4096];
	struct vipvs_dest s[RECORDS];
	struct vipvs_dump d;
	uint32_t n = take(IPVS_CMD_NEW_DEST, data, read_vector("reply-dests-v4", data, sizeof data), s, &d);

	CHECK_EQUAL(n, 2, "destinations");
	CHECK(d.done && d.error == 0, "the dump is complete");
	CHECK_EQUAL(s[0].key_index, 7, "which key");
	CHECK_EQUAL(s[0].af, AF_INET, "af");
	CHECK(memcmp(s[0].addr, "\x0a\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0", 16) == 0, "address");
	CHECK_EQUAL(s[0].forward, 2, "forward");
	CHECK_EQUAL(s[0].tunnel_type, 1, "tunnel type");
	CHECK_EQUAL(s[0].tunnel_port, 6080, "tunnel port");
	CHECK_EQUAL(s[0].tunnel_flags, 2, "tunnel flags");
	CHECK_EQUAL(s[1].port, 8080, "port");
	CHECK_EQUAL(s[1].weight, 3, "weight");
	CHECK_EQUAL(s[1].upper_threshold, 1000, "upper");
	CHECK_EQUAL(s[1].lower_threshold, 100, "lower");
	n = take(IPVS_CMD_NEW_DEST, data, read_vector("reply-dests-v6", data, sizeof data), s, &d);
	CHECK_EQUAL(n, 1, "IPv6 destinations");
	CHECK_EQUAL(s[0].af, AF_INET6, "IPv6 af");
	CHECK_EQUAL(s[0].addr[15], 0x99, "IPv6 address");
	CHECK_EQUAL(s[0].forward, 3, "IPv6 forward");
}

static void captured_daemons(void)
{
	uint8_t data[4096];
	struct vipvs_daemon s[RECORDS];
	struct vipvs_dump d;
	uint32_t n = take(IPVS_CMD_NEW_DAEMON, data, read_vector("reply-daemons", data, sizeof data), s, &d);

	CHECK_EQUAL(n, 2, "daemons");
	CHECK(d.done && d.error == 0, "the dump is complete");
	CHECK_EQUAL(s[0].state, 1, "state");
	CHECK_EQUAL(s[0].sync_id, 51, "id");
	CHECK_EQUAL(s[0].mcast_port, 8848, "port");
	CHECK(strcmp(s[0].interface, "d0") == 0, "%s", s[0].interface);
	CHECK_EQUAL(s[1].max_len, 1400, "length");
	CHECK_EQUAL(s[1].mcast_ttl, 3, "ttl");
	CHECK(s[1].mcast_af == AF_INET && memcmp(s[1].mcast_group, "\xe0\0\0\x63", 4) == 0, "group");
}

/* The first message of a captured answer. */
static struct vipvs_message first_message(const char *name, uint8_t *data, size_t room)
{
	struct vipvs_cursor c = {data, read_vector(name, data, room)};
	struct vipvs_message m = {0};

	CHECK(vipvs_next_message(&c, &m) == 1, "%s", name);
	return m;
}

static void captured_answers(void)
{
	uint8_t data[4096];
	struct vipvs_message m;
	struct vipvs_timeouts t;
	struct vipvs_info i;
	struct vipvs_service s;
	uint16_t id = 0;

	m = first_message("reply-family", data, sizeof data);
	CHECK(vipvs_decode_family_id(m.body, m.body_len, &id) == 0 && id == FAMILY, "family %u", id);
	m = first_message("reply-config", data, sizeof data);
	CHECK_EQUAL(vipvs_decode_timeouts(m.body, m.body_len, &t), 0, "config");
	CHECK(t.tcp == 900 && t.tcp_fin == 120 && t.udp == 300, "%u %u %u", t.tcp, t.tcp_fin, t.udp);
	m = first_message("reply-info", data, sizeof data);
	CHECK_EQUAL(vipvs_decode_info(m.body, m.body_len, &i), 0, "info");
	CHECK(i.version == 0x010201 && i.connection_table_size == 4096, "%x", i.version);
	m = first_message("reply-service", data, sizeof data);
	CHECK_EQUAL(m.cmd, IPVS_CMD_NEW_SERVICE, "cmd");
	CHECK_EQUAL(vipvs_decode_service(m.body, m.body_len, &s), 0, "service");
	CHECK_EQUAL(s.key.port, 80, "port");
	m = first_message("reply-error", data, sizeof data);
	CHECK(m.type == NLMSG_ERROR && m.error == EEXIST && m.seq == SEQ, "error %u", m.error);
	m = first_message("reply-ack", data, sizeof data);
	CHECK(m.type == NLMSG_ERROR && m.error == 0, "ack %u", m.error);
}

/* ---- hand-made answers ---- */

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

/* A small answer is taken in as many steps as the caller has room for. */
static void resumed(void)
{
	uint8_t data[4096];
	struct vipvs_service s[1];
	struct vipvs_cursor c = {data, read_vector("reply-services", data, sizeof data)};
	struct vipvs_dump d = {.family = FAMILY, .cmd = IPVS_CMD_NEW_SERVICE, .seq = SEQ};
	uint32_t total = 0, steps = 0;

	while (!d.done && d.error == 0 && steps++ < 20) {
		uint32_t count = 0;
		vipvs_dump_take(&d, &c, s, 1, &count);
		total += count;
	}
	CHECK_EQUAL(total, 4, "one at a time");
	CHECK(d.done && d.error == 0, "to the end");
}

/* ---- every prefix, every byte ---- */

static uint8_t command_of(const char *name)
{
	return strstr(name, "dests") != NULL ? IPVS_CMD_NEW_DEST :
	       strstr(name, "daemons") != NULL ? IPVS_CMD_NEW_DAEMON : IPVS_CMD_NEW_SERVICE;
}

/* From a heap block of exactly this size; returns whether the dump looked complete. */
static bool survives(const char *name, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);
	uint8_t out[RECORDS * sizeof(struct vipvs_service)];
	struct vipvs_dump d;
	struct vipvs_timeouts t;
	struct vipvs_info i;
	uint16_t id;

	if (copy == NULL)
		exit(2);
	memcpy(copy, data, len);
	(void)take(command_of(name), copy, len, out, &d);
	(void)vipvs_decode_timeouts(copy, len, &t);
	(void)vipvs_decode_info(copy, len, &i);
	(void)vipvs_decode_family_id(copy, len, &id);
	free(copy);
	return d.done && d.error == 0;
}

static void mutilated(const char *name)
{
	uint8_t data[4096];
	size_t len = read_vector(name, data, sizeof data);

	CHECK(survives(name, data, len), "%s is complete", name);
	for (size_t cut = 0; cut < len; cut++)
		CHECK(!survives(name, data, cut), "%s: complete after %zu of %zu bytes", name, cut, len);
	for (size_t i = 0; i < len; i++) {
		uint8_t kept = data[i];
		for (unsigned bit = 0; bit < 8; bit++) {
			data[i] = (uint8_t)(kept ^ 1u << bit);
			(void)survives(name, data, len);
		}
		data[i] = kept;
	}
}

int main(void)
{
	if (htonl(1) != 1) { /* the captures are a little-endian kernel's */
		captured_services();
		captured_dests();
		captured_daemons();
		captured_answers();
		resumed();
		mutilated("reply-services");
		mutilated("reply-dests-v4");
		mutilated("reply-dests-v6");
		mutilated("reply-daemons");
	}
	counters_between_padding();
	broken_services();
	ends_of_dumps();
	foreign_messages();
	return report("decode_test");
}

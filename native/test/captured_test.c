/*
 * captured_test.c - replies of a real kernel (test/vectors/reply-*, captured from Linux 6.1). Every prefix and
 * every flipped byte of them is decoded, too, from memory of exactly that size, so that the sanitizers and
 * valgrind see one byte too far.
 */
#include "check.h"
#include "take.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <netinet/in.h>

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
	return report("captured_test");
}

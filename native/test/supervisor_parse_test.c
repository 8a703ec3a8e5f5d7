/* supervisor_parse_test.c - what vipvs-keepalived reads from others: each form that is one, and what is none. */
#include "supervisor/supervisor.h"
#include "check.h"

#include <sys/socket.h>

static int notice_of(const char *line, struct notice *out)
{
	return parse_notice(line, strlen(line), out);
}

static void notices(void)
{
	static const char *const bad[] = {
		"", " ", "INSTANCE", "INSTANCE \"g\"", "INSTANCE \"g\" MASTER", "INSTANCE \"g\" MASTER ", "INSTANCE g MASTER 1",
		"INSTANCE \"g\" MASTER 256", "INSTANCE \"g\" MASTER -1", "INSTANCE \"g\" MASTER 1 2", "INSTANCE \"g\" DEAD 1",
		"INSTANCE \"g\" master 1", "INSTANCE \"\" MASTER 1", "INSTANCE \"../x\" MASTER 1", "INSTANCE \"a/b\" MASTER 1",
		"INSTANCE \"a b\" MASTER 1", "INSTANCE \"x.away\" MASTER 1", "INSTANCE \"x.new\" MASTER 1", "VS \"g\" UP 1",
		"INSTANCE \" MASTER 1", "instance \"g\" MASTER 1", "INSTANCE \"g\"  MASTER 1",
	};
	struct notice n;

	CHECK(notice_of("INSTANCE \"eth0.100-7\" MASTER 250", &n) == 0, "a transition");
	CHECK(n.kind == NOTICE_STATE && n.state == STATE_MASTER && n.priority == 250, "its fields");
	CHECK(strcmp(n.group, "eth0.100-7") == 0, "its group: %s", n.group);
	CHECK(notice_of("INSTANCE \"g\" DELETED 0", &n) == 0 && n.state == STATE_DELETED, "deleted");
	CHECK(notice_of("INSTANCE \"g\" STOP 1", &n) == 0 && n.state == STATE_STOP, "stop");
	CHECK(notice_of("INSTANCE \"g\" FAULT 1", &n) == 0 && n.state == STATE_FAULT, "fault");
	CHECK(notice_of("INSTANCE \"g\" BACKUP_PRIORITY 160", &n) == 0 && n.kind == NOTICE_PRIORITY, "a priority");
	CHECK(notice_of("INSTANCE \"g\" MASTER_RX_LOWER_PRI 160", &n) == 0 && n.kind == NOTICE_OTHER, "passed over");
	CHECK(notice_of("GROUP \"sync\" MASTER 200", &n) == 0 && n.kind == NOTICE_OTHER, "a sync group");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(notice_of(bad[i], &n) == -1, "\"%s\" is none", bad[i]);
	CHECK(parse_notice("INSTANCE \"g\" MASTER 1\0", 22, &n) == -1, "a NUL");
}

static void replies(void)
{
	static const char *const bad[] = {
		"",       "pong",        "pong ",     "pong x",          "pong -1",           "pong 1 ",  "pong 4294967296", "ping 1",
		"done",   "done g",      "done g ",   "done g MASTER ",  "done g MASTER x",   "done ../g MASTER", "done g Master", "pong 1 2",
		"hello 1", "done  MASTER", "pong 00000000001",
	};
	struct reply r;

	CHECK(parse_reply("pong 4294967295", 15, &r) == 0 && r.kind == REPLY_PONG, "a pong");
	CHECK_EQUAL(r.number, 4294967295u, "its number");
	CHECK(parse_reply("done g1 BACKUP", 14, &r) == 0 && r.kind == REPLY_DONE, "done");
	CHECK(r.state == STATE_BACKUP && strcmp(r.group, "g1") == 0, "its fields");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(parse_reply(bad[i], strlen(bad[i]), &r) == -1, "\"%s\" is none", bad[i]);
}

static int vip_of(const char *line, struct vip *out)
{
	return parse_vip(line, strlen(line), out);
}

static void vips(void)
{
	static const char *const bad[] = {
		"", "192.0.2.1", "192.0.2.1/32", "192.0.2.1/32 ", "192.0.2.1/33 eth0", "192.0.2.1/ eth0", "/32 eth0",
		"192.0.2.1/32 eth0 ", "192.0.2.1/32 eth0 x", "192.0.2/32 eth0", "192.0.2.1/32  eth0", "2001:db8::1/129 eth0",
		"2001:db8::1%eth0/128 eth0", "192.0.2.1/32 interface-of-16c", "192.0.2.1/-1 eth0", "192.0.2.01/32 eth0",
		"::ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128 eth0", "192.0.2.1/32\teth0",
	};
	struct vip v;

	CHECK(vip_of("192.0.2.1/32 eth0", &v) == 0 && v.af == AF_INET && v.prefix == 32, "IPv4");
	CHECK(memcmp(v.addr, "\xc0\x00\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0", 16) == 0, "its address, and zeros");
	CHECK(strcmp(v.interface, "eth0") == 0, "its interface");
	CHECK(vip_of("2001:db8::a/128 interface-of-15", &v) == 0 && v.af == AF_INET6 && v.prefix == 128, "IPv6");
	CHECK(strcmp(v.interface, "interface-of-15") == 0, "the longest name");
	CHECK(parse_vip("192.0.2.1/32 et\0h0", 18, &v) == -1, "a NUL in the name");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(vip_of(bad[i], &v) == -1, "\"%s\" is none", bad[i]);
}

static void standings(void)
{
	static const struct standing all[] = {
		{STATE_MASTER, 250, MARK_BOUND}, {STATE_BACKUP, 200, MARK_CLEARED}, {STATE_DEAD, 0, MARK_NONE}};
	static const char *const bad[] = {"", "MASTER", "MASTER 256", "MASTER 1 x", "MASTER 1 cleared x", "X 1"};
	struct standing s;
	char text[64];

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		size_t len = format_standing(&all[i], text, sizeof text);

		CHECK(parse_standing(text, len, &s) == 0, "%s", text);
		CHECK(s.state == all[i].state && s.priority == all[i].priority && s.mark == all[i].mark, "%s", text);
	}
	CHECK(strcmp(text, "DEAD 0\n") == 0, "%s", text);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(parse_standing(bad[i], strlen(bad[i]), &s) == -1, "\"%s\" is none", bad[i]);
}

static void numbers(void)
{
	static const char *const bad[] = {"", "-", "254", "-254", "1 ", " 1", "x", "+1", "1.0", "00000000001", "-\n1"};
	int value = 7;

	CHECK(parse_track_value("-40\n", 4, &value) == 0 && value == -40, "%d", value);
	CHECK(parse_track_value("253", 3, &value) == 0 && value == 253, "%d", value);
	CHECK(parse_track_value("-253", 4, &value) == 0 && value == -253, "%d", value);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		CHECK(parse_track_value(bad[i], strlen(bad[i]), &value) == -1, "\"%s\" is none", bad[i]);
}

static void versions(void)
{
	char version[16];

	CHECK(parse_version("Keepalived v2.2.7 (01/16,2022)\n\nCopyright", 41, version, sizeof version) == 0, "2.2.7");
	CHECK(strcmp(version, "2.2.7") == 0, "%s", version);
	CHECK(parse_version("Keepalived v2.3.4", 17, version, sizeof version) == 0 && strcmp(version, "2.3.4") == 0, "at the end");
	CHECK(parse_version("keepalived: not found", 21, version, sizeof version) == -1, "none");
	CHECK(parse_version("", 0, version, sizeof version) == -1, "nothing");
	CHECK(parse_version("a v1111111111111111111111111", 28, version, sizeof version) == 0 && strlen(version) == 15, "cut");
}

static void escapes(void)
{
	char out[32];

	CHECK_EQUAL(escape(FOR_JSON, "a\"\\\n\x1b", 5, out, sizeof out), 17, "JSON");
	CHECK(strcmp(out, "a\\\"\\\\\\u000a\\u001b") == 0, "%s", out);
	escape(FOR_PEOPLE, "a\"\n\xff", 4, out, sizeof out);
	CHECK(strcmp(out, "a\"\n\\u00ff") == 0, "%s", out);
	CHECK_EQUAL(escape(FOR_PEOPLE, "ab\x01", 3, out, 8), 2, "no half of a form");
	CHECK_EQUAL(escape(FOR_PEOPLE, "ab", 2, out, 2), 1, "cut");
	CHECK_EQUAL(escape(FOR_PEOPLE, "ab", 2, out, 0), 0, "no room");
}

static void names(void)
{
	char longest[GROUP_NAME_MAX + 1];

	memset(longest, 'a', sizeof longest);
	CHECK(is_group_name(longest, GROUP_NAME_MAX) && !is_group_name(longest, GROUP_NAME_MAX + 1), "63 characters");
	CHECK(is_group_name("br-lan@if3.7:1+a=b_c", 20), "what interfaces are called");
	CHECK(!is_group_name(".a", 2) && !is_group_name("a\0b", 3) && !is_group_name("", 0), "none");
	CHECK(!is_group_name("a.away", 6) && !is_group_name("a.new", 5) && is_group_name("away", 4), "reserved endings");
}

int main(void)
{
	notices();
	replies();
	vips();
	standings();
	numbers();
	versions();
	escapes();
	names();
	return report("supervisor_parse_test");
}

/*
 * supervisor_fuzz.c - any bytes as what vipvs-keepalived reads from others: a line of the FIFO, of the agent, of a list of
 * VIPs, a state file, a number, a version, an address message. What is accepted must be what it claims.
 */
#include "supervisor/supervisor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_name(const char *name)
{
	must(is_group_name(name, strlen(name)) && strchr(name, '/') == NULL && name[0] != '.');
}

static void check_lines(const char *text, size_t size)
{
	struct notice notice;
	struct reply reply;
	struct vip vip;

	if (parse_notice(text, size, &notice) == 0 && notice.kind != NOTICE_OTHER) {
		check_name(notice.group);
		must(notice.priority >= 0 && notice.priority <= 255 && notice.state < STATE_DEAD);
	}
	if (parse_reply(text, size, &reply) == 0 && reply.kind == REPLY_DONE) {
		check_name(reply.group);
		must(reply.state <= STATE_DEAD);
	}
	if (parse_vip(text, size, &vip) == 0) {
		must(vip.af == AF_INET ? vip.prefix <= 32 : vip.af == AF_INET6 && vip.prefix <= 128);
		must(vip.interface[0] != '\0' && vip.interface[IF_NAMESIZE - 1] == '\0');
	}
}

static void check_files(const char *text, size_t size)
{
	struct standing s, again;
	char out[64];
	int value;

	if (parse_track_value(text, size, &value) == 0)
		must(value >= -253 && value <= 253);
	if (parse_version(text, size, out, sizeof out) == 0)
		must(strlen(out) > 0 && strlen(out) < sizeof out);
	if (parse_standing(text, size, &s) == 0) {
		must(parse_standing(out, format_standing(&s, out, sizeof out), &again) == 0);
		must(again.state == s.state && again.priority == s.priority && again.mark == s.mark);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct address address;
	char shown[LINE_MAX_BYTES];

	check_lines(text, size);
	check_files(text, size);
	if (decode_address(data, size, &address) == 0)
		must(address.at.af == AF_INET || address.at.af == AF_INET6);
	must(escape(FOR_JSON, text, size, shown, sizeof shown) < sizeof shown);
	for (const char *at = shown; *at != '\0'; at++)
		must(*at >= 0x20 && *at < 0x7f);
	return 0;
}

/*
 * supervisor_rtaddr_test.c - the rtnetlink messages byte for byte as the agent writes them (test/vectors/rt-*.hex), and
 * addresses of dumps decoded or refused.
 */
#include "supervisor/supervisor.h"
#include "check.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#define HEADER 16

static void compare(const char *name, const uint8_t *got, size_t len)
{
	uint8_t want[ADDRESS_MESSAGE_MAX];
	size_t want_len = read_vector(name, want, sizeof want);

	CHECK_EQUAL(len, want_len, name);
	CHECK(len == want_len && memcmp(got, want, len) == 0, "%s", name);
}

static struct binding binding(uint8_t af, uint8_t prefix, const char *addr)
{
	struct binding b = {.af = af, .prefix = prefix, .ifindex = 7};

	inet_pton(af, addr, b.addr);
	return b;
}

static void encodes(void)
{
	struct binding v4 = binding(AF_INET, 32, "192.0.2.10"), v6 = binding(AF_INET6, 128, "2001:db8::a");
	uint8_t out[ADDRESS_MESSAGE_MAX];

	compare("rt-bind-v4", out, encode_address(DUTY_BIND, &v4, 9, false, out));
	compare("rt-bind-v6", out, encode_address(DUTY_BIND, &v6, 10, true, out));
	compare("rt-clear-v4", out, encode_address(DUTY_CLEAR, &v4, 11, true, out));
	compare("rt-dump", out, encode_address_dump(12, out));
}

static void decodes(void)
{
	struct binding v4 = binding(AF_INET, 32, "192.0.2.10"), v6 = binding(AF_INET6, 128, "2001:db8::a");
	uint8_t out[ADDRESS_MESSAGE_MAX];
	struct address a;
	size_t len = encode_address(DUTY_BIND, &v6, 1, false, out);

	CHECK(decode_address(out + HEADER, len - HEADER, &a) == 0 && a.tag == ADDRESS_TAG, "ours");
	CHECK(compare_bindings(&a.at, &v6) == 0, "IPv6 as it was written");
	for (size_t cut = 0; cut < 8 + 20; cut++)
		CHECK(decode_address(out + HEADER, cut, &a) < 0, "cut at %zu", cut);
	out[HEADER] = AF_UNIX;
	CHECK(decode_address(out + HEADER, len - HEADER, &a) < 0, "another family");
	len = encode_address(DUTY_CLEAR, &v4, 1, false, out);
	out[len - 1] = 99; /* IFA_ADDRESS: the peer of a point-to-point link */
	CHECK(decode_address(out + HEADER, len - HEADER, &a) == 0 && a.tag == 0, "no tag");
	CHECK(compare_bindings(&a.at, &v4) == 0, "IFA_LOCAL is what is bound");
	out[HEADER + 8] = 7; /* a length that lies */
	CHECK(decode_address(out + HEADER, len - HEADER, &a) < 0, "three bytes of address");
}

static void sorts(void)
{
	struct binding all[] = {binding(AF_INET6, 128, "::2"), binding(AF_INET6, 128, "::1"), binding(AF_INET, 32, "10.0.0.1"),
				binding(AF_INET, 24, "10.0.0.1"), binding(AF_INET, 32, "9.0.0.1")};

	all[4].ifindex = 8;
	qsort(all, 5, sizeof all[0], compare_bindings);
	CHECK(all[0].prefix == 24 && all[1].prefix == 32 && all[2].addr[15] == 1 && all[3].addr[15] == 2, "by prefix, address");
	CHECK(all[4].ifindex == 8, "by interface first");
}

int main(void)
{
	encodes();
	decodes();
	sorts();
	return report("supervisor_rtaddr_test");
}

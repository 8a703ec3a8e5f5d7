/*
 * socket_test.c - the handle against a kernel that is played (played_kernel.c), because a real one can't be made
 * to lose an answer on demand: what is known, what is unknown and what was never sent.
 */
#include "internal.h"
#include "check.h"
#include "played_kernel.h"

#include <errno.h>

#define OPS 2500

static struct vipvs_op ops[OPS];
static struct vipvs_result results[OPS];

static struct vipvs *fresh(void)
{
	uint32_t error = 99;
	struct vipvs *v;

	memset(&kernel, 0, sizeof kernel);
	v = vipvs_open(10, &error);
	CHECK(v != NULL && error == 0, "open: %u", error);
	if (v == NULL)
		exit(1);
	kernel.sends = kernel.messages = 0;
	memset(results, 0xee, sizeof results);
	for (uint32_t i = 0; i < OPS; i++)
		ops[i] = (struct vipvs_op){.kind = VIPVS_DEL_SERVICE, .key = {.af = AF_INET, .protocol = 6, .port = i + 1}};
	return v;
}

/* How many results have this error and detail. */
static uint32_t count_results(uint32_t from, uint32_t to, uint32_t error, uint32_t detail)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < to; i++)
		n += results[i].error == error && results[i].detail == detail;
	return n;
}

static void cannot_open(uint32_t family_error, uint32_t info_error, uint32_t want)
{
	uint32_t error = 0;

	memset(&kernel, 0, sizeof kernel);
	kernel.family_error = family_error;
	kernel.info_error = info_error;
	CHECK(vipvs_open(10, &error) == NULL, "open must fail");
	CHECK_EQUAL(error, want, "open");
}

static void runs_in_bursts(void)
{
	struct vipvs *v = fresh();

	kernel.fail_every = 7;
	CHECK_EQUAL(vipvs_run(v, ops, OPS, results), 0, "run");
	CHECK_EQUAL(kernel.messages, OPS, "messages");
	CHECK_EQUAL(kernel.sends, 3, "sends");
	CHECK_EQUAL(kernel.acks_wanted, 3, "one ACK for each send");
	for (uint32_t i = 0; i < OPS; i++)
		CHECK_EQUAL(results[i].error, (i + 1) % 7 == 0 ? EEXIST : 0, "result");
	CHECK_EQUAL(count_results(0, OPS, EEXIST, VIPVS_BY_KERNEL), OPS / 7, "by the kernel");
	CHECK_EQUAL(vipvs_run(v, ops, 0, results), 0, "nothing to do");
	vipvs_close(v);
}

static void refuses_without_sending(void)
{
	struct vipvs *v = fresh();

	ops[0].key.af = ops[9].key.af = 0;
	kernel.fail_every = 6; /* the one at index 5, behind one that is not sent */
	CHECK_EQUAL(vipvs_run(v, ops, 10, results), 0, "run");
	CHECK_EQUAL(kernel.messages, 8, "messages");
	CHECK_EQUAL(kernel.acks_wanted, 1, "the last that was sent carries the ACK");
	CHECK_EQUAL(count_results(0, 10, EAFNOSUPPORT, VIPVS_BAD_FAMILY), 2, "refused");
	CHECK_EQUAL(count_results(0, 10, 0, 0), 7, "done");
	CHECK_EQUAL(results[5].error, EEXIST, "the error is at its place");
	kernel.sends = 0;
	CHECK_EQUAL(vipvs_run(v, ops, 1, results), 0, "run of a bad one");
	CHECK_EQUAL(kernel.sends, 0, "nothing is sent");
	vipvs_close(v);
}

static void tells_lost_answers(const char *what, int inject, bool mute, uint32_t error)
{
	struct vipvs *v = fresh();

	kernel.fail_every = 100;
	kernel.inject = inject;
	kernel.mute = mute;
	CHECK_EQUAL(-vipvs_run(v, ops, OPS, results), error, what);
	CHECK_EQUAL(kernel.sends, 1, "the run ends there");
	CHECK_EQUAL(count_results(0, 1024, EEXIST, VIPVS_BY_KERNEL), 10, "errors that arrived count");
	CHECK_EQUAL(count_results(0, 1024, error, VIPVS_OUTCOME_UNKNOWN), 1014, "the others are unknown");
	CHECK_EQUAL(count_results(1024, OPS, error, VIPVS_NOT_SENT), OPS - 1024, "the rest was not sent");
	kernel.mute = false;
	kernel.fail_every = 0;
	CHECK_EQUAL(vipvs_run(v, ops, OPS, results), 0, "the handle goes on");
	CHECK_EQUAL(count_results(0, OPS, 0, 0), OPS, "and works");
	vipvs_close(v);
}

static void survives_noise(void)
{
	struct vipvs *v = fresh();
	struct answer *a;

	kernel.eintr = true;
	put_error(503, EPERM); /* a late answer to something else */
	put_error(1, EPERM);
	a = answer();            /* another process claims that the batch is complete, in the kernel's name */
	put_header(a, NLMSG_ERROR, 0, 3);
	put_bytes(a, "\xf0\xff\xff\xff", 4);
	a->sender = 4242;
	CHECK_EQUAL(vipvs_run(v, ops, 10, results), 0, "run");
	CHECK_EQUAL(count_results(0, 10, 0, 0), 10, "all done");
	CHECK_EQUAL(results[500].error, 0xeeeeeeee, "no result that was not asked for");
	vipvs_close(v);
}

static void reports_failed_send(void)
{
	struct vipvs *v = fresh();

	ops[3].key.af = 0;
	kernel.send_error = ENOBUFS;
	CHECK_EQUAL(-vipvs_run(v, ops, 10, results), ENOBUFS, "run");
	CHECK_EQUAL(count_results(0, 10, ENOBUFS, VIPVS_NOT_SENT), 9, "not sent");
	CHECK_EQUAL(count_results(0, 10, EAFNOSUPPORT, VIPVS_BAD_FAMILY), 1, "the refusal stays");
	kernel.send_error = EINTR;
	CHECK_EQUAL(vipvs_run(v, ops, 3, results), 0, "EINTR is tried again");
	vipvs_close(v);
}

static void reads_one_service(void)
{
	struct vipvs *v = fresh();
	struct vipvs_service s;
	struct vipvs_key k = {.af = AF_INET, .protocol = 6, .port = 80};

	CHECK_EQUAL(vipvs_get_service(v, &k, &s), 0, "found");
	CHECK_EQUAL(s.key.addr[0], 5, "its address");
	k.port = 81;
	CHECK_EQUAL(-vipvs_get_service(v, &k, &s), ESRCH, "not found");
	k.port = 65616;
	CHECK_EQUAL(-vipvs_get_service(v, &k, &s), EINVAL, "no port");
	answer()->error = ENOBUFS;
	k.port = 80;
	CHECK_EQUAL(-vipvs_get_service(v, &k, &s), ENOBUFS, "lost");
	vipvs_close(v);
}

/* What was asked before and timed out is answered now: each question takes its own answer only. */
static void passes_late_answers_over(void)
{
	struct vipvs *v = fresh();
	struct vipvs_service s;
	struct vipvs_info info;
	struct vipvs_timeouts timeouts;
	struct vipvs_key k = {.af = AF_INET, .protocol = 6, .port = 80};

	put_error(1, EPERM);
	CHECK_EQUAL(vipvs_get_service(v, &k, &s), 0, "service");
	CHECK_EQUAL(s.key.addr[0], 5, "its address");
	put_error(1, 0);
	CHECK_EQUAL(vipvs_get_info(v, &info), 0, "info");
	CHECK_EQUAL(info.version, 0x010201, "its version");
	put_error(1, ESRCH);
	k.port = 81;
	CHECK_EQUAL(-vipvs_get_service(v, &k, &s), ESRCH, "not found");
	put_error(999, EPERM); /* and one to a question that was not asked yet */
	CHECK_EQUAL(-vipvs_get_timeouts(v, &timeouts), ETIMEDOUT, "nothing but a foreign answer");
	vipvs_close(v);
}

static void dumps_in_chunks(void)
{
	struct vipvs *v = fresh();
	struct vipvs_service s[7];
	struct vipvs_chunk c;
	uint32_t total = 0, calls = 0;

	kernel.dump_records = 100;
	do {
		CHECK_EQUAL(vipvs_dump_services(v, s, 7, &c), 0, "chunk");
		for (uint32_t i = 0; i < c.count; i++)
			CHECK_EQUAL(s[i].key.addr[0], total + i, "in order");
		total += c.count;
	} while (c.more && ++calls < 100);
	CHECK_EQUAL(total, 100, "services");
	CHECK_EQUAL(c.error, 0, "complete");
	CHECK_EQUAL(-vipvs_dump_services(v, s, 0, &c), EINVAL, "no room");
	CHECK_EQUAL(kernel.sockets, 2, "on one socket");
	vipvs_close(v);
}

/* A dump that fails after some records, and the next one on a fresh socket. */
static void ends_incomplete(const char *what, int error, uint32_t truncate, uint32_t want)
{
	struct vipvs *v = fresh();
	struct vipvs_service s[200];
	struct vipvs_chunk c;

	kernel.dump_records = 100;
	kernel.dump_cut = 50;
	kernel.dump_error = error;
	kernel.dump_truncate = truncate;
	kernel.dump_fail_nth = 1;
	CHECK_EQUAL(-vipvs_dump_services(v, s, 200, &c), want, what);
	CHECK_EQUAL(c.error, want, what);
	CHECK_EQUAL(c.more, 0, what);
	CHECK_EQUAL(c.count, 50, "what came is handed out");
	CHECK_EQUAL(kernel.sockets, 3, "the socket is replaced");
	CHECK_EQUAL(vipvs_dump_services(v, s, 200, &c), 0, "the next dump");
	CHECK_EQUAL(c.count, 100, "is complete");
	vipvs_close(v);
}

static void dumps_many_dests(void)
{
	struct vipvs *v = fresh();
	struct vipvs_key keys[30];
	struct vipvs_dest d[8];
	struct vipvs_chunk c;
	uint32_t seen[30] = {0}, calls = 0;

	for (uint32_t i = 0; i < 30; i++)
		keys[i] = (struct vipvs_key){.af = AF_INET, .protocol = 6, .port = i + 1};
	kernel.dump_records = 3;
	do {
		CHECK_EQUAL(vipvs_dump_dests(v, keys, 30, d, 8, &c), 0, "chunk");
		for (uint32_t i = 0; i < c.count; i++)
			CHECK_EQUAL(d[i].addr[0], seen[d[i].key_index]++, "in order");
	} while (c.more && ++calls < 100);
	for (uint32_t i = 0; i < 30; i++)
		CHECK_EQUAL(seen[i], 3, "destinations of a key");
	CHECK_EQUAL(c.next_key, 30, "all keys were read");
	CHECK_EQUAL(vipvs_dump_dests(v, keys, 0, d, 8, &c), 0, "no keys");
	CHECK(c.more == 0 && c.count == 0, "no answer");
	vipvs_close(v);
}

static void tells_which_keys_were_read(void)
{
	struct vipvs *v = fresh();
	struct vipvs_key keys[5];
	struct vipvs_dest d[64];
	struct vipvs_chunk c;

	for (uint32_t i = 0; i < 5; i++)
		keys[i] = (struct vipvs_key){.af = AF_INET, .protocol = 6, .port = i + 1};
	kernel.dump_records = 3;
	kernel.dump_fail_nth = 3;
	kernel.dump_cut = 1;
	kernel.dump_error = ENOBUFS;
	CHECK_EQUAL(-vipvs_dump_dests(v, keys, 5, d, 64, &c), ENOBUFS, "lost in the third key");
	CHECK_EQUAL(c.next_key, 2, "two keys are whole");
	CHECK_EQUAL(c.more, 0, "it is over");
	keys[1].port = 65616;
	CHECK_EQUAL(-vipvs_dump_dests(v, keys, 5, d, 64, &c), EINVAL, "a key without sense");
	CHECK_EQUAL(c.next_key, 1, "the one before it is whole");
	vipvs_close(v);
}

static void stops_a_dump(void)
{
	struct vipvs *v = fresh();
	struct vipvs_service s[4];
	struct vipvs_dest d[4];
	struct vipvs_key k = {.af = AF_INET, .protocol = 6, .port = 80};
	struct vipvs_chunk c;

	kernel.dump_records = 10;
	CHECK_EQUAL(vipvs_dump_services(v, s, 4, &c), 0, "first chunk");
	CHECK(c.more == 1 && c.count == 4, "there is more");
	CHECK_EQUAL(-vipvs_dump_dests(v, &k, 1, d, 4, &c), EBUSY, "one dump at a time");
	vipvs_dump_stop(v);
	CHECK_EQUAL(vipvs_dump_dests(v, &k, 1, d, 4, &c), 0, "another dump");
	CHECK_EQUAL(c.count, 4, "from its start");
	vipvs_close(v);
}

int main(void)
{
	cannot_open(ENOENT, 0, ENOENT);
	cannot_open(0, EPERM, EPERM);
	runs_in_bursts();
	refuses_without_sending();
	tells_lost_answers("no ACK", 0, true, ETIMEDOUT);
	tells_lost_answers("receive buffer overrun", ENOBUFS, false, ENOBUFS);
	survives_noise();
	reports_failed_send();
	reads_one_service();
	passes_late_answers_over();
	dumps_in_chunks();
	ends_incomplete("overrun", ENOBUFS, 0, ENOBUFS);
	ends_incomplete("timeout", EAGAIN, 0, ETIMEDOUT);
	ends_incomplete("cut datagram", 0, 51, EMSGSIZE);
	dumps_many_dests();
	tells_which_keys_were_read();
	stops_a_dump();
	return report("socket_test");
}

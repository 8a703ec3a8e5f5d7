/*
 * vips.c - a group's addresses: the agent's list read, cleared or bound by rtnetlink and announced. Runs in a process of
 * its own, so that thousands of addresses keep nobody waiting; whoever wants it to stop kills it.
 *
 * Invariant: an address is deleted only where the list names it, on that interface, and the kernel shows it there with
 * our tag. What an interrupted dump shows is there all the same; what it does not show is looked for again.
 */
#include "supervisor.h"

#include "../internal.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIST_BYTES_MAX (4u << 20)
#define LIST_LINES_MAX 65536u
#define ANSWER_MS 5000
#define BURST 64u
/*
 * 6,400 addresses a second, as the agent's announcer. In fewer calls: the kernel takes 10 ms to close a packet socket
 * (synchronize_net() in packet_release()), and no address is bound meanwhile.
 */
#define ANNOUNCED_AT_ONCE 256u
#define ANNOUNCE_PAUSE_MS 40
#define CLEAR_ROUNDS 5

struct list {
	struct binding *items;
	uint32_t count;
	uint32_t malformed, lost; /* lines; lines whose interface is missing */
	bool quiet;               /* what is wrong with it has been told */
};

struct tally {
	uint32_t done, there, failed, foreign;
	int error;     /* the first one */
	int64_t ended; /* when the last one was done */
};

struct kernel_link {
	struct vipvs_lane lane;
	uint8_t slots[VIPVS_SLOTS * VIPVS_SLOT_BYTES];
};

static struct kernel_link kernel;

/* ---- the list ---- */

static void take_line(struct list *list, const char *group, const char *line, size_t len)
{
	static char last[IF_NAMESIZE];
	static uint32_t ifindex;
	char shown[LINE_MAX_BYTES];
	struct binding *b = &list->items[list->count];
	struct vip vip;

	if (len == 0)
		return;
	if (parse_vip(line, len, &vip) < 0) {
		escape(FOR_PEOPLE, line, len, shown, sizeof shown);
		if (list->malformed++ == 0 && !list->quiet)
			say(WARN, "vips/%s: not ADDRESS/PREFIX INTERFACE: %s", group, shown);
		return;
	}
	if (strcmp(last, vip.interface) != 0) {
		memcpy(last, vip.interface, sizeof last);
		ifindex = if_nametoindex(vip.interface);
		if (ifindex == 0 && !list->quiet)
			say(WARN, "vips/%s: interface %s is missing", group, vip.interface);
	}
	if (ifindex == 0) {
		list->lost++;
		return;
	}
	memset(b, 0, sizeof *b);
	b->af = vip.af;
	b->prefix = vip.prefix;
	b->ifindex = ifindex;
	memcpy(b->addr, vip.addr, sizeof b->addr);
	list->count++;
}

/* 0, also where there is no list: then the group has no addresses. Sorted by interface. */
static int read_list(const char *dir, const char *group, bool quiet, struct list *list)
{
	char path[PATH_ROOM], *text = malloc(LIST_BYTES_MAX);
	ssize_t len;
	uint32_t lines = 0;

	*list = (struct list){.items = malloc(LIST_LINES_MAX * sizeof(struct binding)), .quiet = quiet};
	if (text == NULL || list->items == NULL)
		return -ENOMEM;
	path_in(path, dir, "vips", group);
	len = read_file(path, text, LIST_BYTES_MAX);
	for (char *at = text; len > 0 && at < text + len && lines < LIST_LINES_MAX; lines++) {
		char *newline = memchr(at, '\n', (size_t)(text + len - at));
		char *end = newline == NULL ? text + len : newline;

		take_line(list, group, at, (size_t)(end - at));
		at = end + 1;
	}
	free(text);
	if (lines == LIST_LINES_MAX)
		say(WARN, "vips/%s: only the first %u lines are read", group, LIST_LINES_MAX);
	qsort(list->items, list->count, sizeof *list->items, compare_bindings);
	return len == -ENOENT ? 0 : len < 0 ? (int)len : 0;
}

/* ---- the kernel ---- */

/* The errno of the request with this number; its own success is told only for the last one of a burst. */
static void count_answer(struct tally *t, enum duty duty, int error)
{
	bool was_so = duty == DUTY_BIND ? error == EEXIST : error == EADDRNOTAVAIL;

	if (error == 0)
		return;
	t->done--;
	if (was_so) {
		t->there++;
		return;
	}
	t->failed++;
	if (t->error == 0)
		t->error = error;
}

/* The next message of the kernel. 0 or a negative errno. */
static int next_answer(struct vipvs_cursor *c, struct vipvs_message *m)
{
	for (;;) {
		int r = vipvs_next_header(c, m);

		if (r != 0)
			return r < 0 ? r : 0;
		r = vipvs_lane_receive(&kernel.lane, 0, c);
		if (r < 0)
			return r;
	}
}

static int run_burst(enum duty duty, const struct binding *items, uint32_t count, struct tally *t)
{
	uint8_t out[BURST * ADDRESS_MESSAGE_MAX];
	uint32_t first = kernel.lane.seq;
	struct vipvs_cursor c = {NULL, 0};
	struct vipvs_message m;
	size_t len = 0;
	int r;

	for (uint32_t i = 0; i < count; i++)
		len += encode_address(duty, &items[i], kernel.lane.seq++, i + 1 == count, out + len);
	r = vipvs_lane_send(&kernel.lane, out, len);
	t->done += count;
	while (r == 0) {
		r = next_answer(&c, &m);
		if (r < 0)
			break;
		if (m.type != NLMSG_ERROR || m.seq - first >= count)
			continue;
		count_answer(t, duty, (int)m.error);
		if (m.seq - first == count - 1)
			return 0;
	}
	t->done -= count;
	t->failed += count;
	t->error = -r;
	return r;
}

/* Those of the list that the kernel shows with our tag, into found. 1: the dump was interrupted; 0; a negative errno. */
static int find_ours(const struct list *list, struct binding *found, uint32_t *count, uint32_t *foreign)
{
	uint8_t request[ADDRESS_MESSAGE_MAX];
	uint32_t seq = kernel.lane.seq++;
	struct vipvs_cursor c = {NULL, 0};
	struct vipvs_message m;
	bool interrupted = false;
	int r = vipvs_lane_send(&kernel.lane, request, encode_address_dump(seq, request));

	*count = *foreign = 0;
	while (r == 0) {
		struct address a;

		r = next_answer(&c, &m);
		if (r < 0)
			break;
		if (m.seq != seq)
			continue;
		interrupted = interrupted || (m.flags & NLM_F_DUMP_INTR) != 0;
		if (m.type == NLMSG_DONE || m.type == NLMSG_ERROR)
			return m.error != 0 ? -(int)m.error : interrupted ? 1 : 0;
		if (m.type != RTM_NEWADDR || decode_address(m.body, m.body_len, &a) < 0)
			continue;
		if (bsearch(&a.at, list->items, list->count, sizeof a.at, compare_bindings) == NULL)
			continue;
		if (a.tag != ADDRESS_TAG)
			++*foreign;
		else if (*count < list->count)
			found[(*count)++] = a.at;
	}
	return r;
}

static int clear(const struct list *list, struct tally *t)
{
	struct binding *found = malloc(list->count * sizeof *found + 1);
	uint32_t count;
	int r = found == NULL ? -ENOMEM : 1;

	for (int round = 0; round < CLEAR_ROUNDS && r == 1; round++) {
		t->failed = 0;
		r = find_ours(list, found, &count, &t->foreign);
		for (uint32_t i = 0; i < count && r >= 0; i += BURST) {
			int sent = run_burst(DUTY_CLEAR, found + i, count - i < BURST ? count - i : BURST, t);
			r = sent < 0 ? sent : r;
		}
	}
	t->ended = clock_ms();
	free(found);
	return r == 1 ? -EINTR : r;
}

/* ---- announcements ---- */

/* NAs of a router say so, else hosts take it out of their list of routers (RFC 4861 7.2.5). */
static bool is_router(uint32_t ifindex)
{
	char name[IF_NAMESIZE], path[PATH_ROOM], text[16];

	if (if_indextoname(ifindex, name) == NULL)
		return false;
	snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/forwarding", name);
	return read_file(path, text, sizeof text) > 0 && text[0] == '1';
}

/* One burst from here on, all on one interface; returns how many that were. */
static uint32_t announce_some(const struct binding *items, uint32_t count, struct tally *t)
{
	struct vipvs_announcement frames[ANNOUNCED_AT_ONCE];
	bool router = is_router(items[0].ifindex);
	uint32_t n = 0;
	int r;

	while (n < count && n < ANNOUNCED_AT_ONCE && items[n].ifindex == items[0].ifindex) {
		frames[n] = (struct vipvs_announcement){.af = items[n].af, .router = router};
		memcpy(frames[n].addr, items[n].addr, sizeof frames[n].addr);
		n++;
	}
	r = vipvs_announce(items[0].ifindex, frames, n);
	if (r < 0 && r != -EPROTONOSUPPORT) { /* no Ethernet: there is nobody to tell */
		t->failed += n;
		t->error = -r;
	}
	return n;
}

static void pause_until(int64_t when)
{
	int64_t left = when - clock_ms();
	struct timespec wait = {.tv_sec = left / 1000, .tv_nsec = (left % 1000) * 1000000};

	if (left > 0)
		nanosleep(&wait, NULL);
}

/* What is bound is announced while the rest is being bound, never faster than the pace. */
static int bind_and_announce(const struct list *list, bool binds, struct tally *bound, struct tally *told)
{
	uint32_t ready = binds ? 0 : list->count, announced = 0;
	int64_t next = 0;
	int r = 0;

	while (announced < list->count && r == 0) {
		bool may_announce = announced < ready && (ready == list->count || clock_ms() >= next);

		if (may_announce) {
			pause_until(next);
			announced += announce_some(list->items + announced, ready - announced, told);
			next = clock_ms() + ANNOUNCE_PAUSE_MS;
		} else {
			uint32_t n = list->count - ready < BURST ? list->count - ready : BURST;

			r = run_burst(DUTY_BIND, list->items + ready, n, bound);
			ready += n;
			bound->ended = clock_ms();
		}
	}
	return r;
}

/* ---- */

static void report(enum duty duty, const char *group, const struct list *list, const struct tally *t,
		   const struct tally *told, int64_t start)
{
	bool clears = duty == DUTY_CLEAR;
	long long took = t->ended == 0 ? 0 : (long long)(t->ended - start);

	if (duty != DUTY_ANNOUNCE)
		say(t->failed > 0 ? ERROR : INFO, "group %s: %s %u of %u addresses in %lld ms%s", group,
		    clears ? "cleared" : "bound", t->done, list->count, took,
		    t->there > 0 && !clears ? "; the others were there" : "");
	if (t->failed > 0)
		say(ERROR, "group %s: %u addresses could not be %s: %s", group, t->failed, clears ? "cleared" : "bound",
		    strerror(t->error));
	if (t->foreign > 0)
		say(WARN, "group %s: %u addresses of its list are there without our tag: left alone", group, t->foreign);
	if (told->failed > 0)
		say(ERROR, "group %s: %u addresses could not be announced: %s", group, told->failed,
		    strerror(told->error));
}

int run_duty(enum duty duty, const char *dir, const char *group)
{
	struct tally t = {0}, told = {0};
	int64_t start = clock_ms();
	struct list list;
	int r = read_list(dir, group, duty == DUTY_ANNOUNCE, &list);

	if (r < 0) {
		say(ERROR, "vips/%s: %s", group, r == -EFBIG ? "larger than 4 MiB" : strerror(-r));
		return 1;
	}
	vipvs_lane_init(&kernel.lane, kernel.slots);
	if (list.count > 0 && duty != DUTY_ANNOUNCE)
		r = vipvs_lane_connect(&kernel.lane, NETLINK_ROUTE, ANSWER_MS);
	if (r == 0 && list.count > 0)
		r = duty == DUTY_CLEAR ? clear(&list, &t) : bind_and_announce(&list, duty == DUTY_BIND, &t, &told);
	report(duty, group, &list, &t, &told, start);
	if (r < 0)
		say(ERROR, "group %s: the kernel: %s", group, strerror(-r));
	free(list.items);
	return r < 0 || t.failed > 0 || (duty == DUTY_BIND && list.lost > 0) ? 1 : 0;
}

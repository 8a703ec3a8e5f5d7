/*
 * agent.c - the socket on which the agent hears of transitions and is asked whether it lives. One client, of our own
 * user; a second one takes the first one's place. Its lines are read as they come or at the next ping, never waited for.
 */
#include "supervisor.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Every transition of 1,024 groups a few times over, in the kernel's count of about 1 KiB for each line. */
#define SEND_BYTES (8 << 20)

int agent_listen(struct agent *a, const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int len = snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "vipvs-vrrp/%s", name), error;

	*a = (struct agent){.listener = -1, .client = -1, .next_ping = NEVER};
	if (len < 0 || (size_t)len >= sizeof at.sun_path - 1)
		return -ENAMETOOLONG;
	snprintf(a->name, sizeof a->name, "@vipvs-vrrp/%s", name);
	a->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->listener < 0)
		return -errno;
	if (bind(a->listener, (struct sockaddr *)&at,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0 &&
	    listen(a->listener, 4) == 0)
		return 0;
	error = errno;
	close(a->listener);
	a->listener = -1;
	return -error;
}

void agent_drop(struct agent *a, const char *why)
{
	if (a->client < 0)
		return;
	say(WARN, "the agent is disconnected: %s", why);
	close(a->client);
	a->client = -1;
	a->next_ping = NEVER;
	a->away = false;
}

bool agent_accept(struct agent *a, int64_t now)
{
	int fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), bytes = SEND_BYTES;
	struct ucred peer = {.uid = UINT32_MAX};
	socklen_t len = sizeof peer;

	if (fd < 0)
		return false;
	/* the name lives in the host's network namespace, where anybody finds it */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid()) {
		if (may_say(&a->refusals))
			say(WARN, "a process of user %u may not connect to %s", peer.uid, a->name);
		close(fd);
		return false;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
	agent_drop(a, "another one takes its place");
	a->client = fd;
	a->heard = a->next_ping = now;
	a->ping = a->pong = 0;
	a->used = 0;
	a->away = a->discarding = false;
	say(INFO, "an agent has connected, process %d", (int)peer.pid);
	return true;
}

void agent_send(struct agent *a, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list arguments;
	int len;

	if (a->client < 0)
		return;
	va_start(arguments, format);
	len = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	/* half a line would be another line */
	if (send(a->client, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
		agent_drop(a, "it does not read");
}

void agent_tick(struct agent *a, int64_t now)
{
	if (a->client < 0 || now < a->next_ping)
		return;
	a->next_ping = now + PING_MS;
	if (!a->away && now - a->heard > a->limit_ms) {
		a->away = true;
		say(WARN, "the agent has not answered for %lld s: it counts as away", (long long)((now - a->heard) / 1000));
		agent_send(a, "away\n");
	}
	/* no second one before the answer: what it will read first when it goes on is not a heap of them */
	if (a->ping == a->pong)
		agent_send(a, "ping %u\n", ++a->ping);
}

static void malformed(struct agent *a)
{
	char shown[LINE_MAX_BYTES];

	escape(FOR_PEOPLE, a->line, a->used, shown, sizeof shown);
	if (may_say(&a->malformed))
		say(WARN, "the agent sent a line that is none: %s", shown);
}

/* A whole line in a->line: 1 where it is a reply to hand on. */
static int take_line(struct agent *a, int64_t now, struct reply *out)
{
	bool good = !a->discarding && parse_reply(a->line, a->used, out) == 0;

	if (!good && !a->discarding)
		malformed(a);
	a->used = 0;
	a->discarding = false;
	if (!good)
		return 0;
	if (out->kind == REPLY_PONG && out->number == a->ping) {
		a->pong = out->number;
		a->heard = now;
		if (a->away)
			say(INFO, "the agent answers again");
		a->away = false;
	}
	return out->kind == REPLY_DONE;
}

/* Up to the next newline at a time: a byte of a line that is too long is dropped where it comes. */
int agent_next(struct agent *a, int64_t now, struct reply *out)
{
	for (;;) {
		char piece[LINE_MAX_BYTES];
		ssize_t n = recv(a->client, piece, sizeof piece, MSG_PEEK | MSG_DONTWAIT);
		char *newline = n > 0 ? memchr(piece, '\n', (size_t)n) : NULL;
		size_t len = newline == NULL ? (size_t)(n > 0 ? n : 0) : (size_t)(newline - piece);

		if (n == 0)
			return -1;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		(void)!recv(a->client, piece, len + (newline != NULL), MSG_DONTWAIT);
		if (!a->discarding && a->used + len > sizeof a->line) {
			malformed(a);
			a->discarding = true;
		}
		if (!a->discarding) {
			memcpy(a->line + a->used, piece, len);
			a->used += len;
		}
		if (newline != NULL && take_line(a, now, out) > 0)
			return 1;
	}
}

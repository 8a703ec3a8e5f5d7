/*
 * client [-s SOURCE] count tcp|udp|sctp ADDRESS PORT N [TIMEOUT_MS]   N fresh connections: which server answered how often
 * client [-s SOURCE] stream ADDRESS PORT SECONDS EVERY_MS            one TCP connection, echoes: does it live, longest gap
 * client [-s SOURCE] probe ADDRESS PORT SECONDS EVERY_MS             UDP requests: who answers when, longest silence
 * Prints NAME=VALUE words on one line (probe: one more line per change of server).  Exit 0 all answered, 1 not.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NAME_LEN 64
#define MAX_SERVERS 64

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union address target, source;
static int has_source;

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static union address parse(const char *text, const char *port)
{
	union address a = { 0 };

	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = htons((uint16_t)atoi(port));
	} else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = htons((uint16_t)atoi(port));
	} else {
		fprintf(stderr, "client: %s is no address\n", text);
		exit(2);
	}
	return a;
}

static socklen_t length(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof a->v4 : sizeof a->v6;
}

/* A connected socket whose sends and receives give up after timeout_ms, or -1 with errno. */
static int connect_to_target(int type, int protocol, int timeout_ms)
{
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	int fd = socket(target.any.sa_family, type, protocol), failed;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if ((!has_source || !bind(fd, &source.any, length(&source))) && !connect(fd, &target.any, length(&target)))
		return fd;
	failed = errno;
	close(fd);
	errno = failed == EINPROGRESS ? ETIMEDOUT : failed;
	return -1;
}

/* Reads a server's greeting line into name; 0 when none came. */
static int read_name(int fd, char name[NAME_LEN])
{
	ssize_t got = recv(fd, name, NAME_LEN - 1, 0);

	if (got <= 0)
		return 0;
	name[got] = 0;
	name[strcspn(name, "\n")] = 0;
	return 1;
}

static int count_answers(const char *protocol, int wanted, int timeout_ms)
{
	char names[MAX_SERVERS][NAME_LEN], name[NAME_LEN];
	const char *error = "";
	int counts[MAX_SERVERS] = { 0 }, servers = 0, errors = 0;
	int udp = !strcmp(protocol, "udp");
	int number = udp ? IPPROTO_UDP : strcmp(protocol, "sctp") ? IPPROTO_TCP : IPPROTO_SCTP;

	for (int i = 0; i < wanted; i++) {
		int fd = connect_to_target(udp ? SOCK_DGRAM : SOCK_STREAM, number, timeout_ms), known = 0;

		if (fd < 0 || (udp && write(fd, "x", 1) < 0) || !read_name(fd, name)) {
			error = fd >= 0 && errno == EAGAIN ? "timeout" : strerrorname_np(errno);
			errors++;
			if (fd >= 0)
				close(fd);
			continue;
		}
		close(fd);
		while (known < servers && strcmp(names[known], name))
			known++;
		if (known == MAX_SERVERS)
			continue;
		if (known == servers)
			strcpy(names[servers++], name);
		counts[known]++;
	}
	for (int i = 0; i < servers; i++)
		printf("%s=%d ", names[i], counts[i]);
	printf("errors=%d%s%s\n", errors, errors ? " error=" : "", errors ? error : "");
	return errors > 0;
}

struct gap {
	double last_ms, longest_ms, at_ms;
};

static void note_answer(struct gap *gap, double start_ms)
{
	double t = now_ms();

	if (t - gap->last_ms > gap->longest_ms) {
		gap->longest_ms = t - gap->last_ms;
		gap->at_ms = gap->last_ms - start_ms;
	}
	gap->last_ms = t;
}

/* Waits until until_ms for input; false when there is none. */
static int readable(int fd, double until_ms)
{
	double left = until_ms - now_ms();
	struct timespec wait = { 0 };
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (left > 0)
		wait = (struct timespec){ (time_t)(left / 1e3), (long)(left * 1e6) % 1000000000 };
	return ppoll(&p, 1, &wait, NULL) > 0;
}

static int stream(double seconds, double every_ms)
{
	const int on = 1;
	char name[NAME_LEN] = "", data[256];
	const char *end = "ok";
	long sent = 0, echoed = 0;
	struct gap gap = { 0 };
	double start;
	int fd = connect_to_target(SOCK_STREAM, IPPROTO_TCP, 3000);

	if (fd < 0 || !read_name(fd, name)) {
		printf("name= end=%s sent=0 echoed=0 gap_ms=0 gap_at_ms=0\n", strerrorname_np(errno));
		return 1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	printf("name=%s\n", name);
	fflush(stdout);
	start = gap.last_ms = now_ms();
	while (now_ms() - start < seconds * 1e3) {
		double next = now_ms() + every_ms;

		if (send(fd, "x", 1, MSG_DONTWAIT) < 0 && errno != EAGAIN) {
			end = strerrorname_np(errno);
			break;
		}
		sent++;
		while (readable(fd, next)) {
			ssize_t got = recv(fd, data, sizeof data, 0);

			if (got <= 0) {
				end = got ? strerrorname_np(errno) : "EOF";
				goto out;
			}
			echoed += got;
			note_answer(&gap, start);
		}
	}
	if (!strcmp(end, "ok") && now_ms() - gap.last_ms > 1000)
		end = "stalled";
out:
	printf("name=%s end=%s sent=%ld echoed=%ld gap_ms=%.0f gap_at_ms=%.0f\n", name, end, sent, echoed, gap.longest_ms, gap.at_ms);
	return strcmp(end, "ok") != 0;
}

static int probe(double seconds, double every_ms)
{
	char current[NAME_LEN] = "", name[NAME_LEN];
	long sent = 0, answered = 0;
	double start = now_ms();
	struct gap gap = { .last_ms = start };
	int fd = connect_to_target(SOCK_DGRAM, IPPROTO_UDP, 1000);

	if (fd < 0) {
		printf("sent=0 answered=0 gap_ms=0 gap_at_ms=0\n");
		return 1;
	}
	while (now_ms() - start < seconds * 1e3) {
		double next = now_ms() + every_ms;

		send(fd, "x", 1, MSG_DONTWAIT); /* refused or unreachable: silence, which is what is measured */
		sent++;
		while (readable(fd, next)) {
			double silent_ms = now_ms() - gap.last_ms;

			if (!read_name(fd, name))
				continue;
			answered++;
			note_answer(&gap, start);
			if (strcmp(current, name)) {
				printf("from=%s to=%s silent_ms=%.0f\n", current, name, silent_ms);
				fflush(stdout);
				strcpy(current, name);
			}
		}
	}
	printf("sent=%ld answered=%ld gap_ms=%.0f gap_at_ms=%.0f\n", sent, answered, gap.longest_ms, gap.at_ms);
	return answered == 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc > 2 && !strcmp(argv[1], "-s")) {
		source = parse(argv[2], "0");
		has_source = 1;
		argv += 2;
		argc -= 2;
	}
	if (argc >= 6 && !strcmp(argv[1], "count")) {
		target = parse(argv[3], argv[4]);
		return count_answers(argv[2], atoi(argv[5]), argc > 6 ? atoi(argv[6]) : 1000);
	}
	if (argc == 6 && (!strcmp(argv[1], "stream") || !strcmp(argv[1], "probe"))) {
		target = parse(argv[2], argv[3]);
		return (*argv[1] == 's' ? stream : probe)(atof(argv[4]), atof(argv[5]));
	}
	fprintf(stderr, "usage: client [-s SOURCE] count tcp|udp|sctp ADDRESS PORT N [TIMEOUT_MS]\n"
			"       client [-s SOURCE] stream|probe ADDRESS PORT SECONDS EVERY_MS\n");
	return 2;
}

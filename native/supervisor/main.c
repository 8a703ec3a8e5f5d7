/*
 * main.c - vipvs-keepalived: the process that keepalived lives under, in a container of its own. Flags, signals, the
 * name that only one has, and the loop. It never asks the API server.
 */
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAKEN_RETRY_MS 1000

/* A live supervisor on this host holds the name, and its keepalived the router ids. False: told to end meanwhile. */
static bool wait_for_socket(struct supervisor *s, int64_t limit_ms)
{
	bool told = false;

	for (;;) {
		struct pollfd signals = {.fd = s->signals, .events = POLLIN};
		int r = agent_listen(&s->agent, s->name);

		s->agent.limit_ms = limit_ms;
		if (r == 0)
			return true;
		if (!told)
			say(WARN, "@vipvs-vrrp/%s: %s; tried again every second", s->name,
			    r == -EADDRINUSE ? "another process has it" : strerror(-r));
		told = true;
		if (poll(&signals, 1, TAKEN_RETRY_MS) > 0)
			return false;
	}
}

static int usage(const char *what)
{
	fprintf(stderr,
		"vipvs-keepalived: %s\n"
		"usage: vipvs-keepalived [--dir DIR] [--keepalived PATH] [--agent-limit SECONDS] [--name NAME]\n"
		"  --dir DIR              what it shares with the agent (/run/vipvs/vrrp)\n"
		"  --keepalived PATH      the program (/usr/sbin/keepalived)\n"
		"  --agent-limit SECONDS  how long an agent may be silent before the groups' priorities are lowered, 1 to 3600 (30)\n"
		"  --name NAME            of the abstract socket @vipvs-vrrp/NAME (default)\n",
		what);
	return 2;
}

/* NULL, or what is wrong. */
static const char *read_flags(struct supervisor *s, int argc, char **argv, const char **keepalived, int64_t *limit_ms)
{
	char *end = NULL;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return "a flag without its value, or no flag at all";
		if (strcmp(argv[i], "--dir") == 0)
			s->dir = argv[i + 1];
		else if (strcmp(argv[i], "--keepalived") == 0)
			*keepalived = argv[i + 1];
		else if (strcmp(argv[i], "--name") == 0)
			s->name = argv[i + 1];
		else if (strcmp(argv[i], "--agent-limit") == 0)
			*limit_ms = strtol(argv[i + 1], &end, 10) * 1000;
		else
			return "unknown flag";
	}
	if (end != NULL && (*end != '\0' || *limit_ms < 1000 || *limit_ms > 3600000))
		return "--agent-limit: seconds, 1 to 3600";
	if (!is_group_name(s->name, strlen(s->name)))
		return "--name: up to 63 letters, digits and -_.:@+=";
	if (s->dir[0] != '/' || strlen(s->dir) > DIR_NAME_MAX)
		return "--dir: an absolute path of up to 200 characters";
	return NULL;
}

static int open_signals(void)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	return signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	static struct supervisor supervisor;
	struct supervisor *s = &supervisor;
	const char *keepalived = "/usr/sbin/keepalived", *wrong;
	int64_t limit_ms = 30000;

	*s = (struct supervisor){.dir = "/run/vipvs/vrrp", .name = "default", .fifo = -1};
	wrong = read_flags(s, argc, argv, &keepalived, &limit_ms);
	if (wrong != NULL)
		return usage(wrong);
	umask(022);
	s->signals = open_signals();
	s->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (s->signals < 0 || s->changes < 0) {
		say(ERROR, "the kernel refuses what is needed: %s", strerror(errno));
		return 1;
	}
	/* keepalived's second process becomes ours when its first one dies, also where we are not process 1 */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	keepalived_init(&s->keepalived, keepalived, s->dir);
	if (!wait_for_socket(s, limit_ms))
		return 0;
	s->began = s->alone_since = clock_ms();
	s->groups.answering = true;
	prepare(s, s->began);
	restore_groups(s);
	say(INFO, "vipvs-keepalived %s, directory %s, socket %s", VIPVS_VERSION, s->dir, s->agent.name);
	while (!may_end(s, clock_ms()))
		turn(s);
	say(INFO, "ended");
	return 0;
}

/*
 * loop.c - one wait, and all that has come: signals, the FIFO, the agent, the directory and the clock. What is decided
 * stands in groups.c.
 */
#include "supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENT_STAYS_MS 10000
/* with the grace period of a Pod, 30 s, in mind */
#define LAST_DUTIES_MS 15000
#define WORKER_SECONDS 120
/* inotify tells of what changes; this is for where it does not, and for a directory that was removed */
#define PREPARE_EVERY_MS 10000

/* ---- workers ---- */

static void begin_duty(struct supervisor *s, struct group *group, enum duty duty, int64_t now)
{
	pid_t pid = fork();

	if (pid == 0) {
		child_begins();
		/* the socket is our sign of life: nobody else may hold it open */
		close_range(STDERR_FILENO + 1, ~0u, 0);
		alarm(WORKER_SECONDS);
		_exit(run_duty(duty, s->dir, group->name));
	}
	if (pid < 0) {
		say(ERROR, "fork: %s", strerror(errno));
		(void)group_ended(group, false, now);
		return;
	}
	group->worker = pid;
}

static void step_groups(struct supervisor *s, int64_t now)
{
	for (uint32_t i = 0; i < s->groups.count; i++) {
		struct group *group = &s->groups.list[i];
		enum duty duty = group_begin(&s->groups, group, now);

		if (duty != DUTY_NONE)
			begin_duty(s, group, duty, now);
		else if (group->worker > 0 && group_is_overtaken(group))
			kill(group->worker, SIGKILL);
		if (group_is_over(group)) {
			char path[PATH_ROOM];

			path_in(path, s->dir, "state", group->name);
			unlink(path);
			groups_remove(&s->groups, group);
			i--;
		}
	}
}

static void worker_reaped(struct supervisor *s, pid_t pid, int status, int64_t now)
{
	for (uint32_t i = 0; i < s->groups.count; i++) {
		struct group *group = &s->groups.list[i];

		if (group->worker == pid && group_ended(group, WIFEXITED(status) && WEXITSTATUS(status) == 0, now))
			tell_standing(s, group);
	}
}

static void reap(struct supervisor *s, int64_t now)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!keepalived_reaped(&s->keepalived, pid, status, now))
			worker_reaped(s, pid, status, now);
	if (!keepalived_is_gone(&s->keepalived, now))
		return;
	read_fifo(s, now); /* its last words come before its death */
	groups_keepalived_died(&s->groups);
	for (uint32_t i = 0; i < s->groups.count; i++)
		tell_standing(s, &s->groups.list[i]);
}

/* ---- the agent ---- */

static int64_t lower_at(struct supervisor *s)
{
	if (s->lowered || s->stopping)
		return NEVER;
	if (s->agent.client >= 0)
		return s->agent.away ? 0 : NEVER;
	return s->alone_since + s->agent.limit_ms;
}

static void step_agent(struct supervisor *s, int64_t now)
{
	/* an agent has its time to find us when we have just begun */
	bool is_early = now < s->began + AGENT_ACTS_MS;
	bool connected;

	agent_tick(&s->agent, now);
	connected = s->agent.client >= 0;
	if (connected && !s->agent.away)
		s->lowered = false;
	if (connected)
		s->alone_since = now;
	groups_agent(&s->groups, connected ? !s->agent.away : is_early, now);
	if (now >= lower_at(s)) {
		s->lowered = true;
		lower_priorities(s);
	}
}

static void read_agent(struct supervisor *s, int64_t now)
{
	struct reply reply;
	int r = 0;

	/* bounded: an agent that never stops talking gets its turn like all others */
	for (int i = 0; i < 4096 && s->agent.client >= 0 && (r = agent_next(&s->agent, now, &reply)) > 0; i++) {
		struct group *group = groups_find(&s->groups, reply.group);

		if (group != NULL && group_done(group, reply.state))
			write_standing(s, group);
	}
	if (r < 0)
		agent_drop(&s->agent, "it has closed the connection");
}

/* ---- the loop ---- */

void prepare(struct supervisor *s, int64_t now)
{
	int r = prepare_dir(s->dir, &s->fifo);

	s->next_prepare = now + PREPARE_EVERY_MS;
	keepalived_look(&s->keepalived);
	if (r == 0 && inotify_add_watch(s->changes, s->dir, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) < 0)
		r = -errno;
	if (r < 0 && may_say(&s->trouble))
		say(ERROR, "%s: %s", s->dir, strerror(-r));
}

static void read_changes(struct supervisor *s)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

	while (read(s->changes, events, sizeof events) > 0)
		keepalived_look(&s->keepalived);
}

static void read_signals(struct supervisor *s, int64_t now)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGCHLD || s->stopping)
			continue;
		say(INFO, "told to end");
		s->stopping = true;
		s->stop_at = now;
		keepalived_stop(&s->keepalived, now);
	}
}

bool may_end(struct supervisor *s, int64_t now)
{
	if (!s->stopping || s->keepalived.pid != 0 || s->keepalived.group != 0)
		return false;
	if (!s->groups.stopping)
		groups_stop(&s->groups, now);
	if (now >= s->stop_at + AGENT_STAYS_MS + LAST_DUTIES_MS)
		return true;
	if (s->agent.client >= 0 && !s->agent.away && now < s->stop_at + AGENT_STAYS_MS)
		return false;
	return !groups_are_busy(&s->groups);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_time(struct supervisor *s, int64_t now)
{
	int64_t next = earlier(keepalived_next(&s->keepalived), groups_next_due(&s->groups));

	next = earlier(next, earlier(s->next_prepare, lower_at(s)));
	next = earlier(next, s->agent.next_ping);
	if (now < s->began + AGENT_ACTS_MS)
		next = earlier(next, s->began + AGENT_ACTS_MS);
	if (s->stopping)
		next = earlier(next, now < s->stop_at + AGENT_STAYS_MS ? s->stop_at + AGENT_STAYS_MS
									  : now + 1000);
	return next;
}

/* One wait, and all that has come. */
void turn(struct supervisor *s)
{
	/* nothing is expected from an agent that owes nothing but a pong: it is read at the next ping; POLLHUP comes anyway */
	short agent_events = groups_are_busy(&s->groups) ? POLLIN : 0;
	struct pollfd fds[] = {
		{.fd = s->signals, .events = POLLIN},        {.fd = s->changes, .events = POLLIN},
		{.fd = s->fifo, .events = POLLIN},           {.fd = s->agent.listener, .events = POLLIN},
		{.fd = s->agent.client, .events = agent_events}, {.fd = s->keepalived.probe.output, .events = POLLIN},
	};
	int64_t now = clock_ms(), wait = next_time(s, now) - now;

	(void)poll(fds, sizeof fds / sizeof fds[0], wait < 0 ? 0 : (int)wait);
	now = clock_ms();
	if (fds[5].revents != 0)
		keepalived_read_probe(&s->keepalived);
	if (fds[1].revents != 0)
		read_changes(s);
	if (fds[2].revents != 0)
		read_fifo(s, now);
	if (fds[3].revents != 0 && agent_accept(&s->agent, now))
		greet(s);
	else if (s->agent.client >= 0 && (fds[4].revents != 0 || now >= s->agent.next_ping))
		read_agent(s, now);
	if (fds[0].revents != 0)
		read_signals(s, now);
	reap(s, now);
	step_agent(s, now);
	if (now >= s->next_prepare)
		prepare(s, now);
	keepalived_step(&s->keepalived, now);
	step_groups(s, now);
}

/*
 * keepalived.c - keepalived's life: started when a configuration has passed, reloaded, ended, and started again with
 * backoff when all of its processes are gone.
 */
#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* keepalived ignores SIGHUP while it starts, and reloads take seconds: later ones are put together */
#define RELOAD_EVERY_MS 2000
/* it takes one second to say goodbye on the network */
#define STOP_MS 5000
/* its other process says goodbye when the first one is killed */
#define ORPHAN_MS 3000
#define LIVED_WELL_MS 10000

void keepalived_init(struct keepalived *k, const char *program, const char *dir)
{
	*k = (struct keepalived){.program = program, .dir = dir, .version = "-", .kill_at = NEVER};
	k->probe.output = -1;
}

static void life_problem(struct keepalived *k, const char *what)
{
	snprintf(k->life_problem, sizeof k->life_problem, "%s", what);
	tell_problem(k);
}

void child_begins(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpgid(0, 0); /* our parent does it, too: whoever comes first */
}

pid_t keepalived_run(const struct keepalived *k, int output, char *const arguments[])
{
	static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	pid_t pid = fork();

	if (pid < 0) {
		say(ERROR, "fork: %s", strerror(errno));
		return 0;
	}
	if (pid > 0) {
		(void)setpgid(pid, pid);
		return pid;
	}
	child_begins();
	if (output >= 0) {
		dup2(output, STDOUT_FILENO);
		dup2(output, STDERR_FILENO);
	}
	execve(k->program, arguments, environment);
	dprintf(STDERR_FILENO, "%s: %s\n", k->program, strerror(errno));
	_exit(CANNOT_RUN);
}

/* ---- life ---- */

static void start(struct keepalived *k, int64_t now)
{
	char config[PATH_ROOM], pid[PATH_ROOM], vrrp_pid[PATH_ROOM];
	char *const arguments[] = {"keepalived", "-n", "-l", "-G", "-P", "-R", "-f", config,
				   "-p",         pid,  "-r", vrrp_pid, NULL};

	path_in(config, k->dir, "", "active.conf");
	path_in(pid, k->dir, "", "keepalived.pid");
	path_in(vrrp_pid, k->dir, "", "vrrp.pid");
	/* in a new PID namespace their numbers are somebody else's, and keepalived takes that for itself */
	unlink(pid);
	unlink(vrrp_pid);
	k->pid = keepalived_run(k, -1, arguments);
	k->group = k->pid;
	k->started = k->reloaded = now;
	k->wants_reload = false;
	if (k->pid == 0)
		k->next_start = now + backoff_ms(++k->failures);
	else
		say(INFO, "keepalived %s started as process %d", k->version, (int)k->pid);
}

static bool has_processes(const struct keepalived *k)
{
	return k->group != 0 && (kill(-k->group, 0) == 0 || errno != ESRCH);
}

static void ended(struct keepalived *k, int status, int64_t now)
{
	char what[160];

	k->pid = 0;
	k->kill_at = now + ORPHAN_MS;
	if (k->stopping)
		return;
	k->failures = now - k->started >= LIVED_WELL_MS ? 0 : k->failures + 1;
	/* the first one is at once */
	k->next_start = now + (k->failures < 2 ? 0 : backoff_ms(k->failures - 1));
	if (WIFSIGNALED(status))
		snprintf(what, sizeof what, "keepalived was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) == CANNOT_RUN)
		snprintf(what, sizeof what, "%.100s can't be run", k->program);
	else
		snprintf(what, sizeof what, "keepalived ended with exit code %d", WEXITSTATUS(status));
	say(ERROR, "%s; started again in %lld ms", what, (long long)(k->next_start - now));
	if (k->failures >= 2) {
		snprintf(what + strlen(what), sizeof what - strlen(what), ", %u times in a row\n", k->failures);
		life_problem(k, what);
	}
}

bool keepalived_reaped(struct keepalived *k, pid_t pid, int status, int64_t now)
{
	if (k->probe.kind != PROBE_NONE && pid == k->probe.pid) {
		probe_ended(k, status);
		return true;
	}
	if (k->pid == 0 || pid != k->pid)
		return false;
	ended(k, status, now);
	return true;
}

bool keepalived_is_gone(struct keepalived *k, int64_t now)
{
	if (k->pid != 0 || k->group == 0)
		return false;
	if (has_processes(k)) {
		if (now >= k->kill_at) {
			kill(-k->group, SIGKILL);
			k->kill_at = now + ORPHAN_MS;
		}
		return false;
	}
	k->group = 0;
	k->kill_at = NEVER;
	return true;
}

void keepalived_stop(struct keepalived *k, int64_t now)
{
	k->stopping = true;
	config_stop(k);
	if (k->pid != 0) {
		kill(k->pid, SIGTERM);
		k->kill_at = now + STOP_MS;
	}
}

/* ---- time ---- */

static bool may_start(const struct keepalived *k)
{
	return k->has_config && !k->stopping && k->group == 0;
}

static bool may_reload(const struct keepalived *k)
{
	return k->wants_reload && !k->stopping && k->pid != 0;
}

void keepalived_step(struct keepalived *k, int64_t now)
{
	config_step(k, now);
	if (may_start(k) && now >= k->next_start)
		start(k, now);
	if (may_reload(k) && now >= k->reloaded + RELOAD_EVERY_MS) {
		k->wants_reload = false;
		k->reloaded = now;
		kill(k->pid, SIGHUP);
		say(INFO, "keepalived reads its new configuration");
	}
	if (k->pid != 0 && now >= k->kill_at) {
		kill(-k->group, SIGKILL);
		k->kill_at = NEVER;
	}
	if (k->life_problem[0] != '\0' && k->pid != 0 && now >= k->started + LIVED_WELL_MS) {
		k->failures = 0;
		life_problem(k, "");
	}
}

int64_t keepalived_next(const struct keepalived *k)
{
	int64_t next = k->kill_at;
	int64_t life = may_start(k)                                       ? k->next_start
		       : may_reload(k)                                    ? k->reloaded + RELOAD_EVERY_MS
		       : k->pid != 0 && k->life_problem[0] != '\0' ? k->started + LIVED_WELL_MS
									  : NEVER;

	if (config_next(k) < next)
		next = config_next(k);
	return life < next ? life : next;
}

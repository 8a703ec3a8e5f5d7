/*
 * say.c - the log: JSON lines on stderr with the fields of the agent's. A line is written whole or dropped; whoever
 * does not read stderr never makes the supervisor wait.
 */
#include "supervisor.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A pipe that polls as writable takes PIPE_BUF bytes. */
#define LOG_LINE_MAX 4096
#define MESSAGE_MAX 1200

int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void say(enum level level, const char *format, ...)
{
	char message[MESSAGE_MAX], escaped[3000], host[HOST_NAME_MAX + 1], when[32], line[LOG_LINE_MAX];
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	struct timespec now;
	struct tm parts;
	va_list arguments;
	int n;

	va_start(arguments, format);
	vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	escape(FOR_JSON, message, strlen(message), escaped, sizeof escaped);
	if (gethostname(host, sizeof host) < 0)
		host[0] = '\0';
	host[HOST_NAME_MAX] = '\0';
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &parts);
	n = snprintf(line, sizeof line,
		     "{\"name\":\"vipvs-keepalived\",\"hostname\":\"%s\",\"pid\":%d,\"level\":%d,\"msg\":\"%s\","
		     "\"time\":\"%s.%03dZ\",\"v\":0}\n",
		     host, (int)getpid(), (int)level, escaped, when, (int)(now.tv_nsec / 1000000));
	if (n > 0 && n < LOG_LINE_MAX && poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0)
		(void)!write(STDERR_FILENO, line, (size_t)n);
}

#define LINES_A_MINUTE 10u

bool may_say(struct allowance *a)
{
	int64_t now = clock_ms();

	if (a->used == 0 || now - a->since >= 60000) {
		a->since = now;
		a->used = 0;
	}
	a->used++;
	if (a->used == LINES_A_MINUTE + 1)
		say(WARN, "there is more of this kind; it is not told before the minute is over");
	if (a->used > LINES_A_MINUTE + 1)
		a->used = LINES_A_MINUTE + 1;
	return a->used <= LINES_A_MINUTE;
}

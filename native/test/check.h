/* check.h - the tests' few tools: a counter of failures, and the annotated hex files in test/vectors. */
#ifndef CHECK_H
#define CHECK_H

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks, failures;

#define CHECK(condition, ...)                                              \
	do {                                                               \
		checks++;                                                  \
		if (!(condition)) {                                        \
			failures++;                                        \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			fprintf(stderr, __VA_ARGS__);                      \
			fputc('\n', stderr);                               \
		}                                                          \
	} while (0)

#define CHECK_EQUAL(got, want, what)                                       \
	CHECK((unsigned long long)(got) == (unsigned long long)(want), "%s: got %llu, want %llu", what, \
	      (unsigned long long)(got), (unsigned long long)(want))

/* Pairs of hex digits up to a '#', line by line. Returns the number of bytes; ends the program where it can't. */
static inline size_t read_vector(const char *name, uint8_t *out, size_t room)
{
	char path[256], line[512];
	size_t len = 0;
	FILE *file;

	snprintf(path, sizeof path, "test/vectors/%s.hex", name);
	file = fopen(path, "r");
	if (file == NULL) {
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof line, file) != NULL) {
		for (const char *at = line; *at != '\0' && *at != '#'; at++) {
			unsigned value;
			if (isspace((unsigned char)*at))
				continue;
			if (sscanf(at, "%2x", &value) != 1 || len == room) {
				fprintf(stderr, "%s: not hex, or longer than %zu\n", path, room);
				exit(2);
			}
			out[len++] = (uint8_t)value;
			at++;
		}
	}
	fclose(file);
	return len;
}

static inline int report(const char *name)
{
	printf("%s: %d checks, %d failed\n", name, checks, failures);
	return failures == 0 ? 0 : 1;
}

#endif

/* files.c - small files in the shared directory: read up to a bound, written whole by rename, and the FIFO. */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void path_in(char out[PATH_ROOM], const char *dir, const char *folder, const char *name)
{
	snprintf(out, PATH_ROOM, "%s%s%s/%s", dir, folder[0] == '\0' ? "" : "/", folder, name);
}

ssize_t read_file(const char *path, char *out, size_t room)
{
	/* not for ever on a FIFO that somebody has put there */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t used = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0 && used < room) {
		n = read(fd, out + used, room - used);
		if (n > 0)
			used += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	n = n < 0 ? -errno : used == room ? -EFBIG : (ssize_t)used;
	close(fd);
	return n;
}

int write_file(const char *path, const char *data, size_t len)
{
	char fresh[PATH_ROOM + 8];
	size_t at = 0;
	int fd, error = 0;

	snprintf(fresh, sizeof fresh, "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	while (at < len && error == 0) {
		ssize_t n = write(fd, data + at, len - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			error = n == 0 ? EIO : errno;
	}
	close(fd);
	if (error == 0 && rename(fresh, path) < 0)
		error = errno;
	if (error != 0)
		unlink(fresh);
	return -error;
}

static int make_folder(const char *path)
{
	return mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* The folders above the directory, too. */
static int make_path(const char *dir)
{
	char path[PATH_ROOM];
	size_t len = strlen(dir);

	for (size_t i = 1; i <= len; i++) {
		if (dir[i] != '/' && dir[i] != '\0')
			continue;
		memcpy(path, dir, i);
		path[i] = '\0';
		int r = make_folder(path);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_open_as(int fd, const struct stat *file)
{
	struct stat ours;

	return fd >= 0 && fstat(fd, &ours) == 0 && ours.st_dev == file->st_dev && ours.st_ino == file->st_ino;
}

/* Opened for both, so that it never ends: keepalived closes and opens it at each reload. */
static int open_fifo(const char *path, int *fifo)
{
	struct stat file;

	if (lstat(path, &file) == 0 && !S_ISFIFO(file.st_mode) && unlink(path) < 0)
		return -errno;
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &file) < 0)
		return -errno;
	if (is_open_as(*fifo, &file))
		return 0;
	if (*fifo >= 0)
		close(*fifo);
	*fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	return *fifo < 0 ? -errno : 0;
}

int prepare_dir(const char *dir, int *fifo)
{
	static const char *const folders[] = {"state", "priority", "vips"};
	char path[PATH_ROOM];
	int r = make_path(dir);

	for (size_t i = 0; i < sizeof folders / sizeof folders[0] && r == 0; i++) {
		path_in(path, dir, "", folders[i]);
		r = make_folder(path);
	}
	path_in(path, dir, "", "notify.fifo");
	return r < 0 ? r : open_fifo(path, fifo);
}

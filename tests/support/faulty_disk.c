/* A disk that fails and loses power, for a program that this library is preloaded into.
 *
 * DISK_DIR    regular files in this folder are on that disk; everything else is left alone, folders in it too (they are
 *             where the two below have to be, for a program that may write nowhere else)
 * DISK_FAULT  a file with "CALL ERROR" (`write ENOSPC`, `fdatasync EIO`), read at each call: while it is
 *             there, that call fails. A write that finds no room takes half of the bytes first, as disks do
 * DISK_IMAGE  a folder for what would survive a power cut: the bytes of a file as they were when fdatasync or fsync
 *             returned, under its inode's number, and `names`, the folder as it was when fsync of it returned
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kPath = 4096 };

static int is_on_disk(int fd) {
  const char* dir = getenv("DISK_DIR");
  char link[64], target[kPath];
  if (dir == NULL) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, target, sizeof target - 1);
  if (size < 0) return 0;
  target[size] = '\0';
  const size_t length = strlen(dir);
  if (strncmp(target, dir, length) != 0) return 0;
  return target[length] == '\0' || (target[length] == '/' && strchr(target + length + 1, '/') == NULL);
}

static int error_number(const char* word) {
  if (strcmp(word, "ENOSPC") == 0) return ENOSPC;
  return EIO;
}

/* The error that this call shall have now; 0: none. */
static int fault_of(const char* call) {
  const char* path = getenv("DISK_FAULT");
  char text[64] = "", wanted[32] = "", word[32] = "";
  if (path == NULL) return 0;
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const long size = syscall(SYS_read, fd, text, sizeof text - 1);
  syscall(SYS_close, fd);
  if (size <= 0 || sscanf(text, "%31s %31s", wanted, word) != 2 || strcmp(wanted, call) != 0) return 0;
  return error_number(word);
}

static int image_file(const struct stat* status) {
  char path[kPath];
  snprintf(path, sizeof path, "%s/%lu", getenv("DISK_IMAGE"), (unsigned long)status->st_ino);
  return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* Files here only grow, so what the image has of them stays right. */
static void keep_bytes(int fd, const struct stat* status) {
  static char block[1 << 16];
  struct stat have;
  const int image = image_file(status);
  if (image < 0 || fstat(image, &have) != 0) abort();
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  const int from = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  off_t at = have.st_size;
  for (;;) {
    const ssize_t count = pread(from, block, sizeof block, at);
    if (count <= 0) break;
    if (pwrite(image, block, (size_t)count, at) != count) abort();
    at += count;
  }
  syscall(SYS_close, from);
  syscall(SYS_close, image);
}

static void keep_names(void) {
  char path[kPath], work[kPath];
  snprintf(path, sizeof path, "%s/names", getenv("DISK_IMAGE"));
  snprintf(work, sizeof work, "%s/names.new", getenv("DISK_IMAGE"));
  DIR* dir = opendir(getenv("DISK_DIR"));
  FILE* out = fopen(work, "w");
  if (dir == NULL || out == NULL) abort();
  for (struct dirent* entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
    if (entry->d_type == DT_REG) fprintf(out, "%s %lu\n", entry->d_name, (unsigned long)entry->d_ino);
  }
  fclose(out);
  closedir(dir);
  rename(work, path);
}

static void keep(int fd) {
  /* The log's writer and its packer sync at the same time; the image is one. */
  static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
  struct stat status;
  if (getenv("DISK_IMAGE") == NULL || !is_on_disk(fd) || fstat(fd, &status) != 0) return;
  pthread_mutex_lock(&one_at_a_time);
  if (S_ISREG(status.st_mode)) keep_bytes(fd, &status);
  if (S_ISDIR(status.st_mode)) keep_names();
  pthread_mutex_unlock(&one_at_a_time);
}

static int fail(int error) {
  errno = error;
  return -1;
}

ssize_t write(int fd, const void* bytes, size_t size) {
  struct stat status;
  if (getenv("DISK_FAULT") != NULL && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && is_on_disk(fd)) {
    const int error = fault_of("write");
    if (error != 0 && (error != ENOSPC || size < 2)) return fail(error);
    if (error != 0) size /= 2;
  }
  return syscall(SYS_write, fd, bytes, size);
}

int fdatasync(int fd) {
  const int error = is_on_disk(fd) ? fault_of("fdatasync") : 0;
  if (error != 0) return fail(error);
  keep(fd);
  return 0;
}

int fsync(int fd) {
  if (!is_on_disk(fd)) return (int)syscall(SYS_fsync, fd);
  keep(fd);
  return 0;
}

static int fallocate_now(int fd, int mode, off_t offset, off_t size) {
  const int error = is_on_disk(fd) ? fault_of("write") : 0;
  if (error != 0) return fail(error);
  return (int)syscall(SYS_fallocate, fd, mode, offset, size);
}
int fallocate(int fd, int mode, off_t offset, off_t size) { return fallocate_now(fd, mode, offset, size); }
int fallocate64(int fd, int mode, off_t offset, off_t size) { return fallocate_now(fd, mode, offset, size); }

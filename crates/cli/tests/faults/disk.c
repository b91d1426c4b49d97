/*
 * A disk that fails, for one process (LD_PRELOAD): writes that fail, are short or find no room, and
 * syncs that fail. Only files whose name has ".db" in it are concerned, and their journals.
 *
 * TWINSTORE_DISK_FAULTS="SEED WRITE SHORT FULL SYNC FILE": four chances of 10,000, from when that file is there.
 * Each fault adds a byte to it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t dice;
static unsigned chance[4];
static char from[1024];
static int ready;

static void begin(void) {
  const char *text = getenv("TWINSTORE_DISK_FAULTS");
  unsigned long long seed = 0;
  if (text && sscanf(text, "%llu %u %u %u %u %1000s", &seed, &chance[0], &chance[1], &chance[2], &chance[3], from) != 6) abort();
  dice = seed;
  ready = 1;
}

/* Whether the file behind a descriptor is one of the store's. */
static int concerned(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strstr(path, ".db") != NULL;
}

/* Which of the faults from `first` to `last` comes now; -1: none. */
static int fault(int fd, int first, int last) {
  int came = -1;
  int kept = errno;
  pthread_mutex_lock(&lock);
  if (!ready) begin();
  int any = 0;
  for (int i = first; i <= last; i++) any |= chance[i] > 0;
  if (any && access(from, F_OK) == 0 && concerned(fd))
    for (int i = first; i <= last && came < 0; i++) {
      uint64_t mixed = (dice += 0x9e3779b97f4a7c15u);
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
      if ((mixed ^ (mixed >> 31)) % 10000 < chance[i]) came = i;
    }
  if (came >= 0) {
    int log = open(from, O_WRONLY | O_APPEND);
    if (log < 0 || write(log, "!", 1) != 1) abort();
    close(log);
  }
  pthread_mutex_unlock(&lock);
  errno = kept;
  return came;
}

typedef ssize_t (*pwrite_of)(int, const void *, size_t, off_t);
typedef int (*sync_of)(int);

static ssize_t written(pwrite_of real, int fd, const void *bytes, size_t count, off_t at) {
  switch (fault(fd, 0, 2)) {
    case 0: errno = EIO; return -1;
    /* Half of it is on the disk, and the rest does not get there. */
    case 1: if (count > 1) real(fd, bytes, count / 2, at); errno = EIO; return -1;
    case 2: errno = ENOSPC; return -1;
    default: return real(fd, bytes, count, at);
  }
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  return written((pwrite_of)dlsym(RTLD_NEXT, "pwrite"), fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) {
  return written((pwrite_of)dlsym(RTLD_NEXT, "pwrite64"), fd, bytes, count, at);
}

static int synced(const char *name, int fd) {
  if (fault(fd, 3, 3) == 3) {
    errno = EIO;
    return -1;
  }
  return ((sync_of)dlsym(RTLD_NEXT, name))(fd);
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

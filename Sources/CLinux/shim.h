// Linux calls that Swift's Glibc module does not declare: declarations, and short wrappers of variadic calls.
// _GNU_SOURCE stays undefined, because some types would then differ from those of the Glibc module.
#ifndef P2PNODE_CLINUX_SHIM_H
#define P2PNODE_CLINUX_SHIM_H
#include <linux/openat2.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

extern int accept4(int, struct sockaddr *, socklen_t *, int);
extern int fallocate(int, int, off_t, off_t);
extern ssize_t copy_file_range(int, off_t *, int, off_t *, size_t, unsigned int);
extern int renameat2(int, const char *, int, const char *, unsigned int);
extern int sync_file_range(int, int64_t, int64_t, unsigned int);
extern int syncfs(int);
extern long syscall(long, ...);
extern int pthread_setname_np(pthread_t, const char *);
extern int sched_getaffinity(pid_t, size_t, void *);

extern char **environ;
static inline char **p2p_environment(void) { return environ; }

static inline long p2p_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
  return syscall(SYS_openat2, directory, path, &how, sizeof how);
}

enum {
  P2P_MALLOC_MMAP_THRESHOLD = M_MMAP_THRESHOLD,
  P2P_RESOLVE_BENEATH = RESOLVE_BENEATH,
  P2P_RESOLVE_NO_SYMLINKS = RESOLVE_NO_SYMLINKS,
  P2P_RESOLVE_NO_MAGICLINKS = RESOLVE_NO_MAGICLINKS,
  P2P_RENAME_NOREPLACE = 1,
  P2P_SYNC_FILE_RANGE_WRITE = 2,
  P2P_SEEK_DATA = 3,
  P2P_SEEK_HOLE = 4,
};
#endif

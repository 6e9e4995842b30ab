// SPDX-License-Identifier: Apache-2.0
//
// A preloaded library that counts what a process does to the disk under one folder, and makes one such step go wrong.
//
//   cc -shared -fPIC -O2 -o diskfault.so diskfault.c -ldl
//   DISKFAULT_FOLDER=/data LD_PRELOAD=./diskfault.so program
//
// DISKFAULT_FOLDER  absolute path; only files in this folder count
// DISKFAULT_KIND    count (default) | kill | tear | eio | enospc | eiosync
//                     kill     the process dies before the step
//                     tear     a write writes its first half, to the end of a sector of 512 bytes, then the process
//                              dies; other steps as kill
//                     eio      the step isn't done and fails with EIO
//                     eiosync  as eio, for the first sync from that step on
//                     enospc   the step isn't done and fails with ENOSPC
// DISKFAULT_STEP    which step, counted from 1
// DISKFAULT_TIMES   how many steps from that one on fail (eio and enospc). Default 1
// DISKFAULT_TRACE   "1": every step as a line "step N CALL FILE" on standard output
//
// The step that goes wrong is always told on standard output: "fault N CALL FILE".
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { COUNT, KILL, TEAR, EIO_ONCE, EIO_SYNC, NO_SPACE };
enum outcome { GO_ON, FAIL, TORN };

static _Atomic long steps;
static _Atomic int spent;
static char folder[PATH_MAX];
static size_t folder_length;
static enum kind kind;
static long first_step = -1, last_step = -1;
static int is_traced;

__attribute__((constructor)) static void configure(void) {
    const char *path = getenv("DISKFAULT_FOLDER");
    if (path == NULL) return;
    snprintf(folder, sizeof folder, "%s", path);
    folder_length = strlen(folder);
    const char *name = getenv("DISKFAULT_KIND");
    if (name != NULL) {
        kind = !strcmp(name, "kill")      ? KILL
               : !strcmp(name, "tear")    ? TEAR
               : !strcmp(name, "eio")     ? EIO_ONCE
               : !strcmp(name, "eiosync") ? EIO_SYNC
               : !strcmp(name, "enospc")  ? NO_SPACE
                                          : COUNT;
    }
    const char *step = getenv("DISKFAULT_STEP");
    const char *times = getenv("DISKFAULT_TIMES");
    if (step != NULL) {
        first_step = atol(step);
        last_step = first_step + (times != NULL ? atol(times) : 1) - 1;
    }
    is_traced = getenv("DISKFAULT_TRACE") != NULL;
    // What the process starts must not count again.
    unsetenv("LD_PRELOAD");
}

static int is_ours(const char *path) {
    return folder_length > 0 && strncmp(path, folder, folder_length) == 0
           && (path[folder_length] == '/' || path[folder_length] == 0);
}

static void tell(const char *what, long number, const char *call, const char *path) {
    char line[PATH_MAX + 64];
    const char *slash = strrchr(path, '/');
    int length = snprintf(line, sizeof line, "%s %ld %s %s\n", what, number, call, slash != NULL ? slash + 1 : path);
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "write");
    if (real(STDOUT_FILENO, line, (size_t)length) < 0) return;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static enum outcome step(const char *call, const char *path, int is_sync, int is_write) {
    if (!is_ours(path)) return GO_ON;
    long number = atomic_fetch_add(&steps, 1) + 1;
    if (is_traced) tell("step", number, call, path);
    if (kind == COUNT || first_step < 0) return GO_ON;
    if (kind == EIO_SYNC) {
        if (number < first_step || !is_sync || atomic_exchange(&spent, 1)) return GO_ON;
    } else if (number < first_step || number > last_step) {
        return GO_ON;
    }
    tell("fault", number, call, path);
    switch (kind) {
    case KILL: die(); break;
    case TEAR:
        if (is_write) return TORN;
        die();
        break;
    case EIO_ONCE:
    case EIO_SYNC: errno = EIO; return FAIL;
    case NO_SPACE: errno = ENOSPC; return FAIL;
    case COUNT: break;
    }
    return GO_ON;
}

static enum outcome step_on(const char *call, int descriptor, int is_sync, int is_write) {
    if (folder_length == 0) return GO_ON;
    int saved = errno;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0) return GO_ON;
    path[length] = 0;
    return step(call, path, is_sync, is_write);
}

#define REAL(name, ...)                                                                                               \
    static __VA_ARGS__;                                                                                               \
    if (real == NULL) real = dlsym(RTLD_NEXT, name)

int fsync(int descriptor) {
    REAL("fsync", int (*real)(int));
    return step_on("fsync", descriptor, 1, 0) == FAIL ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
    REAL("fdatasync", int (*real)(int));
    return step_on("fdatasync", descriptor, 1, 0) == FAIL ? -1 : real(descriptor);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    REAL("pwrite64", ssize_t (*real)(int, const void *, size_t, off64_t));
    switch (step_on("pwrite", descriptor, 0, 1)) {
    case FAIL: return -1;
    case TORN: {
        // No disk tears within a sector.
        off64_t end = (offset + (off64_t)(count / 2)) / 512 * 512;
        if (end > offset && real(descriptor, bytes, (size_t)(end - offset), offset) < 0) die();
        die();
        break;
    }
    case GO_ON: break;
    }
    return real(descriptor, bytes, count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite64(descriptor, bytes, count, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    REAL("write", ssize_t (*real)(int, const void *, size_t));
    switch (descriptor > STDERR_FILENO ? step_on("write", descriptor, 0, 1) : GO_ON) {
    case FAIL: return -1;
    case TORN: die(); break;
    case GO_ON: break;
    }
    return real(descriptor, bytes, count);
}

int ftruncate64(int descriptor, off64_t length) {
    REAL("ftruncate64", int (*real)(int, off64_t));
    return step_on("ftruncate", descriptor, 0, 0) == FAIL ? -1 : real(descriptor, length);
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int posix_fallocate64(int descriptor, off64_t offset, off64_t length) {
    REAL("posix_fallocate64", int (*real)(int, off64_t, off64_t));
    return step_on("fallocate", descriptor, 0, 0) == FAIL ? errno : real(descriptor, offset, length);
}

int posix_fallocate(int descriptor, off_t offset, off_t length) {
    return posix_fallocate64(descriptor, offset, length);
}

int unlink(const char *path) {
    REAL("unlink", int (*real)(const char *));
    return step("unlink", path, 0, 0) == FAIL ? -1 : real(path);
}

int rename(const char *from, const char *to) {
    REAL("rename", int (*real)(const char *, const char *));
    return step("rename", from, 0, 0) == FAIL ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL("mkdir", int (*real)(const char *, mode_t));
    return step("mkdir", path, 0, 0) == FAIL ? -1 : real(path, mode);
}

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
// DISKFAULT_RECORD  a file outside the folder: every step and every line on standard output is written to it, in order,
//                   with its bytes. A record is CALL (1 byte: w write, t truncate, a allocate, s sync, u unlink,
//                   r rename, m mkdir, o output), length of the path (2), offset (8), length of the bytes (8), path,
//                   bytes; integers are little-endian. A step is recorded when it is done.
//
// The step that goes wrong is always told on standard output: "fault N CALL FILE".
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
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
static int recorder = -1;
static pthread_mutex_t recording = PTHREAD_MUTEX_INITIALIZER;

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
    const char *record_path = getenv("DISKFAULT_RECORD");
    if (record_path != NULL) recorder = open(record_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    // What the process starts must not count again.
    unsetenv("LD_PRELOAD");
}

static int is_ours(const char *path) {
    return folder_length > 0 && strncmp(path, folder, folder_length) == 0
           && (path[folder_length] == '/' || path[folder_length] == 0);
}

static void put(const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL) real = dlsym(RTLD_NEXT, "write");
    while (count > 0) {
        ssize_t done = real(recorder, bytes, count);
        if (done <= 0) abort();
        bytes = (const char *)bytes + done;
        count -= (size_t)done;
    }
}

// The lock is held over the step and its record, so that the record is in the order of the steps.
static void begin_record(void) {
    if (recorder >= 0) pthread_mutex_lock(&recording);
}

static void end_record(char call, const char *path, int64_t offset, const void *bytes, size_t count, int is_done) {
    if (recorder < 0) return;
    int saved = errno;
    if (is_done && (call == 'o' || is_ours(path))) {
        unsigned char header[19];
        uint16_t path_length = (uint16_t)strlen(path);
        uint64_t length = count;
        header[0] = (unsigned char)call;
        memcpy(header + 1, &path_length, 2);
        memcpy(header + 3, &offset, 8);
        memcpy(header + 11, &length, 8);
        put(header, sizeof header);
        put(path, path_length);
        put(bytes, count);
    }
    pthread_mutex_unlock(&recording);
    errno = saved;
}

static const char *path_of(int descriptor, char path[PATH_MAX]) {
    int saved = errno;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    errno = saved;
    path[length > 0 ? length : 0] = 0;
    return path;
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
    char path[PATH_MAX];
    return folder_length == 0 ? GO_ON : step(call, path_of(descriptor, path), is_sync, is_write);
}

#define REAL(name, ...)                                                                                               \
    static __VA_ARGS__;                                                                                               \
    if (real == NULL) real = dlsym(RTLD_NEXT, name)

// A step that goes on, recorded: `result` is what the real call gave.
#define RECORDED(type, call, path, offset, bytes, count, is_done, expression)                                          \
    begin_record();                                                                                                    \
    type result = expression;                                                                                          \
    end_record(call, path, offset, bytes, count, is_done);                                                             \
    return result

int fsync(int descriptor) {
    REAL("fsync", int (*real)(int));
    char path[PATH_MAX];
    if (step_on("fsync", descriptor, 1, 0) == FAIL) return -1;
    RECORDED(int, 's', path_of(descriptor, path), 0, NULL, 0, result == 0, real(descriptor));
}

int fdatasync(int descriptor) {
    REAL("fdatasync", int (*real)(int));
    char path[PATH_MAX];
    if (step_on("fdatasync", descriptor, 1, 0) == FAIL) return -1;
    RECORDED(int, 's', path_of(descriptor, path), 0, NULL, 0, result == 0, real(descriptor));
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    REAL("pwrite64", ssize_t (*real)(int, const void *, size_t, off64_t));
    char path[PATH_MAX];
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
    RECORDED(
        ssize_t, 'w', path_of(descriptor, path), offset, bytes, (size_t)result, result > 0,
        real(descriptor, bytes, count, offset));
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite64(descriptor, bytes, count, offset);
}

// Files under the folder are written by pwrite alone; this one is here for the lines on standard output.
ssize_t write(int descriptor, const void *bytes, size_t count) {
    REAL("write", ssize_t (*real)(int, const void *, size_t));
    if (descriptor != STDOUT_FILENO) {
        if (descriptor > STDERR_FILENO && step_on("write", descriptor, 0, 0) == FAIL) return -1;
        return real(descriptor, bytes, count);
    }
    RECORDED(ssize_t, 'o', "", 0, bytes, (size_t)result, result > 0, real(descriptor, bytes, count));
}

int ftruncate64(int descriptor, off64_t length) {
    REAL("ftruncate64", int (*real)(int, off64_t));
    char path[PATH_MAX];
    if (step_on("ftruncate", descriptor, 0, 0) == FAIL) return -1;
    RECORDED(int, 't', path_of(descriptor, path), length, NULL, 0, result == 0, real(descriptor, length));
}

int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

int posix_fallocate64(int descriptor, off64_t offset, off64_t length) {
    REAL("posix_fallocate64", int (*real)(int, off64_t, off64_t));
    char path[PATH_MAX];
    if (step_on("fallocate", descriptor, 0, 0) == FAIL) return errno;
    RECORDED(
        int, 'a', path_of(descriptor, path), offset + length, NULL, 0, result == 0, real(descriptor, offset, length));
}

int posix_fallocate(int descriptor, off_t offset, off_t length) {
    return posix_fallocate64(descriptor, offset, length);
}

int unlink(const char *path) {
    REAL("unlink", int (*real)(const char *));
    if (step("unlink", path, 0, 0) == FAIL) return -1;
    RECORDED(int, 'u', path, 0, NULL, 0, result == 0, real(path));
}

int rename(const char *from, const char *to) {
    REAL("rename", int (*real)(const char *, const char *));
    if (step("rename", from, 0, 0) == FAIL) return -1;
    RECORDED(int, 'r', from, 0, to, strlen(to), result == 0, real(from, to));
}

int mkdir(const char *path, mode_t mode) {
    REAL("mkdir", int (*real)(const char *, mode_t));
    if (step("mkdir", path, 0, 0) == FAIL) return -1;
    RECORDED(int, 'm', path, 0, NULL, 0, result == 0, real(path, mode));
}

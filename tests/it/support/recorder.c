/*
 * Records what a program does to the files below a folder, or makes it fail. Loaded with LD_PRELOAD.
 *
 * RECORDER_ROOT   the folder, an absolute path
 * RECORDER_LOG    a file that the changes are appended to
 * RECORDER_KILL   the number of changes after which the process is killed; their order differs from run to run
 * RECORDER_KILL_AT   KIND:TEXT: killed right after the first change of this kind (R: rename, U: removal) to a
 *                 path that contains TEXT
 * RECORDER_FAIL   OPERATION:ERRNO:TEXT, several with ';': each such operation on a path that contains TEXT
 *                 fails. Operations: open, open_write, create, read, write, mkdir, link, rename_new, rename, unlink, sync, lock
 *
 * A change and its record are made under one lock, so that their order is the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static const char *fail;
static int log_fd = -1;
static long kill_after = -1;
static const char *kill_at;
static long changes;

__attribute__((constructor)) static void begin(void) {
    root = getenv("RECORDER_ROOT");
    fail = getenv("RECORDER_FAIL");
    const char *log = getenv("RECORDER_LOG");
    const char *kill = getenv("RECORDER_KILL");
    if (kill) kill_after = atol(kill);
    kill_at = getenv("RECORDER_KILL_AT");
    if (log) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}


static int inside(const char *path) {
    size_t length = root ? strlen(root) : 0;
    return length && path && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

/* The path of an open regular file or folder below the root. */
static int path_of(int fd, char *path, size_t size, struct stat *meta) {
    if (!root || syscall(SYS_fstat, fd, meta) || !(S_ISREG(meta->st_mode) || S_ISDIR(meta->st_mode))) return 0;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return inside(path);
}

/* The error that this operation is to fail with; 0 if it is not. */
static int fails(const char *operation, const char *path) {
    for (const char *rule = fail; rule && *rule;) {
        const char *end = strchrnul(rule, ';');
        char text[512];
        char *number, *contained;
        snprintf(text, sizeof text, "%.*s", (int)(end - rule), rule);
        if ((number = strchr(text, ':')) && (contained = strchr(number + 1, ':'))) {
            *number++ = 0;
            *contained++ = 0;
            if (!strcmp(text, operation) && strstr(path, contained)) return atoi(number);
        }
        rule = *end ? end + 1 : end;
    }
    return 0;
}

#define FAIL_IF(operation, path) \
    do { \
        int error_ = inside(path) ? fails(operation, path) : 0; \
        if (error_) { \
            errno = error_; \
            return -1; \
        } \
    } while (0)

static void put(const void *bytes, size_t length) {
    if (log_fd >= 0 && syscall(SYS_write, log_fd, bytes, length) != (ssize_t)length) abort();
}

static void put_number(uint64_t number) { put(&number, sizeof number); }

static void put_path(const char *path) {
    path += strlen(root);
    put_number(strlen(path));
    put(path, strlen(path));
}

static void begin_record(char kind) { put(&kind, 1); }

static void count_change(void) {
    if (++changes == kill_after) syscall(SYS_kill, getpid(), SIGKILL);
}

static uint64_t inode_at(const char *path) {
    struct stat meta;
    return syscall(SYS_newfstatat, AT_FDCWD, path, &meta, AT_SYMLINK_NOFOLLOW) ? 0 : meta.st_ino;
}

static int recorded_open(int folder, const char *path, int flags, mode_t mode) {
    if (!inside(path)) return syscall(SYS_openat, folder, path, flags, mode);
    FAIL_IF("open", path);
    if ((flags & O_ACCMODE) != O_RDONLY && !(flags & O_CREAT)) FAIL_IF("open_write", path);
    pthread_mutex_lock(&lock);
    int is_new = (flags & O_CREAT) && !inode_at(path);
    int error = is_new ? fails("create", path) : 0;
    int fd = error ? -1 : syscall(SYS_openat, folder, path, flags, mode);
    if (error) errno = error;
    error = errno;
    if (fd >= 0 && is_new) {
        begin_record('O');
        put_path(path);
        put_number(inode_at(path));
        count_change();
    } else if (fd >= 0 && (flags & O_TRUNC)) {
        begin_record('T');
        put_number(inode_at(path));
        put_number(0);
        count_change();
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define OPEN(name, folder, parameters) \
    int name parameters { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return recorded_open(folder, path, flags, mode); \
    }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...))
OPEN(openat, at, (int at, const char *path, int flags, ...))
OPEN(openat64, at, (int at, const char *path, int flags, ...))

static ssize_t recorded_write(int fd, const void *bytes, size_t length, off_t at) {
    char path[4096];
    struct stat meta;
    int ours = path_of(fd, path, sizeof path, &meta);
    if (ours) FAIL_IF("write", path);
    if (ours) pthread_mutex_lock(&lock);
    off_t start = at >= 0 ? at : lseek(fd, 0, SEEK_CUR);
    ssize_t done = at >= 0 ? syscall(SYS_pwrite64, fd, bytes, length, at) : syscall(SYS_write, fd, bytes, length);
    int error = errno;
    if (ours && done > 0) {
        begin_record('W');
        put_number(meta.st_ino);
        put_number(start);
        put_number(done);
        put(bytes, done);
        count_change();
    }
    if (ours) pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) { return recorded_write(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return recorded_write(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return recorded_write(fd, bytes, length, at); }

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    char path[4096];
    struct stat meta;
    if (!path_of(fd, path, sizeof path, &meta)) return syscall(SYS_writev, fd, pieces, count);
    for (int n = 0; n < count; n++)
        if (pieces[n].iov_len) return write(fd, pieces[n].iov_base, pieces[n].iov_len);
    return 0;
}

#define READ(name, call, parameters, ...) \
    ssize_t name parameters { \
        char path[4096]; \
        struct stat meta; \
        if (fail && path_of(fd, path, sizeof path, &meta)) FAIL_IF("read", path); \
        return syscall(call, __VA_ARGS__); \
    }

READ(read, SYS_read, (int fd, void *bytes, size_t length), fd, bytes, length)
READ(pread, SYS_pread64, (int fd, void *bytes, size_t length, off_t at), fd, bytes, length, at)
READ(pread64, SYS_pread64, (int fd, void *bytes, size_t length, off64_t at), fd, bytes, length, at)

static int recorded_truncate(int fd, off_t length) {
    char path[4096];
    struct stat meta;
    int ours = path_of(fd, path, sizeof path, &meta);
    if (ours) pthread_mutex_lock(&lock);
    int done = syscall(SYS_ftruncate, fd, length);
    if (ours && !done) {
        begin_record('T');
        put_number(meta.st_ino);
        put_number(length);
        count_change();
    }
    if (ours) pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) { return recorded_truncate(fd, length); }
int ftruncate64(int fd, off64_t length) { return recorded_truncate(fd, length); }

static int recorded_sync(int fd, long call) {
    char path[4096];
    struct stat meta;
    int ours = path_of(fd, path, sizeof path, &meta);
    if (ours) FAIL_IF("sync", path);
    if (ours) pthread_mutex_lock(&lock);
    int done = syscall(call, fd);
    if (ours && !done) {
        begin_record('F');
        put_number(meta.st_ino);
        count_change();
    }
    if (ours) pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return recorded_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return recorded_sync(fd, SYS_fdatasync); }

/* A change of one name or of two. */
static int changed(char kind, const char *from, const char *to, long call, int flags) {
    int ours = inside(from) || inside(to);
    if (ours) pthread_mutex_lock(&lock);
    int done = call == SYS_linkat      ? syscall(call, AT_FDCWD, from, AT_FDCWD, to, 0)
               : call == SYS_renameat2 ? syscall(call, AT_FDCWD, from, AT_FDCWD, to, flags)
                                       : syscall(call, AT_FDCWD, from, flags);
    int error = errno;
    if (ours && !done) {
        begin_record(kind);
        put_path(from);
        if (to) put_path(to);
        if (kind == 'M') put_number(inode_at(from));
        count_change();
        int last = kill_at && kill_at[0] == kind && strstr(to ? to : from, kill_at + 2);
        if (last) syscall(SYS_kill, getpid(), SIGKILL);
    }
    if (ours) pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int mkdir(const char *path, mode_t mode) {
    FAIL_IF("mkdir", path);
    return changed('M', path, NULL, SYS_mkdirat, mode);
}

int rename(const char *from, const char *to) {
    FAIL_IF("rename", to);
    return changed('R', from, to, SYS_renameat2, 0);
}

int renameat2(int at, const char *from, int at_too, const char *to, unsigned flags) {
    if (at != AT_FDCWD || at_too != AT_FDCWD) return syscall(SYS_renameat2, at, from, at_too, to, flags);
    FAIL_IF("rename_new", to);
    return changed('R', from, to, SYS_renameat2, flags);
}

int linkat(int at, const char *from, int at_too, const char *to, int flags) {
    if (at != AT_FDCWD || at_too != AT_FDCWD) return syscall(SYS_linkat, at, from, at_too, to, flags);
    FAIL_IF("link", to);
    return changed('L', from, to, SYS_linkat, 0);
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlink(const char *path) {
    FAIL_IF("unlink", path);
    return changed('U', path, NULL, SYS_unlinkat, 0);
}

int rmdir(const char *path) {
    FAIL_IF("unlink", path);
    return changed('U', path, NULL, SYS_unlinkat, AT_REMOVEDIR);
}

int flock(int fd, int operation) {
    char path[4096];
    struct stat meta;
    if (fail && path_of(fd, path, sizeof path, &meta)) FAIL_IF("lock", path);
    return syscall(SYS_flock, fd, operation);
}

/* Records what a program does to the files below one folder, in the order in which it is done: loaded before the C
 * library (LD_PRELOAD), it stands in the place of the calls that change files.
 *
 * One lock is held over each call and the note of it, so that the record is one order of everything. A note is in the
 * kernel's hands before the call returns, so a program that is killed leaves a record of all that it has done.
 *
 * Files are known by their inode and not by descriptor: `dup`, `close` and `fcntl` need no attention. Calls that go
 * to the kernel past the C library are not seen; before the sync of a folder its names are therefore listed, and what
 * was renamed unseen is found out there. That the record has all bytes is checked by whoever reads it.
 *
 * Environment: TIDEMILL_RECORD_ROOT (the folder, absolute), TIDEMILL_RECORD_FILE, TIDEMILL_RECORD_LIMIT (bytes, past
 * which the record ends), TIDEMILL_RECORD_BREAK_SYNC (`fdatasync` does nothing and says it had). */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind { CREATE = 1, WRITE, RESIZE, SYNC, MKDIR, RENAME, REMOVE, LINK, NAMES, OVERFLOW };

/* As it stands in the record; then come the two paths and the bytes. */
struct head {
    uint32_t kind, first, second, zero;
    uint64_t at, inode, offset, length;
};

#define REAL(name) ((__typeof__(&name))real(#name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static size_t root_length;
static int record = -1;
static int break_sync;
static uint64_t left;

/* Inodes below the root: open addressing, never shrinks. */
#define SLOTS (1u << 20)
static uint64_t inodes[SLOTS];

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static uint64_t *slot(uint64_t inode) {
    uint64_t at = inode * 0x9e3779b97f4a7c15u;
    for (at >>= 44; inodes[at % SLOTS] && inodes[at % SLOTS] != inode; at++) {}
    return &inodes[at % SLOTS];
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void put(const void *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t n = REAL(write)(record, (const char *)bytes + done, length - done);
        if (n < 0 && errno != EINTR) abort();
        if (n > 0) done += (size_t)n;
    }
}

/* Notes one event. What comes past the limit is not noted, and that is. */
static void note(struct head head, const char *first, const char *second, const void *bytes) {
    int was = errno;
    if (record >= 0) {
        head.first = first ? (uint32_t)strlen(first) : 0;
        head.second = second ? (uint32_t)strlen(second) : 0;
        uint64_t size = sizeof head + head.first + head.second + head.length;
        int over = size > left;
        if (over) head = (struct head){.kind = OVERFLOW, .at = head.at};
        char *whole = malloc(sizeof head + head.first + head.second + head.length);
        if (!whole) abort();
        char *end = mempcpy(whole, &head, sizeof head);
        end = mempcpy(end, first, head.first);
        end = mempcpy(end, second, head.second);
        end = mempcpy(end, bytes, head.length);
        put(whole, (size_t)(end - whole));
        free(whole);
        left -= over ? 0 : size;
        if (over) record = -1;
    }
    errno = was;
}

static int take_up(const char *path, const struct stat *found, int type, struct FTW *where) {
    (void)path, (void)type, (void)where;
    *slot(found->st_ino) = found->st_ino;
    return 0;
}

/* What an earlier process left below the root is known as well. */
__attribute__((constructor)) static void start(void) {
    const char *folder = getenv("TIDEMILL_RECORD_ROOT"), *file = getenv("TIDEMILL_RECORD_FILE");
    const char *limit = getenv("TIDEMILL_RECORD_LIMIT");
    if (!folder || !file || !limit || strlen(folder) >= sizeof root) return;
    strcpy(root, folder);
    root_length = strlen(root);
    left = strtoull(limit, NULL, 10);
    break_sync = getenv("TIDEMILL_RECORD_BREAK_SYNC") != NULL;
    if (nftw(root, take_up, 16, FTW_PHYS)) abort();
    record = REAL(open)(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The path below the root, in `whole`; NULL where it is elsewhere. */
static const char *below(int folder, const char *path, char whole[PATH_MAX]) {
    char base[PATH_MAX] = "", link[64];
    if (!path || record < 0) return NULL;
    if (path[0] != '/') {
        if (folder == AT_FDCWD) strcpy(link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t n = readlink(link, base, sizeof base - 2);
        if (n < 0) return NULL;
        base[n] = '/';
        base[n + 1] = 0;
    }
    if (snprintf(whole, PATH_MAX, "%s%s", base, path) >= PATH_MAX) return NULL;
    int is_below = !strncmp(whole, root, root_length) && whole[root_length] == '/' && whole[root_length + 1];
    return is_below ? whole + root_length + 1 : NULL;
}

/* The inode behind a descriptor, if it is one below the root; 0 otherwise. */
static uint64_t known(int fd, struct stat *found) {
    if (record < 0 || fstat(fd, found) || !(S_ISREG(found->st_mode) || S_ISDIR(found->st_mode))) return 0;
    return *slot(found->st_ino);
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    char whole[PATH_MAX];
    const char *name = flags & (O_CREAT | O_TRUNC) ? below(folder, path, whole) : NULL;
    if (!name || (flags & O_TMPFILE) == O_TMPFILE) return REAL(openat)(folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat before, after;
    uint64_t at = now();
    int existed = !fstatat(folder, path, &before, 0);
    int fd = REAL(openat)(folder, path, flags, mode);
    if (fd >= 0 && !fstat(fd, &after)) {
        if (!existed) {
            *slot(after.st_ino) = after.st_ino;
            note((struct head){.kind = CREATE, .at = at, .inode = after.st_ino}, name, NULL, NULL);
        } else if (flags & O_TRUNC && before.st_size > 0) {
            note((struct head){.kind = RESIZE, .at = at, .inode = after.st_ino}, NULL, NULL, NULL);
        }
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE(flags, mode)                                    \
    mode_t mode = 0;                                         \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) { \
        va_list rest;                                        \
        va_start(rest, flags);                               \
        mode = va_arg(rest, mode_t);                         \
        va_end(rest);                                        \
    }

int open(const char *path, int flags, ...) { MODE(flags, mode) return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, mode) return opened(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags, mode) return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags, mode) return opened(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Writes at `offset`, or where the file stands with -1, and notes what was written. */
static ssize_t written(int fd, const struct iovec *parts, int count, off64_t offset) {
    struct stat found;
    uint64_t inode = known(fd, &found);
    if (!inode) {
        if (offset >= 0) return REAL(pwritev64)(fd, parts, count, offset);
        return count == 1 ? REAL(write)(fd, parts->iov_base, parts->iov_len) : REAL(writev)(fd, parts, count);
    }
    pthread_mutex_lock(&lock);
    uint64_t at = now();
    fstat(fd, &found);
    off64_t to = fcntl(fd, F_GETFL) & O_APPEND ? found.st_size : offset >= 0 ? offset : lseek64(fd, 0, SEEK_CUR);
    ssize_t n = offset >= 0 ? REAL(pwritev64)(fd, parts, count, offset) : REAL(writev)(fd, parts, count);
    if (n > 0) {
        char *bytes = malloc((size_t)n), *end = bytes;
        if (!bytes) abort();
        for (int i = 0; i < count && end < bytes + n; i++) {
            size_t room = (size_t)(bytes + n - end);
            end = mempcpy(end, parts[i].iov_base, parts[i].iov_len < room ? parts[i].iov_len : room);
        }
        struct head head = {.kind = WRITE, .at = at, .inode = inode, .offset = (uint64_t)to, .length = (uint64_t)n};
        note(head, NULL, NULL, bytes);
        free(bytes);
    }
    pthread_mutex_unlock(&lock);
    return n;
}

static ssize_t written_one(int fd, const void *bytes, size_t length, off64_t offset) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    return written(fd, &part, 1, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) { return written_one(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return written_one(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return written_one(fd, bytes, length, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { return written(fd, parts, count, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return written(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return written(fd, parts, count, at); }

/* Copies that pass the program by: whoever asks for them then reads and writes instead. */
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned flags) {
    struct stat found;
    if (known(out, &found)) return errno = EXDEV, -1;
    return REAL(copy_file_range)(in, in_at, out, out_at, length, flags);
}
ssize_t sendfile64(int out, int in, off64_t *offset, size_t length) {
    struct stat found;
    if (known(out, &found)) return errno = EINVAL, -1;
    return REAL(sendfile64)(out, in, offset, length);
}
ssize_t sendfile(int out, int in, off_t *offset, size_t length) { return sendfile64(out, in, offset, length); }

int ftruncate64(int fd, off64_t length) {
    struct stat found;
    uint64_t inode = known(fd, &found);
    if (!inode) return REAL(ftruncate64)(fd, length);
    pthread_mutex_lock(&lock);
    uint64_t at = now();
    int done = REAL(ftruncate64)(fd, length);
    struct head head = {.kind = RESIZE, .at = at, .inode = inode, .offset = (uint64_t)length};
    if (!done) note(head, NULL, NULL, NULL);
    pthread_mutex_unlock(&lock);
    return done;
}
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

/* Only room that lengthens a file shows in it; what makes holes is refused, and nobody here makes any. */
int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    struct stat found, after;
    uint64_t inode = known(fd, &found);
    if (!inode) return REAL(fallocate64)(fd, mode, offset, length);
    if (mode & ~FALLOC_FL_KEEP_SIZE) return errno = EOPNOTSUPP, -1;
    pthread_mutex_lock(&lock);
    uint64_t at = now();
    fstat(fd, &found);
    int done = REAL(fallocate64)(fd, mode, offset, length);
    if (!done && !fstat(fd, &after) && after.st_size != found.st_size) {
        struct head head = {.kind = RESIZE, .at = at, .inode = inode, .offset = (uint64_t)after.st_size};
        note(head, NULL, NULL, NULL);
    }
    pthread_mutex_unlock(&lock);
    return done;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }
int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    return fallocate64(fd, 0, offset, length) ? errno : 0;
}
int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

/* Notes what a folder holds: `inode name` and a zero for each. */
static void note_names(int fd, uint64_t inode, uint64_t at) {
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = own < 0 ? NULL : fdopendir(own);
    char *names = NULL;
    size_t length = 0;
    FILE *text = open_memstream(&names, &length);
    if (!folder || !text) abort();
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        fprintf(text, "%llu %s%c", (unsigned long long)entry->d_ino, entry->d_name, 0);
    }
    fclose(text);
    closedir(folder);
    note((struct head){.kind = NAMES, .at = at, .inode = inode, .length = length}, NULL, NULL, names);
    free(names);
}

static int synced(int fd, int (*sync)(int)) {
    struct stat found;
    uint64_t inode = known(fd, &found);
    if (!inode) return sync(fd);
    pthread_mutex_lock(&lock);
    uint64_t at = now();
    if (S_ISDIR(found.st_mode)) note_names(fd, inode, at);
    int done = sync(fd);
    if (!done) note((struct head){.kind = SYNC, .at = at, .inode = inode}, NULL, NULL, NULL);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) {
    struct stat found;
    if (break_sync && known(fd, &found)) return 0;
    return synced(fd, REAL(fdatasync));
}

/* Carries out a change of names and notes it if both names are below the root. */
#define NAMED(type, call, first_at, first, second_at, second)                                  \
    char whole[PATH_MAX], other[PATH_MAX];                                                     \
    const char *name = below(first_at, first, whole), *to = below(second_at, second, other);   \
    if (!name || !to) return call;                                                             \
    pthread_mutex_lock(&lock);                                                                 \
    uint64_t at = now();                                                                       \
    int done = call;                                                                           \
    if (!done) note((struct head){.kind = type, .at = at}, name, to, NULL);                    \
    pthread_mutex_unlock(&lock);                                                               \
    return done;

int rename(const char *from, const char *into) {
    NAMED(RENAME, REAL(rename)(from, into), AT_FDCWD, from, AT_FDCWD, into)
}
int renameat(int at_from, const char *from, int at_into, const char *into) {
    NAMED(RENAME, REAL(renameat)(at_from, from, at_into, into), at_from, from, at_into, into)
}
int renameat2(int at_from, const char *from, int at_into, const char *into, unsigned flags) {
    NAMED(RENAME, REAL(renameat2)(at_from, from, at_into, into, flags), at_from, from, at_into, into)
}
int link(const char *from, const char *into) {
    NAMED(LINK, REAL(link)(from, into), AT_FDCWD, from, AT_FDCWD, into)
}
int linkat(int at_from, const char *from, int at_into, const char *into, int flags) {
    NAMED(LINK, REAL(linkat)(at_from, from, at_into, into, flags), at_from, from, at_into, into)
}

#define REMOVED(call, folder, path)                                                 \
    char whole[PATH_MAX];                                                           \
    const char *name = below(folder, path, whole);                                  \
    if (!name) return call;                                                         \
    pthread_mutex_lock(&lock);                                                      \
    uint64_t at = now();                                                            \
    int done = call;                                                                \
    if (!done) note((struct head){.kind = REMOVE, .at = at}, name, NULL, NULL);     \
    pthread_mutex_unlock(&lock);                                                    \
    return done;

int unlink(const char *path) { REMOVED(REAL(unlink)(path), AT_FDCWD, path) }
int rmdir(const char *path) { REMOVED(REAL(rmdir)(path), AT_FDCWD, path) }
int unlinkat(int folder, const char *path, int flags) { REMOVED(REAL(unlinkat)(folder, path, flags), folder, path) }

int mkdirat(int folder, const char *path, mode_t mode) {
    char whole[PATH_MAX];
    const char *name = below(folder, path, whole);
    if (!name) return REAL(mkdirat)(folder, path, mode);
    pthread_mutex_lock(&lock);
    struct stat found;
    uint64_t at = now();
    int done = REAL(mkdirat)(folder, path, mode);
    if (!done && !fstatat(folder, path, &found, 0)) {
        *slot(found.st_ino) = found.st_ino;
        note((struct head){.kind = MKDIR, .at = at, .inode = found.st_ino}, name, NULL, NULL);
    }
    pthread_mutex_unlock(&lock);
    return done;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

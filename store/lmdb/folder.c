#include "store/lmdb/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct {
    uint32_t magic;
    const char *name;
} unsuitable[] = {
    {0x6969, "NFS"}, {0xff534d42, "CIFS"},    {0xfe534d42, "SMB"},
    {0x517b, "SMB"}, {0x794c7630, "overlay"},
};

/* Shared memory maps and locks are not what LMDB needs there, and damage was seen. */
static enum err_code
check_file_system(const struct store_folder *f, bool force, struct err *err)
{
    struct statfs info;

    if (force)
        return OK;
    if (fstatfs(f->directory, &info) != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot ask for the file system of '%s': %s", f->path,
                       strerror(errno));
    for (size_t i = 0; i < sizeof unsuitable / sizeof unsuitable[0]; i++) {
        if ((uint32_t)info.f_type == unsuitable[i].magic)
            return err_set(err, ERR_UNAVAILABLE,
                           "the data folder '%s' is on a file system of kind %s, where data files "
                           "can be damaged; use a local disk (in a container: a volume), or "
                           "--force-file-system to try anyway",
                           f->path, unsuitable[i].name);
    }
    return OK;
}

static enum err_code
take_lock(struct store_folder *f, struct err *err)
{
    char text[32] = "";
    ssize_t size;

    f->lock = openat(f->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->lock < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot create '%s/lock': %s", f->path,
                       strerror(errno));
    if (flock(f->lock, LOCK_EX | LOCK_NB) != 0) {
        size = pread(f->lock, text, sizeof text - 1, 0);
        text[size > 0 ? (size_t)size : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        return err_set(err, ERR_UNAVAILABLE, "the data folder '%s' is in use by process %s",
                       f->path, text[0] != '\0' ? text : "(unknown)");
    }
    /* For people only; the lock itself is what counts. */
    size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(f->lock, 0) != 0 || pwrite(f->lock, text, (size_t)size, 0) != size)
        return err_set(err, ERR_FULL, "cannot write '%s/lock': %s", f->path, strerror(errno));
    return OK;
}

static enum err_code
open_locked(struct store_folder *f, bool force, struct err *err)
{
    if (mkdir(f->path, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_UNAVAILABLE, "cannot create the data folder '%s': %s", f->path,
                       strerror(errno));
    f->directory = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->directory < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot open the data folder '%s': %s", f->path,
                       strerror(errno));
    TRY(check_file_system(f, force, err));
    return take_lock(f, err);
}

enum err_code
store_folder_open(struct store_folder *f, const char *path, bool force, struct err *err)
{
    enum err_code code;

    *f = (struct store_folder){.directory = -1, .lock = -1};
    if (path == NULL || path[0] == '\0')
        return err_set(err, ERR_UNAVAILABLE, "no data folder is named");
    if (strlen(path) >= sizeof f->path)
        return err_set(err, ERR_UNAVAILABLE,
                       "the path of the data folder is %zu bytes long, at "
                       "most %zu are possible",
                       strlen(path), sizeof f->path - 1);
    snprintf(f->path, sizeof f->path, "%s", path);
    code = open_locked(f, force, err);
    if (code != OK)
        store_folder_drop(f);
    return code;
}

void
store_folder_drop(struct store_folder *f)
{
    if (f->path[0] == '\0')
        return;
    if (f->lock >= 0)
        close(f->lock);
    if (f->directory >= 0)
        close(f->directory);
    *f = (struct store_folder){.directory = -1, .lock = -1};
}

bool
store_folder_path(const struct store_folder *f, const char *name, const char *suffix,
                  char out[STORE_PATH_BYTES_MAX])
{
    int length = snprintf(out, STORE_PATH_BYTES_MAX, "%s/%s%s", f->path, name, suffix);

    return length > 0 && length < STORE_PATH_BYTES_MAX;
}

enum err_code
store_folder_sync(const struct store_folder *f, struct err *err)
{
    if (fsync(f->directory) != 0)
        return err_set(err, ERR_INTERNAL, "cannot sync the data folder '%s': %s", f->path,
                       strerror(errno));
    return OK;
}

/* Not every file system has files without a name: there it loses its name at once. */
static int
open_and_unlink(const struct store_folder *f)
{
    char path[STORE_PATH_BYTES_MAX];
    int descriptor;

    if (!store_folder_path(f, "temporary-XXXXXX", "", path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0)
        (void)unlink(path);
    return descriptor;
}

enum err_code
store_folder_temporary(const struct store_folder *f, int *descriptor, struct err *err)
{
    *descriptor = openat(f->directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*descriptor < 0 &&
        (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL))
        *descriptor = open_and_unlink(f);
    if (*descriptor >= 0)
        return OK;
    if (errno == ENOSPC || errno == EDQUOT)
        return err_set(err, ERR_FULL, "the disk has no room for a temporary file");
    return err_set(err, ERR_INTERNAL, "cannot make a temporary file in '%s': %s", f->path,
                   strerror(errno));
}

uint64_t
store_folder_room_bytes(const struct store_folder *f)
{
    struct statvfs info;

    if (fstatvfs(f->directory, &info) != 0)
        return 0;
    return (uint64_t)info.f_bavail * (uint64_t)info.f_frsize;
}

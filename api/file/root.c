#include "api/file/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/json/text.h"
#include "store/base/scope.h"

enum { FOLDER_MODES = S_ISGID | S_IRWXU | S_IRWXG | S_IRWXO };

enum err_code
api_root_open(const char *path, const char *data, struct api_root *out, struct err *err)
{
    struct stat info;

    *out = (struct api_root){.opened = false};
    if (path[0] == '\0')
        return err_set(err, ERR_PERMISSION_DENIED,
                       "directories of the server are not read or written: the setting "
                       "checkpoint_root names none");
    out->descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->descriptor < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot open the directory '%s' (checkpoint_root): %s",
                       path, strerror(errno));
    out->opened = true;
    out->has_data = stat(data, &info) == 0;
    out->data_device = (uint64_t)info.st_dev;
    out->data_inode = (uint64_t)info.st_ino;
    return OK;
}

void
api_root_drop(struct api_root *root)
{
    if (root->opened)
        close(root->descriptor);
    root->opened = false;
}

void
api_place_drop(struct api_place *place)
{
    if (place->opened)
        close(place->folder);
    place->opened = false;
}

/* --- walking ------------------------------------------------------------------------------- */

static enum err_code
check_bounds(const struct api_root *root, int folder, struct err *err)
{
    struct stat info;

    if (fstat(folder, &info) != 0)
        return err_set(err, ERR_INTERNAL, "cannot look at a directory: %s", strerror(errno));
    if (root->has_data && (uint64_t)info.st_dev == root->data_device &&
        (uint64_t)info.st_ino == root->data_inode)
        return err_set(err, ERR_PERMISSION_DENIED, "the server's own data folder is out of bounds");
    return OK;
}

/* Who may do what with it is as with the directory it is made in. */
static enum err_code
make_folder(const struct api_place *at, const char *name, struct err *err)
{
    struct stat info;

    if (mkdirat(at->folder, name, S_IRWXU) != 0)
        return errno == EEXIST ? OK
                               : err_set(err, ERR_UNAVAILABLE, "cannot make the directory '%s': %s",
                                         name, strerror(errno));
    if (fstat(at->folder, &info) != 0 ||
        fchmodat(at->folder, name, (info.st_mode & FOLDER_MODES) | S_IRWXU, 0) != 0 ||
        fsync(at->folder) != 0)
        return err_set(err, ERR_INTERNAL, "cannot finish the directory '%s': %s", name,
                       strerror(errno));
    return OK;
}

static enum err_code
step(struct api_place *at, const char *name, bool create, struct err *err)
{
    int next;

    if (create)
        TRY(make_folder(at, name, err));
    next = openat(at->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "there is no directory '%s'", name);
    if (next < 0 && (errno == ENOTDIR || errno == ELOOP))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "'%s' is no directory (symbolic links are not followed)", name);
    if (next < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot open the directory '%s': %s", name,
                       strerror(errno));
    close(at->folder);
    at->folder = next;
    return check_bounds(at->root, next, err);
}

/* The next component of *path, of at most API_ROOT_NAME_BYTES_MAX bytes, none of the special ones.
 */
static enum err_code
take_component(const char **path, char out[static API_ROOT_NAME_BYTES_MAX + 1], struct err *err)
{
    size_t size = strcspn(*path, "/");
    const char *rest = *path + size;

    if (size > API_ROOT_NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a component of %zu bytes, at most %d are possible", size,
                       API_ROOT_NAME_BYTES_MAX);
    memcpy(out, *path, size);
    out[size] = '\0';
    if (size == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it begins with '/' or has '//': paths are relative, in checkpoint_root");
    if (strcmp(out, ".") == 0 || strcmp(out, "..") == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the component '%s' is not allowed", out);
    *path = rest[0] == '/' ? rest + 1 : rest;
    return OK;
}

static enum err_code
walk(struct api_place *at, const char *path, bool create, struct err *err)
{
    at->name[0] = '\0';
    if (path[0] == '\0')
        return err_set(err, ERR_INVALID_ARGUMENT, "it is empty");
    if (strcmp(path, ".") == 0)
        return OK;
    for (;;) {
        TRY(take_component(&path, at->name, err));
        if (path[0] == '\0')
            return OK;
        TRY(step(at, at->name, create, err));
    }
}

static enum err_code
find_from(const struct api_root *root, int folder, const char *path, bool create,
          struct api_place *out, struct err *err)
{
    struct api_place at = {.root = root};
    char shown[API_SHOWN_BYTES_MAX + 1];
    enum err_code code;

    if (strlen(path) > API_ROOT_PATH_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a path of %zu bytes, at most %d are possible",
                       strlen(path), API_ROOT_PATH_BYTES_MAX);
    at.folder = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at.folder < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot open a directory: %s", strerror(errno));
    at.opened = true;
    code = check_bounds(root, at.folder, err);
    if (code == OK)
        code = walk(&at, path, create, err);
    if (code != OK) {
        err_prefix(err, "path '%s'", api_text_shown(bytes_of_text(path), shown));
        api_place_drop(&at);
        return code;
    }
    *out = at;
    return OK;
}

enum err_code
api_root_find(const struct api_root *root, const char *path, bool create, struct api_place *out,
              struct err *err)
{
    return find_from(root, root->descriptor, path, create, out, err);
}

enum err_code
api_place_find(const struct api_place *place, const char *path, bool create, struct api_place *out,
               struct err *err)
{
    return find_from(place->root, place->folder, path, create, out, err);
}

/* --- looking ------------------------------------------------------------------------------- */

static enum err_code
no_file(const char *name, mode_t mode, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is %s, neither a file nor a directory", name,
                   S_ISLNK(mode)    ? "a symbolic link"
                   : S_ISFIFO(mode) ? "a FIFO"
                   : S_ISSOCK(mode) ? "a socket"
                                    : "a device");
}

enum err_code
api_place_look(const struct api_place *place, enum api_place_kind *out, struct err *err)
{
    struct stat info;

    *out = API_PLACE_FOLDER;
    if (place->name[0] == '\0')
        return OK;
    if (fstatat(place->folder, place->name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        *out = API_PLACE_NOTHING;
        return errno == ENOENT ? OK
                               : err_set(err, ERR_UNAVAILABLE, "cannot look at '%s': %s",
                                         place->name, strerror(errno));
    }
    if (S_ISREG(info.st_mode))
        *out = API_PLACE_FILE;
    else if (!S_ISDIR(info.st_mode))
        return no_file(place->name, info.st_mode, err);
    return OK;
}

enum err_code
api_place_enter(struct api_place *place, struct err *err)
{
    if (place->name[0] == '\0')
        return OK;
    TRY(step(place, place->name, false, err));
    place->name[0] = '\0';
    return OK;
}

static enum err_code
cannot_open(const char *name, struct err *err)
{
    if (errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "there is no file '%s'", name);
    return err_set(err, ERR_UNAVAILABLE, "cannot open '%s': %s", name, strerror(errno));
}

/* Looked at before it is opened, so that no device is touched, and after it, for it may have become
 * another thing. */
enum err_code
api_place_open_file(const struct api_place *place, const char *name, struct api_file *out,
                    struct err *err)
{
    struct stat info;
    int descriptor;

    if (fstatat(place->folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return cannot_open(name, err);
    if (S_ISDIR(info.st_mode))
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is a directory, not a file", name);
    if (!S_ISREG(info.st_mode))
        return no_file(name, info.st_mode, err);
    descriptor = openat(place->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0)
        return cannot_open(name, err);
    if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(descriptor);
        return err_set(err, ERR_INVALID_ARGUMENT, "'%s' is no file", name);
    }
    *out = (struct api_file){.descriptor = descriptor, .size = (uint64_t)info.st_size};
    return OK;
}

#include "store/lmdb/loaded.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/base/scope.h"
#include "store/lmdb/engine.h"

const char *const store_load_name = "load";
static const char *const loaded_name = "loaded";

static void
close_listing(DIR **listing)
{
    if (*listing != NULL)
        (void)closedir(*listing);
}

/* *out NULL: there is no such folder. */
static enum err_code
open_listing(const struct store_folder *folder, const char *name, DIR **out, struct err *err)
{
    int descriptor = openat(folder->directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *out = NULL;
    if (descriptor < 0 && errno == ENOENT)
        return OK;
    if (descriptor >= 0)
        *out = fdopendir(descriptor);
    if (*out != NULL)
        return OK;
    if (descriptor >= 0)
        close(descriptor);
    return err_set(err, ERR_UNAVAILABLE, "cannot look into '%s/%s': %s", folder->path, name,
                   strerror(errno));
}

static bool
is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static enum err_code
remove_folder(const struct store_folder *folder, const char *name, struct err *err)
{
    AUTO_CALL(close_listing) DIR *listing = NULL;
    const struct dirent *entry;

    TRY(open_listing(folder, name, &listing, err));
    if (listing == NULL)
        return OK;
    while ((entry = readdir(listing)) != NULL) {
        if (!is_dots(entry->d_name) && unlinkat(dirfd(listing), entry->d_name, 0) != 0)
            return err_set(err, ERR_UNAVAILABLE, "cannot remove '%s/%s/%s': %s", folder->path, name,
                           entry->d_name, strerror(errno));
    }
    if (unlinkat(folder->directory, name, AT_REMOVEDIR) != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot remove '%s/%s': %s", folder->path, name,
                       strerror(errno));
    return store_folder_sync(folder, err);
}

enum err_code
store_load_clear(const struct store_folder *folder, struct err *err)
{
    return remove_folder(folder, store_load_name, err);
}

enum err_code
store_load_check_empty(const struct store_folder *folder, struct err *err)
{
    /* The lock is ours; a disk's root has a folder of its own. */
    static const char *const ignored[] = {".", "..", "lock", "lost+found"};
    AUTO_CALL(close_listing) DIR *listing = NULL;
    const struct dirent *entry;

    TRY(open_listing(folder, ".", &listing, err));
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        bool counts = strcmp(entry->d_name, store_load_name) != 0;

        for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
            counts = counts && strcmp(entry->d_name, ignored[i]) != 0;
        if (counts)
            return err_set(err, ERR_FAILED_PRECONDITION,
                           "the folder '%s' is not empty, '%.200s' is in it: a backup is put back "
                           "into an empty or new folder",
                           folder->path, entry->d_name);
    }
    return OK;
}

enum err_code
store_loaded_decide(const struct store_folder *folder, struct err *err)
{
    if (renameat(folder->directory, store_load_name, folder->directory, loaded_name) != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot rename '%s/%s': %s", folder->path,
                       store_load_name, strerror(errno));
    if (store_folder_sync(folder, err) != OK)
        return ERR_UNKNOWN;
    return OK;
}

/* Each file once: after a crash the rest is moved, and what was moved stays. */
static enum err_code
move_up(const struct store_folder *folder, int loaded, const char *name, struct err *err)
{
    if (renameat(loaded, name, folder->directory, name) == 0 || errno == ENOENT)
        return OK;
    return err_set(err, ERR_UNAVAILABLE, "cannot move '%s/%s/%s' to its place: %s", folder->path,
                   loaded_name, name, strerror(errno));
}

enum err_code
store_loaded_settle(const struct store_folder *folder, struct err *err)
{
    int loaded = openat(folder->directory, loaded_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err_code code = OK;

    if (loaded < 0 && errno == ENOENT)
        return OK;
    if (loaded < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot open '%s/%s': %s", folder->path, loaded_name,
                       strerror(errno));
    for (int class = 0; class < STORE_CLASS_COUNT && code == OK; class ++)
        code = move_up(folder, loaded, store_chunk_names[class], err);
    if (code == OK)
        code = move_up(folder, loaded, store_meta_name, err);
    close(loaded);
    TRY(code);
    TRY(store_folder_sync(folder, err));
    return remove_folder(folder, loaded_name, err);
}

/* A directory that is written to is locked, so that two exports do not lose each other's line in
 * the file "checkpoint". */
#include "api/file/folder_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "api/file/state_file.h"
#include "store/base/scope.h"

enum {
    FILE_MODES = S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH,
    SPANS_AT_ONCE = 64,
    TEMPORARY_NAME_BYTES = 64,
    LOCK_TRIES = 500,
    LOCK_WAIT_NS = 10000000,
};

struct writing {
    const struct api_place *place;
    const struct api_layout *files;
    bool overwrite;
    mode_t mode;      /* the directory's, for files */
    uint64_t id;      /* of this writing, in temporary names */
    size_t written;   /* files that lie under temporary names */
    size_t published; /* of these, renamed */
};

static enum err_code
trouble(const char *doing, const char *name, struct err *err)
{
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;

    return err_set(err, full ? ERR_FULL : ERR_UNAVAILABLE, "cannot %s '%s': %s", doing, name,
                   strerror(errno));
}

static const char *
temporary_name(const struct writing *writing, size_t i, char out[static TEMPORARY_NAME_BYTES])
{
    snprintf(out, TEMPORARY_NAME_BYTES, ".tensorkeep-%016" PRIx64 "-%zu.tmp", writing->id, i);
    return out;
}

/* --- one file ------------------------------------------------------------------------------ */

static enum err_code
write_spans(int descriptor, const struct bytes *spans, size_t count, const char *name,
            struct err *err)
{
    struct iovec pieces[SPANS_AT_ONCE];
    size_t span = 0, offset = 0;

    while (span < count) {
        int taken = 0;
        ssize_t done;

        for (size_t i = span; i < count && taken < SPANS_AT_ONCE; i++, taken++) {
            size_t skip = i == span ? offset : 0;

            pieces[taken].iov_base = (void *)(uintptr_t)(spans[i].data + skip); /* only read */
            pieces[taken].iov_len = spans[i].size - skip;
        }
        done = writev(descriptor, pieces, taken);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return trouble("write", name, err);
        for (offset += (size_t)done; span < count && offset >= spans[span].size; span++)
            offset -= spans[span].size;
    }
    return OK;
}

static enum err_code
write_one(struct writing *writing, size_t i, struct err *err)
{
    const struct api_layout_file *file = &writing->files->files[i];
    char temporary[TEMPORARY_NAME_BYTES];
    enum err_code code;
    int descriptor =
        openat(writing->place->folder, temporary_name(writing, i, temporary),
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);

    if (descriptor < 0)
        return trouble("create", file->name, err);
    writing->written++;
    if (fchmod(descriptor, writing->mode) != 0) {
        code = trouble("create", file->name, err);
        close(descriptor);
        return code;
    }
    code = write_spans(descriptor, writing->files->spans + file->span_first, file->span_count,
                       file->name, err);
    if (code == OK && fsync(descriptor) != 0)
        code = trouble("sync", file->name, err);
    if (close(descriptor) != 0 && code == OK)
        code = trouble("write", file->name, err);
    return code;
}

/* --- all of them --------------------------------------------------------------------------- */

static enum err_code
check_name(const struct writing *writing, const char *name, struct err *err)
{
    struct stat info;

    if (strlen(name) > API_ROOT_NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a file name of %zu bytes, at most %d are possible", strlen(name),
                       API_ROOT_NAME_BYTES_MAX);
    if (fstatat(writing->place->folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? OK : trouble("look at", name, err);
    if (S_ISDIR(info.st_mode))
        return err_set(err, ERR_ALREADY_EXISTS, "there is a directory '%s'", name);
    if (!writing->overwrite)
        return err_set(err, ERR_ALREADY_EXISTS, "there is a file '%s' (overwrite replaces it)",
                       name);
    return OK;
}

static enum err_code
publish_one(struct writing *writing, size_t i, struct err *err)
{
    const char *name = writing->files->files[i].name;
    int folder = writing->place->folder;
    char temporary[TEMPORARY_NAME_BYTES];
    int status;

    (void)temporary_name(writing, i, temporary);
    status = renameat2(folder, temporary, folder, name,
                       writing->overwrite ? 0 : (unsigned)RENAME_NOREPLACE);
    if (status != 0 && errno == EINVAL && !writing->overwrite) {
        /* A file system that cannot promise it: looked at just before. */
        TRY(check_name(writing, name, err));
        status = renameat(folder, temporary, folder, name);
    }
    if (status != 0 && errno == EEXIST)
        return err_set(err, ERR_ALREADY_EXISTS, "there is a file '%s' (overwrite replaces it)",
                       name);
    return status == 0 ? OK : trouble("rename to", name, err);
}

static enum err_code
write_all(struct writing *writing, struct err *err)
{
    const struct api_layout *files = writing->files;
    struct stat info;

    if (fstat(writing->place->folder, &info) != 0)
        return trouble("look at", "the directory", err);
    writing->mode = (info.st_mode & FILE_MODES) | S_IRUSR | S_IWUSR;
    for (size_t i = 0; i < files->file_count; i++)
        TRY(check_name(writing, files->files[i].name, err));
    for (size_t i = 0; i < files->file_count; i++)
        TRY(write_one(writing, i, err));
    for (size_t i = 0; i < files->file_count; i++) {
        TRY(publish_one(writing, i, err));
        writing->published++;
    }
    return fsync(writing->place->folder) == 0 ? OK : trouble("sync", "the directory", err);
}

/* What had been written is taken away, and what has its name too where nothing had it before. */
static void
take_back(const struct writing *writing)
{
    char temporary[TEMPORARY_NAME_BYTES];

    for (size_t i = writing->published; i < writing->written; i++)
        (void)unlinkat(writing->place->folder, temporary_name(writing, i, temporary), 0);
    for (size_t i = 0; i < writing->published && !writing->overwrite; i++)
        (void)unlinkat(writing->place->folder, writing->files->files[i].name, 0);
}

static enum err_code
write_files(const struct api_place *place, const struct api_layout *files, bool overwrite,
            struct err *err)
{
    struct writing writing = {.place = place, .files = files, .overwrite = overwrite};
    enum err_code code;

    if (getrandom(&writing.id, sizeof writing.id, 0) != (ssize_t)sizeof writing.id)
        return err_set(err, ERR_INTERNAL, "no random number for a temporary name");
    code = write_all(&writing, err);
    if (code != OK)
        take_back(&writing);
    return code;
}

/* --- the file "checkpoint" ----------------------------------------------------------------- */

/* What it says now; nothing when it is not there, or is to be replaced and says nothing legible. */
static enum err_code
read_state(const struct api_place *place, bool forgive, struct arena *arena,
           struct api_state_file *out, struct err *err)
{
    struct api_file file;
    struct bytes text = {0};
    enum err_code code = api_place_open_file(place, API_STATE_FILE_NAME, &file, err);

    *out = (struct api_state_file){.path_count = 0};
    if (code == ERR_NOT_FOUND) {
        err_clear(err);
        return OK;
    }
    TRY(code);
    if (file.size > API_STATE_FILE_BYTES_MAX)
        code = err_set(err, ERR_INVALID_ARGUMENT, "it has over %d bytes", API_STATE_FILE_BYTES_MAX);
    else
        code = api_file_text(&file, arena, &text, err);
    close(file.descriptor);
    if (code == OK)
        code = api_state_file_read(text, arena, out, err);
    if (code != ERR_INVALID_ARGUMENT)
        return code;
    *out = (struct api_state_file){.path_count = 0};
    if (forgive) {
        err_clear(err);
        return OK;
    }
    err_prefix(err, "the file 'checkpoint' that is in the directory cannot be added to");
    return code;
}

static enum err_code
write_state(const struct api_place *place, const struct api_state_file *state, struct arena *arena,
            struct err *err)
{
    struct api_layout file;
    AUTO(buf) text = {0};

    buf_init(&text, API_STATE_FILE_BYTES_MAX);
    TRY(api_state_file_write(state, &text, err));
    api_layout_init(&file, arena);
    TRY(api_layout_file(&file, API_STATE_FILE_NAME, err));
    TRY(api_layout_lend(&file, buf_bytes(&text), err));
    return write_files(place, &file, true, err);
}

/* --- the directory ------------------------------------------------------------------------- */

static enum err_code
lock_folder(const struct api_place *place, struct err *err)
{
    const struct timespec wait = {.tv_nsec = LOCK_WAIT_NS};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(place->folder, LOCK_EX | LOCK_NB) == 0)
            return OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return OK; /* a file system without locks: then there are none */
        nanosleep(&wait, NULL);
    }
    return err_set(err, ERR_BUSY, "somebody else is writing to the directory");
}

static enum err_code
write_locked(const struct api_place *place, const struct api_layout *files,
             const struct api_folder_options *options, struct err *err)
{
    struct api_state_file state;

    if (options->latest == NULL)
        return write_files(place, files, options->overwrite, err);
    TRY(read_state(place, options->overwrite, files->arena, &state, err));
    TRY(api_state_file_add(&state, bytes_of_text(options->latest), files->arena, err));
    TRY(write_files(place, files, options->overwrite, err));
    return write_state(place, &state, files->arena, err);
}

enum err_code
api_folder_write(const struct api_place *place, const struct api_layout *files,
                 const struct api_folder_options *options, struct err *err)
{
    enum err_code code;

    TRY(lock_folder(place, err));
    code = write_locked(place, files, options, err);
    (void)flock(place->folder, LOCK_UN);
    return code;
}

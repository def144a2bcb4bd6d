#include "service/command/command_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/command/command_user.h"
#include "service/verify/verify.h"
#include "store/backup.h"
#include "store/base/alloc.h"
#include "store/base/file.h"
#include "store/base/scope.h"

static void
store_scope_close(struct store **store)
{
    store_close(*store);
}

static void
backup_scope_drop(struct backup **backup)
{
    backup_drop(*backup);
}

static void
load_scope_drop(struct store_load **load)
{
    store_load_drop(*load);
}

static void
file_scope_close(const int *file)
{
    if (*file > STDERR_FILENO)
        close(*file);
}

#define AUTO_STORE  AUTO_CALL(store_scope_close) struct store *
#define AUTO_BACKUP AUTO_CALL(backup_scope_drop) struct backup *
#define AUTO_LOAD   AUTO_CALL(load_scope_drop) struct store_load *
#define AUTO_FILE   AUTO_CALL(file_scope_close) int

static enum err_code
open_there(const struct command_input *input, struct store **out, struct err *err)
{
    struct store_config config = input->store;

    config.must_exist = true;
    TRY(command_user_take(config.directory, err));
    return store_open(&config, out, err);
}

/* --- verify ----------------------------------------------------------------------------------- */

static enum err_code
check(struct store *store, const char *what, bool payloads, FILE *out, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    struct store_verify_report *report = mem_zeroed(1, sizeof *report, err);

    if (report == NULL)
        return ERR_NO_MEMORY;
    TRY(service_verify_store(store, payloads, report, err));
    if (report->findings == 0) {
        fprintf(out,
                "%s: revision %" PRIu64 ", %" PRIu64 " values, %" PRIu64 " chunks, %" PRIu64
                " bytes in them: all well\n",
                what, store_revision(store), report->values, report->chunks, report->chunk_bytes);
        return OK;
    }
    for (uint32_t i = 0; i < report->text_count; i++)
        fprintf(out, "%s\n", report->texts[i]);
    return err_set(err, ERR_DATA_LOSS, "%s: the check found %" PRIu64 " faults", what,
                   report->findings);
}

enum err_code
command_verify(const struct command_input *input, struct err *err)
{
    AUTO_STORE store = NULL;

    TRY(open_there(input, &store, err));
    return check(store, input->store.directory, true, input->out, err);
}

/* A loaded store, before it takes its place. */
static enum err_code
check_loaded(const struct command_input *input, const struct store_load *load, struct err *err)
{
    struct store_config config = input->store;
    AUTO_STORE store = NULL;

    config.directory = store_load_directory(load);
    TRY(store_open(&config, &store, err));
    return check(store, input->store.directory, false, input->out, err);
}

/* --- backup ----------------------------------------------------------------------------------- */

static enum err_code
copy_out(struct store *store, int file, const char *path, uint64_t *size, struct err *err)
{
    AUTO_BACKUP backup = NULL;
    struct bytes piece;

    *size = 0;
    TRY(backup_open(store, &backup, err));
    for (;;) {
        TRY(backup_next(backup, &piece, err));
        if (piece.size == 0)
            return OK;
        if (!file_write_all(file, piece))
            return err_set(err, ERR_UNAVAILABLE, "cannot write '%s': %s", path, strerror(errno));
        *size += piece.size;
    }
}

/* Its bytes are on disk, then its name, then the name's folder entry. */
static enum err_code
finish_file(int file, const char *partial, const char *path, struct err *err)
{
    char folder[SETTING_TEXT_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    AUTO_FILE directory = -1;

    if (slash == NULL)
        snprintf(folder, sizeof folder, ".");
    else
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
    directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0 || fsync(file) != 0 || linkat(AT_FDCWD, partial, AT_FDCWD, path, 0) != 0 ||
        fsync(directory) != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot finish '%s': %s", path, strerror(errno));
    return OK;
}

/* Never over a file that is there: it may be the last backup that is good. */
static enum err_code
back_up_to_file(struct store *store, const char *path, uint64_t *size, struct err *err)
{
    char partial[SETTING_TEXT_BYTES_MAX + 16];
    AUTO_FILE file = -1;
    enum err_code code;
    int length = snprintf(partial, sizeof partial, "%s.partial", path);

    if (length < 0 || (size_t)length >= sizeof partial)
        return err_set(err, ERR_INVALID_ARGUMENT, "the path of the backup is too long");
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_ALREADY_EXISTS, "'%s' is there already", path);
    file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot create '%s': %s", partial, strerror(errno));
    code = copy_out(store, file, partial, size, err);
    if (code == OK)
        code = finish_file(file, partial, path, err);
    (void)unlink(partial);
    return code;
}

enum err_code
command_backup(const struct command_input *input, struct err *err)
{
    AUTO_STORE store = NULL;
    uint64_t size;

    TRY(open_there(input, &store, err));
    TRY(command_user_give_back(err)); /* the backup is the caller's */
    if (strcmp(input->operand, "-") == 0)
        return copy_out(store, STDOUT_FILENO, "standard output", &size, err);
    TRY(back_up_to_file(store, input->operand, &size, err));
    fprintf(input->out, "%s: revision %" PRIu64 ", %" PRIu64 " bytes\n", input->operand,
            store_revision(store), size);
    return OK;
}

/* --- restore-backup --------------------------------------------------------------------------- */

struct file_source {
    int file;
    const char *path;
};

static enum err_code
read_file(void *context, uint8_t *out, size_t size, size_t *got, struct err *err)
{
    struct file_source *source = context;
    ssize_t did;

    do
        did = read(source->file, out, size);
    while (did < 0 && errno == EINTR);
    if (did < 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot read '%s': %s", source->path, strerror(errno));
    *got = (size_t)did;
    return OK;
}

enum err_code
command_restore_backup(const struct command_input *input, struct err *err)
{
    bool is_standard = strcmp(input->operand, "-") == 0;
    AUTO_FILE file = is_standard ? STDIN_FILENO : open(input->operand, O_RDONLY | O_CLOEXEC);
    struct file_source source = {.file = file, .path = input->operand};
    struct backup_counts counts;
    AUTO_LOAD load = NULL;

    if (file < 0)
        return err_set(err, ERR_NOT_FOUND, "cannot read '%s': %s", input->operand, strerror(errno));
    TRY(command_user_take(input->store.directory, err));
    TRY(store_load_open(&input->store, &load, err));
    TRY(backup_load(read_file, &source, load, true, &counts, err));
    TRY(check_loaded(input, load, err));
    TRY(store_load_install(load, err));
    fprintf(input->out, "%s: %" PRIu64 " records and %" PRIu64 " chunks put back\n",
            input->store.directory, counts.records, counts.chunks);
    return OK;
}

/* --- compact ---------------------------------------------------------------------------------- */

static enum err_code
make_anew(const struct command_input *input, struct store *store, struct err *err)
{
    struct backup_pipe pipe = {.backup = NULL};
    AUTO_BACKUP backup = NULL;
    AUTO_LOAD load = NULL;
    struct backup_counts counts;
    struct store_stats stats;

    TRY(store_stats_read(store, &stats, err));
    TRY(store_disk_check(store, stats.file_bytes - stats.free_bytes, err));
    TRY(backup_open(store, &backup, err));
    pipe.backup = backup;
    TRY(store_load_open_beside(store, &load, err));
    TRY(backup_load(backup_pipe_source, &pipe, load, false, &counts, err));
    TRY(check_loaded(input, load, err));
    return store_load_install(load, err);
}

static enum err_code
file_bytes(const struct store_config *config, uint64_t *out, struct err *err)
{
    AUTO_STORE store = NULL;
    struct store_stats stats;

    TRY(store_open(config, &store, err));
    TRY(store_stats_read(store, &stats, err));
    *out = stats.file_bytes;
    return OK;
}

enum err_code
command_compact(const struct command_input *input, struct err *err)
{
    AUTO_STORE store = NULL;
    uint64_t before = 0, after = 0;
    struct store_stats stats;

    TRY(open_there(input, &store, err));
    TRY(store_stats_read(store, &stats, err));
    before = stats.file_bytes;
    TRY(make_anew(input, store, err));
    store_close(TAKE(store));
    TRY(file_bytes(&input->store, &after, err)); /* opening it moves the files to their place */
    fprintf(input->out, "%s: %" PRIu64 " bytes before, %" PRIu64 " now\n", input->store.directory,
            before, after);
    return OK;
}

#include "api/guard/tokens_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/guard/secret_file.h"
#include "store/base/alloc.h"
#include "store/base/file.h"
#include "store/base/lock.h"
#include "store/base/scope.h"

static const char what[] = "the tokens file";

struct api_tokens_file {
    char *path;
    struct lock lock; /* guards the next */
    struct api_tokens *tokens;
};

static enum err_code
read_tokens(const char *path, struct api_tokens **out, struct err *err)
{
    AUTO(buf) text;

    buf_init(&text, API_TOKENS_TEXT_BYTES_MAX);
    TRY(api_secret_file_read(path, what, S_IRWXG | S_IRWXO, &text, err));
    return api_tokens_parse(buf_bytes(&text), path, out, err);
}

enum err_code
api_tokens_file_open(const char *path, struct api_tokens_file **out, struct err *err)
{
    struct api_tokens_file *file = mem_zeroed(1, sizeof *file, err);
    enum err_code code;

    if (file == NULL)
        return ERR_NO_MEMORY;
    lock_init(&file->lock);
    file->path = mem_copy_text(path, strlen(path), err);
    code = file->path == NULL ? ERR_NO_MEMORY : read_tokens(path, &file->tokens, err);
    if (code != OK) {
        api_tokens_file_drop(file);
        return code;
    }
    *out = file;
    return OK;
}

void
api_tokens_file_drop(struct api_tokens_file *file)
{
    if (file == NULL)
        return;
    api_tokens_drop(file->tokens);
    mem_free(file->path);
    lock_drop(&file->lock);
    mem_free(file);
}

enum err_code
api_tokens_file_reload(struct api_tokens_file *file, struct err *err)
{
    struct api_tokens *tokens = NULL, *before;

    TRY(read_tokens(file->path, &tokens, err));
    lock_acquire(&file->lock);
    before = file->tokens;
    file->tokens = tokens;
    lock_release(&file->lock);
    api_tokens_drop(before);
    return OK;
}

struct api_tokens *
api_tokens_file_hold(struct api_tokens_file *file)
{
    struct api_tokens *tokens;

    lock_acquire(&file->lock);
    tokens = api_tokens_hold(file->tokens);
    lock_release(&file->lock);
    return tokens;
}

/* --- one more line ------------------------------------------------------------------------- */

static enum err_code
write_all(int file, struct bytes bytes, const char *path, struct err *err)
{
    if (!file_write_all(file, bytes))
        return err_set(err, ERR_UNAVAILABLE, "'%s' cannot be written: %s", path, strerror(errno));
    if (fsync(file) != 0)
        return err_set(err, ERR_UNAVAILABLE, "'%s' cannot be synced: %s", path, strerror(errno));
    return OK;
}

/* The owner stays who it was: root may add to the file of the user who runs the server. */
static enum err_code
replace(const char *path, struct bytes text, struct err *err)
{
    char other[4096];
    struct stat status;
    enum err_code code;
    int file;

    if ((size_t)snprintf(other, sizeof other, "%s.XXXXXX", path) >= sizeof other)
        return err_set(err, ERR_INVALID_ARGUMENT, "the name of %s is too long", what);
    file = mkostemp(other, O_CLOEXEC);
    if (file < 0)
        return err_set(err, ERR_UNAVAILABLE, "'%s' cannot be made: %s", other, strerror(errno));
    code = write_all(file, text, other, err);
    if (code == OK && stat(path, &status) == 0 && status.st_uid != geteuid() &&
        fchown(file, status.st_uid, status.st_gid) != 0)
        code = err_set(err, ERR_UNAVAILABLE, "'%s' cannot be given to the owner of '%s': %s", other,
                       path, strerror(errno));
    if (code == OK && rename(other, path) != 0)
        code = err_set(err, ERR_UNAVAILABLE, "'%s' cannot take the place of '%s': %s", other, path,
                       strerror(errno));
    if (code != OK)
        (void)unlink(other);
    (void)close(file);
    return code;
}

enum err_code
api_tokens_file_add(const char *path, const char *line, struct err *err)
{
    struct api_tokens *tokens = NULL;
    AUTO(buf) text;

    buf_init(&text, API_TOKENS_TEXT_BYTES_MAX);
    if (access(path, F_OK) == 0)
        TRY(api_secret_file_read_to_change(path, what, S_IRWXG | S_IRWXO, &text, err));
    if (text.size > 0 && text.data[text.size - 1] != '\n')
        TRY(buf_append_byte(&text, '\n', err));
    TRY(buf_append_text(&text, line, err));
    TRY(buf_append_byte(&text, '\n', err));
    TRY(api_tokens_parse(buf_bytes(&text), path, &tokens, err));
    api_tokens_drop(tokens);
    return replace(path, buf_bytes(&text), err);
}

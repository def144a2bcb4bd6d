#include "api/guard/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_BYTES = 4096 };

static enum err_code
check_file(int file, const char *path, const char *what, unsigned strangers, bool any_owner,
           struct err *err)
{
    struct stat status;

    if (fstat(file, &status) != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s '%s' tells nothing about itself: %s", what, path,
                       strerror(errno));
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s' is not a regular file", what, path);
    if (!any_owner && status.st_uid != geteuid() && status.st_uid != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s '%s' belongs to user %u: it must be this server's (%u) or root's", what,
                       path, (unsigned)status.st_uid, (unsigned)geteuid());
    if ((status.st_mode & strangers) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s '%s' has mode %04o: others can get at it; chmod it to %04o", what, path,
                       (unsigned)(status.st_mode & 07777),
                       (unsigned)(status.st_mode & 0777 & ~strangers));
    return OK;
}

static enum err_code
read_all(int file, const char *path, const char *what, struct buf *out, struct err *err)
{
    for (;;) {
        uint8_t piece[STEP_BYTES];
        ssize_t got = read(file, piece, sizeof piece);

        if (got == 0)
            return OK;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_UNAVAILABLE, "%s '%s' cannot be read: %s", what, path,
                           strerror(errno));
        if ((size_t)got > out->size_max - out->size)
            return err_set(err, ERR_INVALID_ARGUMENT, "%s '%s' has more than %zu bytes", what, path,
                           out->size_max);
        TRY(buf_append(out, piece, (size_t)got, err));
    }
}

static enum err_code
read_file(const char *path, const char *what, unsigned strangers, bool any_owner, struct buf *out,
          struct err *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    enum err_code code;

    if (file < 0)
        return err_set(err, ERR_UNAVAILABLE, "%s '%s' cannot be opened: %s", what, path,
                       strerror(errno));
    code = check_file(file, path, what, strangers, any_owner, err);
    if (code == OK)
        code = read_all(file, path, what, out, err);
    (void)close(file);
    return code;
}

enum err_code
api_secret_file_read(const char *path, const char *what, unsigned strangers, struct buf *out,
                     struct err *err)
{
    return read_file(path, what, strangers, false, out, err);
}

enum err_code
api_secret_file_read_to_change(const char *path, const char *what, unsigned strangers,
                               struct buf *out, struct err *err)
{
    return read_file(path, what, strangers, geteuid() == 0, out, err);
}

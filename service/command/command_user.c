#include "service/command/command_user.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err_code
command_user_take(const char *folder, struct err *err)
{
    struct stat status;

    /* A folder that is not there, or not to be looked at, is told of by whoever opens it. */
    if (geteuid() != 0 || stat(folder, &status) != 0 || status.st_uid == 0)
        return OK;
    if (setegid(status.st_gid) != 0 || seteuid(status.st_uid) != 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "cannot work as user %u, whose '%s' is: %s; run it as that user",
                       (unsigned)status.st_uid, folder, strerror(errno));
    return OK;
}

enum err_code
command_user_give_back(struct err *err)
{
    uid_t real = getuid();
    gid_t group = getgid();

    if (real == geteuid() || real != 0)
        return OK;
    if (seteuid(real) != 0 || setegid(group) != 0)
        return err_set(err, ERR_UNAVAILABLE, "cannot be root again: %s", strerror(errno));
    return OK;
}

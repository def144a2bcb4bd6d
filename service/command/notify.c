#include "service/command/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/base/log.h"

void
notify_manager(const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t length = path == NULL ? 0 : strlen(path), size = strlen(text);
    int descriptor;

    if (length == 0)
        return;
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof address.sun_path) {
        log_write(LOG_WARNING, "NOTIFY_SOCKET is no path of a socket");
        return;
    }
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') /* not in the file system: its name begins with a NUL */
        address.sun_path[0] = '\0';
    descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 ||
        sendto(descriptor, text, size, MSG_NOSIGNAL, (const struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) != (ssize_t)size)
        log_write(LOG_WARNING, "cannot tell the service manager: %s", strerror(errno));
    if (descriptor >= 0)
        close(descriptor);
}

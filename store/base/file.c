#include "store/base/file.h"

#include <errno.h>
#include <unistd.h>

bool
file_write_all(int descriptor, struct bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t done = write(descriptor, bytes.data, bytes.size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        bytes = bytes_of(bytes.data + done, bytes.size - (size_t)done);
    }
    return true;
}

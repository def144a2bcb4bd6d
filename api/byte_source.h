/* Bytes that come one after the other, from wherever: a body, a part of one, memory. */
#ifndef API_BYTE_SOURCE_H
#define API_BYTE_SOURCE_H

#include "store/base/err.h"

#include <stddef.h>

struct api_byte_source {
    void *context; /* borrowed */
    /* At least one byte, at most `size` (not 0); *got 0 at the end, and at every call after it. */
    ERR_MUST_CHECK enum err_code (*read)(void *context, void *out, size_t size, size_t *got,
                                         struct err *err);
};

#endif

/* Bytes that come one after the other, from wherever: a body, a part of one, a file, memory. */
#ifndef API_TENSORS_BYTE_SOURCE_H
#define API_TENSORS_BYTE_SOURCE_H

#include "store/base/err.h"

#include <stddef.h>

struct api_byte_source {
    void *context; /* borrowed */
    /* At least one byte, at most `size` (not 0); *got 0 at the end, and at every call after it. */
    ERR_MUST_CHECK enum err_code (*read)(void *context, void *out, size_t size, size_t *got,
                                         struct err *err);
};

/* All `size` bytes, or ERR_INVALID_ARGUMENT "<place> ends after N of `size` bytes of <what>". */
ERR_MUST_CHECK enum err_code api_byte_source_exactly(const struct api_byte_source *source,
                                                     const char *place, const char *what, void *out,
                                                     size_t size, struct err *err);
/* ERR_INVALID_ARGUMENT "<place> goes on after <what>" when there are more. */
ERR_MUST_CHECK enum err_code api_byte_source_end(const struct api_byte_source *source,
                                                 const char *place, const char *what,
                                                 struct err *err);

#endif

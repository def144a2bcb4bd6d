/* zlib's memory comes from where all memory does, so that tests can let it run out. */
#ifndef API_FILE_ZIP_MEMORY_H
#define API_FILE_ZIP_MEMORY_H

#include <zlib.h>

#include "store/base/alloc.h"

static inline voidpf
api_zip_memory_take(voidpf context, uInt count, uInt size)
{
    (void)context;
    return mem_zeroed(count, size, NULL);
}

static inline void
api_zip_memory_give(voidpf context, voidpf memory)
{
    (void)context;
    mem_free(memory);
}

/* A stream to begin with. */
#define API_ZIP_STREAM                                                                             \
    (z_stream)                                                                                     \
    {                                                                                              \
        .zalloc = api_zip_memory_take, .zfree = api_zip_memory_give                                \
    }

#endif

#include "api/file/gzip.h"

#include <limits.h>
#include <zlib.h>

#include "api/file/zip_memory.h"

enum {
    LEVEL = 1,
    WINDOW_BITS = MAX_WBITS + 16, /* gzip's head and trailer */
    MEMORY_LEVEL = 8,
};

enum err_code
api_gzip_pack(struct bytes plain, struct buf *out, struct err *err)
{
    z_stream stream = API_ZIP_STREAM;
    uint8_t *room = NULL;
    int status;

    if (plain.size > UINT_MAX || out->size_max > UINT_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "%zu bytes are too many to be packed at once",
                       plain.size);
    TRY(buf_reserve(out, out->size_max, &room, err));
    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return err_set(err, ERR_NO_MEMORY, "out of memory while packing");
    stream.next_in = (Bytef *)(uintptr_t)plain.data;
    stream.avail_in = (uInt)plain.size;
    stream.next_out = room;
    stream.avail_out = (uInt)out->size_max;
    status = deflate(&stream, Z_FINISH);
    buf_commit(out, out->size_max - stream.avail_out);
    (void)deflateEnd(&stream);
    if (status != Z_STREAM_END)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "it does not become smaller by packing");
    return OK;
}

#include "api/file/unpack.h"

#include "api/file/tar_read.h"
#include "api/file/zip_read.h"

enum err_code
api_unpack(const struct api_file *file, struct scratch *scratch,
           const struct api_unpack_limits *limits, struct arena *arena, struct api_file_set *out,
           bool *unpacked, struct err *err)
{
    uint8_t first[API_TAR_SNIFF_BYTES];
    size_t size = file->size < sizeof first ? (size_t)file->size : sizeof first;
    struct api_file_stream stream = {.file = *file};
    struct api_byte_source source = api_file_source(&stream);

    *unpacked = false;
    TRY(api_file_read(file, 0, first, size, err));
    if (api_zip_sniff(bytes_of(first, size))) {
        *unpacked = true;
        return api_zip_read(file, scratch, limits, arena, out, err);
    }
    if (api_tar_sniff(bytes_of(first, size))) {
        *unpacked = true;
        return api_tar_read(&source, scratch, limits, arena, out, err);
    }
    return OK;
}

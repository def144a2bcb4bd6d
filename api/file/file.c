#include "api/file/file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static enum err_code
check_inside(const struct api_file *file, uint64_t offset, uint64_t size, struct err *err)
{
    if (offset <= file->size && size <= file->size - offset)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%" PRIu64 " bytes at offset %" PRIu64 " are not inside a file of %" PRIu64
                   " bytes",
                   size, offset, file->size);
}

enum err_code
api_file_part(const struct api_file *file, uint64_t offset, uint64_t size, struct api_file *out,
              struct err *err)
{
    TRY(check_inside(file, offset, size, err));
    *out = (struct api_file){file->descriptor, file->begin + offset, size};
    return OK;
}

enum err_code
api_file_read(const struct api_file *file, uint64_t offset, void *out, size_t size, struct err *err)
{
    uint8_t *at = out;

    TRY(check_inside(file, offset, size, err));
    while (size > 0) {
        ssize_t got = pread(file->descriptor, at, size, (off_t)(file->begin + offset));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_INTERNAL, "cannot read a file: %s", strerror(errno));
        if (got == 0) /* somebody cut it while it was read */
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "the file ends at byte %" PRIu64 " of %" PRIu64, offset, file->size);
        at += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return OK;
}

enum err_code
api_file_text(const struct api_file *file, struct arena *arena, struct bytes *out, struct err *err)
{
    uint8_t *text = arena_alloc(arena, (size_t)file->size, err);

    if (text == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
    TRY(api_file_read(file, 0, text, (size_t)file->size, err));
    *out = bytes_of(text, (size_t)file->size);
    return OK;
}

static enum err_code
read_stream(void *context, void *out, size_t size, size_t *got, struct err *err)
{
    struct api_file_stream *stream = context;
    uint64_t left = stream->file.size - stream->at;

    *got = size < left ? size : (size_t)left;
    TRY(api_file_read(&stream->file, stream->at, out, *got, err));
    stream->at += *got;
    return OK;
}

struct api_byte_source
api_file_source(struct api_file_stream *stream)
{
    return (struct api_byte_source){.context = stream, .read = read_stream};
}

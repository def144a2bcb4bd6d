/* The shape of what zipfile writes for numpy.savez: version 2.0, no data descriptors, Zip64 where a
 * number needs it, UTF-8 said where a name does.
 *
 * Stored data begins at a multiple of 64: an extra field of the id that Android's zipalign uses
 * fills the local header. With a .npy header of 64-byte steps an array in it can be used in place.
 */
#include "api/file/zip_write.h"

#include <time.h>

#include "api/file/zip.h"
#include "api/file/zip_crc.h"
#include "api/file/zip_memory.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    VERSION = 20,
    VERSION_64 = 45,
    SYSTEM_UNIX = 3,
    MODE = 0100644, /* a plain file */
    DEFLATE_LEVEL = 6,
    PIECE_BYTES = 256 << 10,
    ALIGNMENT = 64,
    EXTRA_ALIGNMENT = 0xd935,
    EXTRA_ALIGNMENT_BYTES_MIN = 6, /* id, size, the alignment itself */
    EXTRA_BYTES_MAX = 32 + ALIGNMENT + EXTRA_ALIGNMENT_BYTES_MIN,
    DAY_1980 = 1 << 5 | 1, /* 1 January */
    YEARS_MAX = 127,
};

struct member {
    const char *name;
    size_t name_size;
    uint16_t method;
    uint32_t crc32;
    uint64_t bytes, packed_bytes, header;
    uint64_t packed_begin; /* in the scratch, when it is deflated */
};

struct writing {
    const struct api_layout *files;
    const struct api_zip_options *how;
    struct member *members;
    uint16_t date, time;
    bool packed; /* something was */
};

/* --- looking at all bytes --- */

static uint32_t
crc_of(const struct api_layout *files, const struct api_layout_file *file)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < file->span_count; i++) {
        struct bytes span = files->spans[file->span_first + i];

        crc = api_zip_crc32(crc, span.data, span.size);
    }
    return crc;
}

/* What the stream has taken in so far, out to the scratch; all of it at the end. */
static enum err_code
drain(z_stream *stream, int flush, uint8_t *room, struct scratch *scratch, struct err *err)
{
    int status;

    do {
        stream->next_out = room;
        stream->avail_out = PIECE_BYTES;
        status = deflate(stream, flush);
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return err_set(err, ERR_INTERNAL, "cannot compress: zlib says %d", status);
        TRY(scratch_append(scratch, room, PIECE_BYTES - stream->avail_out, err));
    } while (stream->avail_out == 0);
    return OK;
}

static enum err_code
deflate_spans(const struct writing *writing, const struct api_layout_file *file, z_stream *stream,
              uint8_t *room, struct err *err)
{
    for (size_t i = 0; i < file->span_count; i++) {
        struct bytes span = writing->files->spans[file->span_first + i];

        for (size_t at = 0; at < span.size;) {
            size_t size = span.size - at < PIECE_BYTES ? span.size - at : PIECE_BYTES;

            stream->next_in = (Bytef *)(uintptr_t)(span.data + at); /* it only reads them */
            stream->avail_in = (uInt)size;
            TRY(drain(stream, Z_NO_FLUSH, room, writing->how->scratch, err));
            at += size;
        }
    }
    return drain(stream, Z_FINISH, room, writing->how->scratch, err);
}

/* What does not get smaller is stored: its deflated bytes stay behind in the scratch. */
static enum err_code
pack(struct writing *writing, const struct api_layout_file *file, uint8_t *room,
     struct member *member, struct err *err)
{
    z_stream stream = API_ZIP_STREAM;
    enum err_code code;

    if (!writing->how->deflate || file->size == 0)
        return OK;
    if (deflateInit2(&stream, DEFLATE_LEVEL, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_set(err, ERR_NO_MEMORY, "out of memory while compressing");
    member->packed_begin = scratch_size(writing->how->scratch);
    code = deflate_spans(writing, file, &stream, room, err);
    (void)deflateEnd(&stream);
    TRY(code);
    member->packed_bytes = scratch_size(writing->how->scratch) - member->packed_begin;
    if (member->packed_bytes < member->bytes)
        member->method = API_ZIP_DEFLATED;
    else
        member->packed_bytes = member->bytes;
    return OK;
}

static enum err_code
look(struct writing *writing, struct err *err)
{
    AUTO_CALL(mem_free_scope) uint8_t *room = mem_alloc(PIECE_BYTES, err);

    if (room == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < writing->files->file_count; i++) {
        const struct api_layout_file *file = &writing->files->files[i];
        struct member *member = &writing->members[i];

        *member = (struct member){
            .name = file->name,
            .name_size = strlen(file->name),
            .method = API_ZIP_STORED,
            .crc32 = writing->how->crc32s != NULL ? writing->how->crc32s[i]
                                                  : crc_of(writing->files, file),
            .bytes = file->size,
            .packed_bytes = file->size,
        };
        if (member->name_size >= API_ZIP_FULL_U16)
            return err_set(err, ERR_NOT_ACCEPTABLE,
                           "a name of %zu bytes is too long for a zip file", member->name_size);
        TRY(pack(writing, file, room, member, err));
    }
    return OK;
}

/* --- headers --- */

static uint8_t *
say(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint64_t
at_most(uint64_t value, uint64_t full)
{
    return value < full ? value : full;
}

static void
set_time(struct writing *writing)
{
    time_t seconds = (time_t)(writing->how->modified_ms / 1000);
    struct tm parts;
    int years;

    writing->date = DAY_1980;
    writing->time = 0;
    if (gmtime_r(&seconds, &parts) == NULL || parts.tm_year < 80)
        return;
    years = parts.tm_year - 80 > YEARS_MAX ? YEARS_MAX : parts.tm_year - 80;
    writing->date = (uint16_t)(years << 9 | (parts.tm_mon + 1) << 5 | parts.tm_mday);
    writing->time = (uint16_t)(parts.tm_hour << 11 | parts.tm_min << 5 | parts.tm_sec / 2);
}

static unsigned
flags_of(const struct member *member)
{
    for (size_t i = 0; i < member->name_size; i++)
        if ((uint8_t)member->name[i] >= 0x80)
            return API_ZIP_FLAG_UTF8;
    return 0;
}

/* Both sizes are in the local field when one does not fit. */
static bool
needs_64(const struct member *member)
{
    return member->bytes >= API_ZIP_FULL_U32 || member->packed_bytes >= API_ZIP_FULL_U32;
}

/* From "needed version" to the sizes: as both headers have it. */
static uint8_t *
say_common(const struct writing *writing, const struct member *member, bool wide, uint8_t *at)
{
    at = say(at, wide ? VERSION_64 : VERSION, 2);
    at = say(at, flags_of(member), 2);
    at = say(at, member->method, 2);
    at = say(at, writing->time, 2);
    at = say(at, writing->date, 2);
    at = say(at, member->crc32, 4);
    at = say(at, needs_64(member) ? API_ZIP_FULL_U32 : member->packed_bytes, 4);
    at = say(at, needs_64(member) ? API_ZIP_FULL_U32 : member->bytes, 4);
    return say(at, member->name_size, 2);
}

/* The local extra fields of a member whose header begins at `begin`; returns their end. */
static uint8_t *
say_local_extra(const struct member *member, uint64_t begin, uint8_t *extra)
{
    uint8_t *at = extra;
    uint64_t data, fill;

    if (needs_64(member)) {
        at = say(at, API_ZIP_EXTRA_64, 2);
        at = say(at, 16, 2);
        at = say(at, member->bytes, 8);
        at = say(at, member->packed_bytes, 8);
    }
    data = begin + API_ZIP_LOCAL_BYTES + member->name_size + (uint64_t)(at - extra);
    fill = (ALIGNMENT - data % ALIGNMENT) % ALIGNMENT;
    if (fill == 0 || member->method != API_ZIP_STORED)
        return at;
    if (fill < EXTRA_ALIGNMENT_BYTES_MIN)
        fill += ALIGNMENT;
    at = say(at, EXTRA_ALIGNMENT, 2);
    at = say(at, fill - 4, 2);
    at = say(at, ALIGNMENT, 2);
    memset(at, 0, (size_t)fill - EXTRA_ALIGNMENT_BYTES_MIN);
    return at + (fill - EXTRA_ALIGNMENT_BYTES_MIN);
}

static enum err_code
write_local(const struct writing *writing, size_t index, struct api_layout *out, struct err *err)
{
    struct member *member = &writing->members[index];
    uint8_t header[API_ZIP_LOCAL_BYTES], extra[EXTRA_BYTES_MAX], *at;
    struct bytes packed;
    size_t extra_size;

    member->header = out->files[out->file_count - 1].size;
    extra_size = (size_t)(say_local_extra(member, member->header, extra) - extra);
    at = say(header, API_ZIP_LOCAL, 4);
    at = say_common(writing, member, needs_64(member), at);
    (void)say(at, extra_size, 2);
    TRY(api_layout_copy(out, bytes_of(header, sizeof header), err));
    TRY(api_layout_lend(out, bytes_of(member->name, member->name_size), err));
    TRY(api_layout_copy(out, bytes_of(extra, extra_size), err));
    if (member->method == API_ZIP_DEFLATED) {
        TRY(scratch_map(writing->how->scratch, member->packed_begin, member->packed_bytes, &packed,
                        err));
        return api_layout_lend(out, packed, err);
    }
    return api_layout_lend_file(out, writing->files, index, err);
}

static enum err_code
write_central(const struct writing *writing, const struct member *member, struct api_layout *out,
              struct err *err)
{
    uint8_t header[API_ZIP_CENTRAL_BYTES], extra[EXTRA_BYTES_MAX], *at, *end = extra + 4;
    bool far = member->header >= API_ZIP_FULL_U32, wide = needs_64(member) || far;

    if (needs_64(member)) {
        end = say(end, member->bytes, 8);
        end = say(end, member->packed_bytes, 8);
    }
    if (far)
        end = say(end, member->header, 8);
    at = say(extra, API_ZIP_EXTRA_64, 2);
    (void)say(at, (uint64_t)(end - extra) - 4, 2);
    at = say(header, API_ZIP_CENTRAL, 4);
    at = say(at, SYSTEM_UNIX << 8 | (wide ? VERSION_64 : VERSION), 2);
    at = say_common(writing, member, wide, at);
    at = say(at, wide ? (uint64_t)(end - extra) : 0, 2);
    at = say(at, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
    at = say(at, (uint64_t)MODE << 16, 4);
    (void)say(at, at_most(member->header, API_ZIP_FULL_U32), 4);
    TRY(api_layout_copy(out, bytes_of(header, sizeof header), err));
    TRY(api_layout_lend(out, bytes_of(member->name, member->name_size), err));
    return api_layout_copy(out, bytes_of(extra, wide ? (size_t)(end - extra) : 0), err);
}

static enum err_code
write_end(const struct writing *writing, uint64_t directory, struct api_layout *out,
          struct err *err)
{
    uint8_t record[API_ZIP_END_64_BYTES + API_ZIP_LOCATOR_BYTES + API_ZIP_END_BYTES], *at = record;
    uint64_t end = out->files[out->file_count - 1].size, size = end - directory;
    uint64_t count = writing->files->file_count;

    if (count >= API_ZIP_FULL_U16 || size >= API_ZIP_FULL_U32 || directory >= API_ZIP_FULL_U32) {
        at = say(at, API_ZIP_END_64, 4);
        at = say(at, API_ZIP_END_64_BYTES - 12, 8);
        at = say(at, VERSION_64, 2);
        at = say(at, VERSION_64, 2);
        at = say(at, 0, 4 + 4); /* disks */
        at = say(at, count, 8);
        at = say(at, count, 8);
        at = say(at, size, 8);
        at = say(at, directory, 8);
        at = say(at, API_ZIP_LOCATOR, 4);
        at = say(at, 0, 4);
        at = say(at, end, 8);
        at = say(at, 1, 4);
    }
    at = say(at, API_ZIP_END, 4);
    at = say(at, 0, 2 + 2);
    at = say(at, at_most(count, API_ZIP_FULL_U16), 2);
    at = say(at, at_most(count, API_ZIP_FULL_U16), 2);
    at = say(at, at_most(size, API_ZIP_FULL_U32), 4);
    at = say(at, at_most(directory, API_ZIP_FULL_U32), 4);
    at = say(at, 0, 2);
    return api_layout_copy(out, bytes_of(record, (size_t)(at - record)), err);
}

enum err_code
api_zip_write(const struct api_layout *files, const struct api_zip_options *how, const char *name,
              struct api_layout *out, struct err *err)
{
    struct writing writing = {.files = files, .how = how};
    uint64_t directory;

    writing.members = arena_array(out->arena, files->file_count, sizeof *writing.members, err);
    if (writing.members == NULL)
        return ERR_NO_MEMORY;
    set_time(&writing);
    TRY(look(&writing, err));
    TRY(api_layout_file(out, name, err));
    for (size_t i = 0; i < files->file_count; i++)
        TRY(write_local(&writing, i, out, err));
    directory = out->files[out->file_count - 1].size;
    for (size_t i = 0; i < files->file_count; i++)
        TRY(write_central(&writing, &writing.members[i], out, err));
    return write_end(&writing, directory, out, err);
}

/* Every byte of every member goes through its checksum here, once: who reads a file of the set
 * later may do so in any order, and need not know that it came in an archive. */
#include "api/file/zip_read.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/file/zip.h"
#include "api/file/zip_crc.h"
#include "api/file/zip_directory.h"
#include "api/file/zip_memory.h"
#include "api/json/text.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { PIECE_BYTES = 256 << 10, NOT_YET = -1 /* a file in the scratch, until all are */ };

struct unpacking {
    const struct api_file *zip;
    struct scratch *scratch;
    uint8_t *packed, *plain; /* PIECE_BYTES each */
};

bool
api_zip_sniff(struct bytes first)
{
    return first.size >= 4 &&
           (api_zip_u32(first.data) == API_ZIP_LOCAL || api_zip_u32(first.data) == API_ZIP_END);
}

static enum err_code
refuse(const struct api_zip_member *member, const char *what, struct err *err)
{
    char name[API_SHOWN_BYTES_MAX + 1];

    return err_set(err, ERR_INVALID_ARGUMENT, "member '%s' of the zip file: %s",
                   api_text_shown(member->name, name), what);
}

static enum err_code
check_crc(const struct api_zip_member *member, uint32_t crc, struct err *err)
{
    char text[80];

    if (crc == member->crc32)
        return OK;
    snprintf(text, sizeof text,
             "its bytes have CRC-32 %08" PRIx32 ", the directory says %08" PRIx32, crc,
             member->crc32);
    return refuse(member, text, err);
}

static enum err_code
check_stored(const struct unpacking *unpacking, const struct api_zip_member *member,
             struct err *err)
{
    uint32_t crc = 0;

    for (uint64_t at = 0; at < member->bytes;) {
        size_t size = member->bytes - at < PIECE_BYTES ? (size_t)(member->bytes - at) : PIECE_BYTES;

        TRY(api_file_read(unpacking->zip, member->data + at, unpacking->plain, size, err));
        crc = api_zip_crc32(crc, unpacking->plain, size);
        at += size;
    }
    return check_crc(member, crc, err);
}

/* --- inflating --- */

/* Until the stream says that it has ended, or has more than it said it would. */
static enum err_code
inflate_all(const struct unpacking *unpacking, z_stream *stream,
            const struct api_zip_member *member, struct err *err)
{
    uint64_t taken = 0, made = 0;
    uint32_t crc = 0;
    int status = Z_OK;

    while (status != Z_STREAM_END) {
        size_t size;

        if (stream->avail_in == 0 && taken < member->packed_bytes) {
            uint64_t left = member->packed_bytes - taken;

            stream->avail_in = left < PIECE_BYTES ? (uInt)left : PIECE_BYTES;
            stream->next_in = unpacking->packed;
            TRY(api_file_read(unpacking->zip, member->data + taken, unpacking->packed,
                              stream->avail_in, err));
            taken += stream->avail_in;
        }
        stream->next_out = unpacking->plain;
        stream->avail_out = PIECE_BYTES;
        status = inflate(stream, Z_NO_FLUSH);
        if (status == Z_MEM_ERROR)
            return err_set(err, ERR_NO_MEMORY, "out of memory while unpacking");
        if (status == Z_BUF_ERROR && taken == member->packed_bytes)
            return refuse(member, "its deflated data ends too early", err);
        if (status != Z_OK && status != Z_STREAM_END)
            return refuse(member, "its deflated data is damaged", err);
        size = PIECE_BYTES - stream->avail_out;
        made += size;
        if (made > member->bytes)
            return refuse(member, "it unpacks to more bytes than the directory says", err);
        crc = api_zip_crc32(crc, unpacking->plain, size);
        TRY(scratch_append(unpacking->scratch, unpacking->plain, size, err));
    }
    if (made != member->bytes)
        return refuse(member, "it unpacks to fewer bytes than the directory says", err);
    if (taken != member->packed_bytes || stream->avail_in > 0)
        return refuse(member, "bytes follow its deflated data", err);
    return check_crc(member, crc, err);
}

static enum err_code
unpack(const struct unpacking *unpacking, const struct api_zip_member *member, struct err *err)
{
    z_stream stream = API_ZIP_STREAM;
    enum err_code code;

    /* Negative: raw deflate, without a header of zlib's. */
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return err_set(err, ERR_NO_MEMORY, "out of memory while unpacking");
    code = inflate_all(unpacking, &stream, member, err);
    (void)inflateEnd(&stream);
    return code;
}

/* --- the set --- */

static enum err_code
add_member(const struct unpacking *unpacking, const struct api_zip_member *member,
           struct arena *arena, struct api_file_set *out, struct err *err)
{
    struct api_file file = {.descriptor = NOT_YET};

    if (!member->plain)
        return OK;
    if (member->method == API_ZIP_STORED) {
        TRY(check_stored(unpacking, member, err));
        TRY(api_file_part(unpacking->zip, member->data, member->bytes, &file, err));
    } else {
        file.begin = scratch_size(unpacking->scratch);
        file.size = member->bytes;
        TRY(unpack(unpacking, member, err));
    }
    return api_file_set_add(out, arena, member->name, &file, err);
}

enum err_code
api_zip_read(const struct api_file *zip, struct scratch *scratch,
             const struct api_unpack_limits *limits, struct arena *arena, struct api_file_set *out,
             struct err *err)
{
    AUTO_CALL(mem_free_scope) uint8_t *packed = mem_alloc(PIECE_BYTES, err);
    AUTO_CALL(mem_free_scope) uint8_t *plain = mem_alloc(PIECE_BYTES, err);
    struct unpacking unpacking = {zip, scratch, packed, plain};
    struct api_zip_directory directory;
    int descriptor = NOT_YET;

    *out = (struct api_file_set){.count = 0};
    if (packed == NULL || plain == NULL)
        return ERR_NO_MEMORY;
    TRY(api_zip_directory_read(zip, limits, arena, &directory, err));
    for (size_t i = 0; i < directory.count; i++)
        TRY(add_member(&unpacking, &directory.members[i], arena, out, err));
    TRY(scratch_descriptor(scratch, &descriptor, err));
    for (size_t i = 0; i < out->count; i++)
        if (out->entries[i].file.descriptor == NOT_YET)
            out->entries[i].file.descriptor = descriptor;
    return api_file_set_sort(out, err);
}

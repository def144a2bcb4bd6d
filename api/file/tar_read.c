/* Names are taken as the bytes they are: libarchive warns that the C locale cannot say some of
 * them, which is as well. */
#include "api/file/tar_read.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>

#include "api/json/text.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum { PIECE_BYTES = 128 << 10, CHECKSUM_AT = 148, CHECKSUM_BYTES = 8 };

/* --- sniffing --- */

/* The checksum is an octal number, of the header with spaces in its place. */
static bool
is_header(const uint8_t *header)
{
    uint64_t said = 0, sum = 0;
    size_t at = CHECKSUM_AT, end = CHECKSUM_AT + CHECKSUM_BYTES, begin;

    while (at < end && header[at] == ' ')
        at++;
    for (begin = at; at < end && header[at] >= '0' && header[at] <= '7'; at++)
        said = said * 8 + (uint64_t)(header[at] - '0');
    if (at == begin)
        return false;
    for (size_t i = 0; i < API_TAR_SNIFF_BYTES; i++)
        sum += i >= CHECKSUM_AT && i < end ? ' ' : header[i];
    return sum == said;
}

bool
api_tar_sniff(struct bytes first)
{
    if (first.size >= API_GZIP_SNIFF_BYTES && memcmp(first.data, "\x1f\x8b\x08", 3) == 0)
        return true;
    return first.size >= API_TAR_SNIFF_BYTES && is_header(first.data);
}

/* --- reading --- */

struct unpacking {
    const struct api_byte_source *stream;
    struct scratch *scratch;
    const struct api_unpack_limits *limits;
    struct arena *arena;
    struct api_file_set *out;
    struct err *err;
    enum err_code stream_code; /* what the stream failed with, which libarchive does not know */
    uint64_t total;
    uint32_t count;
    uint8_t piece[PIECE_BYTES];
};

static la_ssize_t
read_stream(struct archive *archive, void *context, const void **out)
{
    struct unpacking *unpacking = context;
    size_t got = 0;

    unpacking->stream_code = unpacking->stream->read(unpacking->stream->context, unpacking->piece,
                                                     PIECE_BYTES, &got, unpacking->err);
    if (unpacking->stream_code != OK) {
        archive_set_error(archive, EIO, "the stream failed");
        return -1;
    }
    *out = unpacking->piece;
    return (la_ssize_t)got;
}

static enum err_code
fail(struct unpacking *unpacking, struct archive *archive)
{
    const char *why = archive_error_string(archive);

    if (unpacking->stream_code != OK)
        return unpacking->stream_code;
    if (archive_errno(archive) == ENOMEM)
        return err_set(unpacking->err, ERR_NO_MEMORY, "out of memory while unpacking");
    return err_set(unpacking->err, ERR_INVALID_ARGUMENT,
                   "the tar file, which may be in gzip, is damaged or none: %s",
                   why != NULL ? why : "no more is known");
}

static bool
is_fatal(la_ssize_t status)
{
    return status < 0 && status != ARCHIVE_WARN;
}

/* Also what is left out has to be read. */
static enum err_code
check_member(struct unpacking *unpacking, struct archive_entry *entry, struct bytes name)
{
    int64_t size = archive_entry_size(entry);
    struct err *err = unpacking->err;
    char shown[API_SHOWN_BYTES_MAX + 1];

    if (unpacking->count++ == unpacking->limits->files_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "the tar file has more than %" PRIu32 " members",
                       unpacking->limits->files_max);
    if (name.size == 0 || name.size > API_UNPACK_NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a member of the tar file has a name of %zu bytes, at least 1 and at most "
                       "%d are possible",
                       name.size, API_UNPACK_NAME_BYTES_MAX);
    if (archive_entry_sparse_count(entry) > 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "member '%s' of the tar file is sparse: pack it without --sparse",
                       api_text_shown(name, shown));
    if (size < 0 || __builtin_add_overflow(unpacking->total, (uint64_t)size, &unpacking->total) ||
        unpacking->total > unpacking->limits->bytes_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the members of the tar file have more than %" PRIu64
                       " bytes unpacked (import_max_bytes)",
                       unpacking->limits->bytes_max);
    return OK;
}

static enum err_code
take_member(struct unpacking *unpacking, struct archive *archive, struct archive_entry *entry)
{
    const char *path = archive_entry_pathname(entry);
    struct bytes name = bytes_of_text(path != NULL ? path : "");
    struct api_file file = {.begin = scratch_size(unpacking->scratch)};
    uint64_t size = (uint64_t)archive_entry_size(entry);
    char shown[API_SHOWN_BYTES_MAX + 1];

    TRY(check_member(unpacking, entry, name));
    if (archive_entry_filetype(entry) != AE_IFREG)
        return OK;
    while (file.size <= size) {
        const void *bytes = NULL;
        size_t got = 0;
        la_int64_t offset = 0;
        int status = archive_read_data_block(archive, &bytes, &got, &offset);

        if (status == ARCHIVE_EOF)
            break;
        if (is_fatal(status))
            return fail(unpacking, archive);
        file.size += got;
        TRY(scratch_append(unpacking->scratch, bytes, got, unpacking->err));
    }
    if (file.size != size)
        return err_set(unpacking->err, ERR_INVALID_ARGUMENT,
                       "member '%s' of the tar file has %" PRIu64 " bytes where %" PRIu64
                       " are announced",
                       api_text_shown(name, shown), file.size, size);
    return api_file_set_add(unpacking->out, unpacking->arena, name, &file, unpacking->err);
}

/* What stands behind the end of the archive is padding, whatever it holds. */
static enum err_code
read_rest(struct unpacking *unpacking)
{
    size_t got;

    do {
        got = 0;
        TRY(unpacking->stream->read(unpacking->stream->context, unpacking->piece, PIECE_BYTES, &got,
                                    unpacking->err));
    } while (got > 0);
    return OK;
}

static enum err_code
read_members(struct unpacking *unpacking, struct archive *archive)
{
    struct archive_entry *entry = NULL;
    int status, descriptor = -1;

    if (archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
        archive_read_support_format_tar(archive) != ARCHIVE_OK)
        return fail(unpacking, archive);
    if (archive_read_open(archive, unpacking, NULL, read_stream, NULL) != ARCHIVE_OK)
        return fail(unpacking, archive);
    while ((status = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
        if (is_fatal(status))
            return fail(unpacking, archive);
        TRY(take_member(unpacking, archive, entry));
    }
    TRY(read_rest(unpacking));
    TRY(scratch_descriptor(unpacking->scratch, &descriptor, unpacking->err));
    for (size_t i = 0; i < unpacking->out->count; i++)
        unpacking->out->entries[i].file.descriptor = descriptor;
    return api_file_set_sort(unpacking->out, unpacking->err);
}

enum err_code
api_tar_read(const struct api_byte_source *stream, struct scratch *scratch,
             const struct api_unpack_limits *limits, struct arena *arena, struct api_file_set *out,
             struct err *err)
{
    AUTO_CALL(mem_free_scope) struct unpacking *unpacking = mem_alloc(sizeof *unpacking, err);
    struct archive *archive;
    enum err_code code;

    *out = (struct api_file_set){.count = 0};
    if (unpacking == NULL)
        return ERR_NO_MEMORY;
    *unpacking = (struct unpacking){.stream = stream,
                                    .scratch = scratch,
                                    .limits = limits,
                                    .arena = arena,
                                    .out = out,
                                    .err = err};
    archive = archive_read_new();
    if (archive == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory while unpacking");
    code = read_members(unpacking, archive);
    (void)archive_read_free(archive);
    return code;
}

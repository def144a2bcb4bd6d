/* The directory of a zip file, read with distrust.
 *
 * Our own, and not minizip's: that one takes an encrypted member or an unknown method for data,
 * passes over sizes of 2^63, lets members share one place, refuses legal local headers whose sizes
 * are zero, and says "-103" to all of it. */
#include "api/file/zip_directory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "api/file/zip.h"
#include "api/json/text.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

enum {
    WINDOW_BYTES = 256 << 10, /* of the directory at a time: more than any header of it has */
    TAIL_BYTES = API_ZIP_COMMENT_BYTES_MAX + API_ZIP_END_BYTES,
    SYSTEM_UNIX = 3,
    DEFLATE_RATIO_MAX = 1032, /* no deflate stream holds more */
};

struct directory {
    const struct api_file *zip;
    uint64_t offset, size, count;
    uint8_t *window; /* WINDOW_BYTES */
    uint64_t window_at;
    size_t window_size;
};

__attribute__((format(printf, 3, 4))) static enum err_code
refuse(const struct api_zip_member *member, struct err *err, const char *format, ...)
{
    char text[256], name[API_SHOWN_BYTES_MAX + 1];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return err_set(err, ERR_INVALID_ARGUMENT, "member '%s' of the zip file: %s",
                   api_text_shown(member->name, name), text);
}

/* --- end records --------------------------------------------------------------------------- */

/* The values of the Zip64 end record, where the plain one has no room for them. */
static enum err_code
read_end_64(struct directory *directory, uint64_t end, struct err *err)
{
    uint8_t locator[API_ZIP_LOCATOR_BYTES], record[API_ZIP_END_64_BYTES];
    uint64_t at;

    if (end < sizeof locator)
        return OK;
    TRY(api_file_read(directory->zip, end - sizeof locator, locator, sizeof locator, err));
    if (api_zip_u32(locator) != API_ZIP_LOCATOR)
        return OK;
    at = api_zip_u64(locator + 8);
    if (at > end - sizeof locator || end - sizeof locator - at < sizeof record)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the zip file has no Zip64 end record at offset %" PRIu64, at);
    TRY(api_file_read(directory->zip, at, record, sizeof record, err));
    if (api_zip_u32(record) != API_ZIP_END_64)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the zip file has no Zip64 end record at offset %" PRIu64, at);
    if (api_zip_u32(record + 16) != 0 || api_zip_u32(record + 20) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the zip file is one part of several");
    directory->count = api_zip_u64(record + 32);
    directory->size = api_zip_u64(record + 40);
    directory->offset = api_zip_u64(record + 48);
    return OK;
}

/* The last place that looks like an end record with a comment up to the end of the file. */
static enum err_code
find_end(const struct api_file *zip, uint8_t *tail, size_t tail_size, const uint8_t **out,
         struct err *err)
{
    TRY(api_file_read(zip, zip->size - tail_size, tail, tail_size, err));
    for (size_t at = tail_size - API_ZIP_END_BYTES + 1; at-- > 0;) {
        if (api_zip_u32(tail + at) != API_ZIP_END ||
            at + API_ZIP_END_BYTES + api_zip_u16(tail + at + 20) != tail_size)
            continue;
        *out = tail + at;
        return OK;
    }
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "this is no zip file, or it is cut off: no end record at its end");
}

static enum err_code
read_end(struct directory *directory, struct err *err)
{
    const struct api_file *zip = directory->zip;
    size_t tail_size = zip->size < TAIL_BYTES ? (size_t)zip->size : TAIL_BYTES;
    const uint8_t *end = NULL;
    uint64_t end_at;

    if (zip->size < API_ZIP_END_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "this is no zip file: it has %" PRIu64 " bytes, the smallest has %d",
                       zip->size, API_ZIP_END_BYTES);
    /* The window is wider than the tail. */
    TRY(find_end(zip, directory->window, tail_size, &end, err));
    end_at = zip->size - tail_size + (uint64_t)(end - directory->window);
    directory->count = api_zip_u16(end + 10);
    directory->size = api_zip_u32(end + 12);
    directory->offset = api_zip_u32(end + 16);
    if (directory->count == API_ZIP_FULL_U16 || directory->size == API_ZIP_FULL_U32 ||
        directory->offset == API_ZIP_FULL_U32)
        TRY(read_end_64(directory, end_at, err));
    else if (api_zip_u16(end + 4) != 0 || api_zip_u16(end + 6) != 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "the zip file is one part of several");
    if (directory->offset > end_at || directory->size > end_at - directory->offset)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the directory of the zip file, %" PRIu64 " bytes at offset %" PRIu64
                       ", reaches past its end record at %" PRIu64,
                       directory->size, directory->offset, end_at);
    return OK;
}

/* --- central headers ----------------------------------------------------------------------- */

/* *out: `size` bytes at `at` of the directory, until the next call. */
static enum err_code
look(struct directory *directory, uint64_t at, size_t size, const uint8_t **out, struct err *err)
{
    uint64_t left = directory->size - at;

    if (size > left)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the directory of the zip file ends in the middle of an entry");
    if (at < directory->window_at || at + size > directory->window_at + directory->window_size) {
        directory->window_at = at;
        directory->window_size = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        TRY(api_file_read(directory->zip, directory->offset + at, directory->window,
                          directory->window_size, err));
    }
    *out = directory->window + (at - directory->window_at);
    return OK;
}

/* Sizes that did not fit stand in the Zip64 field: just those, in this order. Others fields, and
 * what is no field, are passed over. */
static enum err_code
read_extra(struct bytes extra, struct api_zip_member *member, struct err *err)
{
    uint64_t *const values[] = {&member->bytes, &member->packed_bytes, &member->header};
    size_t at = 0;

    while (extra.size >= 4) {
        size_t size = api_zip_u16(extra.data + 2);

        if (size > extra.size - 4)
            break;
        if (api_zip_u16(extra.data) != API_ZIP_EXTRA_64) {
            extra = bytes_of(extra.data + 4 + size, extra.size - 4 - size);
            continue;
        }
        for (size_t i = 0; i < 3; i++) {
            if (*values[i] != API_ZIP_FULL_U32)
                continue;
            if (size - at < 8)
                return refuse(member, err, "its Zip64 field is too short");
            *values[i] = api_zip_u64(extra.data + 4 + at);
            at += 8;
        }
        return OK;
    }
    return OK;
}

static enum err_code
check_member(const struct directory *directory, const struct api_zip_member *member, unsigned flags,
             struct err *err)
{
    if (memchr(member->name.data, '\0', member->name.size) != NULL)
        return refuse(member, err, "its name has a NUL");
    if (flags & (API_ZIP_FLAG_ENCRYPTED | API_ZIP_FLAG_STRONG_ENCRYPTION | API_ZIP_FLAG_MASKED))
        return refuse(member, err, "it is encrypted");
    if (flags & API_ZIP_FLAG_PATCHED)
        return refuse(member, err, "it is a patch to another file");
    if (member->method != API_ZIP_STORED && member->method != API_ZIP_DEFLATED)
        return refuse(member, err,
                      "compression method %u; 0 (stored) and 8 (deflated) are supported",
                      member->method);
    if (member->packed_bytes > directory->zip->size)
        return refuse(member, err, "it would take %" PRIu64 " bytes of a file of %" PRIu64,
                      member->packed_bytes, directory->zip->size);
    if (member->method == API_ZIP_STORED && member->packed_bytes != member->bytes)
        return refuse(member, err, "stored, but of %" PRIu64 " bytes in %" PRIu64, member->bytes,
                      member->packed_bytes);
    if (member->method == API_ZIP_DEFLATED &&
        member->bytes / DEFLATE_RATIO_MAX > member->packed_bytes)
        return refuse(member, err, "%" PRIu64 " bytes cannot be deflated to %" PRIu64,
                      member->bytes, member->packed_bytes);
    return OK;
}

/* The entry at *at; *at goes on to the next. */
static enum err_code
read_entry(struct directory *directory, struct arena *arena, uint64_t *at,
           struct api_zip_member *member, struct err *err)
{
    const uint8_t *header = NULL, *texts = NULL;
    size_t name_size, extra_size, comment_size;
    unsigned flags, system, mode;

    TRY(look(directory, *at, API_ZIP_CENTRAL_BYTES, &header, err));
    if (api_zip_u32(header) != API_ZIP_CENTRAL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the directory of the zip file has no entry at offset %" PRIu64,
                       directory->offset + *at);
    system = header[5];
    flags = api_zip_u16(header + 8);
    *member = (struct api_zip_member){
        .method = api_zip_u16(header + 10),
        .crc32 = api_zip_u32(header + 16),
        .packed_bytes = api_zip_u32(header + 20),
        .bytes = api_zip_u32(header + 24),
        .header = api_zip_u32(header + 42),
    };
    name_size = api_zip_u16(header + 28);
    extra_size = api_zip_u16(header + 30);
    comment_size = api_zip_u16(header + 32);
    mode = api_zip_u32(header + 38) >> 16;
    *at += API_ZIP_CENTRAL_BYTES;
    if (name_size == 0 || name_size > API_UNPACK_NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a member of the zip file has a name of %zu bytes, at least 1 and at most "
                       "%d are possible",
                       name_size, API_UNPACK_NAME_BYTES_MAX);
    TRY(look(directory, *at, name_size + extra_size + comment_size, &texts, err));
    *at += name_size + extra_size + comment_size;
    member->name = bytes_of(arena_text(arena, bytes_of(texts, name_size), err), name_size);
    if (member->name.data == NULL)
        return ERR_NO_MEMORY;
    member->plain = texts[name_size - 1] != '/' && !(system == SYSTEM_UNIX && S_ISLNK(mode));
    TRY(read_extra(bytes_of(texts + name_size, extra_size), member, err));
    return check_member(directory, member, flags, err);
}

static enum err_code
read_entries(struct directory *directory, const struct api_unpack_limits *limits,
             struct arena *arena, struct api_zip_directory *out, struct err *err)
{
    uint64_t total = 0, at = 0;

    if (directory->count > limits->files_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the zip file has %" PRIu64 " members, the limit is %" PRIu32,
                       directory->count, limits->files_max);
    if (directory->count > directory->size / API_ZIP_CENTRAL_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the zip file has %" PRIu64
                       " members by its end record, its directory only %" PRIu64 " bytes",
                       directory->count, directory->size);
    out->members = arena_array(arena, (size_t)directory->count, sizeof *out->members, err);
    if (out->members == NULL)
        return ERR_NO_MEMORY;
    for (out->count = 0; out->count < directory->count; out->count++) {
        struct api_zip_member *member = &out->members[out->count];

        TRY(read_entry(directory, arena, &at, member, err));
        if (__builtin_add_overflow(total, member->bytes, &total) || total > limits->bytes_max)
            return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                           "the members of the zip file have more than %" PRIu64
                           " bytes unpacked (import_max_bytes)",
                           limits->bytes_max);
    }
    if (at != directory->size)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the directory of the zip file goes on after %" PRIu64
                       " members, which are all by its end record",
                       directory->count);
    return OK;
}

/* --- local headers ------------------------------------------------------------------------- */

/* Of all that it says only how long it is counts: what tools write there differs. */
static enum err_code
place_member(const struct directory *directory, struct api_zip_member *member, struct err *err)
{
    uint8_t header[API_ZIP_LOCAL_BYTES];
    uint64_t end = directory->offset;

    if (member->header > end || end - member->header < sizeof header)
        return refuse(member, err, "it would begin at %" PRIu64 ", the directory does at %" PRIu64,
                      member->header, end);
    TRY(api_file_read(directory->zip, member->header, header, sizeof header, err));
    if (api_zip_u32(header) != API_ZIP_LOCAL)
        return refuse(member, err, "there is no local header at offset %" PRIu64, member->header);
    member->data =
        member->header + sizeof header + api_zip_u16(header + 26) + api_zip_u16(header + 28);
    if (member->data > end || member->packed_bytes > end - member->data)
        return refuse(member, err,
                      "%" PRIu64 " bytes at offset %" PRIu64
                      " reach into the directory, which begins at %" PRIu64,
                      member->packed_bytes, member->data, end);
    return OK;
}

static int
by_header(const void *a, const void *b)
{
    const struct api_zip_member *x = *(struct api_zip_member *const *)a;
    const struct api_zip_member *y = *(struct api_zip_member *const *)b;

    return x->header < y->header ? -1 : x->header > y->header;
}

static enum err_code
check_apart(const struct api_zip_directory *directory, struct arena *arena, struct err *err)
{
    const struct api_zip_member **places =
        arena_array(arena, directory->count, sizeof(struct api_zip_member *), err);
    char name[API_SHOWN_BYTES_MAX + 1];

    if (places == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < directory->count; i++)
        places[i] = &directory->members[i];
    if (directory->count > 0)
        qsort(places, directory->count, sizeof *places, by_header);
    for (size_t i = 1; i < directory->count; i++) {
        const struct api_zip_member *before = places[i - 1];

        if (before->data + before->packed_bytes > places[i]->header)
            return refuse(places[i], err, "it lies on member '%s'",
                          api_text_shown(before->name, name));
    }
    return OK;
}

enum err_code
api_zip_directory_read(const struct api_file *zip, const struct api_unpack_limits *limits,
                       struct arena *arena, struct api_zip_directory *out, struct err *err)
{
    AUTO_CALL(mem_free_scope) uint8_t *window = mem_alloc(WINDOW_BYTES, err);
    struct directory directory = {.zip = zip, .window = window};

    if (window == NULL)
        return ERR_NO_MEMORY;
    *out = (struct api_zip_directory){.count = 0};
    TRY(read_end(&directory, err));
    TRY(read_entries(&directory, limits, arena, out, err));
    for (size_t i = 0; i < out->count; i++)
        TRY(place_member(&directory, &out->members[i], err));
    return check_apart(out, arena, err);
}

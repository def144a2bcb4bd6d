#include "api/file/tar_write.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/base/scope.h"

enum {
    BLOCK_BYTES = 512,
    RECORD_BYTES = 20 * BLOCK_BYTES, /* the whole file is a multiple of it */
    NAME_AT = 0,
    NAME_BYTES = 100,
    MODE_AT = 100,
    SIZE_AT = 124,
    SIZE_BYTES = 12,
    TIME_AT = 136,
    CHECKSUM_AT = 148,
    TYPE_AT = 156,
    MAGIC_AT = 257,
    PAX_BYTES_MAX = 1 << 16,
};

#define OCTAL_MAX UINT64_C(077777777777) /* of 11 digits */

static const uint8_t zeros[RECORD_BYTES];

static enum err_code
pad(struct api_layout *out, size_t multiple, struct err *err)
{
    uint64_t over = out->files[out->file_count - 1].size % multiple;

    return over == 0 ? OK : api_layout_lend(out, bytes_of(zeros, (size_t)(multiple - over)), err);
}

/* Octal; past that GNU's form, for readers that know no pax: a set bit and a big-endian number. */
static void
say_size(uint8_t *header, uint64_t size)
{
    if (size <= OCTAL_MAX) {
        snprintf((char *)header + SIZE_AT, SIZE_BYTES, "%011" PRIo64, size);
        return;
    }
    header[SIZE_AT] = 0x80;
    for (size_t i = 1; i <= sizeof size; i++, size >>= 8)
        header[SIZE_AT + SIZE_BYTES - i] = (uint8_t)size;
}

static enum err_code
write_header(char type, const char *name, uint64_t size, uint64_t seconds, struct api_layout *out,
             struct err *err)
{
    uint8_t header[BLOCK_BYTES] = {0};
    unsigned sum = 0;

    strncpy((char *)header + NAME_AT, name,
            NAME_BYTES); /* no NUL behind 100 bytes: as it should be */
    memcpy(header + MODE_AT,
           "0000644\0"
           "0000000\0"
           "0000000",
           24); /* mode, user, group */
    say_size(header, size);
    snprintf((char *)header + TIME_AT, SIZE_BYTES, "%011" PRIo64,
             seconds < OCTAL_MAX ? seconds : OCTAL_MAX);
    memset(header + CHECKSUM_AT, ' ', 8);
    header[TYPE_AT] = (uint8_t)type;
    memcpy(header + MAGIC_AT,
           "ustar\0"
           "00",
           8);
    for (size_t i = 0; i < sizeof header; i++)
        sum += header[i];
    snprintf((char *)header + CHECKSUM_AT, 8, "%06o", sum);
    return api_layout_copy(out, bytes_of(header, sizeof header), err);
}

/* "<length> <key>=<value>\n", the length's own digits counted. */
static enum err_code
say_record(const char *key, const char *value, struct buf *out, struct err *err)
{
    size_t rest = strlen(key) + strlen(value) + 3, length = rest + 1;

    while (length != rest + (size_t)snprintf(NULL, 0, "%zu", length))
        length = rest + (size_t)snprintf(NULL, 0, "%zu", length);
    return buf_printf(out, err, "%zu %s=%s\n", length, key, value);
}

static enum err_code
write_pax(const struct api_layout_file *file, uint64_t seconds, struct api_layout *out,
          struct err *err)
{
    AUTO(buf) records = {0};
    char size[24];

    buf_init(&records, PAX_BYTES_MAX);
    if (strlen(file->name) > NAME_BYTES)
        TRY(say_record("path", file->name, &records, err));
    snprintf(size, sizeof size, "%" PRIu64, file->size);
    if (file->size > OCTAL_MAX)
        TRY(say_record("size", size, &records, err));
    if (records.size == 0)
        return OK;
    TRY(write_header('x', "././@PaxHeader", records.size, seconds, out, err));
    TRY(api_layout_copy(out, buf_bytes(&records), err));
    return pad(out, BLOCK_BYTES, err);
}

enum err_code
api_tar_write(const struct api_layout *files, uint64_t modified_ms, const char *name,
              struct api_layout *out, struct err *err)
{
    uint64_t seconds = modified_ms / 1000;

    TRY(api_layout_file(out, name, err));
    for (size_t i = 0; i < files->file_count; i++) {
        const struct api_layout_file *file = &files->files[i];

        TRY(write_pax(file, seconds, out, err));
        TRY(write_header('0', file->name, file->size, seconds, out, err));
        TRY(api_layout_lend_file(out, files, i, err));
        TRY(pad(out, BLOCK_BYTES, err));
    }
    TRY(api_layout_lend(out, bytes_of(zeros, 2 * BLOCK_BYTES), err));
    return pad(out, RECORD_BYTES, err);
}

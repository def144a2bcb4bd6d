#include "api/file/sstable_read.h"

#include <inttypes.h>

#include "api/file/sstable_block.h"
#include "api/file/varint.h"
#include "store/base/scope.h"

enum { FOOTER_BYTES = 48, MAGIC_BYTES = 8, HANDLES_BYTES_MAX = FOOTER_BYTES - MAGIC_BYTES };

static const uint8_t magic[MAGIC_BYTES] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};

struct reading {
    const struct api_sstable *table;
    api_sstable_visit *visit;
    void *context;
    struct api_sstable_block index, data;
    uint64_t data_end; /* of the blocks read so far */
    uint64_t unpacked;
};

static void
reading_drop(struct reading *reading)
{
    api_sstable_block_drop(&reading->index);
    api_sstable_block_drop(&reading->data);
}

static bool
read_magic(const struct api_file *file)
{
    uint8_t end[MAGIC_BYTES];

    return file->size >= FOOTER_BYTES &&
           api_file_read(file, file->size - MAGIC_BYTES, end, sizeof end, NULL) == OK &&
           memcmp(end, magic, MAGIC_BYTES) == 0;
}

bool
api_sstable_looks_like(const struct api_file *file)
{
    return read_magic(file);
}

/* A handle, and that its block lies before the footer. What follows it is left. */
static enum err_code
read_handle(const struct reading *reading, struct bytes *from, const char *whose,
            struct api_sstable_handle *out, struct err *err)
{
    uint64_t room = reading->table->file.size - FOOTER_BYTES;

    if (api_varint_read(from, &out->offset) != API_VARINT_READ ||
        api_varint_read(from, &out->size) != API_VARINT_READ)
        return err_set(err, ERR_INVALID_ARGUMENT, "its handle of %s is broken", whose);
    if (room < API_SSTABLE_TRAILER_BYTES || out->offset > room - API_SSTABLE_TRAILER_BYTES ||
        out->size > room - API_SSTABLE_TRAILER_BYTES - out->offset)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its handle of %s says %" PRIu64 " bytes at %" PRIu64
                       ", before its footer are %" PRIu64 " bytes",
                       whose, out->size, out->offset, room);
    return OK;
}

static enum err_code
read_footer(const struct reading *reading, struct api_sstable_handle *index, struct err *err)
{
    const struct api_file *file = &reading->table->file;
    uint8_t footer[HANDLES_BYTES_MAX];
    struct bytes handles = bytes_of(footer, sizeof footer);
    struct api_sstable_handle metaindex;

    if (file->size < FOOTER_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it has %" PRIu64 " bytes, too few for the footer of a table", file->size);
    if (!read_magic(file))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it does not end as a table does: cut off, or something else");
    TRY(api_file_read(file, file->size - FOOTER_BYTES, footer, sizeof footer, err));
    TRY(read_handle(reading, &handles, "the metaindex block", &metaindex, err));
    return read_handle(reading, &handles, "the index block", index, err);
}

/* The index has for each block a key that is not before the block's last and before the next
 * block's first. Whoever looks up keys relies on it. */
static enum err_code
check_separator(const struct reading *reading, struct bytes separator, struct bytes key, bool after,
                struct err *err)
{
    int order = bytes_compare(key, separator);

    if (after ? order > 0 : order <= 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "the block at byte %" PRIu64 " has keys that its index has elsewhere",
                   reading->data.offset);
}

static enum err_code
visit_block(struct reading *reading, struct bytes before, struct bytes separator, bool first,
            struct err *err)
{
    struct api_sstable_entry entry;
    bool ended = false, first_entry = !first;

    for (;;) {
        TRY(api_sstable_block_next(&reading->data, &entry, &ended, err));
        if (ended)
            return OK;
        if (first_entry)
            TRY(check_separator(reading, before, entry.key, true, err));
        first_entry = false;
        TRY(check_separator(reading, separator, entry.key, false, err));
        TRY(reading->visit(reading->context, &entry, err));
    }
}

/* Blocks lie one after the other, so that nothing is read twice however many handles there are. */
static enum err_code
open_block(struct reading *reading, struct bytes handle_bytes, struct err *err)
{
    struct api_sstable_handle handle;

    TRY(read_handle(reading, &handle_bytes, "a block", &handle, err));
    if (handle.offset < reading->data_end)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it has a block at byte %" PRIu64 ", the one before ends at %" PRIu64,
                       handle.offset, reading->data_end);
    reading->data_end = handle.offset + handle.size + API_SSTABLE_TRAILER_BYTES;
    return api_sstable_block_open(&reading->data, &handle, &reading->unpacked, err);
}

static enum err_code
visit_all(struct reading *reading, struct err *err)
{
    struct api_sstable_entry entry;
    AUTO(buf) before = {0};
    bool ended = false, first = true;

    buf_init(&before, API_SSTABLE_KEY_BYTES_MAX);
    for (;;) {
        TRY(api_sstable_block_next(&reading->index, &entry, &ended, err));
        if (ended)
            return OK;
        if (entry.bytes.data == NULL)
            return err_set(err, ERR_INVALID_ARGUMENT, "its index has a handle of %" PRIu64 " bytes",
                           entry.value.size);
        TRY(open_block(reading, entry.bytes, err));
        TRY(visit_block(reading, buf_bytes(&before), entry.key, first, err));
        first = false;
        before.size = 0;
        TRY(buf_append(&before, entry.key.data, entry.key.size, err));
    }
}

enum err_code
api_sstable_read(const struct api_sstable *table, api_sstable_visit *visit, void *context,
                 struct err *err)
{
    AUTO(reading) reading = {.table = table, .visit = visit, .context = context};
    struct api_sstable_handle index;

    api_sstable_block_init(&reading.index, table);
    api_sstable_block_init(&reading.data, table);
    TRY(read_footer(&reading, &index, err));
    TRY(api_sstable_block_open(&reading.index, &index, &reading.unpacked, err));
    return visit_all(&reading, err);
}

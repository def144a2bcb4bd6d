#include "api/file/sstable_write.h"

#include <inttypes.h>

#include "api/file/crc_mask.h"
#include "api/file/varint.h"
#include "store/base/check.h"
#include "store/base/crc32c.h"

enum {
    BLOCK_BYTES = 262144,          /* a block ends with the entry that brings it there */
    ALONE_BYTES = 2 * BLOCK_BYTES, /* an entry of so many bytes begins a block */
    RESTART_INTERVAL = 16,
    RESTART_BYTES = 4,
    RESTARTS_BYTES_MAX = 1 << 20,
    KEY_BYTES_MAX = 1 << 20,
    HEAD_BYTES_MAX = KEY_BYTES_MAX + 64,
    INDEX_BYTES_MAX = 1 << 30,
    FOOTER_HANDLES_BYTES = 40,
    BLOCK_PLAIN = 0,
};

/* --- sinks --- */

static enum err_code
to_buf(void *context, struct bytes bytes, struct err *err)
{
    return buf_append(context, bytes.data, bytes.size, err);
}

struct api_sstable_sink
api_sstable_to_buf(struct buf *out)
{
    return (struct api_sstable_sink){.context = out, .append = to_buf};
}

/* --- blocks --- */

void
api_sstable_writer_init(struct api_sstable_writer *writer, struct api_sstable_sink sink)
{
    *writer = (struct api_sstable_writer){.sink = sink};
    buf_init(&writer->restarts, RESTARTS_BYTES_MAX);
    buf_init(&writer->index, INDEX_BYTES_MAX);
    buf_init(&writer->index_restarts, INDEX_BYTES_MAX);
    buf_init(&writer->key, KEY_BYTES_MAX);
    buf_init(&writer->head, HEAD_BYTES_MAX);
}

void
api_sstable_writer_drop(struct api_sstable_writer *writer)
{
    buf_drop(&writer->restarts);
    buf_drop(&writer->index);
    buf_drop(&writer->index_restarts);
    buf_drop(&writer->key);
    buf_drop(&writer->head);
    *writer = (struct api_sstable_writer){.offset = 0};
}

static enum err_code
put(struct api_sstable_writer *writer, struct bytes bytes, struct err *err)
{
    writer->crc = crc32c(writer->crc, bytes.data, bytes.size);
    writer->offset += bytes.size;
    return writer->sink.append(writer->sink.context, bytes, err);
}

/* Restarts, their number, type and checksum. A block without entries has one restart too. */
static enum err_code
put_block_end(struct api_sstable_writer *writer, struct buf *restarts, struct err *err)
{
    static const uint8_t plain = BLOCK_PLAIN;
    uint32_t crc;

    if (restarts->size == 0)
        TRY(buf_append_u32(restarts, 0, err));
    TRY(buf_append_u32(restarts, (uint32_t)(restarts->size / RESTART_BYTES), err));
    TRY(put(writer, buf_bytes(restarts), err));
    writer->ended_begin = writer->block_begin;
    writer->ended_size = writer->offset - writer->block_begin;
    TRY(put(writer, bytes_of(&plain, 1), err));
    crc = api_crc_mask(writer->crc);
    TRY(put(writer, bytes_of(&crc, sizeof crc), err));
    restarts->size = 0;
    writer->block_begin = writer->offset;
    writer->since_restart = 0;
    writer->crc = 0;
    return OK;
}

static enum err_code
end_block(struct api_sstable_writer *writer, struct err *err)
{
    if (writer->restarts.size == 0)
        return OK;
    TRY(put_block_end(writer, &writer->restarts, err));
    writer->ended = true;
    return OK;
}

static enum err_code
append_handle(struct buf *out, uint64_t begin, uint64_t size, struct err *err)
{
    TRY(api_varint_append(out, begin, err));
    return api_varint_append(out, size, err);
}

static enum err_code
append_entry_head(struct buf *out, size_t shared, struct bytes key, uint64_t value_size,
                  struct err *err)
{
    TRY(api_varint_append(out, shared, err));
    TRY(api_varint_append(out, key.size - shared, err));
    TRY(api_varint_append(out, value_size, err));
    return buf_append(out, key.data + shared, key.size - shared, err);
}

/* The block that has ended, under `key`, into the index: in which every entry is a restart. */
static enum err_code
index_block(struct api_sstable_writer *writer, struct bytes key, struct err *err)
{
    uint64_t handle_size =
        api_varint_size(writer->ended_begin) + api_varint_size(writer->ended_size);

    if (writer->index.size > UINT32_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "an index of over 2^32 bytes");
    TRY(buf_append_u32(&writer->index_restarts, (uint32_t)writer->index.size, err));
    TRY(append_entry_head(&writer->index, 0, key, handle_size, err));
    TRY(append_handle(&writer->index, writer->ended_begin, writer->ended_size, err));
    writer->ended = false;
    return OK;
}

static size_t
shared_with(struct bytes a, struct bytes b)
{
    size_t shared = 0;

    while (shared < a.size && shared < b.size && a.data[shared] == b.data[shared])
        shared++;
    return shared;
}

/* A short key from the last one on and before `next`: the last key cut after its first difference,
 * if that byte can be one more and still be less. */
static void
shorten_before(struct buf *last, struct bytes next)
{
    size_t shared = shared_with(buf_bytes(last), next);

    if (shared == last->size || shared == next.size)
        return;
    if (last->data[shared] < 0xff && last->data[shared] + 1 < next.data[shared]) {
        last->data[shared]++;
        last->size = shared + 1;
    }
}

/* A short key after all others. */
static void
shorten_last(struct buf *last)
{
    for (size_t i = 0; i < last->size; i++)
        if (last->data[i] != 0xff) {
            last->data[i]++;
            last->size = i + 1;
            return;
        }
}

/* --- entries --- */

static enum err_code
put_entry_head(struct api_sstable_writer *writer, struct bytes key, uint64_t value_size,
               struct err *err)
{
    size_t shared = 0;

    if (writer->since_restart == RESTART_INTERVAL || writer->restarts.size == 0) {
        TRY(buf_append_u32(&writer->restarts, (uint32_t)(writer->offset - writer->block_begin),
                           err));
        writer->since_restart = 0;
    } else {
        shared = shared_with(buf_bytes(&writer->key), key);
    }
    writer->head.size = 0;
    TRY(append_entry_head(&writer->head, shared, key, value_size, err));
    writer->since_restart++;
    writer->key.size = 0;
    TRY(buf_append(&writer->key, key.data, key.size, err));
    return put(writer, buf_bytes(&writer->head), err);
}

static enum err_code
end_entry(struct api_sstable_writer *writer, struct err *err)
{
    uint64_t size = writer->offset - writer->block_begin;

    if (writer->value_left > 0 || size + writer->restarts.size + RESTART_BYTES < BLOCK_BYTES)
        return OK;
    return end_block(writer, err);
}

enum err_code
api_sstable_begin(struct api_sstable_writer *writer, struct bytes key, uint64_t value_size,
                  struct err *err)
{
    CHECK(writer->value_left == 0);
    if (value_size > UINT32_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "a table cannot hold a record of %" PRIu64 " bytes, the limit is %" PRIu32,
                       value_size, UINT32_MAX);
    if (key.size + value_size >= ALONE_BYTES)
        TRY(end_block(writer, err));
    if (writer->ended) {
        shorten_before(&writer->key, key);
        TRY(index_block(writer, buf_bytes(&writer->key), err));
    }
    TRY(put_entry_head(writer, key, value_size, err));
    writer->value_left = value_size;
    return end_entry(writer, err);
}

enum err_code
api_sstable_append(struct api_sstable_writer *writer, struct bytes piece, struct err *err)
{
    CHECK(piece.size <= writer->value_left);
    if (piece.size == 0)
        return OK;
    TRY(put(writer, piece, err));
    writer->value_left -= piece.size;
    return end_entry(writer, err);
}

enum err_code
api_sstable_lend(struct api_sstable_writer *writer, struct bytes piece, uint32_t crc,
                 struct err *err)
{
    CHECK(piece.size <= writer->value_left);
    if (piece.size == 0)
        return OK;
    writer->crc = crc32c_combine(writer->crc, crc, piece.size);
    writer->offset += piece.size;
    if (writer->sink.lend != NULL)
        TRY(writer->sink.lend(writer->sink.context, piece, err));
    else
        TRY(writer->sink.append(writer->sink.context, piece, err));
    writer->value_left -= piece.size;
    return end_entry(writer, err);
}

enum err_code
api_sstable_add(struct api_sstable_writer *writer, struct bytes key, struct bytes value,
                struct err *err)
{
    TRY(api_sstable_begin(writer, key, value.size, err));
    return api_sstable_append(writer, value, err);
}

/* --- the end --- */

static enum err_code
put_footer(struct api_sstable_writer *writer, uint64_t metaindex_begin, uint64_t metaindex_size,
           struct err *err)
{
    static const uint8_t magic[] = {0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb};
    struct buf *footer = &writer->head;

    footer->size = 0;
    TRY(append_handle(footer, metaindex_begin, metaindex_size, err));
    TRY(append_handle(footer, writer->ended_begin, writer->ended_size, err));
    while (footer->size < FOOTER_HANDLES_BYTES)
        TRY(buf_append_byte(footer, 0, err));
    TRY(buf_append(footer, magic, sizeof magic, err));
    return put(writer, buf_bytes(footer), err);
}

enum err_code
api_sstable_finish(struct api_sstable_writer *writer, struct err *err)
{
    uint64_t metaindex_begin, metaindex_size;

    CHECK(writer->value_left == 0);
    TRY(end_block(writer, err));
    if (writer->ended) {
        shorten_last(&writer->key);
        TRY(index_block(writer, buf_bytes(&writer->key), err));
    }
    TRY(put_block_end(writer, &writer->restarts, err)); /* the metaindex block: empty */
    metaindex_begin = writer->ended_begin;
    metaindex_size = writer->ended_size;
    TRY(put(writer, buf_bytes(&writer->index), err));
    TRY(put_block_end(writer, &writer->index_restarts, err));
    return put_footer(writer, metaindex_begin, metaindex_size, err);
}

#include "api/file/sstable_block.h"

#include <inttypes.h>
#include <snappy-c.h>

#include "api/file/crc_mask.h"
#include "api/file/varint.h"
#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum {
    WINDOW_BYTES = 1 << 20,
    RESTART_BYTES = 4,
    ENTRY_HEAD_BYTES_MAX = 3 * API_VARINT32_BYTES_MAX,
    BLOCK_PLAIN = 0,
    BLOCK_SNAPPY = 1,
    /* Snappy says 64 bytes in 3 at best, so what declares more is lying. */
    SNAPPY_RATIO_MAX = 64,
};
_Static_assert(WINDOW_BYTES >= 2 * (ENTRY_HEAD_BYTES_MAX + API_SSTABLE_KEY_BYTES_MAX +
                                    API_SSTABLE_AT_HAND_BYTES_MAX),
               "what is asked of the window fits into it");

static enum err_code
about_block(const struct api_sstable_block *block, const char *problem, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "the block at byte %" PRIu64 " %s", block->offset,
                   problem);
}

static enum err_code
about_entry(const struct api_sstable_block *block, const char *problem, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "the block at byte %" PRIu64 ": its entry at %" PRIu64 " %s", block->offset,
                   block->entry, problem);
}

void
api_sstable_block_init(struct api_sstable_block *block, const struct api_sstable *table)
{
    *block = (struct api_sstable_block){.table = table};
    buf_init(&block->key, API_SSTABLE_KEY_BYTES_MAX);
}

void
api_sstable_block_drop(struct api_sstable_block *block)
{
    mem_free(block->window);
    buf_drop(&block->key);
    *block = (struct api_sstable_block){.table = NULL};
}

/* --- the window ---------------------------------------------------------------------------- */

static uint32_t
little_endian(const uint8_t bytes[static RESTART_BYTES])
{
    uint32_t value;

    memcpy(&value, bytes, sizeof value);
    return value;
}

static enum err_code
make_window(struct api_sstable_block *block, size_t size, struct err *err)
{
    if (block->window != NULL && block->window_room >= size && block->window_room <= WINDOW_BYTES)
        return OK;
    mem_free(block->window);
    block->window = mem_alloc(size, err);
    block->window_room = block->window == NULL ? 0 : size;
    return block->window == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
check_sum(struct api_sstable_block *block, uint8_t type, struct err *err)
{
    uint32_t crc = api_crc_mask(crc32c(block->crc, &type, 1));

    if (crc != block->crc_stored)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the block at byte %" PRIu64 " has checksum %08" PRIx32
                       ", its bytes have %08" PRIx32,
                       block->offset, block->crc_stored, crc);
    block->summed = true;
    return OK;
}

/* Fills the window, from where the reading is: what lies behind that is given up. */
static enum err_code
slide(struct api_sstable_block *block, struct err *err)
{
    size_t kept = (size_t)(block->window_end - block->at);
    uint64_t left = block->contents.size - block->window_end;
    size_t more = block->window_room - kept;

    if (more > left)
        more = (size_t)left;
    memmove(block->window, block->window + (block->at - block->window_first), kept);
    block->window_first = block->at;
    TRY(api_file_read(&block->contents, block->window_end, block->window + kept, more, err));
    block->crc = crc32c(block->crc, block->window + kept, more);
    block->window_end += more;
    return OK;
}

/* `size` bytes from where the reading is; they are inside the entries. */
static enum err_code
at_hand(struct api_sstable_block *block, uint64_t size, const uint8_t **out, struct err *err)
{
    if (block->window_end - block->at < size)
        TRY(slide(block, err));
    *out = block->window + (block->at - block->window_first);
    return OK;
}

/* Past `size` bytes, all of which go through the window. */
static enum err_code
pass(struct api_sstable_block *block, uint64_t size, struct err *err)
{
    while (block->window_end - block->at < size) {
        size -= block->window_end - block->at;
        block->at = block->window_end;
        TRY(slide(block, err));
    }
    block->at += size;
    return OK;
}

/* --- opening ------------------------------------------------------------------------------- */

/* What the stored bytes unpack to, from their first. */
static enum err_code
read_unpacked_size(const struct api_sstable_block *block, struct bytes stored, uint64_t *out,
                   struct err *err)
{
    uint32_t size = 0;

    if (api_varint_read32(&stored, &size) != API_VARINT_READ)
        return about_block(block, "says that it is snappy-compressed, and is not", err);
    if (size > SNAPPY_RATIO_MAX * ((uint64_t)stored.size + 1))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the block at byte %" PRIu64 " says that its %zu compressed bytes unpack to "
                       "%" PRIu32,
                       block->offset, stored.size, size);
    if (size > block->table->block_bytes_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the block at byte %" PRIu64 " unpacks to %" PRIu32
                       " bytes, the limit is %" PRIu64,
                       block->offset, size, block->table->block_bytes_max);
    *out = size;
    return OK;
}

static enum err_code
unpack_stored(struct api_sstable_block *block, struct bytes stored, uint64_t *unpacked,
              struct err *err)
{
    struct scratch *scratch = block->table->scratch;
    uint64_t size = 0, begin = scratch_size(scratch);
    size_t unpacked_size;
    int descriptor = -1;

    TRY(read_unpacked_size(block, stored, &size, err));
    if (size > block->table->unpacked_bytes_max - *unpacked)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "its blocks unpack to more than %" PRIu64 " bytes",
                       block->table->unpacked_bytes_max);
    TRY(make_window(block, (size_t)size, err));
    unpacked_size = (size_t)size;
    if (snappy_uncompress((const char *)stored.data, stored.size, (char *)block->window,
                          &unpacked_size) != SNAPPY_OK ||
        unpacked_size != size)
        return about_block(block, "says that it is snappy-compressed, and is not", err);
    TRY(scratch_append(scratch, block->window, (size_t)size, err));
    TRY(scratch_descriptor(scratch, &descriptor, err));
    *unpacked += size;
    block->contents = (struct api_file){descriptor, begin, size};
    block->window_end = size;
    return OK;
}

static enum err_code
unpack(struct api_sstable_block *block, uint64_t *unpacked, struct err *err)
{
    uint64_t size = block->contents.size;
    AUTO_CALL(mem_free_scope) uint8_t *stored = NULL;

    if (size > snappy_max_compressed_length(block->table->block_bytes_max))
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "the block at byte %" PRIu64 " has %" PRIu64
                       " compressed bytes, the limit is for %" PRIu64 " unpacked ones",
                       block->offset, size, block->table->block_bytes_max);
    stored = mem_alloc((size_t)size, err);
    if (stored == NULL)
        return ERR_NO_MEMORY;
    TRY(api_file_read(&block->contents, 0, stored, (size_t)size, err));
    block->crc = crc32c(0, stored, (size_t)size);
    TRY(check_sum(block, BLOCK_SNAPPY, err));
    return unpack_stored(block, bytes_of(stored, (size_t)size), unpacked, err);
}

/* What fits into the window is summed before it is looked at. */
static enum err_code
open_plain(struct api_sstable_block *block, struct err *err)
{
    bool fits = block->contents.size <= WINDOW_BYTES;

    TRY(make_window(block, fits ? (size_t)block->contents.size : WINDOW_BYTES, err));
    TRY(slide(block, err));
    return fits ? check_sum(block, BLOCK_PLAIN, err) : OK;
}

/* Bytes of the contents beside the reading. */
static enum err_code
read_beside(struct api_sstable_block *block, uint64_t offset, uint8_t *out, size_t size,
            struct err *err)
{
    if (block->window_first > offset || block->window_end < offset + size)
        return api_file_read(&block->contents, offset, out, size, err);
    memcpy(out, block->window + (offset - block->window_first), size);
    return OK;
}

static enum err_code
find_entries_end(struct api_sstable_block *block, struct err *err)
{
    uint64_t size = block->contents.size;
    uint8_t count[RESTART_BYTES];

    if (size < RESTART_BYTES)
        return about_block(block, "is too short for its number of restarts", err);
    TRY(read_beside(block, size - RESTART_BYTES, count, sizeof count, err));
    block->restart_count = little_endian(count);
    if (block->restart_count > (size - RESTART_BYTES) / RESTART_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the block at byte %" PRIu64 " has %" PRIu64 " bytes and %" PRIu64
                       " restarts",
                       block->offset, size, block->restart_count);
    block->entries_end = size - RESTART_BYTES - RESTART_BYTES * block->restart_count;
    if (block->restart_count == 0 && block->entries_end > 0)
        return about_block(block, "has entries and no restarts", err);
    return OK;
}

enum err_code
api_sstable_block_open(struct api_sstable_block *block, const struct api_sstable_handle *handle,
                       uint64_t *unpacked, struct err *err)
{
    uint8_t trailer[API_SSTABLE_TRAILER_BYTES];
    const struct api_file *file = &block->table->file;

    block->offset = handle->offset;
    block->window_first = block->window_end = block->at = 0;
    block->crc = 0;
    block->summed = false;
    block->restart_at = block->restarts_first = block->restarts_end = 0;
    TRY(api_file_part(file, handle->offset, handle->size, &block->contents, err));
    TRY(api_file_read(file, handle->offset + handle->size, trailer, sizeof trailer, err));
    block->crc_stored = little_endian(trailer + 1);
    if (trailer[0] == BLOCK_PLAIN)
        TRY(open_plain(block, err));
    else if (trailer[0] == BLOCK_SNAPPY)
        TRY(unpack(block, unpacked, err));
    else
        return about_block(block, "is neither plain nor snappy-compressed", err);
    return find_entries_end(block, err);
}

/* --- entries ------------------------------------------------------------------------------- */

struct entry_head {
    uint32_t shared, not_shared, value_size;
};

static enum err_code
read_head(struct api_sstable_block *block, struct entry_head *out, struct err *err)
{
    uint64_t left = block->entries_end - block->at;
    size_t size = left < ENTRY_HEAD_BYTES_MAX ? (size_t)left : ENTRY_HEAD_BYTES_MAX;
    const uint8_t *window;
    struct bytes head;

    TRY(at_hand(block, size, &window, err));
    head = bytes_of(window, size);
    if (api_varint_read32(&head, &out->shared) != API_VARINT_READ ||
        api_varint_read32(&head, &out->not_shared) != API_VARINT_READ ||
        api_varint_read32(&head, &out->value_size) != API_VARINT_READ)
        return about_entry(block, "has a size of more than 32 bits, or none", err);
    left -= size - head.size;
    if ((uint64_t)out->not_shared + out->value_size > left)
        return about_entry(block, "runs past the end of the entries", err);
    return pass(block, size - head.size, err);
}

/* The offset of the next restart that was not passed yet. */
static enum err_code
next_restart(struct api_sstable_block *block, uint32_t *out, struct err *err)
{
    uint64_t count = block->restart_count - block->restart_at;

    if (block->restart_at >= block->restarts_end) {
        if (count > API_SSTABLE_RESTARTS_AT_ONCE)
            count = API_SSTABLE_RESTARTS_AT_ONCE;
        TRY(read_beside(block, block->entries_end + RESTART_BYTES * block->restart_at,
                        (uint8_t *)block->restarts, RESTART_BYTES * (size_t)count, err));
        block->restarts_first = block->restart_at;
        block->restarts_end = block->restart_at + count;
    }
    *out = block->restarts[block->restart_at - block->restarts_first];
    return OK;
}

/* Entries and restarts must tell the same. */
static enum err_code
check_restart(struct api_sstable_block *block, const struct entry_head *head, struct err *err)
{
    uint32_t restart = 0;

    if (block->restart_at == block->restart_count)
        return OK;
    TRY(next_restart(block, &restart, err));
    if (restart > block->entry && block->entry > 0)
        return OK;
    if (restart != block->entry)
        return about_block(block, "has a restart that is not at an entry", err);
    if (head->shared != 0)
        return about_block(block, "has a restart at an entry that shares a key", err);
    block->restart_at++;
    return OK;
}

static enum err_code
read_key(struct api_sstable_block *block, const struct entry_head *head, struct err *err)
{
    struct bytes before, rest;
    const uint8_t *window;

    if (head->shared > block->key.size)
        return about_entry(block, "shares more of the key before it than there is", err);
    if ((uint64_t)head->shared + head->not_shared > API_SSTABLE_KEY_BYTES_MAX)
        return err_set(
            err, ERR_INVALID_ARGUMENT,
            "the block at byte %" PRIu64 " has a key of %" PRIu64 " bytes, the limit is %d",
            block->offset, (uint64_t)head->shared + head->not_shared, API_SSTABLE_KEY_BYTES_MAX);
    TRY(at_hand(block, head->not_shared, &window, err));
    rest = bytes_of(window, head->not_shared);
    before = buf_bytes(&block->key);
    before = bytes_of(before.data + head->shared, before.size - head->shared);
    if (block->has_key && bytes_compare(rest, before) <= 0)
        return about_entry(block, "has a key that is not after the one before it", err);
    block->has_key = true;
    block->key.size = head->shared;
    TRY(buf_append(&block->key, rest.data, rest.size, err));
    return pass(block, head->not_shared, err);
}

/* The end of the entries: through the rest, so that all of it is summed. */
static enum err_code
end_block(struct api_sstable_block *block, struct err *err)
{
    uint32_t restart = 0;

    if (block->restart_at < block->restart_count && block->entries_end == 0) {
        TRY(next_restart(block, &restart, err)); /* of no entries: at the front */
        block->restart_at += restart == 0;
    }
    if (block->restart_at != block->restart_count)
        return about_block(block, "has a restart that is not at an entry", err);
    if (block->summed)
        return OK;
    TRY(pass(block, block->contents.size - block->at, err));
    return check_sum(block, BLOCK_PLAIN, err);
}

enum err_code
api_sstable_block_next(struct api_sstable_block *block, struct api_sstable_entry *out, bool *ended,
                       struct err *err)
{
    struct entry_head head;
    const uint8_t *window = NULL;

    *ended = block->at == block->entries_end;
    if (*ended)
        return end_block(block, err);
    block->entry = block->at;
    TRY(read_head(block, &head, err));
    TRY(check_restart(block, &head, err));
    TRY(read_key(block, &head, err));
    TRY(api_file_part(&block->contents, block->at, head.value_size, &out->value, err));
    out->bytes = (struct bytes){NULL, 0};
    if (head.value_size <= API_SSTABLE_AT_HAND_BYTES_MAX) {
        TRY(at_hand(block, head.value_size, &window, err));
        out->bytes = bytes_of(window, head.value_size);
    }
    out->key = buf_bytes(&block->key);
    return pass(block, head.value_size, err);
}

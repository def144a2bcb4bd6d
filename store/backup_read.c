/* Reading a backup. It may come from anywhere, so nothing in it is believed before it was checked:
 * sizes before they are read, checksums before contents. */
#include "store/backup.h"

#include <inttypes.h>
#include <string.h>

#include "store/base/alloc.h"
#include "store/base/buf.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

struct reading {
    backup_source *source;
    void *source_context;
    const struct backup_sink *sink;
    void *sink_context;
    uint64_t at; /* bytes read */
    uint32_t heads_crc;
    struct backup_counts told, seen;
    uint8_t *body;
    struct bytes frame; /* the body of the frame read last */
};

/* All of it, or as much as there is. */
static enum err_code
read_some(struct reading *r, uint8_t *out, size_t size, size_t *done, struct err *err)
{
    *done = 0;
    while (*done < size) {
        size_t got = 0;

        TRY(r->source(r->source_context, out + *done, size - *done, &got, err));
        if (got == 0)
            break;
        *done += got;
        r->at += got;
    }
    return OK;
}

static enum err_code
read_exactly(struct reading *r, uint8_t *out, size_t size, struct err *err)
{
    size_t done;

    TRY(read_some(r, out, size, &done, err));
    if (done < size)
        return err_set(err, ERR_DATA_LOSS, "the backup ends in the middle, at byte %" PRIu64,
                       r->at);
    return OK;
}

static enum err_code
damaged(const struct reading *r, const char *how, struct err *err)
{
    return err_set(err, ERR_DATA_LOSS, "the backup is damaged before byte %" PRIu64 ": %s", r->at,
                   how);
}

/* Nothing of the kind may have a body of this size? Asked before any of it is read. */
static bool
is_possible(uint32_t kind, uint32_t size)
{
    switch (kind) {
    case BACKUP_BEGIN:
        return size == BACKUP_BEGIN_BYTES;
    case BACKUP_RECORDS:
        return size > 0 && size <= BACKUP_RECORDS_BYTES_MAX;
    case BACKUP_CHUNK:
        return size >= BACKUP_CHUNK_HEAD_BYTES && size <= BACKUP_BODY_BYTES_MAX;
    case BACKUP_END:
        return size == BACKUP_END_BYTES;
    default:
        return false;
    }
}

static enum err_code
read_frame(struct reading *r, uint32_t *kind, struct err *err)
{
    uint8_t bytes[BACKUP_FRAME_HEAD_BYTES];
    struct reader head = reader_of(bytes_of(bytes, sizeof bytes));
    uint32_t size, body_crc, head_crc;

    TRY(read_exactly(r, bytes, sizeof bytes, err));
    *kind = reader_u32(&head);
    size = reader_u32(&head);
    body_crc = reader_u32(&head);
    head_crc = reader_u32(&head);
    if (head_crc != crc32c(0, bytes, sizeof bytes - sizeof head_crc))
        return damaged(r, "the checksum of a frame's head is wrong", err);
    if (!is_possible(*kind, size))
        return damaged(r, "there is no frame of this kind and size", err);
    TRY(read_exactly(r, r->body, size, err));
    if (body_crc != crc32c(0, r->body, size))
        return damaged(r, "the checksum of a frame is wrong", err);
    if (*kind == BACKUP_RECORDS || *kind == BACKUP_CHUNK)
        r->heads_crc = crc32c(r->heads_crc, bytes, sizeof bytes);
    r->frame = bytes_of(r->body, size);
    return OK;
}

static enum err_code
read_begin(struct reading *r, struct err *err)
{
    uint8_t magic[BACKUP_MAGIC_BYTES];
    struct store_state state;
    struct reader body;
    uint32_t kind = 0, version;
    size_t got;

    TRY(read_some(r, magic, sizeof magic, &got, err));
    if (got < sizeof magic || memcmp(magic, backup_magic, sizeof magic) != 0)
        return err_set(err, ERR_DATA_LOSS, "this is no backup: it does not begin like one");
    TRY(read_frame(r, &kind, err));
    if (kind != BACKUP_BEGIN)
        return damaged(r, "its first frame is another", err);
    body = reader_of(r->frame);
    version = reader_u32(&body);
    if (version != BACKUP_VERSION)
        return err_set(err, ERR_DATA_LOSS,
                       "the backup has version %" PRIu32 ", this program knows version %d", version,
                       (int)BACKUP_VERSION);
    (void)reader_u32(&body);
    state.identity = reader_u64(&body);
    state.incarnation = reader_u64(&body);
    state.revision = reader_u64(&body);
    state.origin = reader_u64(&body);
    r->told.records = reader_u64(&body);
    r->told.chunks = reader_u64(&body);
    return r->sink->begin(r->sink_context, &state, &r->told, err);
}

static uint16_t
take_u16(struct reader *in)
{
    struct bytes two = reader_take(in, sizeof(uint16_t));
    uint16_t value = 0;

    if (two.size == sizeof value)
        memcpy(&value, two.data, sizeof value);
    return value;
}

static enum err_code
read_records(struct reading *r, struct err *err)
{
    struct reader body = reader_of(r->frame);

    while (body.left.size > 0) {
        size_t key_size = take_u16(&body), value_size = take_u16(&body);
        struct bytes key = reader_take(&body, key_size), value = reader_take(&body, value_size);

        if (body.failed)
            return damaged(r, "a record ends behind its frame", err);
        TRY(r->sink->record(r->sink_context, key, value, err));
        r->seen.records++;
    }
    return OK;
}

static enum err_code
read_chunk(struct reading *r, struct err *err)
{
    struct reader body = reader_of(r->frame);
    uint64_t id = reader_u64(&body), family = reader_u64(&body);
    uint32_t index = reader_u32(&body);

    (void)reader_u32(&body);
    r->seen.chunks++;
    return r->sink->chunk(r->sink_context, id,
                          (struct store_chunk_place){.family = family, .index = index}, body.left,
                          err);
}

static enum err_code
read_end(struct reading *r, struct err *err)
{
    struct reader body = reader_of(r->frame);
    uint64_t records = reader_u64(&body), chunks = reader_u64(&body);
    uint8_t more;
    size_t got;

    if (reader_u32(&body) != r->heads_crc)
        return damaged(r, "frames are missing or in another order", err);
    if (records != r->seen.records || chunks != r->seen.chunks || r->told.records != records ||
        r->told.chunks != chunks)
        return err_set(err, ERR_DATA_LOSS,
                       "the backup has %" PRIu64 " records and %" PRIu64 " chunks, it says %" PRIu64
                       " and %" PRIu64,
                       r->seen.records, r->seen.chunks, r->told.records, r->told.chunks);
    TRY(read_some(r, &more, 1, &got, err));
    return got == 0 ? OK : damaged(r, "something comes after its end", err);
}

static enum err_code
read_all(struct reading *r, struct err *err)
{
    bool chunks_begun = false;

    TRY(read_begin(r, err));
    for (;;) {
        uint32_t kind = 0;

        TRY(read_frame(r, &kind, err));
        if (kind == BACKUP_END)
            return read_end(r, err);
        if (kind == BACKUP_BEGIN || (kind == BACKUP_RECORDS && chunks_begun))
            return damaged(r, "a frame is where none of its kind may be", err);
        chunks_begun = kind == BACKUP_CHUNK;
        TRY(chunks_begun ? read_chunk(r, err) : read_records(r, err));
    }
}

enum err_code
backup_read(backup_source *source, void *source_context, const struct backup_sink *sink,
            void *sink_context, struct backup_counts *counts, struct err *err)
{
    AUTO_CALL(mem_free_scope) uint8_t *body = mem_aligned(BACKUP_BODY_BYTES_MAX, err);
    struct reading r = {.source = source,
                        .source_context = source_context,
                        .sink = sink,
                        .sink_context = sink_context,
                        .body = body};

    if (body == NULL)
        return ERR_NO_MEMORY;
    TRY(read_all(&r, err));
    *counts = r.seen;
    return OK;
}

/* --- into a store ----------------------------------------------------------------------------- */

struct loading {
    struct store_load *load;
    bool fork;
};

static enum err_code
load_begin(void *context, const struct store_state *state, const struct backup_counts *counts,
           struct err *err)
{
    /* Further than a store gets between a backup and the day it is needed: a year of 30 000 units
     * a second. And there is room for 9 000 times it. */
    static const uint64_t fork_revisions = 1000000000000;
    struct loading *l = context;
    struct store_state begun = *state;

    (void)counts;
    if (l->fork && __builtin_add_overflow(begun.revision, fork_revisions, &begun.revision))
        return err_set(err, ERR_DATA_LOSS, "the backup has an impossible revision, %" PRIu64,
                       state->revision);
    if (l->fork)
        begun.origin = begun.revision;
    return store_load_begin(l->load, &begun, err);
}

static enum err_code
load_record(void *context, struct bytes key, struct bytes value, struct err *err)
{
    struct loading *l = context;

    return store_load_record(l->load, key, value, err);
}

static enum err_code
load_chunk(void *context, uint64_t id, struct store_chunk_place place, struct bytes payload,
           struct err *err)
{
    struct loading *l = context;

    return store_load_chunk(l->load, id, place, payload, err);
}

enum err_code
backup_load(backup_source *source, void *source_context, struct store_load *load, bool fork,
            struct backup_counts *counts, struct err *err)
{
    static const struct backup_sink sink = {
        .begin = load_begin, .record = load_record, .chunk = load_chunk};
    struct loading l = {.load = load, .fork = fork};

    TRY(backup_read(source, source_context, &sink, &l, counts, err));
    return store_load_finish(load, err);
}

enum err_code
backup_pipe_source(void *pipe, uint8_t *out, size_t size, size_t *got, struct err *err)
{
    struct backup_pipe *p = pipe;

    if (p->left.size == 0)
        TRY(backup_next(p->backup, &p->left, err));
    *got = p->left.size < size ? p->left.size : size;
    if (*got == 0)
        return OK;
    memcpy(out, p->left.data, *got);
    p->left.data += *got;
    p->left.size -= *got;
    return OK;
}

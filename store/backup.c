#include "store/backup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/alloc.h"
#include "store/base/buf.h"
#include "store/base/crc32c.h"
#include "store/base/file.h"
#include "store/scope.h"
#include "store/value.h"

enum { SPOOL_READ_BYTES = 65536, IDS_FIRST = 1024 };

const uint8_t backup_magic[BACKUP_MAGIC_BYTES] = {'t', 'k', 'b', 'a', 'c', 'k', 'u', 'p'};

/* What backup_next gives next. */
enum step { STEP_BEGIN, STEP_RECORDS, STEP_CHUNK, STEP_PAYLOAD, STEP_END, STEP_ENDED };

struct backup {
    struct store *store;
    struct store_lease *lease;
    struct store_state state;
    struct backup_counts counts;
    uint64_t *ids; /* of all chunks, ascending, each once */
    size_t id_count, id_capacity;
    bool out_of_memory;
    int spool; /* all RECORDS frames; -1: none */
    uint64_t spool_size, spool_read;
    uint32_t heads_crc; /* of frames made after BEGIN, which is made late: it has counts */
    enum step step;
    size_t chunk; /* index of the next id */
    struct bytes payload;
    struct buf piece;
};

/* --- frames ----------------------------------------------------------------------------------- */

/* The head goes before a body that is not copied. */
static enum err_code
append_head(struct backup *b, enum backup_kind kind, size_t size, uint32_t crc, struct err *err)
{
    struct buf *out = &b->piece;
    size_t at = out->size;

    TRY(buf_append_u32(out, (uint32_t)kind, err));
    TRY(buf_append_u32(out, (uint32_t)size, err));
    TRY(buf_append_u32(out, crc, err));
    return buf_append_u32(out, crc32c(0, out->data + at, out->size - at), err);
}
static enum err_code
append_frame(struct backup *b, enum backup_kind kind, struct bytes body, struct err *err)
{
    TRY(append_head(b, kind, body.size, crc32c(0, body.data, body.size), err));
    return buf_append(&b->piece, body.data, body.size, err);
}

static enum err_code
begin_frame(struct backup *b, struct err *err)
{
    const uint64_t numbers[] = {b->state.identity, b->state.incarnation, b->state.revision,
                                b->state.origin,   b->counts.records,    b->counts.chunks};
    AUTO(buf) body;

    buf_init(&body, BACKUP_BEGIN_BYTES);
    TRY(buf_append_u32(&body, BACKUP_VERSION, err));
    TRY(buf_append_u32(&body, 0, err));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        TRY(buf_append_u64(&body, numbers[i], err));
    TRY(buf_append(&b->piece, backup_magic, sizeof backup_magic, err));
    return append_frame(b, BACKUP_BEGIN, buf_bytes(&body), err);
}

static enum err_code
end_frame(struct backup *b, struct err *err)
{
    AUTO(buf) body;

    buf_init(&body, BACKUP_END_BYTES);
    TRY(buf_append_u64(&body, b->counts.records, err));
    TRY(buf_append_u64(&body, b->counts.chunks, err));
    TRY(buf_append_u32(&body, b->heads_crc, err));
    TRY(buf_append_u32(&body, 0, err));
    return append_frame(b, BACKUP_END, buf_bytes(&body), err);
}

/* --- records: copied aside -------------------------------------------------------------------- */

static enum err_code
spool(struct backup *b, struct err *err)
{
    TRY(store_disk_check(b->store, b->piece.size, err));
    if (!file_write_all(b->spool, buf_bytes(&b->piece)))
        return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_INTERNAL,
                       "cannot copy the records aside: %s", strerror(errno));
    b->spool_size += b->piece.size;
    b->piece.size = 0;
    return OK;
}

static enum err_code
append_record(struct buf *body, struct bytes key, struct bytes value, struct err *err)
{
    const uint16_t sizes[2] = {(uint16_t)key.size, (uint16_t)value.size};

    TRY(buf_append(body, sizes, sizeof sizes, err));
    TRY(buf_append(body, key.data, key.size, err));
    return buf_append(body, value.data, value.size, err);
}

static enum err_code
flush_records(struct backup *b, struct buf *body, struct err *err)
{
    if (body->size == 0)
        return OK;
    TRY(append_frame(b, BACKUP_RECORDS, buf_bytes(body), err));
    b->heads_crc = crc32c(b->heads_crc, b->piece.data, BACKUP_FRAME_HEAD_BYTES);
    body->size = 0;
    return spool(b, err);
}

static enum err_code
spool_records(struct backup *b, const struct store_view *view, struct err *err)
{
    const struct bytes none = {NULL, 0};
    AUTO_CURSOR cursor = NULL;
    AUTO(buf) body;
    struct bytes key, value;
    bool found = true;

    buf_init(&body, BACKUP_RECORDS_BYTES_MAX);
    TRY(store_temporary_file(b->store, &b->spool, err));
    TRY(store_cursor_open(view, none, none, &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return flush_records(b, &body, err);
        if (body.size + 2 * sizeof(uint16_t) + key.size + value.size > BACKUP_RECORDS_BYTES_MAX)
            TRY(flush_records(b, &body, err));
        TRY(append_record(&body, key, value, err));
        b->counts.records++;
    }
}

/* --- chunks: which there are ------------------------------------------------------------------ */

static void
add_id(void *context, uint64_t id, uint64_t family)
{
    struct backup *b = context;
    uint64_t *grown;

    (void)family;
    if (b->out_of_memory)
        return;
    grown = mem_grown(b->ids, b->id_count, &b->id_capacity, sizeof *grown, NULL);
    if (grown == NULL) {
        b->out_of_memory = true;
        return;
    }
    b->ids = grown;
    b->ids[b->id_count++] = id;
}

static int
by_number(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

static enum err_code
gather_ids(struct backup *b, const struct store_view *view, struct err *err)
{
    size_t kept = 0;

    TRY(value_visit_chunks(view, add_id, b, err));
    if (b->out_of_memory)
        return err_set(err, ERR_NO_MEMORY, "out of memory: more than %zu chunks are too many",
                       b->id_count);
    if (b->id_count > 0)
        qsort(b->ids, b->id_count, sizeof b->ids[0], by_number);
    for (size_t i = 0; i < b->id_count; i++) {
        if (kept == 0 || b->ids[kept - 1] != b->ids[i])
            b->ids[kept++] = b->ids[i];
    }
    b->id_count = kept;
    b->counts.chunks = kept;
    return OK;
}

static enum err_code
look(struct backup *b, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;

    TRY(store_lease_open(b->store, &b->lease, err));
    TRY(store_snapshot_open(b->store, &snapshot, err));
    TRY(store_lease_add_all(b->lease, snapshot, err));
    view = store_snapshot_view(snapshot);
    b->state = store_state_of(view);
    TRY(gather_ids(b, view, err));
    return spool_records(b, view, err);
}

enum err_code
backup_open(struct store *store, struct backup **out, struct err *err)
{
    struct backup *b = mem_zeroed(1, sizeof *b, err);
    enum err_code code;

    if (b == NULL)
        return ERR_NO_MEMORY;
    b->store = store;
    b->spool = -1;
    buf_init(&b->piece, BACKUP_FRAME_HEAD_BYTES + BACKUP_RECORDS_BYTES_MAX);
    code = look(b, err);
    if (code != OK) {
        backup_drop(b);
        return code;
    }
    *out = b;
    return OK;
}

uint64_t
backup_revision(const struct backup *b)
{
    return b->state.revision;
}

void
backup_drop(struct backup *b)
{
    if (b == NULL)
        return;
    store_lease_drop(b->lease);
    if (b->spool >= 0)
        close(b->spool);
    mem_free(b->ids);
    buf_drop(&b->piece);
    mem_free(b);
}

/* --- giving ----------------------------------------------------------------------------------- */

static enum err_code
read_spool(struct backup *b, struct err *err)
{
    uint8_t *room = NULL;
    ssize_t got;

    TRY(buf_reserve(&b->piece, SPOOL_READ_BYTES, &room, err));
    do
        got = pread(b->spool, room, SPOOL_READ_BYTES, (off_t)b->spool_read);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return err_set(err, ERR_INTERNAL, "cannot read back the records copied aside: %s",
                       got == 0 ? "the file is shorter" : strerror(errno));
    buf_commit(&b->piece, (size_t)got);
    b->spool_read += (uint64_t)got;
    return OK;
}

static enum err_code
chunk_frame(struct backup *b, struct err *err)
{
    struct store_chunk_look chunk;
    uint8_t head[BACKUP_CHUNK_HEAD_BYTES] = {0};
    uint64_t id = b->ids[b->chunk++];
    uint32_t crc;

    TRY(store_chunk_examine(b->store, id, &chunk, err));
    memcpy(head, &id, sizeof id);
    memcpy(head + 8, &chunk.place.family, sizeof chunk.place.family);
    memcpy(head + 16, &chunk.place.index, sizeof chunk.place.index);
    crc = crc32c_combine(crc32c(0, head, sizeof head), chunk.crc, chunk.payload.size);
    TRY(append_head(b, BACKUP_CHUNK, sizeof head + chunk.payload.size, crc, err));
    b->heads_crc = crc32c(b->heads_crc, b->piece.data, BACKUP_FRAME_HEAD_BYTES);
    TRY(buf_append(&b->piece, head, sizeof head, err));
    b->payload = chunk.payload;
    return OK;
}

/* The next step that has something to give. */
static enum step
next_step(const struct backup *b)
{
    if (b->payload.size > 0)
        return STEP_PAYLOAD;
    if (b->spool_read < b->spool_size)
        return STEP_RECORDS;
    return b->chunk < b->id_count ? STEP_CHUNK : STEP_END;
}

enum err_code
backup_next(struct backup *b, struct bytes *out, struct err *err)
{
    enum step step = b->step;

    b->piece.size = 0;
    if (step != STEP_BEGIN && step != STEP_ENDED)
        step = next_step(b);
    switch (step) {
    case STEP_BEGIN:
        TRY(begin_frame(b, err));
        break;
    case STEP_RECORDS:
        TRY(read_spool(b, err));
        break;
    case STEP_CHUNK:
        TRY(chunk_frame(b, err));
        break;
    case STEP_PAYLOAD:
        *out = TAKE(b->payload);
        return OK;
    case STEP_END:
        TRY(end_frame(b, err));
        break;
    case STEP_ENDED:
        break;
    }
    b->step = step == STEP_END || step == STEP_ENDED ? STEP_ENDED : STEP_RECORDS;
    *out = buf_bytes(&b->piece);
    return OK;
}

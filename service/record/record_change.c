/* u8 format, u64 time, u8 length and op; then for each change: u8 kind, with MODEL_FOLLOWS when its
 * model is not that of the one before, and then u8 length and model; u8 bytes of the name that are
 * those of the one before, u8 length and rest of the name; varint version or count. */
#include "service/record/record_change.h"

#include "service/record/record_parts.h"
#include "store/base/check.h"
#include "store/base/clock.h"
#include "store/base/scope.h"
#include "store/key.h"

enum {
    MODEL_FOLLOWS = 0x80,
    VARINT_BYTES_MAX = 10,
    CHANGE_BYTES_MAX = 4 + NAME_MODEL_BYTES_MAX + NAME_BYTES_MAX + VARINT_BYTES_MAX,
};

_Static_assert(NAME_BYTES_MAX <= UINT8_MAX && NAME_MODEL_BYTES_MAX <= UINT8_MAX, "lengths are u8");
_Static_assert((int)CHANGE_KIND_COUNT <= MODEL_FOLLOWS, "kinds are seven bits");

/* --- keys ---------------------------------------------------------------------------------- */

struct record_key
record_key_change_log(void)
{
    return (struct record_key){.bytes = {STORE_KEY_CHANGE}, .size = 1};
}

struct record_key
record_key_changes(uint64_t revision, uint8_t part)
{
    struct record_key key = record_key_change_log();

    store_key_put_u64(key.bytes + 1, revision);
    key.bytes[9] = part;
    key.size = 10;
    return key;
}

uint64_t
record_key_change_revision(struct bytes key)
{
    uint64_t revision = 0;

    CHECK(key.size == 10);
    for (size_t i = 1; i < 9; i++)
        revision = revision << 8 | key.data[i];
    return revision;
}

/* --- where the log begins ------------------------------------------------------------------ */

enum err_code
record_get_change_log(const struct store_view *view, bool *found, struct change_log_record *out,
                      struct err *err)
{
    struct record_key key = record_key_change_log();
    struct bytes record;
    struct reader in;
    uint8_t format;

    TRY(store_get(view, record_key_bytes(&key), &record, err));
    *found = record.data != NULL;
    if (!*found)
        return OK;
    in = reader_of(record);
    format = reader_u8(&in);
    out->floor = reader_u64(&in);
    out->counted = reader_u64(&in);
    out->bytes = reader_u64(&in);
    return record_decoded(&in, format, "change log", err);
}

enum err_code
record_put_change_log(struct store_txn *txn, const struct change_log_record *record,
                      struct err *err)
{
    struct record_key key = record_key_change_log();
    AUTO(buf) out;

    buf_init(&out, STORE_RECORD_BYTES_MAX);
    TRY(buf_append_byte(&out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&out, record->floor, err));
    TRY(buf_append_u64(&out, record->counted, err));
    TRY(buf_append_u64(&out, record->bytes, err));
    return store_put(txn, record_key_bytes(&key), buf_bytes(&out), err);
}

/* --- writing ------------------------------------------------------------------------------- */

static uint8_t *
put_text(uint8_t *out, const void *text, size_t size)
{
    *out++ = (uint8_t)size;
    if (size > 0)
        memcpy(out, text, size);
    return out + size;
}

static uint8_t *
put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

void
change_writer_init(struct change_writer *w, struct store_txn *txn, const char *op)
{
    memset(w, 0, offsetof(struct change_writer, model));
    w->txn = txn;
    w->op = bytes_of_text(op == NULL ? "" : op);
    CHECK(w->op.size <= RECORD_CHANGE_OP_BYTES_MAX);
    buf_init(&w->out, STORE_RECORD_BYTES_MAX);
}

void
change_writer_drop(struct change_writer *w)
{
    buf_drop(&w->out);
}

static enum err_code
begin_record(struct change_writer *w, struct err *err)
{
    uint8_t *out = NULL;

    if (w->time_ms == 0)
        w->time_ms = clock_wall_ms();
    w->model_size = w->name_size = 0;
    TRY(buf_append_byte(&w->out, RECORD_FORMAT, err));
    TRY(buf_append_u64(&w->out, w->time_ms, err));
    TRY(buf_reserve(&w->out, 1 + w->op.size, &out, err));
    (void)put_text(out, w->op.data, w->op.size);
    buf_commit(&w->out, 1 + w->op.size);
    return OK;
}

static enum err_code
end_record(struct change_writer *w, struct err *err)
{
    struct record_key key = record_key_changes(store_txn_revision(w->txn), (uint8_t)w->part++);

    TRY(store_put(w->txn, record_key_bytes(&key), buf_bytes(&w->out), err));
    w->out.size = 0;
    return OK;
}

static size_t
shared_size(const struct change_writer *w, struct bytes name)
{
    size_t size = 0, size_max = name.size < w->name_size ? name.size : w->name_size;

    while (size < size_max && name.data[size] == w->name[size])
        size++;
    return size;
}

static enum err_code
put_change(struct change_writer *w, const struct change *change, struct err *err)
{
    bool same_model = bytes_equal(change->model, bytes_of(w->model, w->model_size));
    size_t shared = shared_size(w, change->name);
    uint8_t *begin = NULL, *out;

    TRY(buf_reserve(&w->out, CHANGE_BYTES_MAX, &begin, err));
    out = begin;
    *out++ = (uint8_t)(change->kind | (same_model ? 0 : MODEL_FOLLOWS));
    if (!same_model) {
        out = put_text(out, change->model.data, change->model.size);
        memcpy(w->model, change->model.data, change->model.size);
        w->model_size = change->model.size;
    }
    *out++ = (uint8_t)shared;
    out = put_text(out, change->name.data + shared, change->name.size - shared);
    if (change->name.size > 0)
        memcpy(w->name, change->name.data, change->name.size);
    w->name_size = change->name.size;
    out = put_varint(out, change_is_of_variable(change->kind) ? change->version : change->count);
    buf_commit(&w->out, (size_t)(out - begin));
    w->count++;
    return OK;
}

enum err_code
change_writer_add(struct change_writer *w, const struct change *change, struct err *err)
{
    bool last = w->part == RECORD_CHANGE_PARTS_MAX - 1;
    size_t room = CHANGE_BYTES_MAX;

    CHECK(change->name.size <= sizeof w->name && change->model.size <= sizeof w->model);
    if (last)
        room *= 2; /* to say how many are left out */
    if (w->out.size + room > STORE_RECORD_BYTES_MAX) {
        if (last) {
            w->left_out++;
            return OK;
        }
        TRY(end_record(w, err));
    }
    if (w->out.size == 0)
        TRY(begin_record(w, err));
    return put_change(w, change, err);
}

enum err_code
change_writer_close(struct change_writer *w, struct err *err)
{
    if (w->out.size == 0)
        return OK;
    if (w->left_out > 0)
        TRY(put_change(w,
                       &(struct change){.kind = CHANGE_MANY,
                                        .count = w->left_out,
                                        .model = bytes_of(w->model, w->model_size),
                                        .name = bytes_of("", 0)},
                       err));
    return end_record(w, err);
}

/* --- reading ------------------------------------------------------------------------------- */

static struct bytes
take_text(struct reader *in)
{
    size_t size = reader_u8(in);

    return reader_take(in, size);
}

static uint64_t
take_varint(struct reader *in)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_u8(in);

        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return value;
    }
    in->failed = true;
    return 0;
}

/* `name`: of the change before, in *size bytes; becomes this one's. */
static void
take_change(struct reader *in, uint8_t name[static NAME_BYTES_MAX], struct change *out)
{
    uint8_t kind = reader_u8(in);
    size_t shared;
    struct bytes rest;
    uint64_t number;

    if (kind & MODEL_FOLLOWS)
        out->model = take_text(in);
    kind &= (uint8_t)~MODEL_FOLLOWS;
    shared = reader_u8(in);
    rest = take_text(in);
    number = take_varint(in);
    if (kind >= CHANGE_KIND_COUNT || shared > out->name.size ||
        rest.size > NAME_BYTES_MAX - shared || out->model.size > NAME_MODEL_BYTES_MAX)
        in->failed = true;
    if (in->failed)
        return;
    if (rest.size > 0)
        memcpy(name + shared, rest.data, rest.size);
    out->name = bytes_of(name, shared + rest.size);
    out->kind = (enum change_kind)kind;
    out->version = change_is_of_variable(out->kind) ? number : 0;
    out->count = change_is_of_variable(out->kind) ? 0 : number;
}

enum err_code
record_each_change(struct bytes key, struct bytes record, change_visit *visit, void *context,
                   bool *enough, struct err *err)
{
    struct reader in = reader_of(record);
    uint8_t format = reader_u8(&in), name[NAME_BYTES_MAX];
    struct change change = {.revision = record_key_change_revision(key),
                            .time_ms = reader_u64(&in),
                            .model = bytes_of("", 0),
                            .name = bytes_of("", 0)};

    change.op = take_text(&in);
    while (!in.failed && in.left.size > 0) {
        take_change(&in, name, &change);
        if (!in.failed)
            TRY(visit(context, &change, enough, err));
    }
    return record_decoded(&in, format, "change", err);
}

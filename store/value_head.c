#include "store/value_head.h"

#include <inttypes.h>

#include "store/base/scope.h"
#include "store/key.h"

enum { HEAD_VERSION = 1, HEAD_VERSION_RECIPE = 2, HEAD_BYTES = 52 };

/* u8 version, kind, class, pattern size; u32 refs; u64 size, family, forked; u32 chunks; the
 * pattern; in version 2 the recipe to the record's end. */
static enum err_code
encode(const struct value_head *head, struct buf *out, struct err *err)
{
    const uint8_t version = head->recipe.size == 0 ? HEAD_VERSION : HEAD_VERSION_RECIPE;
    const uint8_t small[4] = {version, (uint8_t)head->kind, (uint8_t)head->layout.class,
                              (uint8_t)head->pattern.size};

    TRY(buf_append(out, small, sizeof small, err));
    TRY(buf_append_u32(out, head->refs, err));
    TRY(buf_append_u64(out, head->layout.size, err));
    TRY(buf_append_u64(out, head->family, err));
    TRY(buf_append_u64(out, head->forked, err));
    TRY(buf_append_u32(out, head->layout.chunk_count, err));
    TRY(buf_append(out, head->pattern.bytes, VALUE_PATTERN_BYTES_MAX, err));
    return buf_append(out, head->recipe.bytes, head->recipe.size, err);
}

static bool
pattern_is_sound(const struct value_head *head)
{
    struct value_pattern pattern = {0};

    if (value_pattern_size_fits(head->pattern.size) && head->layout.size % head->pattern.size == 0)
        pattern = value_pattern_of(head->pattern.bytes, head->pattern.size);
    return memcmp(&pattern, &head->pattern, sizeof pattern) == 0;
}

static bool
decode_recipe(struct reader *in, uint8_t version, struct value_recipe *out)
{
    size_t size = in->left.size;

    if (version == HEAD_VERSION)
        return size == 0;
    if (version != HEAD_VERSION_RECIPE || size == 0 || size > VALUE_RECIPE_BYTES_MAX)
        return false;
    out->size = (uint32_t)size;
    memcpy(out->bytes, reader_take(in, size).data, size);
    return true;
}

bool
value_head_has_gaps(const struct value_head *head)
{
    return head->pattern.size != 0 || head->recipe.size != 0;
}

enum err_code
value_gap_fill(const struct store *store, const struct value_head *head, uint64_t offset,
               uint64_t size, uint8_t *out, struct err *err)
{
    store_recipe_make *make = store_recipe_maker(store);

    if (head->recipe.size == 0) {
        value_pattern_fill(&head->pattern, offset, out, (size_t)size);
        return OK;
    }
    if (make == NULL)
        return err_set(err, ERR_UNAVAILABLE,
                       "value %" PRIu64 " is kept as a recipe, which this program cannot follow",
                       head->id);
    return make(bytes_of(head->recipe.bytes, head->recipe.size), offset, size, out, err);
}

/* What the fields of a head must be to each other. */
static bool
is_sound(const struct value_head *head)
{
    if (head->refs == 0 || !pattern_is_sound(head))
        return false;
    if (head->recipe.size != 0 && head->pattern.size != 0)
        return false;
    if (head->kind == VALUE_RECORD)
        return head->family == 0 && head->forked == 0 && !value_head_has_gaps(head) &&
               head->layout.size > VALUE_INLINE_BYTES_MAX &&
               head->layout.size <= VALUE_RECORD_BYTES_MAX;
    return head->kind == VALUE_CHUNKS && head->family != 0 && head->family <= head->id &&
           (head->forked == 0 || head->forked >= head->id) &&
           head->layout.size > VALUE_RECORD_BYTES_MAX;
}

enum err_code
value_head_decode(uint64_t id, struct bytes record, struct value_head *out, struct err *err)
{
    struct reader in = reader_of(record);
    struct value_head head = {.id = id};
    uint8_t version = reader_u8(&in), kind = reader_u8(&in), class = reader_u8(&in);
    uint32_t chunk_count;
    uint64_t size;
    bool fits;

    head.kind = (enum value_kind)kind;
    head.pattern.size = reader_u8(&in);
    head.refs = reader_u32(&in);
    size = reader_u64(&in);
    head.family = reader_u64(&in);
    head.forked = reader_u64(&in);
    chunk_count = reader_u32(&in);
    if (!in.failed && in.left.size >= VALUE_PATTERN_BYTES_MAX)
        memcpy(head.pattern.bytes, reader_take(&in, VALUE_PATTERN_BYTES_MAX).data,
               VALUE_PATTERN_BYTES_MAX);
    fits = decode_recipe(&in, version, &head.recipe) && reader_ended_well(&in) &&
           record.size == HEAD_BYTES + head.recipe.size && class < STORE_CLASS_COUNT;
    if (fits && kind == VALUE_RECORD)
        head.layout = (struct value_layout){.size = size, .class = (enum store_class) class};
    else if (fits)
        fits = value_layout_of(size, (enum store_class) class, &head.layout, NULL) == OK;
    if (!fits || chunk_count != head.layout.chunk_count || !is_sound(&head))
        return err_set(err, ERR_DATA_LOSS, "the head of value %" PRIu64 " is damaged", id);
    *out = head;
    return OK;
}

enum err_code
value_head_read(const struct store_view *view, uint64_t id, struct value_head *out, struct err *err)
{
    struct store_key key = store_key_value(id);
    struct bytes record;

    TRY(store_get(view, store_key_bytes(&key), &record, err));
    if (record.data == NULL)
        return err_set(err, ERR_DATA_LOSS, "value %" PRIu64 " is named but does not exist", id);
    return value_head_decode(id, record, out, err);
}

enum err_code
value_head_of(const struct store_view *view, const struct value_ref *ref, struct value_head *out,
              struct err *err)
{
    TRY(value_head_read(view, ref->id, out, err));
    if (out->kind != ref->kind || out->layout.size != ref->size)
        return err_set(err, ERR_DATA_LOSS,
                       "value %" PRIu64 " has %" PRIu64 " bytes and kind %d, the record that "
                       "names it says %" PRIu64 " and %d",
                       ref->id, out->layout.size, (int)out->kind, ref->size, (int)ref->kind);
    return OK;
}

enum err_code
value_head_write(struct store_txn *txn, const struct value_head *head, struct err *err)
{
    struct store_key key = store_key_value(head->id);
    AUTO(buf) record;

    buf_init(&record, HEAD_BYTES + VALUE_RECIPE_BYTES_MAX);
    TRY(encode(head, &record, err));
    return store_put(txn, store_key_bytes(&key), buf_bytes(&record), err);
}

enum err_code
value_head_delete(struct store_txn *txn, const struct value_head *head, struct err *err)
{
    struct store_key key = store_key_value(head->id), data = store_key_data(head->id);

    if (head->kind == VALUE_RECORD)
        TRY(store_delete(txn, store_key_bytes(&data), err));
    return store_delete(txn, store_key_bytes(&key), err);
}

struct value_ref
value_head_ref(const struct value_head *head)
{
    return (struct value_ref){.kind = head->kind, .size = head->layout.size, .id = head->id};
}

enum err_code
value_data_read(const struct store_view *view, const struct value_head *head, struct bytes *out,
                struct err *err)
{
    struct store_key key = store_key_data(head->id);

    TRY(store_get(view, store_key_bytes(&key), out, err));
    if (out->data == NULL)
        return err_set(err, ERR_DATA_LOSS, "value %" PRIu64 " has no bytes", head->id);
    if (out->size != head->layout.size)
        return err_set(err, ERR_DATA_LOSS,
                       "value %" PRIu64 " has %zu bytes, its head says %" PRIu64, head->id,
                       out->size, head->layout.size);
    return OK;
}

enum err_code
value_data_write(struct store_txn *txn, const struct value_head *head, const void *bytes,
                 struct err *err)
{
    struct store_key key = store_key_data(head->id);

    return store_put(txn, store_key_bytes(&key), bytes_of(bytes, (size_t)head->layout.size), err);
}

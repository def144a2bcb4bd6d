#include "api/wire/tf_v1_encode.h"

#include "api/file/proto.h"
#include "api/file/varint.h"
#include "api/wire/tf_v1_values.h"
#include "store/base/check.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum {
    LENT_BYTES_MIN = 4096,
    NUMBERS_AT_ONCE = 1024,
    HEAD_BYTES_MAX = 16, /* tag and length of a field */
    LENGTH_BYTES = 4,    /* before each string */
};

/* --- bytes of an entry ---------------------------------------------------------------------- */

/* A place in the bytes of an entry; goes forward only. */
struct cursor {
    const struct bytes *span; /* the one it is in */
    size_t begin;             /* in the span */
    uint64_t at;              /* in the entry */
};

static struct cursor
cursor_of(const struct api_tf_v1_message *message)
{
    return (struct cursor){.span = message->set->spans + message->entry->span_first};
}

/* The bytes at the place that lie in one run, at most `size`; goes past them. Not at the end. */
static struct bytes
take_run(struct cursor *cursor, uint64_t size)
{
    struct bytes run;

    while (cursor->begin == cursor->span->size) {
        cursor->span++;
        cursor->begin = 0;
    }
    run = bytes_of(cursor->span->data + cursor->begin, cursor->span->size - cursor->begin);
    if (run.size > size)
        run.size = (size_t)size;
    cursor->begin += run.size;
    cursor->at += run.size;
    return run;
}

static void
take_bytes(struct cursor *cursor, uint8_t *out, size_t size)
{
    while (size > 0) {
        struct bytes run = take_run(cursor, size);

        memcpy(out, run.data, run.size);
        out += run.size;
        size -= run.size;
    }
}

static void
pass_to(struct cursor *cursor, uint64_t place)
{
    while (cursor->at < place)
        (void)take_run(cursor, place - cursor->at);
}

/* --- runs of the slice ---------------------------------------------------------------------- */

typedef enum err_code visit_run(void *context, const struct api_tf_v1_message *message,
                                struct cursor *cursor, uint64_t elements, struct err *err);

/* Every run of numbers of the slice, in order; the visitor takes all of it. */
static enum err_code
each_run(const struct api_tf_v1_message *message, visit_run *visit, void *context, struct err *err)
{
    struct api_tf_part *part = &message->parts->parts[0];
    uint32_t element_bytes = dtype_size(message->entry->type.dtype);
    struct cursor cursor = cursor_of(message);
    bool more = part->run > 0 && message->entry->size > 0;

    while (more) {
        pass_to(&cursor, part->next * element_bytes);
        TRY(visit(context, message, &cursor, part->run, err));
        more = api_tf_part_next_run(message->parts, part);
    }
    return OK;
}

/* --- numbers as varints ---------------------------------------------------------------------- */

/* As protobuf writes it: what is negative as 64 bits. */
static uint64_t
number_at(const struct api_tf_v1_form *form, const uint8_t *data)
{
    uint64_t value = 0;
    unsigned unused = 64 - 8 * form->size;

    switch (form->size) { /* each a load, where a size that is not known would be a call */
    case 8:
        memcpy(&value, data, 8);
        break;
    case 4:
        memcpy(&value, data, 4);
        break;
    case 2:
        memcpy(&value, data, 2);
        break;
    default:
        value = data[0];
        break;
    }
    if (form->sign_extended)
        value = (uint64_t)((int64_t)(value << unused) >> unused);
    return value;
}

/* Bools are 0 and 1, which are varints of their own. */
static bool
stands_as_it_is(const struct api_tf_v1_message *message)
{
    const struct api_tf_v1_form *form = api_tf_v1_form_of(message->entry->type.dtype);

    return form->wire != API_PROTO_VARINT || message->entry->type.dtype == DTYPE_BOOL;
}

static enum err_code
measure_run(void *context, const struct api_tf_v1_message *message, struct cursor *cursor,
            uint64_t elements, struct err *err)
{
    const struct api_tf_v1_form *form = api_tf_v1_form_of(message->entry->type.dtype);
    uint8_t data[NUMBERS_AT_ONCE * sizeof(uint64_t)];
    uint64_t *size = context;

    (void)err;
    while (elements > 0) {
        size_t count = elements < NUMBERS_AT_ONCE ? (size_t)elements : NUMBERS_AT_ONCE;

        take_bytes(cursor, data, count * form->size);
        for (size_t i = 0; i < count; i++)
            *size += api_varint_size(number_at(form, data + i * form->size));
        elements -= count;
    }
    return OK;
}

static enum err_code
write_varints(void *context, const struct api_tf_v1_message *message, struct cursor *cursor,
              uint64_t elements, struct err *err)
{
    const struct api_tf_v1_form *form = api_tf_v1_form_of(message->entry->type.dtype);
    uint8_t data[NUMBERS_AT_ONCE * sizeof(uint64_t)], out[NUMBERS_AT_ONCE * API_VARINT_BYTES_MAX];

    while (elements > 0) {
        size_t count = elements < NUMBERS_AT_ONCE ? (size_t)elements : NUMBERS_AT_ONCE, size = 0;

        take_bytes(cursor, data, count * form->size);
        for (size_t i = 0; i < count; i++)
            size += api_varint_put(number_at(form, data + i * form->size), out + size);
        TRY(api_sstable_append(context, bytes_of(out, size), err));
        elements -= count;
    }
    return OK;
}

/* --- numbers as they are --------------------------------------------------------------------- */

static enum err_code
lend_run(void *context, const struct api_tf_v1_message *message, struct cursor *cursor,
         uint64_t elements, struct err *err)
{
    const struct tensor_set_entry *entry = message->entry;
    uint64_t left = elements * dtype_size(entry->type.dtype);

    while (left > 0) {
        struct bytes run = take_run(cursor, left);
        bool whole = run.size == entry->size && entry->has_crc32c;

        if (run.size < LENT_BYTES_MIN)
            TRY(api_sstable_append(context, run, err));
        else
            TRY(api_sstable_lend(context, run,
                                 whole ? entry->crc32c : crc32c(0, run.data, run.size), err));
        left -= run.size;
    }
    return OK;
}

/* --- strings --------------------------------------------------------------------------------- */

/* The cursor at the first string of the slice. */
static struct cursor
first_string(const struct api_tf_v1_message *message)
{
    struct api_tf_v1_strings_place *place = message->place;
    uint64_t first = message->parts->parts[0].next;
    struct cursor cursor = cursor_of(message);

    if (place->entry != message->entry || place->element > first)
        *place = (struct api_tf_v1_strings_place){.entry = message->entry};
    pass_to(&cursor, place->at);
    for (; place->element < first; place->element++) {
        uint32_t length = 0;

        take_bytes(&cursor, (uint8_t *)&length, LENGTH_BYTES);
        pass_to(&cursor, cursor.at + length);
    }
    place->at = cursor.at;
    return cursor;
}

/* `out` NULL: only counts. */
static enum err_code
each_string(const struct api_tf_v1_message *message, uint64_t *size, struct api_sstable_writer *out,
            struct err *err)
{
    uint32_t field = api_tf_v1_form_of(DTYPE_STRING)->field;
    struct cursor cursor = first_string(message);

    *size = 0;
    for (uint64_t left = message->parts->covered; left > 0; left--) {
        uint8_t head[HEAD_BYTES_MAX];
        uint32_t length = 0;
        size_t used;

        take_bytes(&cursor, (uint8_t *)&length, LENGTH_BYTES);
        used = api_varint_put(API_PROTO_TAG(field, API_PROTO_BYTES), head);
        used += api_varint_put(length, head + used);
        *size += used + length;
        if (out == NULL) {
            pass_to(&cursor, cursor.at + length);
            continue;
        }
        TRY(api_sstable_append(out, bytes_of(head, used), err));
        while (length > 0) {
            struct bytes run = take_run(&cursor, length);

            TRY(api_sstable_append(out, run, err));
            length -= (uint32_t)run.size;
        }
    }
    return OK;
}

/* --- the message ----------------------------------------------------------------------------- */

static size_t
packed_head(const struct api_tf_v1_message *message, uint8_t out[static HEAD_BYTES_MAX])
{
    const struct api_tf_v1_form *form = api_tf_v1_form_of(message->entry->type.dtype);
    size_t used = api_varint_put(API_PROTO_TAG(form->field, API_PROTO_BYTES), out);

    return used + api_varint_put(message->packed_bytes, out + used);
}

enum err_code
api_tf_v1_message_measure(const struct tensor_set *set, const struct tensor_set_entry *entry,
                          struct api_tf_parts *slice, struct api_tf_v1_strings_place *place,
                          struct api_tf_v1_message *out, struct err *err)
{
    uint8_t head[HEAD_BYTES_MAX];

    CHECK(slice->count == 1);
    *out = (struct api_tf_v1_message){.set = set, .entry = entry, .parts = slice, .place = place};
    if (entry->type.dtype == DTYPE_STRING) {
        CHECK(slice->parts[0].run == slice->covered);
        TRY(each_string(out, &out->packed_bytes, NULL, err));
        out->size = out->packed_bytes;
        return OK;
    }
    if (stands_as_it_is(out))
        out->packed_bytes = slice->covered * dtype_size(entry->type.dtype);
    else
        TRY(each_run(out, measure_run, &out->packed_bytes, err));
    out->size = out->packed_bytes;
    if (out->packed_bytes > 0)
        out->size += packed_head(out, head);
    return OK;
}

enum err_code
api_tf_v1_message_write(const struct api_tf_v1_message *message, struct api_sstable_writer *out,
                        struct err *err)
{
    uint8_t head[HEAD_BYTES_MAX];
    uint64_t size = 0;

    if (message->entry->type.dtype == DTYPE_STRING)
        return each_string(message, &size, out, err);
    if (message->packed_bytes == 0)
        return OK;
    TRY(api_sstable_append(out, bytes_of(head, packed_head(message, head)), err));
    return each_run(message, stands_as_it_is(message) ? lend_run : write_varints, out, err);
}

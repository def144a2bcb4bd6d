/* The safetensors header, read.
 *
 * The text is gone through twice with the token reader: to count, then to fill arrays of the right
 * size. What makes such files dangerous elsewhere is checked here once and for all: a name twice,
 * numbers that are no plain integers, a shape that disagrees with its range, ranges that overlap,
 * leave a hole, or do not end where the data ends. Fields of a tensor that are not known are
 * skipped, as the format's own reader does. */
#include "api/wire/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/json/json_reader.h"
#include "api/json/number.h"
#include "api/json/text.h"

enum err_code
api_safetensors_header_size(struct bytes prefix, uint64_t file_size, size_t *out, struct err *err)
{
    struct reader reader = reader_of(prefix);
    uint64_t length = reader_u64(&reader);

    if (reader.failed || file_size < API_SAFETENSORS_LENGTH_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "safetensors: the file ends before its header length");
    if (length > API_SAFETENSORS_HEADER_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "safetensors: a header of %" PRIu64 " bytes, the limit is %d", length,
                       API_SAFETENSORS_HEADER_BYTES_MAX);
    if (length > file_size - API_SAFETENSORS_LENGTH_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "safetensors: a header of %" PRIu64 " bytes in a file of %" PRIu64, length,
                       file_size);
    *out = (size_t)length;
    return OK;
}

/* --- while reading ------------------------------------------------------------------------- */

struct decoding {
    struct api_json_reader reader;
    struct arena *arena;
    struct api_safetensors_header *header;
    size_t entries_room, metadata_room;
    bool metadata_seen;
};

static enum err_code
about_tensor(struct bytes name, const char *problem, struct err *err)
{
    char text[API_SHOWN_BYTES_MAX + 1];

    return err_set(err, ERR_INVALID_ARGUMENT, "safetensors: tensor '%s' %s",
                   api_text_shown(name, text), problem);
}

/* A key's or string's bytes, in the arena. */
static enum err_code
take_string(struct decoding *d, const struct api_json_token *token, struct bytes *out,
            struct err *err)
{
    struct bytes inner = api_json_inner(&d->reader, token);
    uint8_t *room = arena_alloc(d->arena, inner.size, err);

    if (room == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
    *out = bytes_of(room, api_json_unescape(inner, room));
    return OK;
}

/* A plain integer: no sign, no fraction, no exponent, below 2^64. */
static bool
take_integer(const struct decoding *d, const struct api_json_token *token, uint64_t *out)
{
    const char *text = (const char *)d->reader.text.data + token->begin;

    return token->kind == API_JSON_NUMBER && text[0] != '-' &&
           api_number_u64(text, token->end - token->begin, out);
}

/* A list of plain integers; at most `room` are kept, *count says how many there were. */
static enum err_code
take_integers(struct decoding *d, const struct api_json_token *first, struct bytes name,
              uint64_t *out, uint32_t room, uint32_t *count, struct err *err)
{
    struct api_json_token token;

    *count = 0;
    if (first->kind != API_JSON_ARRAY)
        return about_tensor(name, "has no list where its shape or data_offsets should be", err);
    for (;;) {
        uint64_t value = 0;

        TRY(api_json_next(&d->reader, &token, err));
        if (token.kind == API_JSON_ARRAY_END)
            return OK;
        if (!take_integer(d, &token, &value))
            return about_tensor(name,
                                "has something else than plain integers below 2^64 in its "
                                "shape or data_offsets",
                                err);
        if (*count < room)
            out[*count] = value;
        if (++*count > room)
            return about_tensor(
                name, room == 2 ? "has more than two data_offsets" : "has more than 32 dimensions",
                err);
    }
}

/* --- one tensor ---------------------------------------------------------------------------- */

enum field { FIELD_DTYPE, FIELD_SHAPE, FIELD_OFFSETS, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {"dtype", "shape", "data_offsets"};

static enum field
field_of(const struct decoding *d, const struct api_json_token *key)
{
    struct bytes inner = api_json_inner(&d->reader, key);
    uint8_t name[16];
    int field = 0;

    if (inner.size > sizeof name)
        return FIELD_COUNT;
    inner = bytes_of(name, api_json_unescape(inner, name));
    while (field < FIELD_COUNT && !bytes_equal(inner, bytes_of_text(field_names[field])))
        field++;
    return (enum field)field;
}

static enum err_code
take_dtype(struct decoding *d, const struct api_json_token *token,
           struct api_safetensors_entry *entry, struct err *err)
{
    struct bytes inner;
    char problem[64];

    if (token->kind != API_JSON_STRING)
        return about_tensor(entry->name, "has a dtype that is no text", err);
    inner = api_json_inner(&d->reader, token);
    if (dtype_of_safetensors(inner, &entry->type.dtype))
        return OK;
    snprintf(problem, sizeof problem, "has dtype '%.*s', which is not supported",
             (int)api_utf8_cut(inner, 16), (const char *)inner.data);
    return about_tensor(entry->name, problem, err);
}

static enum err_code
take_field(struct decoding *d, enum field field, struct api_safetensors_entry *entry,
           struct err *err)
{
    struct api_json_token token;
    uint64_t offsets[2] = {0, 0};
    uint32_t count = 0;

    TRY(api_json_next(&d->reader, &token, err));
    switch (field) {
    case FIELD_DTYPE:
        return take_dtype(d, &token, entry, err);
    case FIELD_SHAPE:
        return take_integers(d, &token, entry->name, entry->type.shape.dims, SHAPE_RANK_MAX,
                             &entry->type.shape.rank, err);
    case FIELD_OFFSETS:
        TRY(take_integers(d, &token, entry->name, offsets, 2, &count, err));
        if (count != 2)
            return about_tensor(entry->name, "has less than two data_offsets", err);
        entry->begin = offsets[0];
        entry->end = offsets[1];
        return OK;
    case FIELD_COUNT:
        break;
    }
    return api_json_skip(&d->reader, &token, err);
}

/* The range against the shape. */
static enum err_code
check_entry(const struct api_safetensors_entry *entry, struct err *err)
{
    char type[TENSOR_TYPE_TEXT_BYTES_MAX], problem[TENSOR_TYPE_TEXT_BYTES_MAX + 128];

    if (shape_check(&entry->type.shape, NULL) != OK)
        return about_tensor(entry->name, "has a shape with more than 2^47 elements", err);
    if (entry->begin <= entry->end && entry->end - entry->begin == tensor_type_bytes(&entry->type))
        return OK;
    snprintf(problem, sizeof problem,
             "is %s, which takes %" PRIu64 " bytes; its data_offsets are %" PRIu64 " and %" PRIu64,
             tensor_type_text(&entry->type, type), tensor_type_bytes(&entry->type), entry->begin,
             entry->end);
    return about_tensor(entry->name, problem, err);
}

static enum err_code
take_tensor(struct decoding *d, struct bytes name, const struct api_json_token *first,
            struct err *err)
{
    struct api_safetensors_entry entry = {.name = name};
    bool seen[FIELD_COUNT + 1] = {false};
    struct api_json_token token;
    char problem[64];

    if (first->kind != API_JSON_OBJECT)
        return about_tensor(name, "is no object", err);
    for (;;) {
        enum field field;

        TRY(api_json_next(&d->reader, &token, err));
        if (token.kind == API_JSON_OBJECT_END)
            break;
        field = field_of(d, &token);
        if (seen[field] && field != FIELD_COUNT) {
            snprintf(problem, sizeof problem, "has %s twice", field_names[field]);
            return about_tensor(name, problem, err);
        }
        seen[field] = true;
        TRY(take_field(d, field, &entry, err));
    }
    for (int field = 0; field < FIELD_COUNT; field++)
        if (!seen[field]) {
            snprintf(problem, sizeof problem, "lacks %s", field_names[field]);
            return about_tensor(name, problem, err);
        }
    TRY(check_entry(&entry, err));
    d->header->entries[d->header->count++] = entry;
    return OK;
}

static enum err_code
take_metadata(struct decoding *d, const struct api_json_token *first, struct err *err)
{
    struct api_json_token key, value;

    if (d->metadata_seen)
        return err_set(err, ERR_INVALID_ARGUMENT, "safetensors: __metadata__ is there twice");
    d->metadata_seen = true;
    if (first->kind != API_JSON_OBJECT)
        return err_set(err, ERR_INVALID_ARGUMENT, "safetensors: __metadata__ is no object");
    for (;;) {
        struct bytes *pair;

        TRY(api_json_next(&d->reader, &key, err));
        if (key.kind == API_JSON_OBJECT_END)
            return OK;
        TRY(api_json_next(&d->reader, &value, err));
        if (value.kind != API_JSON_STRING)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "safetensors: byte %zu: a value in __metadata__ is no text",
                           value.begin);
        pair = d->header->metadata + 2 * d->header->metadata_count++;
        TRY(take_string(d, &key, &pair[0], err));
        TRY(take_string(d, &value, &pair[1], err));
    }
}

/* --- the whole header ---------------------------------------------------------------------- */

/* Room for all that will be kept: the keys on the first level, and the most that one of them holds,
 * for that one may be __metadata__. */
static enum err_code
count_keys(struct decoding *d, struct err *err)
{
    struct api_json_reader reader = d->reader;
    struct api_json_token token = {.kind = API_JSON_NULL};
    size_t inside = 0;

    while (token.kind != API_JSON_END) {
        TRY(api_json_next(&reader, &token, err));
        if (token.kind != API_JSON_KEY || reader.depth > 2)
            continue;
        inside = reader.depth == 1 ? 0 : inside + 1;
        d->entries_room += reader.depth == 1;
        if (inside > d->metadata_room)
            d->metadata_room = inside;
    }
    if (d->entries_room > API_SAFETENSORS_TENSORS_MAX + 1)
        return err_set(err, ERR_INVALID_ARGUMENT, "safetensors: %zu tensors, the limit is %d",
                       d->entries_room, API_SAFETENSORS_TENSORS_MAX);
    return OK;
}

static enum err_code
take_all(struct decoding *d, struct err *err)
{
    struct api_json_token key, value;
    struct bytes name;

    TRY(api_json_next(&d->reader, &key, err)); /* "{" */
    for (;;) {
        TRY(api_json_next(&d->reader, &key, err));
        if (key.kind == API_JSON_OBJECT_END)
            return OK;
        TRY(take_string(d, &key, &name, err));
        TRY(api_json_next(&d->reader, &value, err));
        if (bytes_equal(name, bytes_of_text("__metadata__")))
            TRY(take_metadata(d, &value, err));
        else
            TRY(take_tensor(d, name, &value, err));
    }
}

static int
by_name(const void *a, const void *b)
{
    const struct api_safetensors_entry *x = a, *y = b;

    return bytes_compare(x->name, y->name);
}

static int
by_metadata_name(const void *a, const void *b)
{
    const struct bytes *x = a, *y = b;

    return bytes_compare(x[0], y[0]);
}

static int
by_place(const void *a, const void *b)
{
    const struct api_safetensors_entry *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return bytes_compare(x->name, y->name);
}

static enum err_code
check_names(struct api_safetensors_header *h, struct err *err)
{
    qsort(h->entries, h->count, sizeof h->entries[0], by_name);
    for (size_t i = 1; i < h->count; i++)
        if (bytes_equal(h->entries[i - 1].name, h->entries[i].name))
            return about_tensor(h->entries[i].name, "is there twice", err);
    qsort(h->metadata, h->metadata_count, 2 * sizeof h->metadata[0], by_metadata_name);
    for (size_t i = 1; i < h->metadata_count; i++)
        if (bytes_equal(h->metadata[2 * i - 2], h->metadata[2 * i]))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "safetensors: a name is twice in __metadata__");
    return OK;
}

/* Each begins where the one before ends, the first at 0, and the last ends where the data does. */
static enum err_code
check_places(struct api_safetensors_header *h, uint64_t data_size, struct err *err)
{
    uint64_t end = 0;
    char problem[128];

    qsort(h->entries, h->count, sizeof h->entries[0], by_place);
    for (size_t i = 0; i < h->count; i++) {
        if (h->entries[i].begin != end) {
            snprintf(problem, sizeof problem,
                     "begins at %" PRIu64 ", the data before it ends at %" PRIu64,
                     h->entries[i].begin, end);
            return about_tensor(h->entries[i].name, problem, err);
        }
        end = h->entries[i].end;
    }
    if (data_size != UINT64_MAX && data_size != end)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "safetensors: the tensors take %" PRIu64 " bytes, %" PRIu64
                       " bytes follow the header",
                       end, data_size);
    h->data_size = end;
    return OK;
}

/* Behind the object only spaces are allowed. */
static struct bytes
without_padding(struct bytes json)
{
    while (json.size > 0 && json.data[json.size - 1] == ' ')
        json.size--;
    return json;
}

enum err_code
api_safetensors_decode(struct bytes json, uint64_t data_size, struct arena *arena,
                       struct api_safetensors_header *out, struct err *err)
{
    struct api_safetensors_header header = {.count = 0};
    struct decoding d = {.arena = arena, .header = &header};

    json = without_padding(json);
    if (json.size > API_SAFETENSORS_HEADER_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "safetensors: a header of %zu bytes, the limit is %d", json.size,
                       API_SAFETENSORS_HEADER_BYTES_MAX);
    if (json.size < 2 || json.data[0] != '{' || json.data[json.size - 1] != '}')
        return err_set(
            err, ERR_INVALID_ARGUMENT,
            "safetensors: the header is no JSON object with nothing but spaces after it");
    d.reader = api_json_reader_of(json);
    TRY(count_keys(&d, err));
    header.entries = arena_array(arena, d.entries_room, sizeof header.entries[0], err);
    if (header.entries == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
    header.metadata = arena_array(arena, d.metadata_room, 2 * sizeof header.metadata[0], err);
    if (header.metadata == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
    TRY(take_all(&d, err));
    TRY(check_names(&header, err));
    TRY(check_places(&header, data_size, err));
    *out = header;
    return OK;
}

enum err_code
api_safetensors_read_header(const struct api_byte_source *source, const char *place,
                            uint64_t file_size, struct arena *arena,
                            struct api_safetensors_header *out, struct err *err)
{
    uint8_t length[API_SAFETENSORS_LENGTH_BYTES], *text;
    uint64_t rest = UINT64_MAX;
    size_t size = 0;

    TRY(api_byte_source_exactly(source, place, "the safetensors header's length", length,
                                sizeof length, err));
    TRY(api_safetensors_header_size(bytes_of(length, sizeof length), file_size, &size, err));
    if (file_size != UINT64_MAX)
        rest = file_size - sizeof length - size;
    text = arena_alloc(arena, size, err);
    if (text == NULL)
        return err != NULL ? err->code : ERR_NO_MEMORY;
    TRY(api_byte_source_exactly(source, place, "the safetensors header", text, size, err));
    return api_safetensors_decode(bytes_of(text, size), rest, arena, out, err);
}

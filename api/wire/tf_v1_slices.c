/* Slices as texts, as TensorFlow spells them: "0,2:-" is the first two rows of a matrix. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/json/json_reader.h"
#include "api/json/number.h"
#include "api/json/text.h"
#include "api/wire/tf_v1.h"

bool
api_tf_v1_slice_is_plain(const struct api_extent *extents, uint32_t rank)
{
    for (uint32_t i = 0; i < rank; i++)
        if (extents[i].length != API_EXTENT_WHOLE)
            return false;
    return true;
}

/* --- writing ------------------------------------------------------------------------------- */

static enum err_code
append_slice(struct buf *out, const struct api_extent *extents, uint32_t rank, struct err *err)
{
    TRY(buf_append_byte(out, '"', err));
    for (uint32_t i = 0; i < rank; i++) {
        if (i > 0)
            TRY(buf_append_byte(out, ':', err));
        if (extents[i].length == API_EXTENT_WHOLE)
            TRY(buf_append_byte(out, '-', err));
        else
            TRY(buf_printf(out, err, "%" PRId64 ",%" PRId64, extents[i].start, extents[i].length));
    }
    return buf_append_byte(out, '"', err);
}

enum err_code
api_tf_v1_slices_write(const struct api_tf_v1_slices_of *tensors, size_t count, struct buf *out,
                       struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct api_tf_v1_slices_of *tensor = &tensors[i];

        TRY(buf_append_byte(out, i == 0 ? '{' : ',', err));
        TRY(api_json_escape(tensor->name, out, err));
        for (size_t j = 0; j < tensor->count; j++) {
            TRY(buf_append_text(out, j == 0 ? ":[" : ",", err));
            TRY(append_slice(out, tensor->extents + j * tensor->rank, tensor->rank, err));
        }
        TRY(buf_append_byte(out, ']', err));
    }
    return buf_append_text(out, count == 0 ? "{}" : "}", err);
}

/* --- reading ------------------------------------------------------------------------------- */

struct reading {
    struct api_json_reader reader;
    struct arena *arena;
    struct api_tf_v1_slices_of *tensors;
    size_t count, capacity;
};

static enum err_code
no_slices(struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "these are no slices as they are kept");
}

/* Digits off the front. */
static bool
take_number(struct bytes *text, int64_t *out)
{
    size_t digits = 0;
    uint64_t value = 0;

    while (digits < text->size && text->data[digits] >= '0' && text->data[digits] <= '9')
        digits++;
    if (!api_number_u64((const char *)text->data, digits, &value) || value > INT64_MAX)
        return false;
    *text = bytes_of(text->data + digits, text->size - digits);
    *out = (int64_t)value;
    return true;
}

static bool
take_sign(struct bytes *text, char sign)
{
    if (text->size == 0 || text->data[0] != (uint8_t)sign)
        return false;
    *text = bytes_of(text->data + 1, text->size - 1);
    return true;
}

static bool
parse_slice(struct bytes text, struct api_extent out[static SHAPE_RANK_MAX], uint32_t *rank)
{
    *rank = 0;
    if (text.size == 0)
        return true;
    do {
        struct api_extent *extent = &out[*rank];

        if (*rank == SHAPE_RANK_MAX)
            return false;
        *extent = (struct api_extent){0, API_EXTENT_WHOLE};
        if (!take_sign(&text, '-') &&
            !(take_number(&text, &extent->start) && take_sign(&text, ',') &&
              take_number(&text, &extent->length)))
            return false;
        ++*rank;
    } while (take_sign(&text, ':'));
    return text.size == 0;
}

static enum err_code
take_slice(struct reading *in, const struct api_json_token *token,
           struct api_tf_v1_slices_of *tensor, size_t *capacity, struct err *err)
{
    struct api_extent extents[SHAPE_RANK_MAX], *grown;
    uint32_t rank = 0;

    if (token->kind != API_JSON_STRING ||
        !parse_slice(api_json_inner(&in->reader, token), extents, &rank) ||
        (tensor->count > 0 && rank != tensor->rank))
        return no_slices(err);
    grown = arena_grown(in->arena, (void *)tensor->extents, tensor->count, capacity,
                        (rank > 0 ? rank : 1) * sizeof *grown, err);
    if (grown == NULL)
        return ERR_NO_MEMORY;
    memcpy(grown + tensor->count * rank, extents, rank * sizeof *grown);
    tensor->extents = grown;
    tensor->rank = rank;
    tensor->count++;
    return OK;
}

static enum err_code
take_tensor(struct reading *in, const struct api_json_token *key, struct err *err)
{
    struct bytes inner = api_json_inner(&in->reader, key);
    uint8_t *name = arena_alloc(in->arena, inner.size, err);
    struct api_tf_v1_slices_of *grown =
        arena_grown(in->arena, in->tensors, in->count, &in->capacity, sizeof *grown, err);
    struct api_json_token token;
    size_t capacity = 0;

    if (name == NULL || grown == NULL)
        return ERR_NO_MEMORY;
    in->tensors = grown;
    grown += in->count++;
    *grown = (struct api_tf_v1_slices_of){.name = bytes_of(name, api_json_unescape(inner, name))};
    TRY(api_json_next(&in->reader, &token, err));
    if (token.kind != API_JSON_ARRAY)
        return no_slices(err);
    for (;;) {
        TRY(api_json_next(&in->reader, &token, err));
        if (token.kind == API_JSON_ARRAY_END)
            return OK;
        TRY(take_slice(in, &token, grown, &capacity, err));
    }
}

static int
by_name(const void *a, const void *b)
{
    const struct api_tf_v1_slices_of *x = a, *y = b;

    return bytes_compare(x->name, y->name);
}

enum err_code
api_tf_v1_slices_read(struct bytes text, struct arena *arena, struct api_tf_v1_slices_of **out,
                      size_t *count, struct err *err)
{
    struct reading in = {.reader = api_json_reader_of(text), .arena = arena};
    struct api_json_token token;

    TRY(api_json_next(&in.reader, &token, err));
    if (token.kind != API_JSON_OBJECT)
        return no_slices(err);
    for (;;) {
        TRY(api_json_next(&in.reader, &token, err));
        if (token.kind == API_JSON_OBJECT_END)
            break;
        TRY(take_tensor(&in, &token, err));
    }
    TRY(api_json_next(&in.reader, &token, err));
    if (in.count > 0)
        qsort(in.tensors, in.count, sizeof *in.tensors, by_name);
    *out = in.tensors;
    *count = in.count;
    return OK;
}

/* The safetensors header, written byte for byte as the format's own library writes it. */
#include "api/wire/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>

#include "api/json/text.h"

enum { HEADER_ALIGNMENT = 8 };

/* The library's order of dtypes; tensors are laid out in it, so that wider elements come first and
 * every tensor is aligned to its element. */
static const enum dtype order[] = {
    DTYPE_UINT64,      DTYPE_INT64,  DTYPE_FLOAT64, DTYPE_COMPLEX64,
    DTYPE_FLOAT32,     DTYPE_UINT32, DTYPE_INT32,   DTYPE_BFLOAT16,
    DTYPE_FLOAT16,     DTYPE_UINT16, DTYPE_INT16,   DTYPE_FLOAT8_E4M3FN,
    DTYPE_FLOAT8_E5M2, DTYPE_INT8,   DTYPE_UINT8,   DTYPE_BOOL,
};

static size_t
order_of(enum dtype dtype)
{
    size_t i = 0;

    while (i < sizeof order / sizeof order[0] && order[i] != dtype)
        i++;
    return i;
}

static int
canonically(const void *a, const void *b)
{
    const struct api_safetensors_entry *x = a, *y = b;
    size_t x_order = order_of(x->type.dtype), y_order = order_of(y->type.dtype);

    if (x_order != y_order)
        return x_order < y_order ? -1 : 1;
    return bytes_compare(x->name, y->name);
}

static enum err_code
check_entry(const struct api_safetensors_entry *entry, struct err *err)
{
    const struct dtype_info *info = dtype_info(entry->type.dtype);
    int shown = (int)api_utf8_cut(entry->name, 120);

    if (info->safetensors_name == NULL)
        return err_set(err, ERR_NOT_ACCEPTABLE,
                       "safetensors has no name for %s, tensor '%.*s' is one", info->name, shown,
                       (const char *)entry->name.data);
    if (!api_utf8_valid(entry->name) || bytes_equal(entry->name, bytes_of_text("__metadata__")))
        return err_set(err, ERR_NOT_ACCEPTABLE, "safetensors cannot name a tensor '%.*s'", shown,
                       api_utf8_valid(entry->name) ? (const char *)entry->name.data : "");
    return OK;
}

static enum err_code
append_metadata(const struct bytes *metadata, size_t count, struct buf *out, struct err *err)
{
    TRY(buf_append_text(out, "\"__metadata__\":{", err));
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            TRY(buf_append_byte(out, ',', err));
        TRY(api_json_escape(metadata[2 * i], out, err));
        TRY(buf_append_byte(out, ':', err));
        TRY(api_json_escape(metadata[2 * i + 1], out, err));
    }
    return buf_append_byte(out, '}', err);
}

static enum err_code
append_entry(const struct api_safetensors_entry *entry, struct buf *out, struct err *err)
{
    const struct shape *shape = &entry->type.shape;

    TRY(api_json_escape(entry->name, out, err));
    TRY(buf_printf(out, err, ":{\"dtype\":\"%s\",\"shape\":[",
                   dtype_info(entry->type.dtype)->safetensors_name));
    for (uint32_t i = 0; i < shape->rank; i++)
        TRY(buf_printf(out, err, i == 0 ? "%" PRIu64 : ",%" PRIu64, shape->dims[i]));
    return buf_printf(out, err, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", entry->begin,
                      entry->end);
}

static enum err_code
append_json(const struct api_safetensors_entry *entries, size_t count, const struct bytes *metadata,
            size_t metadata_count, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, '{', err));
    if (metadata_count > 0)
        TRY(append_metadata(metadata, metadata_count, out, err));
    for (size_t i = 0; i < count; i++) {
        if (i > 0 || metadata_count > 0)
            TRY(buf_append_byte(out, ',', err));
        TRY(append_entry(&entries[i], out, err));
    }
    return buf_append_byte(out, '}', err);
}

enum err_code
api_safetensors_encode(struct api_safetensors_entry *entries, size_t count,
                       const struct bytes *metadata, size_t metadata_count, struct buf *out,
                       struct err *err)
{
    size_t start = out->size, length;
    uint64_t end = 0;

    if (count > 0)
        qsort(entries, count, sizeof entries[0], canonically);
    for (size_t i = 0; i < count; i++) {
        TRY(check_entry(&entries[i], err));
        entries[i].begin = end;
        if (__builtin_add_overflow(end, tensor_type_bytes(&entries[i].type), &end))
            return err_set(err, ERR_PAYLOAD_TOO_LARGE, "safetensors: over 2^64 bytes of tensors");
        entries[i].end = end;
    }
    TRY(buf_append_u64(out, 0, err));
    TRY(append_json(entries, count, metadata, metadata_count, out, err));
    while ((out->size - start) % HEADER_ALIGNMENT != 0)
        TRY(buf_append_byte(out, ' ', err));
    length = out->size - start - API_SAFETENSORS_LENGTH_BYTES;
    if (length > API_SAFETENSORS_HEADER_BYTES_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "safetensors: a header of %zu bytes, the limit is %d", length,
                       API_SAFETENSORS_HEADER_BYTES_MAX);
    for (size_t i = 0; i < API_SAFETENSORS_LENGTH_BYTES; i++)
        out->data[start + i] = (uint8_t)((uint64_t)length >> 8 * i);
    return OK;
}

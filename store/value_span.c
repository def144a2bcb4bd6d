#include "store/value_span.h"

#include "store/base/check.h"

enum err_code
value_layout_of(uint64_t size, enum store_class class, struct value_layout *out, struct err *err)
{
    uint64_t bulk = 0, tail = size, rows;

    CHECK(class == STORE_CLASS_ROWS || class == STORE_CLASS_BULK);
    if (size > VALUE_SIZE_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "a value of %llu bytes is over the limit of %llu bytes",
                       (unsigned long long)size, (unsigned long long)VALUE_SIZE_MAX);
    if (class == STORE_CLASS_BULK) {
        bulk = size / STORE_BULK_BYTES;
        tail = size % STORE_BULK_BYTES;
        if (tail > VALUE_TAIL_ROWS_MAX * STORE_ROWS_BYTES) {
            bulk++;
            tail = 0;
        }
    }
    rows = tail / STORE_ROWS_BYTES + (tail % STORE_ROWS_BYTES != 0);
    if (bulk + rows > UINT32_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "a value of %llu bytes kept for row updates needs %llu chunks, over %u",
                       (unsigned long long)size, (unsigned long long)(bulk + rows), UINT32_MAX);
    *out = (struct value_layout){
        .size = size,
        .class = class,
        .bulk_count = (uint32_t)bulk,
        .chunk_count = (uint32_t)(bulk + rows),
    };
    return OK;
}

struct value_span
value_layout_span(const struct value_layout *layout, uint32_t index)
{
    struct value_span span = {.class = STORE_CLASS_BULK, .length = STORE_BULK_BYTES};
    uint64_t left;

    CHECK(index < layout->chunk_count);
    if (index < layout->bulk_count) {
        span.offset = (uint64_t)index * STORE_BULK_BYTES;
    } else {
        span.class = STORE_CLASS_ROWS;
        span.length = STORE_ROWS_BYTES;
        span.offset = (uint64_t)layout->bulk_count * STORE_BULK_BYTES +
                      (uint64_t)(index - layout->bulk_count) * STORE_ROWS_BYTES;
    }
    left = layout->size - span.offset;
    if (left < span.length)
        span.length = (uint32_t)left;
    return span;
}

uint32_t
value_layout_index(const struct value_layout *layout, uint64_t offset)
{
    uint64_t bulk_bytes = (uint64_t)layout->bulk_count * STORE_BULK_BYTES;

    CHECK(offset < layout->size);
    if (offset < bulk_bytes)
        return (uint32_t)(offset / STORE_BULK_BYTES);
    return layout->bulk_count + (uint32_t)((offset - bulk_bytes) / STORE_ROWS_BYTES);
}

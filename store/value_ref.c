/* How a record that owns a value writes down which.
 *
 * u8 kind; then nothing (none), the bytes with their length (inline), or u64 size and u64 id. */
#include "store/value.h"
#include "store/value_span.h"

enum err_code
value_ref_encode(const struct value_ref *ref, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, (uint8_t)ref->kind, err));
    switch (ref->kind) {
    case VALUE_NONE:
        return OK;
    case VALUE_INLINE:
        if (ref->size > VALUE_INLINE_BYTES_MAX)
            return err_set(err, ERR_INTERNAL, "%llu bytes do not fit a record, %d do",
                           (unsigned long long)ref->size, VALUE_INLINE_BYTES_MAX);
        return buf_append_bytes(out, bytes_of(ref->bytes, (size_t)ref->size), err);
    case VALUE_RECORD:
    case VALUE_CHUNKS:
        TRY(buf_append_u64(out, ref->size, err));
        return buf_append_u64(out, ref->id, err);
    }
    return err_set(err, ERR_INTERNAL, "no such kind of value: %d", (int)ref->kind);
}

static bool
size_fits_kind(uint64_t size, enum value_kind kind)
{
    if (kind == VALUE_RECORD)
        return size > VALUE_INLINE_BYTES_MAX && size <= VALUE_RECORD_BYTES_MAX;
    return size > VALUE_RECORD_BYTES_MAX && size <= VALUE_SIZE_MAX;
}

void
value_ref_decode(struct reader *in, struct value_ref *out)
{
    uint8_t kind = reader_u8(in);
    struct bytes bytes;

    *out = (struct value_ref){0};
    if (in->failed || kind == VALUE_NONE)
        return;
    if (kind == VALUE_INLINE) {
        bytes = reader_bytes(in);
        if (bytes.size > VALUE_INLINE_BYTES_MAX)
            in->failed = true;
        if (in->failed)
            return;
        out->kind = VALUE_INLINE;
        out->size = bytes.size;
        memcpy(out->bytes, bytes.data, bytes.size);
        return;
    }
    out->size = reader_u64(in);
    out->id = reader_u64(in);
    out->kind = kind == VALUE_RECORD ? VALUE_RECORD : VALUE_CHUNKS;
    if (in->failed || kind > VALUE_CHUNKS || out->id == 0 ||
        !size_fits_kind(out->size, out->kind)) {
        in->failed = true;
        *out = (struct value_ref){0};
    }
}

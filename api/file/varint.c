#include "api/file/varint.h"

enum { GROUP_BITS = 7, MORE = 0x80 };

enum api_varint_outcome
api_varint_read_long(struct bytes *left, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < left->size && i < API_VARINT_BYTES_MAX; i++) {
        uint64_t group = left->data[i] & (MORE - 1);

        if (i == API_VARINT_BYTES_MAX - 1 && group > 1)
            return API_VARINT_BAD;
        value |= group << GROUP_BITS * i;
        if (left->data[i] >= MORE)
            continue;
        *out = value;
        *left = bytes_of(left->data + i + 1, left->size - i - 1);
        return API_VARINT_READ;
    }
    return left->size < API_VARINT_BYTES_MAX ? API_VARINT_SHORT : API_VARINT_BAD;
}

enum api_varint_outcome
api_varint_read32(struct bytes *left, uint32_t *out)
{
    struct bytes rest =
        left->size <= API_VARINT32_BYTES_MAX ? *left : bytes_of(left->data, API_VARINT32_BYTES_MAX);
    size_t before = rest.size;
    uint64_t value = 0;
    enum api_varint_outcome outcome = api_varint_read(&rest, &value);

    if (outcome == API_VARINT_SHORT && before == API_VARINT32_BYTES_MAX)
        return API_VARINT_BAD;
    if (outcome == API_VARINT_READ && value > UINT32_MAX)
        return API_VARINT_BAD;
    if (outcome != API_VARINT_READ)
        return outcome;
    *out = (uint32_t)value;
    before -= rest.size;
    *left = bytes_of(left->data + before, left->size - before);
    return API_VARINT_READ;
}

size_t
api_varint_put(uint64_t value, uint8_t out[static API_VARINT_BYTES_MAX])
{
    size_t size = 0;

    for (; value >= MORE; value >>= GROUP_BITS)
        out[size++] = (uint8_t)(value | MORE);
    out[size++] = (uint8_t)value;
    return size;
}

size_t
api_varint_size(uint64_t value)
{
    return (size_t)(63 - __builtin_clzll(value | 1)) / GROUP_BITS + 1;
}

enum err_code
api_varint_append(struct buf *out, uint64_t value, struct err *err)
{
    uint8_t bytes[API_VARINT_BYTES_MAX];
    size_t size = api_varint_put(value, bytes);

    return buf_append(out, bytes, size, err);
}

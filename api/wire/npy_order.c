/* Element order of npy data: bytes within an element, elements within the array. */
#include "api/wire/npy.h"

static void
swap_16(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(uint16_t)) {
        uint16_t v;

        memcpy(&v, data + i, sizeof v);
        v = __builtin_bswap16(v);
        memcpy(data + i, &v, sizeof v);
    }
}

static void
swap_32(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(uint32_t)) {
        uint32_t v;

        memcpy(&v, data + i, sizeof v);
        v = __builtin_bswap32(v);
        memcpy(data + i, &v, sizeof v);
    }
}

static void
swap_64(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t v;

        memcpy(&v, data + i, sizeof v);
        v = __builtin_bswap64(v);
        memcpy(data + i, &v, sizeof v);
    }
}

void
api_wire_swap(enum dtype dtype, uint8_t *data, size_t size)
{
    const struct dtype_info *info = dtype_info(dtype);
    uint32_t part = info->kind == DTYPE_KIND_COMPLEX ? info->size / 2 : info->size;

    size -= part == 0 ? 0 : size % part;
    switch (part) {
    case 2:
        swap_16(data, size);
        break;
    case 4:
        swap_32(data, size);
        break;
    case 8:
        swap_64(data, size);
        break;
    default: /* one byte, or strings, whose lengths are little-endian everywhere */
        break;
    }
}

/* `count` elements that lie `stride` bytes apart, side by side. Constant sizes make the copies
 * moves. */
static void
gather(const uint8_t *in, size_t stride, uint64_t count, uint32_t size, uint8_t *out)
{
#define GATHER(n)                                                                                  \
    case n:                                                                                        \
        for (uint64_t i = 0; i < count; i++)                                                       \
            memcpy(out + i * n, in + i * stride, n);                                               \
        break
    switch (size) {
        GATHER(1);
        GATHER(2);
        GATHER(4);
        GATHER(8);
        GATHER(16);
    default:
        break;
    }
#undef GATHER
}

void
api_npy_to_row_major(const struct tensor_type *type, const uint8_t *in, uint8_t *out)
{
    const struct shape *shape = &type->shape;
    uint32_t size = dtype_size(type->dtype), last;
    uint64_t stride[SHAPE_RANK_MAX], index[SHAPE_RANK_MAX] = {0};
    uint64_t left = shape_count(shape), offset = 0;

    if (left == 0 || size == 0)
        return;
    if (shape->rank < 2) {
        memcpy(out, in, (size_t)(left * size));
        return;
    }
    last = shape->rank - 1;
    stride[0] = size;
    for (uint32_t i = 1; i < shape->rank; i++)
        stride[i] = stride[i - 1] * shape->dims[i - 1];
    for (; left > 0; left -= shape->dims[last]) {
        gather(in + offset, (size_t)stride[last], shape->dims[last], size, out);
        out += shape->dims[last] * size;
        for (uint32_t i = last; i-- > 0;) {
            offset += stride[i];
            if (++index[i] < shape->dims[i])
                break;
            offset -= stride[i] * shape->dims[i];
            index[i] = 0;
        }
    }
}

#include "api/file/ordered_code.h"

enum { NUMBER_BYTES = 8, SIGNED_BYTES_MAX = 10 };

/* Of big-endian `value` the last `size` bytes; sizes above 8 are filled with `fill`. */
static void
put_big_endian(uint64_t value, uint8_t fill, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        size_t from_end = size - 1 - i;

        out[i] = fill;
        if (from_end < NUMBER_BYTES)
            out[i] = (uint8_t)(value >> 8 * from_end);
    }
}

enum err_code
api_ordered_unsigned(struct buf *out, uint64_t value, struct err *err)
{
    uint8_t bytes[1 + NUMBER_BYTES] = {0};

    for (uint64_t left = value; left > 0; left >>= 8)
        bytes[0]++;
    put_big_endian(value, 0, bytes + 1, bytes[0]);
    return buf_append(out, bytes, 1u + bytes[0], err);
}

/* The length L is told by as many leading bits equal to the sign's opposite; with the sign bit
 * behind them they take L + 1 bits, so that 7L - 1 are left for the number. */
enum err_code
api_ordered_signed(struct buf *out, int64_t value, struct err *err)
{
    uint64_t magnitude = value < 0 ? ~(uint64_t)value : (uint64_t)value;
    uint8_t bytes[SIGNED_BYTES_MAX];
    size_t size = 1;

    while (size < SIGNED_BYTES_MAX && magnitude >> (7 * size - 1) != 0)
        size++;
    put_big_endian((uint64_t)value, value < 0 ? 0xff : 0, bytes, size);
    for (size_t bit = 0; bit < size; bit++)
        bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    return buf_append(out, bytes, size, err);
}

enum err_code
api_ordered_text(struct buf *out, struct bytes text, struct err *err)
{
    static const uint8_t zero[] = {0x00, 0xff}, full[] = {0xff, 0x00}, end[] = {0x00, 0x01};

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == 0x00)
            TRY(buf_append(out, zero, sizeof zero, err));
        else if (text.data[i] == 0xff)
            TRY(buf_append(out, full, sizeof full, err));
        else
            TRY(buf_append_byte(out, text.data[i], err));
    }
    return buf_append(out, end, sizeof end, err);
}

enum err_code
api_slice_key(struct bytes name, const struct api_extent *extents, uint32_t rank, struct buf *out,
              struct err *err)
{
    TRY(api_ordered_unsigned(out, 0, err));
    TRY(api_ordered_text(out, name, err));
    TRY(api_ordered_unsigned(out, rank, err));
    for (uint32_t i = 0; i < rank; i++) {
        TRY(api_ordered_signed(out, extents[i].start, err));
        TRY(api_ordered_signed(out, extents[i].length, err));
    }
    return OK;
}

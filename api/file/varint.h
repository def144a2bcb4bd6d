/* Base-128 varints: seven bits a byte, the least significant first, bit 7 says that more follow. */
#ifndef API_FILE_VARINT_H
#define API_FILE_VARINT_H

#include "store/base/buf.h"

enum { API_VARINT_BYTES_MAX = 10, API_VARINT32_BYTES_MAX = 5 };

/* SHORT: the bytes end before the varint does. BAD: more than ten bytes or 64 bits. */
enum api_varint_outcome { API_VARINT_READ, API_VARINT_SHORT, API_VARINT_BAD };

/* As api_varint_read, of two bytes and more. */
enum api_varint_outcome api_varint_read_long(struct bytes *left, uint64_t *out);

/* Takes one off the front of *left. What is longer than it need be is legal. When nothing is read,
 * *left is as it was. */
static inline enum api_varint_outcome
api_varint_read(struct bytes *left, uint64_t *out)
{
    if (left->size == 0 || left->data[0] >= 0x80)
        return api_varint_read_long(left, out);
    *out = left->data[0];
    *left = bytes_of(left->data + 1, left->size - 1);
    return API_VARINT_READ;
}

/* Of at most 32 bits, in at most five bytes. */
enum api_varint_outcome api_varint_read32(struct bytes *left, uint32_t *out);

/* Writes `value` to out; returns how many bytes that took. */
size_t api_varint_put(uint64_t value, uint8_t out[static API_VARINT_BYTES_MAX]);
size_t api_varint_size(uint64_t value);
ERR_MUST_CHECK enum err_code api_varint_append(struct buf *out, uint64_t value, struct err *err);

#endif

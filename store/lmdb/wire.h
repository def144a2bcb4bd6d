/* Little-endian integers at any address, for what is on disk; big-endian for keys, which sort as
 * bytes. */
#ifndef STORE_LMDB_WIRE_H
#define STORE_LMDB_WIRE_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the files are little-endian, and so must the machine be"
#endif

static inline void
wire_put_u32(uint8_t *out, uint32_t value)
{
    memcpy(out, &value, sizeof value);
}

static inline void
wire_put_u64(uint8_t *out, uint64_t value)
{
    memcpy(out, &value, sizeof value);
}

static inline uint32_t
wire_get_u32(const uint8_t *in)
{
    uint32_t value;

    memcpy(&value, in, sizeof value);
    return value;
}

static inline uint64_t
wire_get_u64(const uint8_t *in)
{
    uint64_t value;

    memcpy(&value, in, sizeof value);
    return value;
}

static inline void
wire_put_key(uint8_t out[8], uint64_t id)
{
    uint64_t big = __builtin_bswap64(id);

    memcpy(out, &big, sizeof big);
}

static inline uint64_t
wire_get_key(const uint8_t in[8])
{
    return __builtin_bswap64(wire_get_u64(in));
}

#endif

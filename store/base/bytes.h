/* A borrowed run of bytes. Whoever hands one out says how long it lives. data == NULL means "none",
 * which is different from an empty run. */
#ifndef STORE_BASE_BYTES_H
#define STORE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct bytes
bytes_of(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

static inline struct bytes
bytes_of_text(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool
bytes_start_with(struct bytes whole, struct bytes prefix)
{
    return whole.size >= prefix.size &&
           (prefix.size == 0 || memcmp(whole.data, prefix.data, prefix.size) == 0);
}

static inline bool
bytes_end_with(struct bytes whole, struct bytes suffix)
{
    return whole.size >= suffix.size &&
           bytes_equal(bytes_of(whole.data + (whole.size - suffix.size), suffix.size), suffix);
}

/* FNV-1a, 64 bits: spreads names over tables, and is the same everywhere and for ever. What is
 * hashed later goes on from the hash of what was before; the first from BYTES_HASH_BEGIN. */
#define BYTES_HASH_BEGIN 0xCBF29CE484222325u
static inline uint64_t
bytes_hash(uint64_t hash, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * 0x100000001B3u;
    return hash;
}

/* Order as unsigned bytes, a prefix first; the order of keys and of name lists. */
static inline int
bytes_compare(struct bytes a, struct bytes b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);

    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

#endif

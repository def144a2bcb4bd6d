/* The parts of LMDB's file format that must be known from outside: the two meta pages, which say
 * what the newest snapshot is. Used to refuse a truncated file before it is mapped (touching what
 * is missing would be a SIGBUS), and to go back to a snapshot that was synced.
 *
 * A meta page is a 16-byte page header, then (little-endian): u32 magic 0xBEEFC0DE, u32 version 1,
 * u64 address, u64 map size, 2 trees of 48 bytes (the first begins with the u32 page size), u64
 * last page, u64 transaction. Transaction t is on page t & 1; the larger one counts. */
#ifndef STORE_LMDB_IMAGE_H
#define STORE_LMDB_IMAGE_H

#include <stdint.h>

#include "store/base/err.h"

enum { STORE_IMAGE_META_BYTES = 136 };

struct store_image_meta {
    uint8_t bytes[STORE_IMAGE_META_BYTES];
};

struct store_image {
    struct store_image_meta meta; /* the newer */
    uint64_t page_bytes, last_page, transaction;
    uint64_t size_bytes; /* of the file */
};

/* ERR_DATA_LOSS when it is no data file of ours, damaged or cut within its first pages. */
ERR_MUST_CHECK enum err_code store_image_read(int file, const char *name, struct store_image *out,
                                              struct err *err);
/* Makes the snapshot `meta` speaks of the newest, durably. */
ERR_MUST_CHECK enum err_code store_image_restore(int file, const char *name,
                                                 const struct store_image_meta *meta,
                                                 struct err *err);
uint64_t store_image_transaction(const struct store_image_meta *meta);

#endif

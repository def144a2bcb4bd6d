/* The envelope of a stored record: what is put in front of a payload when it is written, and
 * checked each time it is read, because LMDB notices no bit flip (of 1 500 it reported none).
 *
 *     u8 version, 3 bytes zero, u32 little-endian CRC-32C over key and payload; then the payload */
#ifndef STORE_LMDB_RECORD_H
#define STORE_LMDB_RECORD_H

#include "store/base/bytes.h"
#include "store/base/err.h"

enum { STORE_RECORD_HEAD_BYTES = 8, STORE_RECORD_VERSION = 1 };

/* Writes head and payload to `out`, which has room for STORE_RECORD_HEAD_BYTES + payload.size. */
void store_record_write(uint8_t *out, struct bytes key, struct bytes payload);
/* *payload borrows from `stored`. ERR_DATA_LOSS names the key. */
ERR_MUST_CHECK enum err_code store_record_read(struct bytes key, struct bytes stored,
                                               struct bytes *payload, struct err *err);

#endif

/* CRC-32C (Castagnoli, reflected 0x82F63B78, init and final xor 0xFFFFFFFF), as in iSCSI, ext4 and
 * TensorFlow's checkpoints. The plain ones are the reference; the others use SSE 4.2 and carry-less
 * products where there are such. */
#ifndef STORE_BASE_CRC32C_H
#define STORE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue `crc` (0 to begin) over size bytes; crc32c(crc32c(0, a), b) is the CRC of a followed by
 * b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
uint32_t crc32c_plain(uint32_t crc, const void *data, size_t size);
/* CRC of A followed by B from crc(A), crc(B) and B's length, without the bytes. O(log size_b). */
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b);
uint32_t crc32c_combine_plain(uint32_t crc_a, uint32_t crc_b, uint64_t size_b);
/* The same in two steps, for many B of one length: what depends on the length is worked out once.
 */
uint32_t crc32c_shift_of(uint64_t size_b);
uint32_t crc32c_combine_by(uint32_t crc_a, uint32_t crc_b, uint32_t shift);

#endif

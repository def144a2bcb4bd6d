/* TensorFlow stores CRCs masked, so that the CRC of bytes that hold CRCs is still a good one. Every
 * checksum in its files is: fixed 32 bits, little-endian. */
#ifndef API_FILE_CRC_MASK_H
#define API_FILE_CRC_MASK_H

#include <stdint.h>

enum { API_CRC_BYTES = 4 };
#define API_CRC_MASK_DELTA 0xa282ead8u

static inline uint32_t
api_crc_mask(uint32_t crc)
{
    return ((crc >> 15) | (crc << 17)) + API_CRC_MASK_DELTA;
}

#endif

/* The CRC-32 of zip files (not CRC-32C). */
#ifndef API_FILE_ZIP_CRC_H
#define API_FILE_ZIP_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of bytes that have `crc` so far (0: of none) and these after them. */
uint32_t api_zip_crc32(uint32_t crc, const void *data, size_t size);

#endif

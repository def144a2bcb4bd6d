/* Where things stand in a zip file, for its reader and its writer. All numbers are little-endian.
 *
 *     (local header, name, extra field, data)*  (central header, name, extra field, comment)*
 *     [Zip64 end record, Zip64 locator]  end record, comment
 *
 * The directory of central headers decides; local headers only say how long they are themselves. */
#ifndef API_FILE_ZIP_H
#define API_FILE_ZIP_H

#include <stdint.h>

#define API_ZIP_LOCAL    0x04034b50u
#define API_ZIP_CENTRAL  0x02014b50u
#define API_ZIP_END      0x06054b50u
#define API_ZIP_END_64   0x06064b50u
#define API_ZIP_LOCATOR  0x07064b50u
#define API_ZIP_FULL_U32 0xffffffffu /* "see the Zip64 extra field" */

enum {
    API_ZIP_LOCAL_BYTES = 30,
    API_ZIP_CENTRAL_BYTES = 46,
    API_ZIP_END_BYTES = 22,
    API_ZIP_END_64_BYTES = 56,
    API_ZIP_LOCATOR_BYTES = 20,
    API_ZIP_COMMENT_BYTES_MAX = 65535,

    API_ZIP_STORED = 0,
    API_ZIP_DEFLATED = 8,

    API_ZIP_FLAG_ENCRYPTED = 1 << 0,
    API_ZIP_FLAG_PATCHED = 1 << 5,
    API_ZIP_FLAG_STRONG_ENCRYPTION = 1 << 6,
    API_ZIP_FLAG_UTF8 = 1 << 11,
    API_ZIP_FLAG_MASKED = 1 << 13,

    API_ZIP_EXTRA_64 = 1, /* id of the extra field with sizes of 64 bits */
    API_ZIP_FULL_U16 = 0xffff,
};

static inline uint16_t
api_zip_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t
api_zip_u32(const uint8_t *at)
{
    return (uint32_t)api_zip_u16(at) | (uint32_t)api_zip_u16(at + 2) << 16;
}

static inline uint64_t
api_zip_u64(const uint8_t *at)
{
    return api_zip_u32(at) | (uint64_t)api_zip_u32(at + 4) << 32;
}

#endif

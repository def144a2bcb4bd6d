#include "api/tensors/digest.h"

#include <nettle/base64.h>
#include <stdio.h>

#include "api/json/chars.h"
#include "store/base/crc32c.h"

struct api_sum
api_sum_of(struct bytes bytes)
{
    return (struct api_sum){
        .size = bytes.size, .has_crc32c = true, .crc32c = crc32c(0, bytes.data, bytes.size)};
}

bool
api_sums_crc32c(const struct api_sum *sums, size_t count, struct api_range range, uint32_t *out)
{
    uint64_t begin = 0, done = range.begin, shifted = 0;
    uint32_t crc = 0, shift = crc32c_shift_of(0);

    for (size_t i = 0; i < count && begin < range.end; i++) {
        uint64_t end = begin + sums[i].size;

        if (sums[i].size > 0 && end > range.begin) {
            if (begin < range.begin || end > range.end || !sums[i].has_crc32c)
                return false;
            if (sums[i].size != shifted) /* many are of one size */
                shift = crc32c_shift_of(shifted = sums[i].size);
            crc = crc32c_combine_by(crc, sums[i].crc32c, shift);
            done = end;
        }
        begin = end;
    }
    *out = crc;
    return done == range.end;
}

/* --- wishes -------------------------------------------------------------------------------- */

/* "sha-256=10;parameter" -> the key, and the number; false when it is no such thing. */
static bool
read_wish(struct bytes item, struct bytes *key, int *weight)
{
    uint64_t number = 0;
    struct bytes text = bytes_of(NULL, 0);

    if (!api_chars_next(&item, ';', &text) || !api_chars_next(&text, '=', key))
        return false;
    *key = api_chars_trim(*key);
    if (!api_chars_u64(api_chars_trim(text), &number) || number > 10)
        return false;
    *weight = (int)number;
    return true;
}

struct api_digest_wants
api_digest_wants_of(struct bytes header)
{
    struct api_digest_wants wants = {API_DIGEST_UNSAID, API_DIGEST_UNSAID};
    struct bytes item, key;
    int weight = 0;

    if (header.data == NULL)
        return wants;
    while (api_chars_next(&header, ',', &item)) {
        if (!read_wish(item, &key, &weight))
            continue;
        if (bytes_equal(key, bytes_of_text("crc32c")))
            wants.crc32c = weight;
        else if (bytes_equal(key, bytes_of_text("sha-256")))
            wants.sha256 = weight;
    }
    return wants;
}

/* --- fields -------------------------------------------------------------------------------- */

static size_t
put(char *out, size_t used, const char *name, const void *bytes, size_t size)
{
    char encoded[BASE64_ENCODE_RAW_LENGTH(API_SHA256_BYTES) + 1];

    base64_encode_raw(encoded, size, bytes);
    encoded[BASE64_ENCODE_RAW_LENGTH(size)] = '\0';
    return used + (size_t)snprintf(out + used, API_DIGEST_TEXT_BYTES_MAX - used,
                                   "%s%s=:%s:", used > 0 ? ", " : "", name, encoded);
}

const char *
api_digest_text(const struct api_digest *digest, char out[static API_DIGEST_TEXT_BYTES_MAX])
{
    uint32_t crc = digest->crc32c;
    const uint8_t bytes[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                             (uint8_t)crc};
    size_t used = 0;

    out[0] = '\0';
    if (digest->has_sha256)
        used = put(out, used, "sha-256", digest->sha256, sizeof digest->sha256);
    if (digest->has_crc32c)
        (void)put(out, used, "crc32c", bytes, sizeof bytes);
    return out;
}

/* Digests of what is sent: the fields Repr-Digest and Content-Digest, and what clients say of them
 * in Want-Repr-Digest and Want-Content-Digest (RFC 9530).
 *
 * crc32c costs no reading where checksums of the parts are known; sha-256 reads every byte. A
 * CRC-32C is written as four bytes, the high one first, as whoever else sends it writes it. */
#ifndef API_TENSORS_DIGEST_H
#define API_TENSORS_DIGEST_H

#include "api/http/range.h"

enum {
    API_SHA256_BYTES = 32,
    API_DIGEST_TEXT_BYTES_MAX = 96,
    API_DIGEST_UNSAID = -1,
};

/* The checksum of a run of bytes. */
struct api_sum {
    uint64_t size;
    bool has_crc32c; /* it is known without reading the bytes */
    uint32_t crc32c;
};
/* Of bytes that are in memory anyway. */
struct api_sum api_sum_of(struct bytes bytes);
/* The CRC-32C of what lies in the range; false when the range cuts a run in two, or the sum of one
 * is not known. */
bool api_sums_crc32c(const struct api_sum *sums, size_t count, struct api_range range,
                     uint32_t *out);

/* What a client likes best has the highest number, 0 is what it refuses. */
struct api_digest_wants {
    int crc32c, sha256; /* 0 to 10, or API_DIGEST_UNSAID */
};
/* `header`: data NULL when absent. Algorithms that are not known, and what makes no sense, are
 * ignored. */
struct api_digest_wants api_digest_wants_of(struct bytes header);

struct api_digest {
    bool has_crc32c, has_sha256;
    uint32_t crc32c;
    uint8_t sha256[API_SHA256_BYTES];
};
/* The value of the field; "" when there is nothing in it. Returns out. */
const char *api_digest_text(const struct api_digest *digest,
                            char out[static API_DIGEST_TEXT_BYTES_MAX]);

#endif

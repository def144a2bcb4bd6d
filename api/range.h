/* Byte ranges (RFC 9110 section 14): a single one. */
#ifndef API_RANGE_H
#define API_RANGE_H

#include "store/base/bytes.h"
#include "store/base/err.h"

enum api_range_kind {
    RANGE_WHOLE, /* no range, one we do not serve (several, another unit), or a malformed one */
    RANGE_PART,  /* begin and end are set, end exclusive, begin < end <= size */
    RANGE_UNSATISFIABLE, /* 416 */
};

struct api_range {
    uint64_t begin, end;
};

/* `header`: the Range value, data NULL when absent. `size`: of the whole. */
enum api_range_kind api_range_parse(struct bytes header, uint64_t size, struct api_range *out);

/* The part of `spans` (none empty) that lies in the range: rewrites them in place, returns how
 * many. */
size_t api_range_cut(struct bytes *spans, size_t count, struct api_range range);

#endif

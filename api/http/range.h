/* Byte ranges (RFC 9110 section 14): what a request asks for, and those bytes out of a list of
 * spans. */
#ifndef API_HTTP_RANGE_H
#define API_HTTP_RANGE_H

#include "store/base/arena.h"
#include "store/base/bytes.h"
#include "store/base/err.h"

/* More ranges than this in one request are refused. They cost no more bytes than the whole has, for
 * what overlaps is sent once; each part costs a head. */
enum { API_RANGES_MAX = 256 };

enum api_range_kind {
    RANGE_WHOLE, /* no range, of another unit, or a malformed one, which is ignored as the RFC asks
                  */
    RANGE_PARTS,
    RANGE_UNSATISFIABLE, /* 416: none of them begins inside */
    RANGE_TOO_MANY,      /* 416 */
};

struct api_range {
    uint64_t begin, end; /* end exclusive; begin < end <= size */
};

struct api_ranges {
    /* In the order asked for. Those that overlap or touch are one, in the place of its first; those
     * that lie past the end are left out. */
    struct api_range list[API_RANGES_MAX];
    size_t count;
    size_t asked; /* how many the header names */
};

/* `header`: the Range value, data NULL when absent. `size`: of the whole. */
enum api_range_kind api_range_parse(struct bytes header, uint64_t size, struct api_ranges *out);

/* The part of `spans` (none empty) that lies in the range: rewrites them in place, returns how
 * many. */
size_t api_range_cut(struct bytes *spans, size_t count, struct api_range range);

/* A multipart/byteranges body (RFC 9110 section 14.6): each range of `spans` as a part, lent, with
 * the heads between them made in the arena. */
enum { API_BOUNDARY_BYTES = 32 }; /* without the NUL */
struct api_byteranges {
    const char *boundary;   /* no line of the spans may begin with -- and this */
    const char *media_type; /* of the whole */
    uint64_t whole;         /* bytes of all spans */
    struct bytes *heads;    /* out: one before each part, and the end; in the arena */
    struct bytes *spans;    /* out: none empty, heads among them; in the arena */
    size_t span_count;
    uint64_t size; /* out: of the body */
};
ERR_MUST_CHECK enum err_code api_byteranges_lay_out(struct api_byteranges *body,
                                                    const struct bytes *spans, size_t span_count,
                                                    const struct api_ranges *ranges,
                                                    struct arena *arena, struct err *err);

#endif

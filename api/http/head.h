/* The head of a request: its fields, and whether it is one that every reader takes for the same.
 *
 * libmicrohttpd 0.9.75 lets through what a proxy in front may read differently (two lengths, a
 * length beside chunked, a NUL that ends a value early, lines ended by a lone LF, a name with a
 * space before its colon). What it kept is read once more here, byte by byte, and everything
 * doubtful is refused. */
#ifndef API_HTTP_HEAD_H
#define API_HTTP_HEAD_H

#include "store/base/bytes.h"
#include "store/base/err.h"

enum { API_HEADERS_MAX = 64 };

struct api_header {
    struct bytes name, value; /* without the spaces around it */
};

struct api_head {
    const struct api_header *fields;
    size_t count;
};

/* `block`: what follows the request line, as libmicrohttpd 0.9.75 leaves it: each line end is two
 * NULs (from CR LF) and each first colon one NUL; the empty line is included. Fills `fields`
 * (borrowing from the block). ERR_INVALID_ARGUMENT names what is wrong. */
ERR_MUST_CHECK enum err_code api_head_split(struct bytes block, struct api_header *fields,
                                            size_t fields_max, size_t *count, struct err *err);
/* Each name a token, each value free of control characters. */
ERR_MUST_CHECK enum err_code api_head_check_fields(const struct api_head *head, struct err *err);

/* The only field of that name; data NULL when absent. Names compare without case. */
struct bytes api_head_value(const struct api_head *head, const char *name);
size_t api_head_count(const struct api_head *head, const char *name);

#endif

/* Bytes that come in pieces, as a socket brings them. */
#ifndef TESTS_SUPPORT_PIECES_H
#define TESTS_SUPPORT_PIECES_H

#include "store/base/bytes.h"
#include "store/base/err.h"

struct pieces {
    struct bytes left;
    size_t first; /* of this size; 0: as `piece` */
    size_t piece; /* of the others; 0: as much as is asked for */
};

/* As an api_byte_source's read. */
enum err_code pieces_read(void *pieces, void *out, size_t size, size_t *got, struct err *err);

#endif

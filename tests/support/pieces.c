#include "tests/support/pieces.h"

enum err_code
pieces_read(void *pieces, void *out, size_t size, size_t *got, struct err *err)
{
    struct pieces *p = pieces;
    size_t most = p->first > 0 ? p->first : p->piece;

    (void)err;
    *got = p->left.size < size ? p->left.size : size;
    if (most > 0 && most < *got)
        *got = most;
    if (*got > 0)
        memcpy(out, p->left.data, *got);
    p->left = bytes_of(p->left.data + *got, p->left.size - *got);
    p->first = 0;
    return OK;
}

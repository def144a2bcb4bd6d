/* Private to service/: the bytes of a tensor of a set, wherever they lie, by their place in it. */
#ifndef SERVICE_RUNS_H
#define SERVICE_RUNS_H

#include "service/tensor_set.h"

/* Owned: runs_drop. Borrows from the set. Read by any number of threads. */
struct runs {
    const struct bytes *list;
    size_t count;
    uint64_t *begins; /* of each in the tensor */
    uint64_t size;    /* of all */
};

ERR_MUST_CHECK enum err_code runs_open(const struct tensor_set *set, size_t entry, struct runs *out,
                                       struct err *err);
void runs_drop(struct runs *runs);
/* What lies in one piece from `offset` (< size) on, to the end of its run. */
struct bytes runs_at(const struct runs *runs, uint64_t offset);
/* Bytes [offset, offset + size): where they lie, or a copy in `room`. */
const uint8_t *runs_bytes(const struct runs *runs, uint64_t offset, size_t size, void *room);
/* Whether all runs begin at one and the same byte, as those of a fill do, and of nothing else. */
bool runs_repeat(const struct runs *runs);

#endif

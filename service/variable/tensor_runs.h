/* Private to service/: the bytes of a tensor of a set, wherever they lie, by their place in it. */
#ifndef SERVICE_VARIABLE_TENSOR_RUNS_H
#define SERVICE_VARIABLE_TENSOR_RUNS_H

#include "service/variable/tensor_set.h"

/* Owned: tensor_runs_drop. Borrows from the set. Read by any number of threads. */
struct tensor_runs {
    const struct bytes *list;
    size_t count;
    uint64_t *begins; /* of each in the tensor */
    uint64_t size;    /* of all */
};

ERR_MUST_CHECK enum err_code tensor_runs_open(const struct tensor_set *set, size_t entry,
                                              struct tensor_runs *out, struct err *err);
void tensor_runs_drop(struct tensor_runs *runs);
/* What lies in one piece from `offset` (< size) on, to the end of its run. */
struct bytes tensor_runs_at(const struct tensor_runs *runs, uint64_t offset);
/* Bytes [offset, offset + size): where they lie, or a copy in `room`. */
const uint8_t *tensor_runs_bytes(const struct tensor_runs *runs, uint64_t offset, size_t size,
                                 void *room);
/* Whether all runs begin at one and the same byte, as those of a fill do, and of nothing else. */
bool tensor_runs_repeat(const struct tensor_runs *runs);

#endif

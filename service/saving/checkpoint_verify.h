/* Whether the bytes of a checkpoint are still those that were written: every checksum is computed
 * anew. Damage is what this reports, not how it fails. */
#ifndef SERVICE_SAVING_CHECKPOINT_VERIFY_H
#define SERVICE_SAVING_CHECKPOINT_VERIFY_H

#include "service/saving/checkpoint.h"
#include "store/base/arena.h"

/* One tensor that is damaged; texts borrow from the report. */
struct checkpoint_mismatch {
    struct bytes tensor; /* data NULL: what the file said beside the tensors */
    const char *reason;
};

enum { CHECKPOINT_MISMATCHES_MAX = 1000 };

/* Owned: checkpoint_verification_drop. Zeroed: nothing. */
struct checkpoint_verification {
    uint64_t revision;      /* of the checkpoint */
    uint64_t tensors;       /* looked at */
    uint64_t bytes;         /* of their values */
    uint64_t checked_bytes; /* of them: read in chunks. Gaps have nothing to be damaged, and small
                               values lie in records, which are checked whenever they are read. */
    uint64_t mismatch_count;
    struct checkpoint_mismatch mismatches[CHECKPOINT_MISMATCHES_MAX]; /* the first of them */
    struct arena arena;
};

/* Reads all of it: call it from a worker. Large: keep *out off the stack. Nothing is held but a
 * lease while chunks are read. */
ERR_MUST_CHECK enum err_code checkpoint_verify(struct service *service, const char *model,
                                               const char *name,
                                               struct checkpoint_verification *out,
                                               struct err *err);
/* The numbers stay. */
void checkpoint_verification_drop(struct checkpoint_verification *verification);

#endif

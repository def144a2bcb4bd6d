/* How much a model may hold. What it has is in its usage record, and so is what it may have: both
 * are looked at in the commit that changes them. */
#ifndef SERVICE_USAGE_MODEL_QUOTA_H
#define SERVICE_USAGE_MODEL_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"

struct store_view;
struct usage_record;

struct model_limit {
    bool set; /* false: there is none */
    uint64_t most;
};

struct model_quota {
    struct model_limit bytes;     /* of values and checkpoints, each for itself */
    struct model_limit variables; /* slots included */
};

/* ERR_FULL when it has more than it may; both numbers are told. */
ERR_MUST_CHECK enum err_code model_quota_check(const struct usage_record *usage, struct err *err);
/* Before work starts: whether so many bytes more fit. */
ERR_MUST_CHECK enum err_code model_quota_expect(const struct store_view *view, uint64_t model_id,
                                                uint64_t more_bytes, struct err *err);
/* What a commit that makes so many variables, and changes their bytes by so many, will be told. */
ERR_MUST_CHECK enum err_code model_quota_foresee(const struct store_view *view, uint64_t model_id,
                                                 uint64_t variables, int64_t bytes,
                                                 struct err *err);

#endif

/* A contribution to an accumulation under way. Private to optimizer_accumulate*.c. */
#ifndef SERVICE_TRAINING_OPTIMIZER_CONTRIBUTION_H
#define SERVICE_TRAINING_OPTIMIZER_CONTRIBUTION_H

#include "service/training/optimizer_parts.h"

/* One variable of a contribution. */
struct contributed_sum {
    const struct draft_variable *variable;
    bool found;                                           /* others' */
    struct sum_record before;                             /* theirs */
    struct sum_record after;                              /* but for the references */
    struct draft_value *values[ACCUMULATION_ROWS_VALUES]; /* dense: the first alone */
};

/* Lives in the draft's arena until the run is published. */
struct optimizer_contribution {
    char optimizer[NAME_BYTES_MAX + 1];
    const struct optimizer_accumulate *spec; /* borrowed from the request */
    bool found;                              /* others have contributed */
    bool replaces;                           /* what is there has expired: it goes first */
    uint64_t replaced_id;
    bool last;
    struct accumulation_record record; /* as it is with this contribution */
    struct contributed_sum **sums;
    size_t sum_count;
    const struct optimizer_applied *applied; /* of the report */
};

/* ERR_FAILED_PRECONDITION, about the accumulation; what is said is set already. */
enum err_code optimizer_contribution_refused(const struct optimizer_contribution *c,
                                             struct err *err);

#endif

/* Moving averages brought up to date: an operation of a run. */
#ifndef SERVICE_TRAINING_AVERAGE_APPLY_H
#define SERVICE_TRAINING_AVERAGE_APPLY_H

#include "service/run/run.h"

/* The value of an expression, averaged under a name. */
struct average_tensor {
    const char *name;
    struct expr_tree *value;
};

/* Which moving averages, and which of their set; everything borrowed. */
struct average_selection {
    const char *averages;
    bool named; /* false: the whole set; while that is empty, all trainable variables */
    const char *const *variables;
    size_t variable_count;
    const struct average_tensor *tensors;
    size_t tensor_count;
};

/* What was done. Owned by its result: average_applied_drop. */
struct average_applied {
    char averages[NAME_BYTES_MAX + 1];
    bool has_decay;
    double decay;                /* that was used */
    struct run_version *shadows; /* in name order; owned */
    size_t shadow_count;
};
void average_applied_drop(struct average_applied *applied); /* NULL is fine */

/* What of it came with the request, in bytes. */
uint64_t average_selection_bytes(const struct average_selection *selection);

#endif

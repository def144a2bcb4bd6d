/* The arithmetic of moving averages, on variables of a draft: TensorFlow's, in the variable's
 * dtype, every operation rounded to it. Private to service/. */
#ifndef SERVICE_TRAINING_AVERAGE_UPDATE_H
#define SERVICE_TRAINING_AVERAGE_UPDATE_H

#include "service/run/draft.h"
#include "service/run/run.h"

enum { AVERAGE_REST_BYTES = 16 };

/* ERR_INVALID_ARGUMENT in TensorFlow's words unless the type has an average; `name` for the
 * message. */
ERR_MUST_CHECK enum err_code average_check_dtype(const char *name, enum dtype dtype,
                                                 struct err *err);

/* 1 - decay in the dtype of what is averaged: `rest`. */
void average_rest_of(float decay, enum dtype dtype, uint8_t rest[static AVERAGE_REST_BYTES]);

/* variable -= rest * (variable - value). `value` is inferred, of the variable's type, and drawn.
 * ERR_FAILED_PRECONDITION while the variable has no value. */
ERR_MUST_CHECK enum err_code average_update(struct run *run, struct draft_variable *variable,
                                            const struct expr_tree *value,
                                            const uint8_t rest[static AVERAGE_REST_BYTES],
                                            struct err *err);
/* The same on `<variable>/biased`, which begins at zero; then variable = biased / (1 - decay^t),
 * with t, the updates so far, in `<variable>/local_step`. */
ERR_MUST_CHECK enum err_code average_update_debiased(struct run *run,
                                                     struct draft_variable *variable,
                                                     const struct expr_tree *value,
                                                     const uint8_t rest[static AVERAGE_REST_BYTES],
                                                     struct err *err);
/* Those two, found or made. NULL: not wanted. */
ERR_MUST_CHECK enum err_code average_find_bias(struct run *run,
                                               const struct draft_variable *variable,
                                               bool initialize, struct draft_variable **biased,
                                               struct draft_variable **local_step, struct err *err);

#endif

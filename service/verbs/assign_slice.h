/* Part of a variable: assign, assign_add and assign_sub with a slice. */
#ifndef SERVICE_VERBS_ASSIGN_SLICE_H
#define SERVICE_VERBS_ASSIGN_SLICE_H

#include "service/run/verb.h"
#include "service/tensor/scatter.h"

/* op->slice of the variable by op->value, which has its shape. `text`: "assign to". */
ERR_MUST_CHECK enum err_code verb_assign_slice(struct run *run, const struct run_op *op,
                                               const char *text, enum kernel_scatter kernel,
                                               struct run_result *out, struct err *err);

#endif

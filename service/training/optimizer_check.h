/* What constructors and kernels of several optimizers refuse, in TensorFlow's words: all
 * ERR_INVALID_ARGUMENT. Private to service/optimizers. */
#ifndef SERVICE_TRAINING_OPTIMIZER_CHECK_H
#define SERVICE_TRAINING_OPTIMIZER_CHECK_H

#include "service/training/optimizer.h"

/* `words`, then the number as Python writes it. */
ERR_MUST_CHECK enum err_code optimizer_check_positive(double value, const char *words,
                                                      struct err *err);
ERR_MUST_CHECK enum err_code optimizer_check_not_negative(double value, const char *words,
                                                          struct err *err);
/* The learning rate is positive, in the variable's dtype too. */
ERR_MUST_CHECK enum err_code optimizer_check_positive_rate(const struct optimizer_step *step,
                                                           struct err *err);
/* name: "l1" */
ERR_MUST_CHECK enum err_code optimizer_check_strength(const char *name, double value,
                                                      struct err *err);

#endif

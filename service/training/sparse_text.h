/* Private to sparse*.c: how refusals are worded. */
#ifndef SERVICE_TRAINING_SPARSE_TEXT_H
#define SERVICE_TRAINING_SPARSE_TEXT_H

#include "service/training/sparse.h"

/* "<verb> '<name>': …", about the variable. Returns ERR_INVALID_ARGUMENT. */
enum err_code sparse_refuse(const struct sparse_target *target, struct err *err, const char *format,
                            ...) __attribute__((format(printf, 3, 4)));
/* "[1,0]": where element `at` stands in the first `rank` dimensions of `shape`; "" of a scalar. */
const char *sparse_place_text(const struct shape *shape, uint32_t rank, uint64_t at,
                              char out[static SHAPE_TEXT_BYTES_MAX]);

#endif

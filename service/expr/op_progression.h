/* start, start + delta, (start + delta) + delta …: every sum rounded to the dtype, as a loop would
 * have it, yet any element is found in about as many steps as there are powers of two on the way.
 */
#ifndef SERVICE_EXPR_OP_PROGRESSION_H
#define SERVICE_EXPR_OP_PROGRESSION_H

#include "service/tensor/dtype.h"

struct op_progression {
    enum dtype dtype;             /* int32 int64: start_i64, delta_i64; float32 float64 */
    int64_t start_i64, delta_i64; /* the elements asked for fit the dtype */
    double start_f64, delta_f64;  /* finite */
};

/* Elements [first, first + count). */
void op_progression_fill(const struct op_progression *p, uint64_t first, uint64_t count, void *out);

#endif

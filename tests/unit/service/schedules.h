/* Evaluating schedules in tests. Included by test programs only. */
#ifndef TESTS_UNIT_SERVICE_SCHEDULES_H
#define TESTS_UNIT_SERVICE_SCHEDULES_H

#include <math.h>

#include "tests/unit/service/ops_checks.h"

/* A scalar of this dtype. */
static inline double
evaluate(struct expr_tree *tree, const struct expr_source *source, enum dtype dtype)
{
    AUTO(tensor) out = {0};
    struct err err = ERR_INIT;

    if (exprs_evaluate(tree, source, &out, &err) != OK)
        fail_msg("%s", err.text);
    assert_int_equal(out.type.dtype, dtype);
    assert_int_equal(out.type.shape.rank, 0);
    return tensor_element_as_double(dtype, out.data);
}

static inline void
check_near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-6 * fabs(expected)))
        fail_msg("%.9g is not %.9g", got, expected);
}

#endif

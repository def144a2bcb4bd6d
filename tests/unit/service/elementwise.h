/* Evaluating elementwise ops in tests: whole, and again in pieces at odd places. Included by test
 * programs only. */
#ifndef TESTS_UNIT_SERVICE_ELEMENTWISE_H
#define TESTS_UNIT_SERVICE_ELEMENTWISE_H

#include <math.h>
#include <stdio.h>

#include "tests/unit/service/ops_checks.h"

/* The pieces of an inferred tree's result are those of `whole`. */
static inline void
check_pieces(struct expr_tree *tree, const struct tensor *whole)
{
    static const uint64_t sizes[] = {1, 3, 64, 5, 4097, 7};
    static uint8_t piece[5000 * OP_ELEMENT_BYTES_MAX];
    const uint32_t size = dtype_size(whole->type.dtype);
    const uint64_t total = shape_count(&whole->type.shape);
    AUTO_CALL(drop_evaluator) struct evaluator *e = NULL;

    assert_int_equal(evaluator_open(tree, NULL, &exprs_options, &e, NULL), OK);
    for (uint64_t first = 0, n = 0, i = 0; first < total; first += n, i++) {
        n = sizes[i % 6] < total - first ? sizes[i % 6] : total - first;
        assert_int_equal(evaluator_read(e, first, n, piece, NULL), OK);
        assert_memory_equal(piece, whole->data + first * size, n * size);
    }
}

static inline void
evaluate(struct expr_tree *tree, struct tensor *out)
{
    struct err err = ERR_INIT;

    if (exprs_evaluate(tree, NULL, out, &err) != OK)
        fail_msg("%s", err.text);
    check_pieces(tree, out);
}

static inline double
number_at(const struct tensor *tensor, uint64_t index)
{
    const uint8_t *element = tensor->data + index * dtype_size(tensor->type.dtype);

    return tensor->type.dtype == DTYPE_BOOL ? (double)*element
                                            : tensor_element_as_double(tensor->type.dtype, element);
}

/* Within what the dtype can tell apart, twice. */
static inline void
check_numbers(const struct tensor *out, const double *expected)
{
    double unit = 0x1p-51;

    if (out->type.dtype == DTYPE_BFLOAT16)
        unit = 0x1p-7;
    else if (out->type.dtype == DTYPE_FLOAT16)
        unit = 0x1p-9;
    else if (out->type.dtype == DTYPE_FLOAT32 || out->type.dtype == DTYPE_COMPLEX64)
        unit = 0x1p-22;
    for (uint64_t i = 0; i < shape_count(&out->type.shape); i++)
        if (!(fabs(number_at(out, i) - expected[i]) <= unit * fabs(expected[i])))
            fail_msg("%s: element %d is %.17g, not %.17g", dtype_name(out->type.dtype), (int)i,
                     number_at(out, i), expected[i]);
}

/* An op of 1 or 2 arguments over one vector each. */
static inline void
check_op(const char *op, enum dtype dtype, enum dtype result, int count, const double *x,
         const double *y, const double *expected)
{
    AUTO(expr_tree) tree = {0};
    AUTO(tensor) out = {0};
    struct expr *a;

    init(&tree);
    a = numbers(&tree, dtype, exprs_shape(1, count), x);
    if (y == NULL)
        exprs_op(&tree, op, 1, a);
    else
        exprs_op(&tree, op, 2, a, numbers(&tree, dtype, exprs_shape(1, count), y));
    evaluate(&tree, &out);
    assert_int_equal(out.type.dtype, result);
    check_numbers(&out, expected);
}

#endif

/* Evaluating elementwise ops in tests: whole, and again in pieces at odd places. Included by test
 * programs only. */
#ifndef TESTS_UNIT_SERVICE_ELEMENTWISE_H
#define TESTS_UNIT_SERVICE_ELEMENTWISE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/op_helpers.h"
#include "service/tensor/convert.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

static inline void
init(struct expr_tree *tree)
{
    assert_int_equal(expr_tree_init(tree, NULL), OK);
}

static inline void
drop_evaluator(struct evaluator **e)
{
    evaluator_drop(*e);
}

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

static inline void
check_refused(struct expr_tree *tree, const char *text)
{
    AUTO(tensor) out = {0};
    struct err err = ERR_INIT;

    assert_int_equal(exprs_evaluate(tree, NULL, &out, &err), ERR_INVALID_ARGUMENT);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
}

/* A literal of any number type, or bool, from small doubles. */
static inline struct expr *
numbers(struct expr_tree *tree, enum dtype dtype, struct shape shape, const double *values)
{
    uint8_t data[64 * OP_ELEMENT_BYTES_MAX];

    assert_true(shape_count(&shape) <= 64);
    for (uint64_t i = 0; i < shape_count(&shape); i++)
        if (dtype == DTYPE_BOOL)
            data[i] = values[i] != 0;
        else
            tensor_element_of_double(dtype, values[i], data + i * dtype_size(dtype));
    return exprs_literal(tree, dtype, shape, data);
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

/* What tests of ops share: trees, literals from small doubles, refusals. Included by test programs
 * only. */
#ifndef TESTS_UNIT_SERVICE_OPS_CHECKS_H
#define TESTS_UNIT_SERVICE_OPS_CHECKS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/expr/op_helpers.h"
#include "service/tensor/convert.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

static inline void
init(struct expr_tree *tree)
{
    assert_int_equal(expr_tree_init(tree, NULL), OK);
}

/* For scopes. */
static inline void
drop_evaluator(struct evaluator **e)
{
    evaluator_drop(*e);
}

/* A literal of any number type, or bool, of up to 64 elements. */
static inline struct expr *
numbers(struct expr_tree *tree, enum dtype dtype, struct shape shape, const double *values)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t data[64 * OP_ELEMENT_BYTES_MAX];

    assert_true(shape_count(&shape) <= 64);
    for (uint64_t i = 0; i < shape_count(&shape); i++)
        if (dtype == DTYPE_BOOL)
            data[i] = values[i] != 0;
        else
            tensor_element_of_double(dtype, values[i], data + i * dtype_size(dtype));
    return exprs_literal(tree, dtype, shape, data);
}

static inline void
check_text(const struct err *err, const char *text)
{
    if (strstr(err->text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err->text);
}

/* Refused when it is created: before anything is drawn or computed. */
static inline void
check_refused(struct expr_tree *tree, const char *text)
{
    struct err err = ERR_INIT;

    assert_int_equal(expr_infer(tree, NULL, DTYPE_UNSET, &err), ERR_INVALID_ARGUMENT);
    check_text(&err, text);
}

/* Created, and refused for the elements it meets. */
static inline void
check_fails(struct expr_tree *tree, const char *text)
{
    AUTO(tensor) out = {0};
    struct err err = ERR_INIT;

    assert_int_equal(expr_infer(tree, NULL, DTYPE_UNSET, NULL), OK);
    assert_int_equal(exprs_evaluate(tree, NULL, &out, &err), ERR_INVALID_ARGUMENT);
    check_text(&err, text);
}

#endif

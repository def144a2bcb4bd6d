/* Shape ops against arithmetic on coordinates: a source of int32 in which every element is its own
 * place, in memory, in a variable or computed tile by tile; results read whole and in odd pieces.
 * Failures end the test. */
#ifndef TESTS_UNIT_SERVICE_OPS_SHAPES_H
#define TESTS_UNIT_SERVICE_OPS_SHAPES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/expr/op_helpers.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "tests/support/exprs.h"

enum source_kind { FROM_LITERAL, FROM_VARIABLE, FROM_OP, SOURCE_KINDS };
enum { SOURCE_ELEMENTS_MAX = 1 << 16 };

static int32_t places[SOURCE_ELEMENTS_MAX];
static struct exprs_value sources[2];
static struct exprs_values source_values = {.values = sources};

static void
init(struct expr_tree *tree)
{
    assert_int_equal(expr_tree_init(tree, NULL), OK);
    source_values.count = 0;
}

/* Its elements are 0, 1, 2 …; up to two from variables. */
static __attribute__((unused)) struct expr *
places_of(struct expr_tree *tree, enum source_kind kind, struct shape shape)
{
    static const char *const names[] = {"a", "b"};
    struct tensor_type type = {.dtype = DTYPE_INT32, .shape = shape};
    struct expr *node;

    assert_true(shape_count(&shape) <= SOURCE_ELEMENTS_MAX);
    for (int32_t i = 0; i < SOURCE_ELEMENTS_MAX; i++)
        places[i] = i;
    if (kind == FROM_VARIABLE) {
        const char *name = names[source_values.count];

        sources[source_values.count++] = (struct exprs_value){
            .name = name,
            .value = {
                .type = type, .data = (const uint8_t *)places, .size = tensor_type_bytes(&type)}};
        return exprs_variable(tree, name, false);
    }
    node = exprs_literal(tree, DTYPE_INT32, shape, places);
    if (kind == FROM_OP)
        node = exprs_op(tree, "negative", 1, exprs_op(tree, "negative", 1, node));
    return node;
}

static __attribute__((unused)) struct expr *
int32s(struct expr_tree *tree, struct shape shape, const int32_t *data)
{
    return exprs_literal(tree, DTYPE_INT32, shape, data);
}

static __attribute__((unused)) void
set_ints(struct expr *node, const char *name, uint32_t count, const int64_t *values)
{
    const struct attr_spec *spec = attr_find(node->op->attrs, bytes_of_text(name));
    struct attr_ints *ints;

    assert_non_null(spec);
    assert_int_equal(spec->kind, ATTR_KIND_INTS);
    node->given[spec - node->op->attrs] = true;
    ints = attr_at(spec, node->params);
    *ints = (struct attr_ints){.given = true, .count = count};
    for (uint32_t i = 0; i < count; i++)
        ints->values[i] = values[i];
}

static __attribute__((unused)) void
set_i64(struct expr *node, const char *name, int64_t value)
{
    const struct attr_spec *spec = attr_find(node->op->attrs, bytes_of_text(name));

    assert_non_null(spec);
    assert_true(spec->kind == ATTR_KIND_I64 || spec->kind == ATTR_KIND_CHOICE);
    node->given[spec - node->op->attrs] = true;
    *(int64_t *)attr_at(spec, node->params) = value;
}

static void
drop_reading(struct evaluator **e)
{
    evaluator_drop(*e);
}

/* Reading in pieces of odd sizes, from the end to the start, gives the same. */
static void
check_pieces(struct expr_tree *tree, const struct expr_source *source, const struct tensor *whole)
{
    static const uint64_t sizes[] = {1, 3, 997, 4099, 61};
    uint64_t left = shape_count(&whole->type.shape);
    uint32_t size = dtype_size(whole->type.dtype);
    AUTO_CALL(drop_reading) struct evaluator *e = NULL;
    _Alignas(16) static uint8_t piece[4099 * OP_ELEMENT_BYTES_MAX];

    assert_int_equal(evaluator_open(tree, source, &exprs_options, &e, NULL), OK);
    for (uint32_t turn = 0; left > 0; turn++) {
        uint64_t count = sizes[turn % 5] < left ? sizes[turn % 5] : left;

        left -= count;
        assert_int_equal(evaluator_read(e, left, count, piece, NULL), OK);
        if (memcmp(piece, whole->data + left * size, (size_t)(count * size)) != 0)
            fail_msg("elements %d to %d differ when read by themselves", (int)left,
                     (int)(left + count));
    }
}

static void
evaluate(struct expr_tree *tree, struct tensor *out)
{
    struct expr_source source = exprs_source(&source_values);
    struct err err = ERR_INIT;

    if (exprs_evaluate(tree, &source, out, &err) != OK)
        fail_msg("%s", err.text);
    check_pieces(tree, &source, out);
}

static __attribute__((unused)) void
check_refused(struct expr_tree *tree, const char *text)
{
    struct expr_source source = exprs_source(&source_values);
    AUTO(tensor) out = {0};
    struct err err = ERR_INIT;

    assert_int_equal(exprs_evaluate(tree, &source, &out, &err), ERR_INVALID_ARGUMENT);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
}

static __attribute__((unused)) void
check_type(const struct tensor *out, enum dtype dtype, struct shape shape)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    if (out->type.dtype != dtype || !shape_equal(&out->type.shape, &shape))
        fail_msg("the result is %s", tensor_type_text(&out->type, text));
}

static __attribute__((unused)) void
check_int32(struct expr_tree *tree, struct shape shape, const int32_t *expected)
{
    AUTO(tensor) out = {0};

    evaluate(tree, &out);
    check_type(&out, DTYPE_INT32, shape);
    for (uint64_t i = 0; i < shape_count(&shape); i++)
        assert_int_equal(((const int32_t *)(const void *)out.data)[i], expected[i]);
}

/* Element by element: what stands at these coordinates of the result. */
typedef int64_t expected_at(const uint64_t at[SHAPE_RANK_MAX]);

static __attribute__((unused)) void
check_each(struct expr_tree *tree, struct shape shape, expected_at *expected)
{
    uint64_t at[SHAPE_RANK_MAX];
    AUTO(tensor) out = {0};

    evaluate(tree, &out);
    check_type(&out, DTYPE_INT32, shape);
    for (uint64_t i = 0; i < shape_count(&shape); i++) {
        uint64_t rest = i;

        for (uint32_t dim = shape.rank; dim-- > 0;) {
            at[dim] = rest % shape.dims[dim];
            rest /= shape.dims[dim];
        }
        if (((const int32_t *)(const void *)out.data)[i] != expected(at))
            fail_msg("element %d is %d, not %d", (int)i,
                     (int)((const int32_t *)(const void *)out.data)[i], (int)expected(at));
    }
}

#endif

/* Random ops in tests: nodes, evaluation under given seeds, whole or in pieces. */
#ifndef TESTS_UNIT_SERVICE_RANDOM_OPS_H
#define TESTS_UNIT_SERVICE_RANDOM_OPS_H

#include <stdlib.h>

#include "tests/unit/service/ops_checks.h"

static inline void
set_i64(struct expr *node, const char *name, int64_t value)
{
    const struct attr_spec *row = attr_find(node->op->attrs, bytes_of_text(name));

    assert_true(row != NULL && (row->kind == ATTR_KIND_I64 || row->kind == ATTR_KIND_CHOICE));
    *(int64_t *)attr_at(row, node->params) = value;
    node->given[row - node->op->attrs] = true;
}

/* The named choice of a CHOICE row. */
static inline void
set_choice(struct expr *node, const char *name, const char *choice)
{
    const struct attr_spec *row = attr_find(node->op->attrs, bytes_of_text(name));
    int64_t place = 0;

    assert_non_null(row);
    while (row->choices[place] != NULL && strcmp(row->choices[place], choice) != 0)
        place++;
    assert_non_null(row->choices[place]);
    set_i64(node, name, place);
}

/* An op without arguments, of a dtype and an op seed. */
static inline struct expr *
random_node(struct expr_tree *tree, const char *op, struct shape shape, enum dtype dtype,
            int64_t seed)
{
    struct expr *node = exprs_op(tree, op, 0);

    exprs_set_shape(node, "shape", shape);
    exprs_set_dtype(node, "dtype", dtype);
    return exprs_set_seed(node, "seed", seed);
}

static inline struct evaluator *
open_evaluator(struct expr_tree *tree, const struct expr_draw *draw)
{
    struct evaluator *e = NULL;
    struct err err = ERR_INIT;

    if (expr_infer(tree, NULL, DTYPE_UNSET, &err) != OK || expr_draw(tree, draw, &err) != OK ||
        evaluator_open(tree, NULL, &exprs_options, &e, &err) != OK)
        fail_msg("%s", err.text);
    return e;
}

/* The whole result; to be freed. */
static inline uint8_t *
evaluate(struct expr_tree *tree, const struct expr_draw *draw)
{
    struct evaluator *e = open_evaluator(tree, draw);
    const uint64_t count = shape_count(&tree->root->type.shape);
    uint8_t *out = malloc(count * OP_ELEMENT_BYTES_MAX + 1);
    struct err err = ERR_INIT;

    assert_non_null(out);
    if (evaluator_read(e, 0, count, out, &err) != OK)
        fail_msg("%s", err.text);
    evaluator_drop(e);
    return out;
}

/* With no model seed. */
static inline uint8_t *
evaluate_alone(struct expr_tree *tree)
{
    const struct expr_draw draw = {.variable_name = "w"};

    return evaluate(tree, &draw);
}

/* Pieces of the result, read anew at odd places, equal those of the whole. */
static inline void
check_pieces(struct expr_tree *tree, const struct expr_draw *draw)
{
    static const uint64_t starts[] = {0, 1, 3, 5, 4095, 4096, 4097, 8191, 9000};
    enum { PART = 4999 };
    uint8_t *whole = evaluate(tree, draw), *part = malloc((size_t)PART * OP_ELEMENT_BYTES_MAX);
    const uint64_t count = shape_count(&tree->root->type.shape);
    const uint32_t size = dtype_size(tree->root->type.dtype);
    struct evaluator *e = open_evaluator(tree, draw);

    assert_non_null(part);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0] && starts[i] < count; i++) {
        const uint64_t n = count - starts[i] < PART ? count - starts[i] : PART;

        assert_int_equal(evaluator_read(e, starts[i], n, part, NULL), OK);
        assert_memory_equal(part, whole + starts[i] * size, n * size);
    }
    evaluator_drop(e);
    free(whole);
    free(part);
}

#endif

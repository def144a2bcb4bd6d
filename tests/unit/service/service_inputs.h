/* What the domain's tests put in: bytes, streams of them, small expressions. */
#ifndef TESTS_UNIT_SERVICE_SERVICE_INPUTS_H
#define TESTS_UNIT_SERVICE_SERVICE_INPUTS_H

#include "service/variable/variable_write.h"
#include "tests/support/exprs.h"
#include "tests/unit/store/store_fixture.h"

/* --- bytes --------------------------------------------------------------------------------- */

/* Bytes that can be told apart by seed; of floats, finite ones. Owns: free. */
static inline uint8_t *
some_bytes(size_t size, uint32_t seed)
{
    uint8_t *bytes = malloc(size + 4);
    uint32_t state = seed * 2654435761u + 12345u;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(state >> 24) & 0x3f;
    }
    return bytes;
}

/* A stream for assignments: fails with ERR_UNAVAILABLE once `fail_after` bytes were read. */
struct memory_source {
    const uint8_t *data;
    size_t size, read, fail_after;
};

static inline enum err_code
memory_read(void *context, void *out, size_t size, struct err *err)
{
    struct memory_source *source = context;

    if (source->read + size > source->fail_after)
        return err_set(err, ERR_UNAVAILABLE, "the sender went away");
    if (source->read + size > source->size)
        return err_set(err, ERR_INVALID_ARGUMENT, "the body ends after %zu bytes", source->size);
    if (size > 0)
        memcpy(out, source->data + source->read, size);
    source->read += size;
    return OK;
}

static inline struct tensor_source
source_of(struct memory_source *source)
{
    return (struct tensor_source){.context = source, .read = memory_read};
}

static inline struct memory_source
memory_of(const void *data, size_t size)
{
    return (struct memory_source){.data = data, .size = size, .fail_after = SIZE_MAX};
}

/* --- expressions --------------------------------------------------------------------------- */

static inline struct expr_tree
tree_new(void)
{
    struct expr_tree tree;

    assert_int_equal(expr_tree_init(&tree, NULL), OK);
    return tree;
}

static inline struct tensor_type
type_of(enum dtype dtype, struct shape shape)
{
    return (struct tensor_type){.dtype = dtype, .shape = shape};
}

static inline struct shape
scalar(void)
{
    return exprs_shape(0);
}

/* A string tensor's bytes as they are kept: for the texts, NULL-terminated. Returns the size. */
static inline size_t
strings_of(uint8_t *out, const char *const *texts)
{
    size_t size = 0;

    for (; *texts != NULL; texts++) {
        uint32_t length = (uint32_t)strlen(*texts);

        memcpy(out + size, &length, sizeof length);
        memcpy(out + size + sizeof length, *texts, length);
        size += sizeof length + length;
    }
    return size;
}

static inline struct expr *
exprs_strings(struct expr_tree *tree, struct shape shape, const void *bytes, size_t size)
{
    struct tensor_type type = type_of(DTYPE_STRING, shape);
    struct expr_limits limits = exprs_limits();
    struct tensor literal = {0};
    struct expr *node = NULL;
    struct err err = ERR_INIT;

    WORKS(tensor_init(&literal, &type, size, &err), &err);
    if (size > 0)
        memcpy(literal.data, bytes, size);
    WORKS(expr_tree_node(tree, &limits, EXPR_LITERAL, NULL, 0, &node, &err), &err);
    WORKS(expr_tree_literal(tree, &literal, &node->literal, &err), &err);
    tree->root = node;
    return node;
}

/* A float32 vector of `count` times the value: a constant fill. */
static inline struct expr_tree
filled(float value, int count)
{
    struct expr_tree tree = tree_new();
    const struct expr *literal = exprs_weak_float(&tree, value);

    (void)exprs_set_tensor(exprs_set_dtype(exprs_set_shape(exprs_op(&tree, "constant", 0), "shape",
                                                           exprs_shape(1, count)),
                                           "dtype", DTYPE_FLOAT32),
                           "value", literal);
    return tree;
}

#endif

/* What indices and updates are refused for, with every sentence; and what fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/training/sparse.h"

#define TYPE(of, ...)                                                                              \
    (struct tensor_type)                                                                           \
    {                                                                                              \
        .dtype = DTYPE_##of, .shape = __VA_ARGS__                                                  \
    }
#define SHAPE(n, ...)                                                                              \
    {                                                                                              \
        (n),                                                                                       \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

enum check { SCATTER, SCATTER_ND, GRADIENT, GATHER };

static enum err_code
check(enum check which, enum kernel_scatter op, const struct tensor_type *type,
      struct tensor_type indices, struct tensor_type updates, struct err *err)
{
    const struct sparse_target target = {.verb = "verb of", .name = "w", .type = type};
    struct tensor_type out;

    switch (which) {
    case SCATTER:
        return sparse_check_scatter(&target, op, &indices, &updates, err);
    case SCATTER_ND:
        return sparse_check_scatter_nd(&target, op, &indices, &updates, err);
    case GRADIENT:
        return sparse_check_gradient(&target, &indices, &updates, err);
    case GATHER:
        return sparse_check_gather(&target, &indices, &out, err);
    }
    return ERR_INTERNAL;
}

static const struct refusal {
    enum check which;
    enum kernel_scatter op;
    struct tensor_type variable, indices, updates;
    const char *text;
} refusals[] = {
    /* clang-format off */
    {SCATTER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(0, 0)}, {DTYPE_INT32, SHAPE(0, 0)}, {DTYPE_FLOAT32, SHAPE(0, 0)},
     "verb of 'w': params must be at least 1-D, got shape []"},
    {SCATTER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 6, 4)}, {DTYPE_INT32, SHAPE(1, 3)}, {DTYPE_FLOAT32, SHAPE(2, 3, 5)},
     "verb of 'w': Must have updates.shape = indices.shape + params.shape[1:], got updates.shape [3,5], indices.shape [3], params.shape [6,4]"},
    {SCATTER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 6, 4)}, {DTYPE_INT32, SHAPE(1, 3)}, {DTYPE_FLOAT32, SHAPE(1, 4)},
     "verb of 'w': Must have updates.shape = indices.shape + params.shape[1:], got updates.shape [4], indices.shape [3], params.shape [6,4]"},
    {SCATTER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(1, 3)}, {DTYPE_FLOAT32, SHAPE(1, 2)},
     "verb of 'w': Must have updates.shape = indices.shape + params.shape[1:], got updates.shape [2], indices.shape [3], params.shape [6]"},
    {SCATTER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(1, 6)}, {DTYPE_FLOAT32, SHAPE(1, 3)}, {DTYPE_FLOAT32, SHAPE(1, 3)},
     "verb of 'w': indices must be int32 or int64, not float32"},
    {SCATTER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(1, 6)}, {DTYPE_INT16, SHAPE(1, 3)}, {DTYPE_FLOAT32, SHAPE(1, 3)},
     "verb of 'w': indices must be int32 or int64, not int16"},
    {SCATTER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(1, 3)}, {DTYPE_INT32, SHAPE(1, 3)},
     "verb of 'w': dtype float32 expected, the updates have int32"},
    {SCATTER, KERNEL_SCATTER_UPDATE, {DTYPE_STRING, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(1, 3)}, {DTYPE_STRING, SHAPE(1, 3)},
     "verb of 'w': string tensors are written whole, not by rows"},
    {SCATTER, KERNEL_SCATTER_ADD, {DTYPE_BOOL, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(1, 3)}, {DTYPE_BOOL, SHAPE(1, 3)},
     "verb of 'w': bool has no arithmetic"},
    {SCATTER, KERNEL_SCATTER_MAXIMUM, {DTYPE_QINT8, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(1, 3)}, {DTYPE_QINT8, SHAPE(1, 3)},
     "verb of 'w': qint8 has no arithmetic"},
    {SCATTER, KERNEL_SCATTER_MINIMUM, {DTYPE_COMPLEX64, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(1, 3)}, {DTYPE_COMPLEX64, SHAPE(1, 3)},
     "verb of 'w': complex64 has no order"},

    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(0, 0)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_INT32, SHAPE(0, 0)},
     "verb of 'w': Output must be at least 1-D, got shape: []"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(0, 0)}, {DTYPE_INT32, SHAPE(0, 0)},
     "verb of 'w': Indices shape must have rank at least one. Found: []"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(2, 3, 0)}, {DTYPE_INT32, SHAPE(1, 3)},
     "verb of 'w': Only indices.shape[-1] values between 1 and 5 are currently supported.  Requested rank: 0"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(6, 1, 1, 1, 1, 1, 1)}, {DTYPE_INT32, SHAPE(2, 3, 6)}, {DTYPE_INT32, SHAPE(1, 3)},
     "verb of 'w': Only indices.shape[-1] values between 1 and 5 are currently supported.  Requested rank: 6"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(2, 3, 2)}, {DTYPE_INT32, SHAPE(1, 3)},
     "verb of 'w': indices.shape[-1] = 2 is more than the rank of params, which has shape [6]"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(3, 2, 2, 2)}, {DTYPE_INT32, SHAPE(3, 3, 2, 2)}, {DTYPE_INT32, SHAPE(3, 2, 2, 2)},
     "verb of 'w': The outer 2 dimensions of indices.shape=[3,2,2] must match the outer 2 dimensions of updates.shape=[2,2,2]"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(2, 3, 1)}, {DTYPE_INT32, SHAPE(0, 0)},
     "verb of 'w': The outer 1 dimensions of indices.shape=[3,1] must match the outer 1 dimensions of updates.shape=[]"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(3, 2, 2, 2)}, {DTYPE_INT32, SHAPE(3, 2, 2, 1)}, {DTYPE_INT32, SHAPE(2, 2, 2)},
     "verb of 'w': The inner 2 dimensions of ref.shape=[2,2,2] must match the inner 0 dimensions of updates.shape=[2,2]"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(1, 6)}, {DTYPE_UINT32, SHAPE(2, 3, 1)}, {DTYPE_INT32, SHAPE(1, 3)},
     "verb of 'w': indices must be int32 or int64, not uint32"},
    {SCATTER_ND, KERNEL_SCATTER_ADD, {DTYPE_INT32, SHAPE(1, 6)}, {DTYPE_INT32, SHAPE(2, 3, 1)}, {DTYPE_INT64, SHAPE(1, 3)},
     "verb of 'w': dtype int32 expected, the updates have int64"},

    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(0, 0)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(1, 1)},
     "verb of 'w': var must be at least 1 dimensional, it has shape []"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 5, 3)}, {DTYPE_INT8, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(2, 1, 3)},
     "verb of 'w': indices must be int32 or int64, not int8"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 5, 3)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT64, SHAPE(2, 1, 3)},
     "verb of 'w': dtype float32 expected, the gradient has float64"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 5, 3)}, {DTYPE_INT32, SHAPE(2, 1, 1)}, {DTYPE_FLOAT32, SHAPE(2, 1, 3)},
     "verb of 'w': indices must be one-dimensional, they have shape [1,1]"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 5, 3)}, {DTYPE_INT32, SHAPE(1, 2)}, {DTYPE_FLOAT32, SHAPE(2, 1, 3)},
     "verb of 'w': grad must be the same size as indices in the first dimension. grad has shape [1,3], indices have [2]"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(1, 5)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(0, 0)},
     "verb of 'w': grad must be the same size as indices in the first dimension. grad has shape [], indices have [1]"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(3, 5, 3, 2)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(3, 1, 3, 4)},
     "verb of 'w': var and grad must match in dimension 2: var has shape [5,3,2], grad has [1,3,4]"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 5, 3)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(1, 1)},
     "verb of 'w': var and grad must match in dimension 1: var has shape [5,3], grad has [1]"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(1, 5)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(2, 1, 3)},
     "verb of 'w': var and grad must match in dimension 1: var has shape [5], grad has [1,3]"},
    {GRADIENT, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 5, 0)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(2, 1, 0)},
     "verb of 'w': Inner dimension should be greater than zero. var has shape [5,0]"},

    {GATHER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(0, 0)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(0, 0)},
     "verb of 'w': params must be at least 1 dimensional, got shape []"},
    {GATHER, KERNEL_SCATTER_ADD, {DTYPE_STRING, SHAPE(1, 3)}, {DTYPE_INT32, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(0, 0)},
     "verb of 'w': string tensors are read whole, not by rows"},
    {GATHER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(1, 3)}, {DTYPE_FLOAT64, SHAPE(1, 1)}, {DTYPE_FLOAT32, SHAPE(0, 0)},
     "verb of 'w': indices must be int32 or int64, not float64"},
    {GATHER, KERNEL_SCATTER_ADD, {DTYPE_FLOAT32, SHAPE(2, 3, (uint64_t)1 << 40)}, {DTYPE_INT32, SHAPE(1, 1 << 20)}, {DTYPE_FLOAT32, SHAPE(0, 0)},
     "verb of 'w': the result would have over 140737488355328 elements"},
    /* clang-format on */
};

static void
what_does_not_fit_is_refused_in_tensorflow_s_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *r = &refusals[i];
        struct err err = ERR_INIT;

        assert_int_equal(check(r->which, r->op, &r->variable, r->indices, r->updates, &err),
                         ERR_INVALID_ARGUMENT);
        assert_string_equal(err.text, r->text);
        assert_string_equal(err.about_kind, "variable");
        assert_string_equal(err.about, "w");
    }
}

static void
a_result_of_too_many_dimensions_is_refused(void **state)
{
    struct tensor_type deep = {.dtype = DTYPE_INT32, .shape = {.rank = SHAPE_RANK_MAX}};
    struct tensor_type variable = TYPE(FLOAT32, SHAPE(2, 1, 1));
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(check(GATHER, KERNEL_SCATTER_ADD, &variable, deep, variable, &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "verb of 'w': the result has rank 33, the limit is 32");
}

static void
indices_that_take_too_much_memory_are_refused(void **state)
{
    const struct tensor_type type = TYPE(FLOAT32, SHAPE(1, 4));
    const struct sparse_target target = {.verb = "verb of", .name = "w", .type = &type};
    const struct shape most = SHAPE(2, 4, 8), over = SHAPE(1, 33);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(sparse_check_memory(&target, &most, 1024, &err), OK);
    assert_int_equal(sparse_check_memory(&target, &over, 1055, &err), ERR_PAYLOAD_TOO_LARGE);
    assert_string_equal(err.text, "verb of 'w': indices of shape [33] take 1056 bytes of memory, "
                                  "over the limit of 1055 bytes (expression_max_bytes)");
    assert_string_equal(err.about, "w");
}

static void
fits(enum check which, struct tensor_type variable, struct tensor_type indices,
     struct tensor_type updates)
{
    struct err err = ERR_INIT;

    if (check(which, KERNEL_SCATTER_ADD, &variable, indices, updates, &err) != OK)
        fail_msg("%s", err.text);
}

static void
what_fits_passes(void **state)
{
    (void)state;
    /* clang-format off */
    fits(SCATTER, TYPE(FLOAT32, SHAPE(1, 6)), TYPE(INT32, SHAPE(0, 0)), TYPE(FLOAT32, SHAPE(0, 0)));
    fits(SCATTER, TYPE(FLOAT32, SHAPE(2, 6, 4)), TYPE(INT64, SHAPE(0, 0)), TYPE(FLOAT32, SHAPE(1, 4)));
    fits(SCATTER, TYPE(FLOAT32, SHAPE(2, 6, 4)), TYPE(INT64, SHAPE(2, 3, 7)), TYPE(FLOAT32, SHAPE(3, 3, 7, 4)));
    fits(SCATTER, TYPE(FLOAT32, SHAPE(2, 6, 4)), TYPE(INT64, SHAPE(2, 3, 7)), TYPE(FLOAT32, SHAPE(0, 0)));
    fits(SCATTER, TYPE(FLOAT32, SHAPE(2, 0, 4)), TYPE(INT32, SHAPE(1, 0)), TYPE(FLOAT32, SHAPE(2, 0, 4)));
    fits(SCATTER_ND, TYPE(INT32, SHAPE(1, 6)), TYPE(INT32, SHAPE(1, 1)), TYPE(INT32, SHAPE(0, 0)));
    fits(SCATTER_ND, TYPE(INT32, SHAPE(3, 6, 4, 2)), TYPE(INT32, SHAPE(3, 5, 3, 2)), TYPE(INT32, SHAPE(3, 5, 3, 2)));
    fits(SCATTER_ND, TYPE(INT32, SHAPE(2, 6, 4)), TYPE(INT32, SHAPE(2, 5, 2)), TYPE(INT32, SHAPE(1, 5)));
    fits(GRADIENT, TYPE(FLOAT32, SHAPE(1, 6)), TYPE(INT32, SHAPE(1, 2)), TYPE(FLOAT32, SHAPE(1, 2)));
    fits(GRADIENT, TYPE(FLOAT32, SHAPE(3, 6, 4, 2)), TYPE(INT64, SHAPE(1, 0)), TYPE(FLOAT32, SHAPE(3, 0, 4, 2)));
    fits(GATHER, TYPE(FLOAT32, SHAPE(3, 6, 4, 2)), TYPE(INT64, SHAPE(0, 0)), TYPE(BOOL, SHAPE(0, 0)));
    /* clang-format on */
}

static void
gathered_rows_have_the_indices_shape_in_front(void **state)
{
    const struct tensor_type type = TYPE(INT16, SHAPE(3, 6, 4, 2)),
                             indices = TYPE(INT32, SHAPE(2, 5, 3));
    const struct sparse_target target = {.verb = "gather from", .name = "w", .type = &type};
    const struct tensor_type expected = TYPE(INT16, SHAPE(4, 5, 3, 4, 2));
    struct tensor_type out;

    (void)state;
    assert_int_equal(sparse_check_gather(&target, &indices, &out, NULL), OK);
    assert_true(tensor_type_equal(&out, &expected));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused_in_tensorflow_s_words),
        cmocka_unit_test(a_result_of_too_many_dimensions_is_refused),
        cmocka_unit_test(indices_that_take_too_much_memory_are_refused),
        cmocka_unit_test(what_fits_passes),
        cmocka_unit_test(gathered_rows_have_the_indices_shape_in_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

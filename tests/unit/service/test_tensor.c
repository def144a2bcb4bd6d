/* Tensors in memory: sizes, ownership, and string elements from hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/tensor/tensor.h"
#include "store/base/alloc.h"

static void
type_text_is_name_and_shape(void **state)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];
    struct tensor_type matrix = {DTYPE_FLOAT32, {.rank = 2, .dims = {2, 3}}};
    struct tensor_type scalar = {DTYPE_BFLOAT16, {0}};

    (void)state;
    assert_string_equal(tensor_type_text(&matrix, text), "float32[2,3]");
    assert_string_equal(tensor_type_text(&scalar, text), "bfloat16[]");
}

static void
bytes_are_count_times_size_and_nothing_for_strings(void **state)
{
    struct tensor_type type = {DTYPE_COMPLEX128, {.rank = 2, .dims = {3, 5}}};

    (void)state;
    assert_int_equal(tensor_type_bytes(&type), 240);
    type.dtype = DTYPE_STRING;
    assert_int_equal(tensor_type_bytes(&type), 0);
    type = (struct tensor_type){DTYPE_COMPLEX128, {.rank = 1, .dims = {SHAPE_COUNT_MAX}}};
    assert_int_equal(tensor_type_bytes(&type), (uint64_t)1 << 51);
}

static void
types_are_equal_in_dtype_and_shape(void **state)
{
    struct tensor_type a = {DTYPE_INT8, {.rank = 1, .dims = {3}}}, b = a;

    (void)state;
    assert_true(tensor_type_equal(&a, &b));
    b.dtype = DTYPE_UINT8;
    assert_false(tensor_type_equal(&a, &b));
    b = a;
    b.shape.dims[0] = 4;
    assert_false(tensor_type_equal(&a, &b));
}

static void
data_is_aligned_and_a_view_borrows_it(void **state)
{
    struct tensor_type type = {DTYPE_INT8, {.rank = 1, .dims = {7}}};
    struct tensor tensor = {0};
    struct tensor_view view;

    (void)state;
    assert_int_equal(tensor_init(&tensor, &type, 7, NULL), OK);
    assert_int_equal((uintptr_t)tensor.data % 64, 0);
    memset(tensor.data, 1, 7);
    view = tensor_view_of(&tensor);
    assert_ptr_equal(view.data, tensor.data);
    assert_int_equal(view.size, 7);
    assert_true(tensor_type_equal(&view.type, &type));
    tensor_drop(&tensor);
    assert_null(tensor.data);
    tensor_drop(&tensor);
}

static void
scalars_and_empty_tensors_have_data(void **state)
{
    struct tensor_type scalar = {DTYPE_FLOAT64, {0}};
    struct tensor_type empty = {DTYPE_FLOAT64, {.rank = 2, .dims = {0, 3}}};
    struct tensor a = {0}, b = {0};

    (void)state;
    assert_int_equal(tensor_init(&a, &scalar, 8, NULL), OK);
    assert_int_equal(tensor_init(&b, &empty, 0, NULL), OK);
    assert_non_null(b.data);
    assert_int_equal(b.size, 0);
    tensor_drop(&a);
    tensor_drop(&b);
}

static void
a_size_that_does_not_fit_the_type_is_refused(void **state)
{
    struct tensor_type type = {DTYPE_FLOAT32, {.rank = 2, .dims = {2, 3}}};
    struct tensor tensor = {0};
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(tensor_init(&tensor, &type, 23, &err), ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.text, "float32[2,3]"));
    assert_non_null(strstr(err.text, "24"));
    assert_non_null(strstr(err.text, "23"));
    type.shape.dims[0] = UINT64_MAX;
    assert_int_equal(tensor_init(&tensor, &type, 24, NULL), ERR_INVALID_ARGUMENT);
    assert_null(tensor.data);
}

static void
short_memory_is_an_error(void **state)
{
    struct tensor_type type = {DTYPE_FLOAT32, {.rank = 1, .dims = {3}}};
    struct tensor tensor = {0};
    struct err err = ERR_INIT;

    (void)state;
    mem_fail_at(1, 0);
    assert_int_equal(tensor_init(&tensor, &type, 12, &err), ERR_NO_MEMORY);
    mem_fail_at(0, 0);
    assert_int_equal(err.code, ERR_NO_MEMORY);
    assert_null(tensor.data);
}

static void
whole_strings_pass(void **state)
{
    static const uint8_t two[] = {3, 0, 0, 0, 'a', 0, 'c', 0, 0, 0, 0};

    (void)state;
    assert_int_equal(tensor_strings_check(bytes_of(two, sizeof two), 2, NULL), OK);
    assert_int_equal(tensor_strings_check(bytes_of("", 0), 0, NULL), OK);
    assert_int_equal(tensor_strings_check(bytes_of(NULL, 0), 0, NULL), OK);
}

static void
strings_that_do_not_add_up_are_refused(void **state)
{
    static const uint8_t two[] = {3, 0, 0, 0, 'a', 0, 'c', 0, 0, 0, 0};
    static const uint8_t endless[] = {0xFF, 0xFF, 0xFF, 0xFF, 'x'};

    (void)state;
    assert_int_equal(tensor_strings_check(bytes_of(two, sizeof two), 1, NULL),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(tensor_strings_check(bytes_of(two, sizeof two), 3, NULL),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(tensor_strings_check(bytes_of(two, sizeof two - 1), 2, NULL),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(tensor_strings_check(bytes_of(two, 6), 1, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(tensor_strings_check(bytes_of(endless, sizeof endless), 1, NULL),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(tensor_strings_check(bytes_of(two, sizeof two), UINT64_MAX, NULL),
                     ERR_INVALID_ARGUMENT);
    assert_int_equal(tensor_strings_check(bytes_of(two, sizeof two), 0, NULL),
                     ERR_INVALID_ARGUMENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_text_is_name_and_shape),
        cmocka_unit_test(bytes_are_count_times_size_and_nothing_for_strings),
        cmocka_unit_test(types_are_equal_in_dtype_and_shape),
        cmocka_unit_test(data_is_aligned_and_a_view_borrows_it),
        cmocka_unit_test(scalars_and_empty_tensors_have_data),
        cmocka_unit_test(a_size_that_does_not_fit_the_type_is_refused),
        cmocka_unit_test(short_memory_is_an_error),
        cmocka_unit_test(whole_strings_pass),
        cmocka_unit_test(strings_that_do_not_add_up_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

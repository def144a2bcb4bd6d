/* Element types: the table is complete, and every name leads to its row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/tensor/dtype.h"

static void
every_row_is_complete(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        const struct dtype_info *info = dtype_info((enum dtype)i);

        assert_non_null(info->name);
        assert_non_null(info->tf_short_name);
        assert_true(info->size <= 16);
        assert_int_equal(info->size == 0, i == DTYPE_STRING);
        assert_string_equal(dtype_name((enum dtype)i), info->name);
        assert_int_equal(dtype_size((enum dtype)i), info->size);
    }
}

static void
every_name_leads_back_to_its_row(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        const struct dtype_info *info = dtype_info((enum dtype)i);
        enum dtype found = DTYPE_UNSET;

        assert_true(dtype_of_name(bytes_of_text(info->name), &found));
        assert_int_equal(found, i);
        if (info->oip_name != NULL) {
            assert_true(dtype_of_name(bytes_of_text(info->oip_name), &found));
            assert_int_equal(found, i);
        }
        if (info->safetensors_name != NULL) {
            assert_true(dtype_of_safetensors(bytes_of_text(info->safetensors_name), &found));
            assert_int_equal(found, i);
        }
    }
}

static void
c_names_are_aliases(void **state)
{
    enum dtype found = DTYPE_UNSET;

    (void)state;
    assert_true(dtype_of_name(bytes_of_text("half"), &found));
    assert_int_equal(found, DTYPE_FLOAT16);
    assert_true(dtype_of_name(bytes_of_text("float"), &found));
    assert_int_equal(found, DTYPE_FLOAT32);
    assert_true(dtype_of_name(bytes_of_text("double"), &found));
    assert_int_equal(found, DTYPE_FLOAT64);
}

static void
unknown_names_are_refused_and_leave_the_result_alone(void **state)
{
    static const char *const names[] = {"",   "Float32", "float", "float32 ", "float3", "fp32",
                                        "f4", "F32",     "int",   "resource", "DT_INT"};
    enum dtype found = DTYPE_UNSET;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool is_alias = strcmp(names[i], "float") == 0, is_safetensors = names[i][0] == 'F';

        found = DTYPE_UNSET;
        assert_int_equal(dtype_of_name(bytes_of_text(names[i]), &found), is_alias);
        if (!is_alias)
            assert_int_equal(found, DTYPE_UNSET);
        found = DTYPE_UNSET;
        assert_int_equal(dtype_of_safetensors(bytes_of_text(names[i]), &found),
                         is_safetensors && names[i][1] == '3');
    }
    assert_false(dtype_of_name(bytes_of("float32\0", 8), &found));
}

static void
kinds_follow_the_table(void **state)
{
    (void)state;
    assert_true(dtype_is_float(DTYPE_BFLOAT16));
    assert_false(dtype_is_float(DTYPE_COMPLEX64));
    assert_true(dtype_is_integer(DTYPE_UINT8));
    assert_true(dtype_is_integer(DTYPE_INT64));
    assert_false(dtype_is_integer(DTYPE_BOOL));
    assert_true(dtype_is_number(DTYPE_COMPLEX128));
    assert_false(dtype_is_number(DTYPE_BOOL));
    assert_false(dtype_is_number(DTYPE_STRING));
    assert_false(dtype_is_number(DTYPE_QINT32));
    assert_true(dtype_is_complex(DTYPE_COMPLEX64));
    assert_false(dtype_is_complex(DTYPE_FLOAT64));
    assert_int_equal(dtype_real(DTYPE_COMPLEX64), DTYPE_FLOAT32);
    assert_int_equal(dtype_real(DTYPE_COMPLEX128), DTYPE_FLOAT64);
    assert_int_equal(dtype_real(DTYPE_BFLOAT16), DTYPE_BFLOAT16);
}

/* Enum values of TensorFlow's types.proto, as checkpoints carry them. */
static void
tensorflow_enum_values_are_the_published_ones(void **state)
{
    (void)state;
    assert_int_equal(dtype_info(DTYPE_FLOAT32)->tf_enum, 1);
    assert_int_equal(dtype_info(DTYPE_FLOAT64)->tf_enum, 2);
    assert_int_equal(dtype_info(DTYPE_STRING)->tf_enum, 7);
    assert_int_equal(dtype_info(DTYPE_INT64)->tf_enum, 9);
    assert_int_equal(dtype_info(DTYPE_BFLOAT16)->tf_enum, 14);
    assert_int_equal(dtype_info(DTYPE_FLOAT16)->tf_enum, 19);
    for (unsigned i = 0; i < DTYPE_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            assert_true(dtype_info((enum dtype)i)->tf_enum == 0 ||
                        dtype_info((enum dtype)i)->tf_enum != dtype_info((enum dtype)j)->tf_enum);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(every_name_leads_back_to_its_row),
        cmocka_unit_test(c_names_are_aliases),
        cmocka_unit_test(unknown_names_are_refused_and_leave_the_result_alone),
        cmocka_unit_test(kinds_follow_the_table),
        cmocka_unit_test(tensorflow_enum_values_are_the_published_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

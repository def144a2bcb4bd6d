/* The catalogue of ops: complete, and true to the tables. */
#include "api/resource/ops_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "service/expr/op.h"

static json_t *
catalogue(void)
{
    json_t *json = NULL;

    assert_int_equal(api_ops_json(&json, NULL), OK);
    return json;
}

static const json_t *
named(const json_t *array, const char *name)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *row = json_array_get(array, i);

        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
            return row;
    }
    fail_msg("'%s' is not listed", name);
    return NULL;
}

static const json_t *
attribute(const json_t *body, const char *op, const char *name)
{
    const json_t *row = named(json_object_get(body, "ops"), op);

    return named(json_object_get(row, "attributes"), name);
}

static void
every_op_is_listed_with_all_its_rows(void **state)
{
    json_t *body = catalogue();
    size_t count = 0;

    (void)state;
    for (; op_at(count) != NULL; count++) {
        const struct op *op = op_at(count);
        const json_t *row = named(json_object_get(body, "ops"), op->name);

        assert_string_equal(json_string_value(json_object_get(row, "summary")), op->summary);
        assert_int_equal(json_array_size(json_object_get(row, "attributes")),
                         attr_count(op->attrs));
        assert_int_equal(json_integer_value(json_object_get(row, "args_min")), op->args_min);
        assert_int_equal(json_array_size(json_object_get(row, "dtypes")),
                         __builtin_popcount(op->dtypes));
        assert_int_equal(json_is_true(json_object_get(row, "random")), op->random);
        for (size_t i = 0; op->attrs[i].name != NULL; i++) {
            const json_t *attr = named(json_object_get(row, "attributes"), op->attrs[i].name);

            assert_string_equal(json_string_value(json_object_get(attr, "kind")),
                                attr_kind_name(op->attrs[i].kind));
            assert_int_equal(json_is_true(json_object_get(attr, "required")),
                             op->attrs[i].required);
            assert_int_equal(json_object_get(attr, "default") == NULL, op->attrs[i].required);
        }
    }
    assert_int_equal(json_array_size(json_object_get(body, "ops")), count);
    json_decref(body);
}

static void
defaults_are_tensorflows(void **state)
{
    json_t *body = catalogue();

    (void)state;
    assert_true(json_real_value(
                    json_object_get(attribute(body, "random_normal", "stddev"), "default")) == 1.0);
    assert_string_equal(
        json_string_value(json_object_get(attribute(body, "zeros", "dtype"), "default")),
        "float32");
    assert_true(json_is_null(json_object_get(attribute(body, "zeros_like", "dtype"), "default")));
    assert_true(
        json_is_null(json_object_get(attribute(body, "random_uniform", "seed"), "default")));
    assert_true(
        json_is_false(json_object_get(attribute(body, "constant", "verify_shape"), "default")));
    assert_true(json_is_true(json_object_get(attribute(body, "cast", "dtype"), "required")));
    json_decref(body);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_is_listed_with_all_its_rows),
        cmocka_unit_test(defaults_are_tensorflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

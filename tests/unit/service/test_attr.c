/* Rows of attributes: defaults, bounds, what must be given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "service/expr/attr.h"
#include "service/expr/op.h"

struct sample {
    double rate, any;
    int64_t count;
    bool flag;
    enum dtype dtype;
    struct attr_shape shape;
    struct attr_seed seed;
    struct attr_dims dims;
    struct attr_tensor value;
};

enum {
    ROW_RATE,
    ROW_ANY,
    ROW_COUNT,
    ROW_FLAG,
    ROW_DTYPE,
    ROW_SHAPE,
    ROW_SEED,
    ROW_DIMS,
    ROW_VALUE,
    ROWS
};

static const struct attr_spec specs[] = {
    ATTR_F64(struct sample, rate, .f64_default = 0.5, .f64_min = 0, .f64_max = 1),
    ATTR_F64(struct sample, any, .f64_default = -3),
    ATTR_I64(struct sample, count, .i64_default = 7, .i64_min = 1, .i64_max = 9),
    ATTR_BOOL(struct sample, flag, .i64_default = 1),
    ATTR_DTYPE(struct sample, dtype, .dtype_default = DTYPE_FLOAT32),
    ATTR_SHAPE(struct sample, shape, .required = true),
    ATTR_SEED(struct sample, seed, .help = "seed"),
    ATTR_DIMS(struct sample, dims, .help = "dims"),
    ATTR_TENSOR(struct sample, value, .help = "value"),
    ATTR_END,
};

static void
check_refused(const struct sample *sample, const char *text)
{
    bool given[ROWS] = {[ROW_SHAPE] = true};
    struct err err = ERR_INIT;

    assert_int_equal(attr_check("sample", specs, given, sample, &err), ERR_INVALID_ARGUMENT);
    if (strstr(err.text, text) == NULL)
        fail_msg("'%s' is not in '%s'", text, err.text);
}

static void
defaults_are_those_of_the_rows(void **state)
{
    struct sample sample;

    (void)state;
    memset(&sample, 0xa5, sizeof sample);
    attr_defaults(specs, &sample);
    assert_true(sample.rate == 0.5 && sample.any == -3);
    assert_int_equal(sample.count, 7);
    assert_true(sample.flag);
    assert_int_equal(sample.dtype, DTYPE_FLOAT32);
    assert_false(sample.shape.given || sample.seed.given || sample.dims.given ||
                 sample.value.given);
    assert_int_equal(sample.shape.shape.rank, 0);
    for (int i = 0; i < ROWS; i++)
        assert_true(attr_is_default(&specs[i], &sample));
}

static void
a_changed_value_is_not_the_default(void **state)
{
    struct sample sample;

    (void)state;
    attr_defaults(specs, &sample);
    sample.any = 0.0;
    sample.flag = false;
    sample.dtype = DTYPE_BOOL;
    sample.seed.given = true;
    assert_false(attr_is_default(&specs[ROW_ANY], &sample));
    assert_false(attr_is_default(&specs[ROW_FLAG], &sample));
    assert_false(attr_is_default(&specs[ROW_DTYPE], &sample));
    assert_false(attr_is_default(&specs[ROW_SEED], &sample));
    assert_true(attr_is_default(&specs[ROW_RATE], &sample));
}

static void
a_required_attribute_must_be_given(void **state)
{
    bool given[ROWS] = {false};
    struct sample sample;
    struct err err = ERR_INIT;

    (void)state;
    attr_defaults(specs, &sample);
    assert_int_equal(attr_check("sample", specs, given, &sample, &err), ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, "sample: attribute 'shape' is required");
    given[ROW_SHAPE] = true;
    assert_int_equal(attr_check("sample", specs, given, &sample, NULL), OK);
}

static void
numbers_past_their_bounds_are_refused(void **state)
{
    struct sample sample;

    (void)state;
    attr_defaults(specs, &sample);
    sample.rate = 1.5;
    check_refused(&sample, "sample: attribute 'rate' is 1.5, it must be from 0 to 1");
    sample.rate = -0.0;
    sample.count = 10;
    check_refused(&sample, "sample: attribute 'count' is 10, it must be from 1 to 9");
}

static void
numbers_without_bounds_are_any_finite_ones(void **state)
{
    bool given[ROWS] = {[ROW_SHAPE] = true};
    struct sample sample;

    (void)state;
    attr_defaults(specs, &sample);
    sample.any = -DBL_MAX;
    assert_int_equal(attr_check("sample", specs, given, &sample, NULL), OK);
    sample.any = (double)INFINITY;
    check_refused(&sample, "'any' must be a finite number");
    sample.any = (double)NAN;
    check_refused(&sample, "'any' must be a finite number");
}

static void
an_absurd_shape_is_refused_by_name(void **state)
{
    struct sample sample;

    (void)state;
    attr_defaults(specs, &sample);
    sample.shape.shape = (struct shape){.rank = 3, .dims = {1u << 30, 0, 1u << 30}};
    check_refused(&sample, "sample: attribute 'shape'");
}

static void
one_dimension_may_be_unknown(void **state)
{
    bool given[ROWS] = {[ROW_SHAPE] = true};
    struct sample sample;

    (void)state;
    attr_defaults(specs, &sample);
    sample.dims = (struct attr_dims){.given = true, .rank = 2, .dims = {-1, 3}};
    assert_int_equal(attr_check("sample", specs, given, &sample, NULL), OK);
    sample.dims.dims[1] = -1;
    check_refused(&sample, "Only one input size may be -1, not both 0 and 1");
    sample.dims.dims[1] = -2;
    check_refused(&sample, "Size 1 must be non-negative, not -2");
    sample.dims.rank = SHAPE_RANK_MAX + 1;
    check_refused(&sample, "has 33 dimensions");
}

static void
an_unset_dtype_is_refused_unless_it_is_the_default(void **state)
{
    struct sample sample;

    (void)state;
    attr_defaults(specs, &sample);
    sample.dtype = DTYPE_UNSET;
    check_refused(&sample, "attribute 'dtype' is no dtype");
}

static void
rows_are_found_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(attr_find(specs, bytes_of_text("dims")), &specs[ROW_DIMS]);
    assert_null(attr_find(specs, bytes_of_text("dim")));
    assert_null(attr_find(specs, bytes_of_text("")));
    assert_int_equal(attr_count(specs), ROWS);
}

/* What the catalogue and the decoders rely on, for every op there is. */
static void
every_row_of_every_op_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; op_at(i) != NULL; i++) {
        const struct attr_spec *rows = op_at(i)->attrs;

        for (size_t k = 0; rows[k].name != NULL; k++) {
            if (rows[k].help == NULL || rows[k].offset >= op_at(i)->params_size)
                fail_msg("%s: row '%s' is incomplete", op_at(i)->name, rows[k].name);
            assert_string_not_equal(attr_kind_name(rows[k].kind), "unknown");
            assert_string_not_equal(rows[k].name, "op");
            assert_string_not_equal(rows[k].name, "args");
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_rows),
        cmocka_unit_test(a_changed_value_is_not_the_default),
        cmocka_unit_test(a_required_attribute_must_be_given),
        cmocka_unit_test(numbers_past_their_bounds_are_refused),
        cmocka_unit_test(numbers_without_bounds_are_any_finite_ones),
        cmocka_unit_test(an_absurd_shape_is_refused_by_name),
        cmocka_unit_test(one_dimension_may_be_unknown),
        cmocka_unit_test(an_unset_dtype_is_refused_unless_it_is_the_default),
        cmocka_unit_test(rows_are_found_by_name),
        cmocka_unit_test(every_row_of_every_op_is_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

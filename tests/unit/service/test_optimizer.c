/* The table of optimizers: every row complete, names, slots, powers, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "tests/unit/service/optimizer_trial.h"

/* As get_slot_names and the checkpoints of TensorFlow have them. */
static const struct {
    const char *name, *tf_name, *slots[OPTIMIZER_SLOTS_MAX];
} known[] = {
    {"gradient_descent", "GradientDescent", {NULL}},
    {"momentum", "Momentum", {"momentum"}},
    {"adagrad", "Adagrad", {"accumulator"}},
    {"adagrad_da", "AdagradDA", {"gradient_accumulator", "gradient_squared_accumulator"}},
    {"adadelta", "Adadelta", {"accum", "accum_update"}},
    {"adam", "Adam", {"m", "v"}},
    {"rmsprop", "RMSProp", {"rms", "mg", "momentum"}},
    {"ftrl", "Ftrl", {"accum", "linear"}},
    {"proximal_gradient_descent", "ProximalGradientDescent", {NULL}},
    {"proximal_adagrad", "ProximalAdagrad", {"accumulator"}},
    {"adamw", "AdamW", {"m", "v"}},
    {"adamax", "AdaMax", {"m", "v"}},
    {"lamb", "LAMB", {"m", "v"}},
    {"lars", "LARSOptimizer", {"momentum"}},
    {"addsign", "AddSignOptimizer", {"m"}},
};
enum { KNOWN_COUNT = sizeof known / sizeof known[0], R1_0_COUNT = 10 };

static void
the_table_has_these_and_no_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < KNOWN_COUNT; i++) {
        const struct optimizer *o = optimizer_at(i);

        assert_ptr_equal(o, optimizer_find(bytes_of_text(known[i].name)));
        assert_string_equal(o->tf_name, known[i].tf_name);
        assert_int_equal(o->extension, i >= R1_0_COUNT);
        for (uint32_t k = 0; k < OPTIMIZER_SLOTS_MAX; k++)
            if (known[i].slots[k] == NULL)
                assert_null(o->slots[k].name);
            else
                assert_string_equal(o->slots[k].name, known[i].slots[k]);
    }
    assert_null(optimizer_at(KNOWN_COUNT));
    assert_null(optimizer_find(bytes_of_text("Adam")));
    assert_null(optimizer_find(bytes_of_text("")));
}

static void
check_attrs(const struct optimizer *o)
{
    for (const struct attr_spec *spec = o->attrs; spec->name != NULL; spec++) {
        size_t size = spec->kind == ATTR_KIND_BOOL ? sizeof(bool) : sizeof(double);

        assert_true(spec->kind == ATTR_KIND_F64 || spec->kind == ATTR_KIND_BOOL);
        assert_true(spec->offset + size <= o->params_size);
        assert_non_null(spec->help);
        assert_string_not_equal(spec->name, "learning_rate");
    }
}

static void
every_row_is_complete(void **state)
{
    (void)state;
    for (size_t i = 0; optimizer_at(i) != NULL; i++) {
        const struct optimizer *o = optimizer_at(i);
        uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];

        assert_true(o->summary[strlen(o->summary) - 1] == '.');
        assert_true(o->params_size <= OPTIMIZER_PARAMS_BYTES_MAX);
        assert_true(o->factors_size > 0 && o->factors_size <= OPTIMIZER_FACTORS_BYTES_MAX);
        assert_true(o->dtypes != 0 && (o->dtypes & ~(uint32_t)OP_DTYPES_FLOAT) == 0);
        assert_true((o->learning_rate_default > 0) == !o->learning_rate_required);
        assert_non_null(o->apply);
        assert_non_null(o->factors);
        assert_non_null(o->dense);
        assert_true((o->every_row != NULL) == (o->unlisted != NULL));
        check_attrs(o);
        attr_defaults(o->attrs, params);
        for (uint32_t k = 0; k < optimizer_slot_count(o); k++)
            assert_true(optimizer_slot_initial(o, k, params) >= 0);
        for (uint32_t k = 0; k < optimizer_power_count(o); k++)
            assert_true(optimizer_power_initial(o, k, params) > 0.5);
    }
}

static void
slots_start_where_tensorflow_s_do(void **state)
{
    const struct trial_hyper none[TRIAL_HYPERS_MAX] = {{NULL, 0}};
    const struct trial_hyper half[TRIAL_HYPERS_MAX] = {{"initial_accumulator_value", 0.5}};
    const double w[1] = {0};
    struct trial trial;

    (void)state;
    trial_init(&trial, "rmsprop", DTYPE_FLOAT32, 1, none, 1, w);
    assert_true(trial.slots[0][0] == 1 && trial.slots[1][0] == 0 && trial.slots[2][0] == 0);
    assert_true(optimizer_slot_wanted(trial.optimizer, 0, trial.params));
    assert_false(optimizer_slot_wanted(trial.optimizer, 1, trial.params));
    trial_set(&trial, "centered", 1);
    assert_true(optimizer_slot_wanted(trial.optimizer, 1, trial.params));
    trial_init(&trial, "ftrl", DTYPE_FLOAT64, 1, half, 1, w);
    assert_true(trial.slots[0][0] == 0.5 && trial.slots[1][0] == 0);
    trial_init(&trial, "adagrad_da", DTYPE_FLOAT64, 1, none, 1, w);
    assert_true(trial.slots[0][0] == 0 && trial.slots[1][0] == 0.1);
    assert_true(trial.optimizer->needs_global_step);
}

/* float32 in r1.0, whatever the variables are. */
static void
powers_are_multiplied_once_per_apply(void **state)
{
    const struct trial_hyper none[TRIAL_HYPERS_MAX] = {{NULL, 0}};
    const struct trial_hyper decay[TRIAL_HYPERS_MAX] = {{"weight_decay", 0}};
    const double w[1] = {0}, g[1] = {1};
    struct trial trial;

    (void)state;
    trial_init(&trial, "adam", DTYPE_FLOAT64, 1, none, 1, w);
    assert_int_equal(optimizer_power_count(trial.optimizer), 2);
    assert_int_equal(optimizer_power_dtype(trial.optimizer), DTYPE_FLOAT32);
    assert_string_equal(trial.optimizer->powers[1].name, "beta2_power");
    assert_true(trial.step.powers[0] == (double)0.9f && trial.step.powers[1] == (double)0.999f);
    trial_apply(&trial, g, NULL);
    assert_true(trial.step.powers[0] == (double)(0.9f * 0.9f));
    assert_true(trial.step.powers[1] == (double)(0.999f * 0.999f));
    trial_init(&trial, "adamw", DTYPE_FLOAT32, 1, decay, 1, w);
    assert_int_equal(optimizer_power_dtype(trial.optimizer), DTYPE_FLOAT64);
    trial_apply(&trial, g, NULL);
    assert_true(trial.step.powers[0] == 0.9 * 0.9 && trial.step.powers[1] == 0.999 * 0.999);
    assert_int_equal(optimizer_power_count(optimizer_find(bytes_of_text("adamax"))), 1);
    assert_int_equal(optimizer_power_count(optimizer_find(bytes_of_text("momentum"))), 0);
}

static void
learning_rates_go_by_way_of_float32_in_r1_0(void **state)
{
    (void)state;
    assert_true(optimizer_learning_rate(optimizer_find(bytes_of_text("adam")), 0.001) ==
                (double)0.001f);
    assert_true(optimizer_learning_rate(optimizer_find(bytes_of_text("lamb")), 0.001) == 0.001);
}

static void
a_name_that_was_meant_is_found(void **state)
{
    (void)state;
    assert_string_equal(optimizer_nearest(bytes_of_text("Adam")), "adam");
    assert_string_equal(optimizer_nearest(bytes_of_text("rms_prop")), "rmsprop");
    assert_string_equal(optimizer_nearest(bytes_of_text("gradient_decent")), "gradient_descent");
    assert_null(optimizer_nearest(bytes_of_text("backpropagation")));
    assert_null(optimizer_nearest(bytes_of_text("")));
}

static void
every_row_moves_where_tensorflow_says_so(void **state)
{
    const struct trial_hyper lazy[TRIAL_HYPERS_MAX] = {{"lazy", 1}};
    const double w[1] = {0};
    struct trial trial;

    (void)state;
    for (size_t i = 0; optimizer_at(i) != NULL; i++) {
        const struct optimizer *o = optimizer_at(i);
        uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
        bool all = strncmp(o->name, "adam", 4) == 0 && strcmp(o->name, "adamax") != 0;

        attr_defaults(o->attrs, params);
        all = all || strcmp(o->name, "lamb") == 0 || strcmp(o->name, "addsign") == 0;
        assert_int_equal(optimizer_every_row(o, params), all);
    }
    trial_init(&trial, "adam", DTYPE_FLOAT32, 1, lazy, 1, w);
    assert_false(optimizer_every_row(trial.optimizer, trial.params));
}

/* --- what is refused ------------------------------------------------------------------------- */

static void
constructors_refuse_in_tensorflow_s_words(void **state)
{
    static const struct {
        const char *optimizer, *hyper;
        double value;
        const char *text;
    } cases[] = {
        {"adagrad", "initial_accumulator_value", 0,
         "initial_accumulator_value must be positive: 0.0"},
        {"adagrad", "initial_accumulator_value", -0.1,
         "initial_accumulator_value must be positive: -0.1"},
        {"adagrad", "initial_accumulator_value", -1e-5,
         "initial_accumulator_value must be positive: -1e-05"},
        {"adagrad", "initial_accumulator_value", -0.0001,
         "initial_accumulator_value must be positive: -0.0001"},
        {"adagrad", "initial_accumulator_value", -1234567890123456,
         "initial_accumulator_value must be positive: -1234567890123456.0"},
        {"adagrad", "initial_accumulator_value", -1.5e16,
         "initial_accumulator_value must be positive: -1.5e+16"},
        {"adagrad", "initial_accumulator_value", -DBL_MAX,
         "initial_accumulator_value must be positive: -1.7976931348623157e+308"},
        {"proximal_adagrad", "initial_accumulator_value", 0,
         "initial_accumulator_value must be positive: 0.0"},
        {"adagrad_da", "initial_gradient_squared_accumulator_value", -2,
         "initial_gradient_squared_accumulator_value must bepositive: -2.0"},
        {"ftrl", "initial_accumulator_value", 0,
         "initial_accumulator_value 0.000000 needs to be positive"},
        {"ftrl", "learning_rate_power", 0.5,
         "learning_rate_power 0.500000 needs to be negative or zero"},
        {"ftrl", "l1_regularization_strength", -0.1,
         "l1_regularization_strength -0.100000 needs to be positive or zero"},
        {"ftrl", "l2_regularization_strength", -0.1,
         "l2_regularization_strength -0.100000 needs to be positive or zero"},
        {"ftrl", "l2_shrinkage_regularization_strength", -1,
         "l2_shrinkage_regularization_strength -1.000000 needs to be positive or zero"},
        {"lars", "momentum", -0.5, "momentum should be positive: -0.5"},
        {"lars", "weight_decay", -1, "weight_decay should be positive: -1.0"},
    };
    const struct trial_hyper none[TRIAL_HYPERS_MAX] = {{NULL, 0}};
    const double w[1] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = ERR_INIT;
        struct trial trial;

        trial_init(&trial, cases[i].optimizer, DTYPE_FLOAT32, 1, none, 1, w);
        assert_int_equal(trial.optimizer->check(trial.params, &err), OK);
        trial_set(&trial, cases[i].hyper, cases[i].value);
        assert_int_equal(trial.optimizer->check(trial.params, &err), ERR_INVALID_ARGUMENT);
        assert_string_equal(err.text, cases[i].text);
    }
}

static void
refuses_step(const char *name, enum dtype dtype, double learning_rate, const char *hyper,
             double value, const char *text)
{
    const struct trial_hyper hypers[TRIAL_HYPERS_MAX] = {{hyper, value}};
    const double w[1] = {0};
    struct err err = ERR_INIT;
    struct trial trial;

    trial_init(&trial, name, dtype, learning_rate, hypers, 1, w);
    assert_int_equal(optimizer_check_step(trial.optimizer, &trial.step, &err),
                     ERR_INVALID_ARGUMENT);
    assert_string_equal(err.text, text);
}

static void
kernels_refuse_in_tensorflow_s_words(void **state)
{
    (void)state;
    refuses_step("ftrl", DTYPE_FLOAT32, 0, NULL, 0,
                 "lr is not a positive scalar: [], it is 0, which is 0 in float32");
    refuses_step("ftrl", DTYPE_FLOAT16, 1e-9, NULL, 0,
                 "lr is not a positive scalar: [], it is 9.99999972e-10, which is 0 in float16");
    refuses_step("proximal_adagrad", DTYPE_FLOAT64, -0.5, NULL, 0,
                 "lr is not a positive scalar: [], it is -0.5, which is -0.5 in float64");
    refuses_step("proximal_adagrad", DTYPE_FLOAT32, 1, "l1_regularization_strength", -1,
                 "l1 regularization strength is not a non-negative scalar: [], it is -1.0");
    refuses_step("proximal_adagrad", DTYPE_FLOAT32, 1, "l2_regularization_strength", -0.25,
                 "l2 regularization strength is not a non-negative scalar: [], it is -0.25");
}

static void
dtypes_that_are_not_trained_are_refused(void **state)
{
    (void)state;
    refuses_step("adam", DTYPE_INT32, 1, NULL, 0, "adam does not train variables of dtype int32");
    refuses_step("gradient_descent", DTYPE_COMPLEX64, 1, NULL, 0,
                 "gradient_descent does not train variables of dtype complex64");
    refuses_step("proximal_adagrad", DTYPE_FLOAT16, 1, NULL, 0,
                 "proximal_adagrad does not train variables of dtype float16");
    refuses_step("adagrad_da", DTYPE_BFLOAT16, 1, NULL, 0,
                 "adagrad_da does not train variables of dtype bfloat16");
}

/* Of the others it may be what it likes, as in TensorFlow. */
static void
a_learning_rate_may_be_negative_or_zero(void **state)
{
    const struct trial_hyper none[TRIAL_HYPERS_MAX] = {{NULL, 0}};
    const double w[1] = {1}, g[1] = {0.5}, up[1] = {1.5}, same[1] = {1};
    struct trial trial;

    (void)state;
    trial_init(&trial, "gradient_descent", DTYPE_FLOAT32, -1, none, 1, w);
    trial_apply(&trial, g, NULL);
    trial_near(trial.variable, up, 1, 0, "w");
    trial_init(&trial, "gradient_descent", DTYPE_FLOAT32, 0, none, 1, w);
    trial_apply(&trial, g, NULL);
    trial_near(trial.variable, same, 1, 0, "w");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_these_and_no_others),
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(slots_start_where_tensorflow_s_do),
        cmocka_unit_test(powers_are_multiplied_once_per_apply),
        cmocka_unit_test(learning_rates_go_by_way_of_float32_in_r1_0),
        cmocka_unit_test(a_name_that_was_meant_is_found),
        cmocka_unit_test(every_row_moves_where_tensorflow_says_so),
        cmocka_unit_test(constructors_refuse_in_tensorflow_s_words),
        cmocka_unit_test(kernels_refuse_in_tensorflow_s_words),
        cmocka_unit_test(dtypes_that_are_not_trained_are_refused),
        cmocka_unit_test(a_learning_rate_may_be_negative_or_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

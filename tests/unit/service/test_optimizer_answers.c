/* Optimizers against TensorFlow's known answers (tests/vectors/known/tf-vectors.json, a part of
 * them by hand; the server is told all). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "tests/unit/service/optimizer_answers.h"

static void
check_answer(const struct answer *answer)
{
    struct trial trial;

    trial_init(&trial, answer->name, answer->dtype, answer->learning_rate, answer->hypers,
               answer->count, answer->variable);
    for (uint32_t i = 0; i < answer->step_count; i++) {
        const struct answer_step *step = &answer->steps[i];

        trial_apply(&trial, step->gradient, NULL);
        trial_near(trial.variable, step->variable, answer->count, answer->tolerance, answer->name);
        for (uint32_t k = 0; k < optimizer_slot_count(trial.optimizer); k++)
            if (optimizer_slot_wanted(trial.optimizer, k, trial.params))
                trial_near(trial.slots[k], step->slots[k], answer->count, answer->tolerance,
                           trial.optimizer->slots[k].name);
    }
}

static void
variables_and_slots_are_tensorflow_s_after_every_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        check_answer(&answers[i]);
}

/* TensorFlow 1.15's test; 1.0 lost the sign. */
static void
proximal_gradient_descent_keeps_the_sign(void **state)
{
    const struct trial_hyper hypers[TRIAL_HYPERS_MAX] = {{"l1_regularization_strength", 0.001},
                                                         {"l2_regularization_strength", 2}};
    const double variable[2] = {1, 2}, gradient[2] = {0.1, 0.2}, wanted[2] = {-0.0495, -0.0995};
    struct trial trial;

    (void)state;
    trial_init(&trial, "proximal_gradient_descent", DTYPE_FLOAT32, 3, hypers, 2, variable);
    for (int i = 0; i < 10; i++)
        trial_apply(&trial, gradient, NULL);
    trial_near(trial.variable, wanted, 2, 1e-6, "w");
}

/* Rows 0, 1 and 0 of three get gradients: m, v and w of the others move too, once they are not 0.
 */
static void
adam_moves_every_row_by_a_sparse_gradient(void **state)
{
    const struct trial_hyper none[TRIAL_HYPERS_MAX] = {{NULL, 0}};
    const double variable[6] = {1, 1, 2, 2, 3, 3};
    const double gradients[3][2] = {{0.1, 0.2}, {0.3, 0.3}, {0.1, 0.2}};
    const uint64_t row_of[3] = {0, 1, 0}, order = 0;
    const double wanted[3][6] = {
        {0.9000009837985893, 0.9000008256865119, 2, 2, 3, 3},
        {0.8329960446673665, 0.832995780558334, 1.925587144915735, 1.925587144915735, 3, 3},
        {0.7511970420204508, 0.7511966864117169, 1.868065994521485, 1.868065994521485, 3, 3}};
    const double m[6] = {0.0181, 0.0362, 0.027, 0.027, 0, 0};
    const double v[6] = {1.998001e-05, 7.992004e-05, 8.991e-05, 8.991e-05, 0, 0};
    struct trial trial;

    (void)state;
    trial_init(&trial, "adam", DTYPE_FLOAT64, 0.1, none, 6, variable);
    for (int i = 0; i < 3; i++) {
        const struct optimizer_rows rows = {2, 1, &row_of[i], &order, gradients[i]};

        trial_apply(&trial, NULL, &rows);
        trial_near(trial.variable, wanted[i], 6, 1e-6, "w");
    }
    trial_near(trial.slots[0], m, 6, 1e-6, "m");
    trial_near(trial.slots[1], v, 6, 2e-9, "v");
}

/* By hand: |w| = 5, u = (0.1, 0.1) / (0.1 + 1e-6) + 0.01 * w, lr * 5 / |u|. */
static void
lamb_goes_by_the_norms_of_weights_and_step(void **state)
{
    const struct trial_hyper hypers[TRIAL_HYPERS_MAX] = {{"weight_decay", 0.01}};
    const double variable[2] = {3, 4}, gradient[2] = {0.1, 0.1};
    const double adam = 0.1 / (0.1 + 1e-6), u[2] = {adam + 0.03, adam + 0.04};
    const double rate = 0.1 * 5 / sqrt(u[0] * u[0] + u[1] * u[1]);
    const double wanted[2] = {3 - rate * u[0], 4 - rate * u[1]};
    struct trial trial;

    (void)state;
    trial_init(&trial, "lamb", DTYPE_FLOAT64, 0.1, hypers, 2, variable);
    trial_apply(&trial, gradient, NULL);
    trial_near(trial.variable, wanted, 2, 1e-12, "w");
}

/* From weights that are all zero there is no ratio of norms: the step is Adam's. */
static void
lamb_and_lars_start_from_zero(void **state)
{
    const struct trial_hyper none[TRIAL_HYPERS_MAX] = {{NULL, 0}};
    const double zeros[2] = {0, 0}, gradient[2] = {0.5, -0.5};
    const double adam[2] = {-0.1 * 0.5 / (0.5 + 1e-6), 0.1 * 0.5 / (0.5 + 1e-6)};
    const double momentum[2] = {-0.05, 0.05};
    struct trial trial;

    (void)state;
    trial_init(&trial, "lamb", DTYPE_FLOAT64, 0.1, none, 2, zeros);
    trial_apply(&trial, gradient, NULL);
    trial_near(trial.variable, adam, 2, 1e-12, "lamb");
    trial_init(&trial, "lars", DTYPE_FLOAT64, 0.1, none, 2, zeros);
    trial_apply(&trial, gradient, NULL);
    trial_near(trial.variable, momentum, 2, 1e-12, "lars");
}

/* TensorFlow makes float32 of a Python float before it makes float64 of that. */
static void
hyper_parameters_of_r1_0_go_by_way_of_float32(void **state)
{
    const struct trial_hyper hypers[TRIAL_HYPERS_MAX] = {{"momentum", 0.9}};
    const struct trial_hyper none[TRIAL_HYPERS_MAX] = {{NULL, 0}};
    const double variable[1] = {0}, gradient[1] = {1};
    struct trial trial;

    (void)state;
    trial_init(&trial, "momentum", DTYPE_FLOAT64, 0.001, hypers, 1, variable);
    trial_apply(&trial, gradient, NULL);
    assert_true(trial.variable[0] == -(double)0.001f);
    trial_apply(&trial, gradient, NULL);
    assert_true(trial.slots[0][0] == (double)0.9f + 1);
    trial_init(&trial, "lars", DTYPE_FLOAT64, 0.001, hypers, 1, variable);
    trial_apply(&trial, gradient, NULL);
    assert_true(trial.variable[0] == -0.001);
    trial_init(&trial, "adagrad", DTYPE_FLOAT64, 1, none, 1, variable);
    assert_true(trial.slots[0][0] == 0.1); /* a constant of the slot's dtype */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_and_slots_are_tensorflow_s_after_every_step),
        cmocka_unit_test(proximal_gradient_descent_keeps_the_sign),
        cmocka_unit_test(adam_moves_every_row_by_a_sparse_gradient),
        cmocka_unit_test(lamb_goes_by_the_norms_of_weights_and_step),
        cmocka_unit_test(lamb_and_lars_start_from_zero),
        cmocka_unit_test(hyper_parameters_of_r1_0_go_by_way_of_float32),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* An optimizer on a handful of numbers: they are written in float64 and rounded to the dtype.
 * Included by test programs only. */
#ifndef TESTS_UNIT_SERVICE_OPTIMIZER_TRIAL_H
#define TESTS_UNIT_SERVICE_OPTIMIZER_TRIAL_H

#include "service/tensor/convert.h"
#include "service/training/optimizer.h"

enum { TRIAL_ELEMENTS_MAX = 8, TRIAL_BYTES_MAX = 8 * TRIAL_ELEMENTS_MAX };

struct trial {
    const struct optimizer *optimizer;
    _Alignas(16) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
    struct optimizer_step step;
    uint32_t count;
    double variable[TRIAL_ELEMENTS_MAX];
    double slots[OPTIMIZER_SLOTS_MAX][TRIAL_ELEMENTS_MAX];
};

/* Hyper-parameters by name; flags are 0 or 1. */
struct trial_hyper {
    const char *name;
    double value;
};
enum { TRIAL_HYPERS_MAX = 5 };

static inline void
trial_set(struct trial *trial, const char *name, double value)
{
    const struct attr_spec *spec = attr_find(trial->optimizer->attrs, bytes_of_text(name));

    assert_non_null(spec);
    if (spec->kind == ATTR_KIND_BOOL)
        *(bool *)attr_at(spec, trial->params) = value != 0;
    else
        *(double *)attr_at(spec, trial->params) = value;
}

/* Slots and powers as they start, from hyper-parameters as they are by then. */
static inline void
trial_fill(struct trial *trial)
{
    const struct optimizer *o = trial->optimizer;

    for (uint32_t k = 0; k < optimizer_slot_count(o); k++)
        for (uint32_t i = 0; i < TRIAL_ELEMENTS_MAX; i++)
            trial->slots[k][i] = optimizer_slot_initial(o, k, trial->params);
    for (uint32_t k = 0; k < optimizer_power_count(o); k++)
        trial->step.powers[k] = optimizer_power_initial(o, k, trial->params);
}

static inline void
trial_init(struct trial *trial, const char *name, enum dtype dtype, double learning_rate,
           const struct trial_hyper hypers[static TRIAL_HYPERS_MAX], uint32_t count,
           const double *variable)
{
    *trial = (struct trial){.optimizer = optimizer_find(bytes_of_text(name)), .count = count};
    assert_non_null(trial->optimizer);
    assert_true(count <= TRIAL_ELEMENTS_MAX);
    attr_defaults(trial->optimizer->attrs, trial->params);
    for (uint32_t i = 0; i < TRIAL_HYPERS_MAX && hypers[i].name != NULL; i++)
        trial_set(trial, hypers[i].name, hypers[i].value);
    trial->step.params = trial->params;
    trial->step.dtype = dtype;
    trial->step.learning_rate = optimizer_learning_rate(trial->optimizer, learning_rate);
    memcpy(trial->variable, variable, count * sizeof *variable);
    trial_fill(trial);
}

static inline void
trial_encode(const struct trial *trial, const double *values, uint8_t *out)
{
    for (uint32_t i = 0; i < trial->count; i++)
        tensor_element_of_double(trial->step.dtype, values[i],
                                 out + i * dtype_size(trial->step.dtype));
}

static inline void
trial_decode(const struct trial *trial, const uint8_t *bytes, double *out)
{
    for (uint32_t i = 0; i < trial->count; i++)
        out[i] =
            tensor_element_as_double(trial->step.dtype, bytes + i * dtype_size(trial->step.dtype));
}

/* What is left of an apply once the elements are done. */
static inline void
trial_advance(struct trial *trial)
{
    for (uint32_t k = 0; k < optimizer_power_count(trial->optimizer); k++)
        trial->step.powers[k] =
            optimizer_power_next(trial->optimizer, k, trial->params, trial->step.powers[k]);
    trial->step.global_step++;
}

/* One apply of gradients for all elements, or with rows of some (of an optimizer with every_row).
 */
static inline void
trial_apply(struct trial *trial, const double *gradient, const struct optimizer_rows *rows)
{
    _Alignas(16) uint8_t variable[TRIAL_BYTES_MAX], gradients[TRIAL_BYTES_MAX];
    _Alignas(16) uint8_t slots[OPTIMIZER_SLOTS_MAX][TRIAL_BYTES_MAX];
    const struct optimizer *o = trial->optimizer;
    struct optimizer_step *step = &trial->step;
    struct optimizer_tile tile = {.count = trial->count,
                                  .variable = variable,
                                  .gradient = rows == NULL ? gradients : NULL,
                                  .variable_out = variable};

    trial_encode(trial, trial->variable, variable);
    if (rows == NULL)
        trial_encode(trial, gradient, gradients);
    for (uint32_t k = 0; k < optimizer_slot_count(o); k++) {
        if (!optimizer_slot_wanted(o, k, trial->params))
            continue;
        trial_encode(trial, trial->slots[k], slots[k]);
        tile.slots[k] = tile.slots_out[k] = slots[k];
    }
    step->sparse = rows != NULL;
    memset(step->sums, 0, sizeof step->sums);
    assert_int_equal(optimizer_check_step(o, step, NULL), OK);
    if (rows != NULL) {
        assert_int_equal(optimizer_apply_rows(NULL, o, step, rows, 0, &tile, NULL), OK);
    } else {
        if (o->measure != NULL)
            o->measure(step, &tile, step->sums);
        o->apply(step, &tile);
    }
    trial_decode(trial, variable, trial->variable);
    for (uint32_t k = 0; k < optimizer_slot_count(o); k++)
        if (tile.slots[k] != NULL)
            trial_decode(trial, slots[k], trial->slots[k]);
    trial_advance(trial);
}

static inline void
trial_near(const double *got, const double *wanted, uint32_t count, double tolerance,
           const char *what)
{
    for (uint32_t i = 0; i < count; i++)
        if (!(fabs(got[i] - wanted[i]) <= tolerance + tolerance * fabs(wanted[i])))
            fail_msg("%s: element %u is %.17g, not %.17g", what, i, got[i], wanted[i]);
}

#endif

/* The table of optimizers, and what follows from a row: slots, powers, checks. */
#include "service/training/optimizer.h"

#include <inttypes.h>

#include "service/name.h"
#include "store/base/check.h"

static const struct optimizer *const optimizers[] = {
#define OPTIMIZER(name) &optimizer_##name,
#include "service/optimizers/list.def"
#undef OPTIMIZER
};

const struct optimizer *
optimizer_at(size_t index)
{
    return index < OPTIMIZER_COUNT ? optimizers[index] : NULL;
}

size_t
optimizer_index(const struct optimizer *optimizer)
{
    size_t i = 0;

    while (optimizers[i] != optimizer)
        i++;
    return i;
}

const struct optimizer *
optimizer_find(struct bytes name)
{
    for (size_t i = 0; i < OPTIMIZER_COUNT; i++)
        if (bytes_equal(bytes_of_text(optimizers[i]->name), name))
            return optimizers[i];
    return NULL;
}

static const char *
name_at(const void *context, size_t index)
{
    (void)context;
    return index < OPTIMIZER_COUNT ? optimizers[index]->name : NULL;
}

const char *
optimizer_nearest(struct bytes name)
{
    return name_nearest(name, name_at, NULL);
}

double
optimizer_learning_rate(const struct optimizer *optimizer, double number)
{
    return optimizer->extension ? number : (double)(float)number;
}

static double
number_of(const struct optimizer *optimizer, const char *attr, const void *params)
{
    const struct attr_spec *spec = attr_find(optimizer->attrs, bytes_of_text(attr));

    CHECK(spec != NULL && spec->kind == ATTR_KIND_F64);
    return *(const double *)attr_in(spec, params);
}

/* --- slots ----------------------------------------------------------------------------------- */

uint32_t
optimizer_slot_count(const struct optimizer *optimizer)
{
    uint32_t count = 0;

    while (count < OPTIMIZER_SLOTS_MAX && optimizer->slots[count].name != NULL)
        count++;
    return count;
}

bool
optimizer_slot_wanted(const struct optimizer *optimizer, uint32_t slot, const void *params)
{
    const struct optimizer_slot *row = &optimizer->slots[slot];

    return row->wanted == NULL || row->wanted(params);
}

double
optimizer_slot_initial(const struct optimizer *optimizer, uint32_t slot, const void *params)
{
    const struct optimizer_slot *row = &optimizer->slots[slot];

    return row->initial_attr == NULL ? row->initial
                                     : number_of(optimizer, row->initial_attr, params);
}

/* --- powers ---------------------------------------------------------------------------------- */

uint32_t
optimizer_power_count(const struct optimizer *optimizer)
{
    uint32_t count = 0;

    while (count < OPTIMIZER_POWERS_MAX && optimizer->powers[count].name != NULL)
        count++;
    return count;
}

enum dtype
optimizer_power_dtype(const struct optimizer *optimizer)
{
    return optimizer->extension ? DTYPE_FLOAT64 : DTYPE_FLOAT32;
}

double
optimizer_power_initial(const struct optimizer *optimizer, uint32_t power, const void *params)
{
    double initial = number_of(optimizer, optimizer->powers[power].attr, params);

    return optimizer->extension ? initial : (double)(float)initial;
}

double
optimizer_power_next(const struct optimizer *optimizer, uint32_t power, const void *params,
                     double value)
{
    double factor = optimizer_power_initial(optimizer, power, params);

    return optimizer->extension ? value * factor : (double)((float)value * (float)factor);
}

/* --- steps ----------------------------------------------------------------------------------- */

bool
optimizer_every_row(const struct optimizer *optimizer, const void *params)
{
    return optimizer->every_row != NULL && optimizer->every_row(params);
}

enum err_code
optimizer_check_step(const struct optimizer *optimizer, const struct optimizer_step *step,
                     struct err *err)
{
    if ((optimizer->dtypes >> step->dtype & 1) == 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s does not train variables of dtype %s",
                       optimizer->name, dtype_name(step->dtype));
    return optimizer->check_step == NULL ? OK : optimizer->check_step(step, err);
}

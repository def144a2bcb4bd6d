/* One element at a time: the plain twin of every optimizer's loops. */
#include "service/tensor/convert.h"
#include "service/training/optimizer.h"
#include "store/base/check.h"

static optimizer_formula *
formula_of(const struct optimizer *optimizer, bool sparse, bool has_gradient)
{
    if (!has_gradient)
        return optimizer->unlisted;
    return sparse && optimizer->listed != NULL ? optimizer->listed : optimizer->dense;
}

static double
element_of(enum dtype dtype, const void *elements, uint64_t index)
{
    if (elements == NULL)
        return 0;
    return tensor_element_as_double(dtype, (const uint8_t *)elements + index * dtype_size(dtype));
}

static void
set_element(enum dtype dtype, void *elements, uint64_t index, double value)
{
    if (elements != NULL)
        tensor_element_of_double(dtype, value, (uint8_t *)elements + index * dtype_size(dtype));
}

void
optimizer_apply_plain(const struct optimizer *optimizer, const struct optimizer_step *step,
                      const struct optimizer_tile *tile)
{
    _Alignas(16) uint8_t factors[OPTIMIZER_FACTORS_BYTES_MAX];
    optimizer_formula *formula = formula_of(optimizer, step->sparse, tile->gradient != NULL);
    enum dtype dtype = step->dtype;

    CHECK(formula != NULL && optimizer->factors_size <= sizeof factors);
    optimizer->factors(step, factors);
    for (uint64_t i = 0; i < tile->count; i++) {
        struct optimizer_element e = {
            .variable = element_of(dtype, tile->variable, i),
            .gradient = element_of(dtype, tile->gradient, i),
        };

        for (uint32_t k = 0; k < OPTIMIZER_SLOTS_MAX; k++)
            e.slots[k] = element_of(dtype, tile->slots[k], i);
        formula(dtype, factors, &e);
        set_element(dtype, tile->variable_out, i, e.variable);
        for (uint32_t k = 0; k < OPTIMIZER_SLOTS_MAX; k++)
            set_element(dtype, tile->slots_out[k], i, e.slots[k]);
    }
}

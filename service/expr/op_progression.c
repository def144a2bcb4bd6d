/* Repeated addition of floats, with leaps.
 *
 * Between two powers of two all floats are multiples of one unit u, and a sum that falls there is
 * rounded to a multiple of u. So from a multiple of u, as long as sums stay there, every step is
 * the same number of units: delta / u to the nearest, and should delta lie half-way between two
 * multiples, the first sum is even, and from even ones all steps go the same way (k units when k is
 * even, else k + 1: both even). Two steps of the loop from a multiple of u therefore tell the rest
 * of a stretch, in whole numbers, exactly. At the lower end of a stretch sums may be rounded to a
 * finer unit; the leap stops before. */
#include "service/expr/op_progression.h"

#include <math.h>

/* How floats of a dtype are made: significand bits, and the exponent of the least one. */
struct float_form {
    int digits, exponent_min;
};

static struct float_form
form_of(enum dtype dtype)
{
    if (dtype == DTYPE_FLOAT32)
        return (struct float_form){.digits = 24, .exponent_min = -149};
    return (struct float_form){.digits = 53, .exponent_min = -1074};
}

static double
next_sum(const struct op_progression *p, double value)
{
    if (p->dtype == DTYPE_FLOAT32)
        return (float)((float)value + (float)p->delta_f64);
    return value + p->delta_f64;
}

/* The exponent of the unit that values like this one are multiples of. */
static int
unit_of(const struct float_form *form, double value)
{
    int exponent = 0;

    (void)frexp(value, &exponent);
    exponent -= form->digits;
    return exponent < form->exponent_min ? form->exponent_min : exponent;
}

/* How many more steps of `step` units from `at` units certainly stay in the stretch. */
static uint64_t
steps_left(const struct float_form *form, int unit, int64_t at, int64_t step)
{
    int64_t highest = ((int64_t)1 << form->digits) - 1;
    int64_t lowest = unit == form->exponent_min ? 1 : ((int64_t)1 << (form->digits - 1)) + 1;
    int64_t place = at < 0 ? -at : at, stride = step < 0 ? -step : step;
    int64_t room = (at < 0) == (step < 0) ? highest - place : place - lowest;

    return room < 0 ? 0 : (uint64_t)(room / stride);
}

/* After `from` and `a` comes `b`, *left steps before the end: the value some steps on, and *left
 * less. */
static double
leap(const struct op_progression *p, double from, double a, double b, uint64_t *left)
{
    struct float_form form = form_of(p->dtype);
    int unit = unit_of(&form, b);
    uint64_t steps;
    int64_t at, step;

    if (a == b) { /* delta is lost in the rounding, for ever */
        *left = 0;
        return b;
    }
    if (unit_of(&form, a) != unit || signbit(a) != signbit(b) || a == 0 || b == 0)
        return b;
    if (from != 0 && unit_of(&form, from) < unit)
        return b;
    at = (int64_t)ldexp(b, -unit);
    step = at - (int64_t)ldexp(a, -unit);
    steps = steps_left(&form, unit, at, step);
    steps = steps < *left ? steps : *left;
    *left -= steps;
    return ldexp((double)(at + (int64_t)steps * step), unit);
}

static double
float_at(const struct op_progression *p, uint64_t index)
{
    double value = p->start_f64;

    while (index > 0) {
        double a = next_sum(p, value), b;

        if (--index == 0 || !isfinite(a))
            return a;
        b = next_sum(p, a);
        if (--index == 0 || !isfinite(b))
            return b;
        value = leap(p, value, a, b, &index);
    }
    return value;
}

static void
fill_floats(const struct op_progression *p, uint64_t first, uint64_t count, void *out)
{
    double value = float_at(p, first);
    double *wide = out;
    float *narrow = out;

    for (uint64_t i = 0; i < count; i++) {
        if (p->dtype == DTYPE_FLOAT32)
            narrow[i] = (float)value;
        else
            wide[i] = value;
        value = next_sum(p, value);
    }
}

static void
fill_integers(const struct op_progression *p, uint64_t first, uint64_t count, void *out)
{
    uint64_t value = (uint64_t)p->start_i64 + first * (uint64_t)p->delta_i64;
    int64_t *wide = out;
    int32_t *narrow = out;

    for (uint64_t i = 0; i < count; i++) {
        if (p->dtype == DTYPE_INT32)
            narrow[i] = (int32_t)(int64_t)value;
        else
            wide[i] = (int64_t)value;
        value += (uint64_t)p->delta_i64;
    }
}

void
op_progression_fill(const struct op_progression *p, uint64_t first, uint64_t count, void *out)
{
    if (p->dtype == DTYPE_INT32 || p->dtype == DTYPE_INT64)
        fill_integers(p, first, count, out);
    else
        fill_floats(p, first, count, out);
}

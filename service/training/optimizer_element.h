/* What optimizers are written in: arithmetic in a dtype, and loops over elements made of formulas.
 *
 * A value is kept as a double that the dtype has exactly; every operation rounds to the dtype, half
 * precision by way of float32, as Eigen's half does. Where the dtype is a constant, as in the loops
 * below, the compiler is left with the plain arithmetic of that type, and vectorises it. Private to
 * service/optimizers. */
#ifndef SERVICE_TRAINING_OPTIMIZER_ELEMENT_H
#define SERVICE_TRAINING_OPTIMIZER_ELEMENT_H

#include <math.h>

#include "service/tensor/half.h"
#include "service/tensor/vector.h"
#include "service/training/optimizer.h"

VECTOR_FILE

#if defined(__OPTIMIZE__)
#define OPTIMIZER_INLINE static inline __attribute__((always_inline))
#else
#define OPTIMIZER_INLINE static inline
#endif

/* --- rounding -------------------------------------------------------------------------------- */

OPTIMIZER_INLINE float
nearest_float16(float value)
{
    uint32_t bits, magnitude, sign, normal;
    float tiny;

    memcpy(&bits, &value, sizeof bits);
    magnitude = bits & 0x7FFFFFFF;
    sign = bits ^ magnitude;
    normal = (magnitude + 0xFFF + (magnitude >> 13 & 1)) & 0xFFFFE000;
    normal = (int32_t)normal >= 0x47800000 ? 0x7F800000 : normal; /* 2^16 is infinity */
    memcpy(&tiny, &magnitude, sizeof tiny);
    tiny = (tiny + 0.5f) - 0.5f; /* below 2^-14: 0.5's last place is the spacing there, 2^-24 */
    memcpy(&bits, &tiny, sizeof bits);
    bits = (int32_t)magnitude < 0x38800000 ? bits : normal;
    bits = sign | ((int32_t)magnitude > 0x7F800000 ? magnitude : bits); /* NaN stays */
    memcpy(&value, &bits, sizeof value);
    return value;
}

OPTIMIZER_INLINE float
nearest_bfloat16(float value)
{
    uint32_t bits, rounded;

    memcpy(&bits, &value, sizeof bits);
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
    bits = (int32_t)(bits & 0x7FFFFFFF) > 0x7F800000 ? bits : rounded;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The result of an operation in float32, in a dtype that is not float64. */
OPTIMIZER_INLINE double
rounded(enum dtype t, float value)
{
    if (t == DTYPE_FLOAT16)
        return nearest_float16(value);
    if (t == DTYPE_BFLOAT16)
        return nearest_bfloat16(value);
    return value;
}

/* A number in the dtype: as TensorFlow takes a Python float, which is float32 first. */
OPTIMIZER_INLINE double
number(enum dtype t, double value)
{
    return rounded(t == DTYPE_FLOAT64 ? DTYPE_FLOAT32 : t, (float)value);
}

/* A number in the dtype, directly. */
OPTIMIZER_INLINE double
exact_number(enum dtype t, double value)
{
    return t == DTYPE_FLOAT64 ? value : rounded(t, (float)value);
}

/* --- operations ------------------------------------------------------------------------------ */

OPTIMIZER_INLINE double
add(enum dtype t, double a, double b)
{
    return t == DTYPE_FLOAT64 ? a + b : rounded(t, (float)a + (float)b);
}

OPTIMIZER_INLINE double
subtract(enum dtype t, double a, double b)
{
    return t == DTYPE_FLOAT64 ? a - b : rounded(t, (float)a - (float)b);
}

OPTIMIZER_INLINE double
multiply(enum dtype t, double a, double b)
{
    return t == DTYPE_FLOAT64 ? a * b : rounded(t, (float)a * (float)b);
}

OPTIMIZER_INLINE double
divide(enum dtype t, double a, double b)
{
    return t == DTYPE_FLOAT64 ? a / b : rounded(t, (float)a / (float)b);
}

OPTIMIZER_INLINE double
square(enum dtype t, double a)
{
    return multiply(t, a, a);
}

OPTIMIZER_INLINE double
root(enum dtype t, double a)
{
    return t == DTYPE_FLOAT64 ? sqrt(a) : rounded(t, sqrtf((float)a));
}

OPTIMIZER_INLINE double
power(enum dtype t, double a, double b)
{
    return t == DTYPE_FLOAT64 ? pow(a, b) : rounded(t, powf((float)a, (float)b));
}

OPTIMIZER_INLINE double
magnitude(enum dtype t, double a)
{
    return t == DTYPE_FLOAT64 ? fabs(a) : (double)fabsf((float)a);
}

/* a > b ? yes : no */
OPTIMIZER_INLINE double
if_greater(enum dtype t, double a, double b, double yes, double no)
{
    if (t == DTYPE_FLOAT64)
        return a > b ? yes : no;
    return (float)a > (float)b ? (float)yes : (float)no;
}

/* a, or b where that is greater: a where one is NaN, as Eigen's cwiseMax. */
OPTIMIZER_INLINE double
maximum(enum dtype t, double a, double b)
{
    return if_greater(t, b, a, b, a);
}

/* 0 for NaN, as Eigen's. */
OPTIMIZER_INLINE double
sign(enum dtype t, double a)
{
    return if_greater(t, a, 0, 1, if_greater(t, 0, a, -1, 0));
}

/* --- loops ----------------------------------------------------------------------------------- */

/* Elements in memory: doubles of float64, floats of all others. */
OPTIMIZER_INLINE double
load(enum dtype t, const void *elements, uint64_t i)
{
    return t == DTYPE_FLOAT64 ? ((const double *)elements)[i] : ((const float *)elements)[i];
}

OPTIMIZER_INLINE void
store(enum dtype t, void *elements, uint64_t i, double value)
{
    if (t == DTYPE_FLOAT64)
        ((double *)elements)[i] = value;
    else
        ((float *)elements)[i] = (float)value;
}

OPTIMIZER_INLINE bool
has(uint32_t slots, uint32_t slot)
{
    return (slots >> slot & 1) != 0;
}

OPTIMIZER_INLINE void
loop_elements(optimizer_formula *formula, uint32_t slots, const void *factors, enum dtype t,
              const struct optimizer_tile *tile)
{
    const void *variable = tile->variable;
    const void *gradient = tile->gradient != NULL ? tile->gradient : variable;
    const void *slot_0 = tile->slots[0], *slot_1 = tile->slots[1], *slot_2 = tile->slots[2];
    void *variable_out = tile->variable_out;
    void *out_0 = tile->slots_out[0], *out_1 = tile->slots_out[1], *out_2 = tile->slots_out[2];
    uint64_t count = tile->count;

    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++) {
        struct optimizer_element e = {
            .variable = load(t, variable, i),
            .gradient = load(t, gradient, i),
            .slots = {has(slots, 0) ? load(t, slot_0, i) : 0,
                      has(slots, 1) ? load(t, slot_1, i) : 0,
                      has(slots, 2) ? load(t, slot_2, i) : 0},
        };

        formula(t, factors, &e);
        store(t, variable_out, i, e.variable);
        if (has(slots, 0))
            store(t, out_0, i, e.slots[0]);
        if (has(slots, 1))
            store(t, out_1, i, e.slots[1]);
        if (has(slots, 2))
            store(t, out_2, i, e.slots[2]);
    }
}

/* Half precision by blocks that are widened, in memory of the loop's own, and narrowed again. */
enum { OPTIMIZER_BLOCK = 256 };

OPTIMIZER_INLINE void
widen(enum dtype t, const void *elements, uint64_t skip, float *out, uint64_t count)
{
    const uint16_t *from = (const uint16_t *)elements + skip;

    if (t == DTYPE_FLOAT16)
        half_to_floats(from, out, count);
    else
        bfloat16_to_floats(from, out, count);
}

OPTIMIZER_INLINE void
narrow(enum dtype t, const float *in, void *elements, uint64_t skip, uint64_t count)
{
    uint16_t *to = (uint16_t *)elements + skip;

    if (t == DTYPE_FLOAT16)
        half_of_floats(in, to, count);
    else
        bfloat16_of_floats(in, to, count);
}

OPTIMIZER_INLINE void
loop_halves(optimizer_formula *formula, uint32_t slots, const void *factors, enum dtype t,
            const struct optimizer_tile *tile)
{
    _Alignas(64) float variable[OPTIMIZER_BLOCK], gradient[OPTIMIZER_BLOCK];
    _Alignas(64) float slot[OPTIMIZER_SLOTS_MAX][OPTIMIZER_BLOCK];
    struct optimizer_tile block = {
        .variable = variable,
        .gradient = tile->gradient != NULL ? gradient : NULL,
        .slots = {slot[0], slot[1], slot[2]},
        .variable_out = variable,
        .slots_out = {slot[0], slot[1], slot[2]},
    };

    for (uint64_t done = 0; done < tile->count; done += block.count) {
        uint64_t left = tile->count - done;

        block.count = left < OPTIMIZER_BLOCK ? left : OPTIMIZER_BLOCK;
        widen(t, tile->variable, done, variable, block.count);
        if (tile->gradient != NULL)
            widen(t, tile->gradient, done, gradient, block.count);
        for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++)
            if (has(slots, i))
                widen(t, tile->slots[i], done, slot[i], block.count);
        loop_elements(formula, slots, factors, t, &block);
        narrow(t, variable, tile->variable_out, done, block.count);
        for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++)
            if (has(slots, i))
                narrow(t, slot[i], tile->slots_out[i], done, block.count);
    }
}

/* One formula over a tile, in a function that is VECTOR_CLONES. slots: bit i: slot i is wanted.
 * formula and slots are constants. */
OPTIMIZER_INLINE void
optimizer_loop(optimizer_formula *formula, uint32_t slots, const void *factors, enum dtype dtype,
               const struct optimizer_tile *tile)
{
    if (dtype == DTYPE_FLOAT32)
        loop_elements(formula, slots, factors, DTYPE_FLOAT32, tile);
    else if (dtype == DTYPE_FLOAT64)
        loop_elements(formula, slots, factors, DTYPE_FLOAT64, tile);
    else if (dtype == DTYPE_FLOAT16)
        loop_halves(formula, slots, factors, DTYPE_FLOAT16, tile);
    else
        loop_halves(formula, slots, factors, DTYPE_BFLOAT16, tile);
}

#endif

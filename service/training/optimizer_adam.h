/* The formulas of Adam, which adamw shares: its lines are those of TensorFlow's ApplyAdam and of
 * AdamOptimizer._apply_sparse, which differ in how they round. Private to service/optimizers. */
#ifndef SERVICE_TRAINING_OPTIMIZER_ADAM_H
#define SERVICE_TRAINING_OPTIMIZER_ADAM_H

#include "service/training/optimizer_element.h"

enum { ADAM_M, ADAM_V, ADAM_SLOTS = 1 << ADAM_M | 1 << ADAM_V };

/* All in the variable's dtype. */
struct adam_factors {
    double beta1, beta1_rest; /* rest: 1 - beta1 */
    double beta2, beta2_rest;
    double epsilon;
    double rate;         /* lr * sqrt(1 - beta2_power) / (1 - beta1_power) */
    double weight_decay; /* adamw's; taken off before the step */
};

/* beta1, beta2, epsilon are set; learning_rate and powers are the step's, in the dtype. */
static inline void
adam_finish_factors(enum dtype t, double learning_rate, double beta1_power, double beta2_power,
                    struct adam_factors *f)
{
    double unbiased = multiply(t, learning_rate, root(t, subtract(t, 1, beta2_power)));

    f->beta1_rest = subtract(t, 1, f->beta1);
    f->beta2_rest = subtract(t, 1, f->beta2);
    f->rate = divide(t, unbiased, subtract(t, 1, beta1_power));
}

OPTIMIZER_INLINE void
adam_move(enum dtype t, const struct adam_factors *f, double m, double v,
          struct optimizer_element *e)
{
    double step = divide(t, multiply(t, m, f->rate), add(t, root(t, v), f->epsilon));

    e->variable = subtract(t, e->variable, step);
    e->slots[ADAM_M] = m;
    e->slots[ADAM_V] = v;
}

/* m += (g - m) * (1 - beta1), v += (g^2 - v) * (1 - beta2) */
OPTIMIZER_INLINE void
adam_dense(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct adam_factors *f = factors;
    double g = e->gradient, m = e->slots[ADAM_M], v = e->slots[ADAM_V];

    m = add(t, m, multiply(t, subtract(t, g, m), f->beta1_rest));
    v = add(t, v, multiply(t, subtract(t, square(t, g), v), f->beta2_rest));
    adam_move(t, f, m, v, e);
}

/* m = m * beta1 + g * (1 - beta1), v = v * beta2 + g^2 * (1 - beta2) */
OPTIMIZER_INLINE void
adam_listed(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct adam_factors *f = factors;
    double g = e->gradient;
    double m = multiply(t, e->slots[ADAM_M], f->beta1);
    double v = multiply(t, e->slots[ADAM_V], f->beta2);

    m = add(t, m, multiply(t, g, f->beta1_rest));
    v = add(t, v, multiply(t, square(t, g), f->beta2_rest));
    adam_move(t, f, m, v, e);
}

OPTIMIZER_INLINE void
adam_unlisted(enum dtype t, const void *factors, struct optimizer_element *e)
{
    const struct adam_factors *f = factors;

    adam_move(t, f, multiply(t, e->slots[ADAM_M], f->beta1),
              multiply(t, e->slots[ADAM_V], f->beta2), e);
}

#endif

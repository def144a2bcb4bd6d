/* The proximal step, at one rate for all elements or at the element's own. Private to
 * service/optimizers. */
#ifndef SERVICE_TRAINING_OPTIMIZER_PROXIMAL_H
#define SERVICE_TRAINING_OPTIMIZER_PROXIMAL_H

#include "service/training/optimizer_element.h"

struct proximal_factors {
    double learning_rate, l1, l2; /* in the variable's dtype */
    bool shrinks;                 /* l1 > 0 */
};

static inline void
proximal_set_factors(const struct optimizer_step *step, double l1, double l2,
                     struct proximal_factors *f)
{
    f->learning_rate = exact_number(step->dtype, step->learning_rate);
    f->l1 = number(step->dtype, l1);
    f->l2 = number(step->dtype, l2);
    f->shrinks = f->l1 > 0;
}

OPTIMIZER_INLINE double
proximal_move(enum dtype t, const struct proximal_factors *f, double w, double g, double rate)
{
    double p = subtract(t, w, multiply(t, g, rate));
    double above = maximum(t, subtract(t, magnitude(t, p), multiply(t, rate, f->l1)), 0);
    double shrunk = f->shrinks ? multiply(t, sign(t, p), above) : p;

    return divide(t, shrunk, add(t, 1, multiply(t, f->l2, rate)));
}

#endif

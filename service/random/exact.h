/* Logarithm, sine and cosine in double, correctly rounded, the same on every machine. Private to
 * service/random: the arguments are those of the Box-Muller transform. */
#ifndef SERVICE_RANDOM_EXACT_H
#define SERVICE_RANDOM_EXACT_H

/* x in [2^-30, 1). */
double random_exact_log(double x);
/* x in [0, 2 pi]. */
void random_exact_sincos(double x, double *sine, double *cosine);

#endif

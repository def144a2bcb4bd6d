/* Correctly rounded functions by double-double arithmetic.
 *
 * Numbers are carried as an unevaluated sum of two doubles (Dekker, Numerische Mathematik 18,
 * 1971), with a relative error near 2^-99 at the end. The nearest double is wrong only where the
 * true value lies within that of the middle between two doubles: about one argument in 2^45. */
#include "service/random/exact.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "service/random/exact_table.h"

struct pair {
    double high, low;
};

static inline struct pair
add_ordered(double a, double b) /* |a| >= |b|, or a == 0 */
{
    double sum = a + b;

    return (struct pair){sum, b - (sum - a)};
}

static inline struct pair
add_exactly(double a, double b)
{
    double sum = a + b, part = sum - a;

    return (struct pair){sum, (a - (sum - part)) + (b - part)};
}

/* Dekker's product: each factor in two halves whose products are exact. */
static inline struct pair
multiply_exactly(double a, double b)
{
    const double splitter = 134217729.0; /* 2^27 + 1 */
    double a_scaled = splitter * a, b_scaled = splitter * b;
    double a_high = a_scaled - (a_scaled - a), b_high = b_scaled - (b_scaled - b);
    double a_low = a - a_high, b_low = b - b_high, product = a * b;

    return (struct pair){product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) +
                                      a_low * b_low};
}

static inline struct pair
add(struct pair a, struct pair b)
{
    struct pair high = add_exactly(a.high, b.high), low = add_exactly(a.low, b.low);

    high = add_ordered(high.high, high.low + low.high);
    return add_ordered(high.high, high.low + low.low);
}

static inline struct pair
multiply(struct pair a, struct pair b)
{
    struct pair product = multiply_exactly(a.high, b.high);

    return add_ordered(product.high, product.low + (a.high * b.low + a.low * b.high));
}

static inline struct pair
negate(struct pair a)
{
    return (struct pair){-a.high, -a.low};
}

static inline struct pair
pair_of(const double constant[2])
{
    return (struct pair){constant[0], constant[1]};
}

/* ln(1 + f) = f - f^2/2 + f^3/3 - ..., |f| < 2^-7.3. Terms past the ninth matter in double only. */
static struct pair
log_near_one(struct pair f)
{
    double tail = 0;
    struct pair sum;

    for (int n = 17; n >= 10; n--)
        tail = 1.0 / n - f.high * tail;
    sum = add(pair_of(exact_inverse[9]), negate(multiply(f, (struct pair){tail, 0})));
    for (int n = 8; n >= 1; n--)
        sum = add(pair_of(exact_inverse[n]), negate(multiply(f, sum)));
    return multiply(f, sum);
}

double
random_exact_log(double x)
{
    int exponent = 0, j;
    double mantissa = frexp(x, &exponent);
    const double *row;
    struct pair f, result;

    /* x = mantissa * 2^exponent with mantissa in [sqrt(1/2), sqrt(2)). */
    if (mantissa < 0x1.6a09e667f3bcdp-1) {
        mantissa *= 2;
        exponent--;
    }
    /* ln x = exponent ln 2 - ln c + ln(mantissa * c), c a short number near 1/mantissa. */
    j = (int)(mantissa * EXACT_LOG_STEPS + 0.5);
    row = exact_log[j - EXACT_LOG_FIRST];
    f = multiply_exactly(mantissa, row[0]);
    f = add_exactly(f.high - 1.0, f.low);
    result = log_near_one(f);
    result = add(pair_of(row + 1), result);
    result = add(multiply((struct pair){exponent, 0}, pair_of(exact_ln2 + 1)), result);
    result = add((struct pair){exponent * exact_ln2[0], 0}, result);
    return result.high;
}

/* x - j pi/64. The first product is exact and so is the difference, being small. */
static struct pair
reduce(double x, int j)
{
    double left = x - j * exact_step[0];
    struct pair y = add_exactly(left, -(j * exact_step[1]));

    return add(y, (struct pair){-(j * exact_step[2]), 0});
}

/* y^first/first! - ... of sine (first = 1) or cosine (first = 0), |y| <= pi/128; terms past the
 * ninth power matter in double only. */
static struct pair
series(struct pair y, struct pair y2, int first)
{
    double tail = 0;
    struct pair sum;
    int n = 16 + first;

    for (; n >= 10; n -= 2)
        tail = exact_factorial[n][0] + y2.high * tail;
    sum = (struct pair){tail, 0};
    for (; n >= 0; n -= 2)
        sum = add(pair_of(exact_factorial[n]), multiply(y2, sum));
    return first == 1 ? multiply(y, sum) : sum;
}

void
random_exact_sincos(double x, double *sine, double *cosine)
{
    const double steps_per_unit = 0x1.45f306dc9c883p+4; /* 64/pi */
    int j = (int)(x * steps_per_unit + 0.5);
    struct pair y = reduce(x, j), y2 = multiply(y, y);
    struct pair small_sine = series(y, y2, 1), small_cosine = series(y, y2, 0);
    struct pair s = pair_of(exact_sine[j % EXACT_TURN]);
    struct pair c = pair_of(exact_sine[j % EXACT_TURN + EXACT_QUARTER]);

    *sine = add(multiply(s, small_cosine), multiply(c, small_sine)).high;
    *cosine = add(multiply(c, small_cosine), negate(multiply(s, small_sine))).high;
}

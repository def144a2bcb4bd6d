/* Profiles: which build of TensorFlow on which libm a normal number follows.
 *
 * float32 normals are products of three factors that depend on 23 bits each, so a profile is three
 * tables of 2^23 numbers; the unit test goes through all of those of the portable profiles. A
 * portable profile gives the same bits on every machine: its functions are made here from double
 * functions whose true values keep their distance from where float32 rounding changes, so any libm
 * will do. The others call the host's own, and follow it wherever that leads.
 *
 *   r1-linux         double logarithm and root, rounded once (the r1.0 wheels: gcc 4.8 found no
 *                    other overload); sine and cosine as glibc 2.16 to 2.26 had them: correctly
 *                    rounded but for three inputs
 *   late-glibc-2.26  float32 root of Sun's float32 logarithm; sine and cosine as above
 *   float-cr         everything float32 and correctly rounded
 *   modern-linux     the host's logf, sqrtf and sincosf: those of glibc 2.28 and later are meant
 *   r1-new-glibc     radius as r1-linux, sine and cosine the host's
 *
 * float64 normals are correctly rounded under the portable profiles, and the host's log, sin and
 * cos under the others. */
#include <math.h>

#include "service/random/exact.h"
#include "service/random/parts.h"

static const char *const profile_names[RANDOM_PROFILE_COUNT] = {
    [RANDOM_PROFILE_R1_LINUX] = "r1-linux",
    [RANDOM_PROFILE_LATE_GLIBC_2_26] = "late-glibc-2.26",
    [RANDOM_PROFILE_FLOAT_CR] = "float-cr",
    [RANDOM_PROFILE_MODERN_LINUX] = "modern-linux",
    [RANDOM_PROFILE_R1_NEW_GLIBC] = "r1-new-glibc",
};

const char *
random_profile_name(enum random_profile profile)
{
    return (unsigned)profile < RANDOM_PROFILE_COUNT ? profile_names[profile] : "unknown";
}

bool
random_profile_is_portable(enum random_profile profile)
{
    return profile != RANDOM_PROFILE_MODERN_LINUX && profile != RANDOM_PROFILE_R1_NEW_GLIBC;
}

static float
float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* --- the float32 logarithm of fdlibm ------------------------------------------------------- */

/* ln(1 + f) - k ln 2 for |f| < 2^-20: f - R, R = f^2 (1/2 - f/3). */
static float
fdlibm_log_tiny(float f, float k)
{
    float rest = f * f * (0.5f - FDLIBM_THIRD * f);

    if (f == 0.0f)
        return k == 0.0f ? 0.0f : k * FDLIBM_LN2_HIGH + k * FDLIBM_LN2_LOW;
    if (k == 0.0f)
        return f - rest;
    return k * FDLIBM_LN2_HIGH - ((rest - k * FDLIBM_LN2_LOW) - f);
}

/* Sun's algorithm for a positive normal float32: x = 2^k (1 + f) with 1 + f in [sqrt(1/2),
 * sqrt(2)); with s = f / (2 + f), ln(1 + f) = f - s (f - R(s^2)), or, where f is neither small nor
 * large, f - (f^2/2 - s (f^2/2 + R)). The order of every operation is the algorithm's: the last bit
 * hangs on it. Published as part of fdlibm (Sun Microsystems, 1993), which glibc had until 2.26. */
float
random_fdlibm_logf(float x)
{
    uint32_t word;
    int32_t exponent, fraction, up, in_middle;
    float f, s, z, w, rest, k, half_square;

    memcpy(&word, &x, sizeof word);
    exponent = (int32_t)(word >> 23) - 127;
    fraction = (int32_t)(word & 0x7FFFFF);
    up = (fraction + (0x95F64 << 3)) & 0x800000;
    exponent += up >> 23;
    f = float_of_bits((uint32_t)(fraction | (up ^ 0x3F800000))) - 1.0f;
    k = (float)exponent;
    if ((0x7FFFFF & (15 + fraction)) < 16)
        return fdlibm_log_tiny(f, k);
    s = f / (2.0f + f);
    z = s * s;
    w = z * z;
    rest = w * (FDLIBM_LG2 + w * (FDLIBM_LG4 + w * FDLIBM_LG6)) +
           z * (FDLIBM_LG1 + w * (FDLIBM_LG3 + w * (FDLIBM_LG5 + w * FDLIBM_LG7)));
    in_middle = (fraction - (0x6147A << 3)) | ((0x6B851 << 3) - fraction);
    if (in_middle > 0) {
        half_square = 0.5f * f * f;
        if (exponent == 0)
            return f - (half_square - s * (half_square + rest));
        return k * FDLIBM_LN2_HIGH -
               ((half_square - (s * (half_square + rest) + k * FDLIBM_LN2_LOW)) - f);
    }
    if (exponent == 0)
        return f - s * (f - rest);
    return k * FDLIBM_LN2_HIGH - ((s * (f - rest) - k * FDLIBM_LN2_LOW) - f);
}

/* --- float32 ------------------------------------------------------------------------------- */

float
random_uniform_float(uint32_t word)
{
    return float_of_bits(0x3F800000 | (word & RANDOM_MANTISSA_FLOAT)) - 1.0f;
}

float
random_radius_plain(enum random_profile profile, uint32_t word)
{
    float uniform = random_uniform_float(word);

    if (uniform < RANDOM_UNIFORM_MIN)
        uniform = RANDOM_UNIFORM_MIN;
    switch (profile) {
    case RANDOM_PROFILE_LATE_GLIBC_2_26:
        return sqrtf(-2.0f * random_fdlibm_logf(uniform));
    case RANDOM_PROFILE_FLOAT_CR:
        return sqrtf(-2.0f * (float)log((double)uniform));
    case RANDOM_PROFILE_MODERN_LINUX:
        return sqrtf(-2.0f * logf(uniform));
    case RANDOM_PROFILE_R1_LINUX:
    case RANDOM_PROFILE_R1_NEW_GLIBC:
    case RANDOM_PROFILE_COUNT:
        break;
    }
    return (float)sqrt(-2.0 * log((double)uniform));
}

/* The three inputs that glibc 2.16 to 2.26 rounded its own way. */
static void
apply_exceptions(uint32_t word, struct random_factors *out)
{
    switch (word & RANDOM_MANTISSA_FLOAT) {
    case RANDOM_ODD_SINE_1:
        out->sine = float_of_bits(RANDOM_ODD_SINE_1_BITS);
        break;
    case RANDOM_ODD_SINE_2:
        out->sine = float_of_bits(RANDOM_ODD_SINE_2_BITS);
        break;
    case RANDOM_ODD_COSINE:
        out->cosine = float_of_bits(RANDOM_ODD_COSINE_BITS);
        break;
    default:
        break;
    }
}

void
random_factors_plain(enum random_profile profile, uint32_t radius_word, uint32_t angle_word,
                     struct random_factors *out)
{
    const float angle = (float)(2.0 * M_PI * (double)random_uniform_float(angle_word));

    out->radius = random_radius_plain(profile, radius_word);
    if (!random_profile_is_portable(profile)) {
        sincosf(angle, &out->sine, &out->cosine);
        return;
    }
    out->sine = (float)sin((double)angle);
    out->cosine = (float)cos((double)angle);
    if (profile != RANDOM_PROFILE_FLOAT_CR)
        apply_exceptions(angle_word, out);
}

void
random_float_pair(enum random_profile profile, const uint32_t words[2], float out[2])
{
    struct random_factors factors;

    random_factors_plain(profile, words[0], words[1], &factors);
    out[0] = factors.sine * factors.radius;
    out[1] = factors.cosine * factors.radius;
}

/* --- float64 ------------------------------------------------------------------------------- */

/* The first word is the high part. */
double
random_uniform_double(uint32_t high, uint32_t low)
{
    uint64_t bits = (uint64_t)0x3FF << 52 | (uint64_t)(high & 0xFFFFF) << 32 | low;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value - 1.0;
}

void
random_double_pair(enum random_profile profile, const uint32_t words[4], double out[2])
{
    double uniform = random_uniform_double(words[0], words[1]), sine = 0, cosine = 0, radius;
    const double angle = 2.0 * M_PI * random_uniform_double(words[2], words[3]);

    if (uniform < RANDOM_UNIFORM_MIN_DOUBLE)
        uniform = RANDOM_UNIFORM_MIN_DOUBLE;
    if (random_profile_is_portable(profile)) {
        radius = sqrt(-2.0 * random_exact_log(uniform));
        random_exact_sincos(angle, &sine, &cosine);
    } else {
        radius = sqrt(-2.0 * log(uniform));
        sine = sin(angle);
        cosine = cos(angle);
    }
    out[0] = sine * radius;
    out[1] = cosine * radius;
}

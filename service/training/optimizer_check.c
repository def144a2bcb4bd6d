#include "service/training/optimizer_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/tensor/convert.h"

enum {
    FLOAT_TEXT_BYTES_MAX = 40,
    FLOAT_DIGITS_MAX = 17,   /* always enough to read the same number back */
    FLOAT_EXPONENT_MIN = -4, /* from here … */
    FLOAT_EXPONENT_MAX = 16, /* … to below here Python writes no exponent */
};

/* A finite number as Python writes it: the fewest digits that read back, "0.0", "-1e-05". */
static const char *
float_text(double value, char out[static FLOAT_TEXT_BYTES_MAX])
{
    int digits = 0, exponent;

    do
        (void)snprintf(out, FLOAT_TEXT_BYTES_MAX, "%.*e", digits, value);
    while (strtod(out, NULL) != value && digits++ < FLOAT_DIGITS_MAX);
    exponent = (int)strtol(strchr(out, 'e') + 1, NULL, 10);
    if (exponent >= FLOAT_EXPONENT_MIN && exponent < FLOAT_EXPONENT_MAX)
        (void)snprintf(out, FLOAT_TEXT_BYTES_MAX, "%.*f", digits > exponent ? digits - exponent : 1,
                       value);
    return out;
}

enum err_code
optimizer_check_positive(double value, const char *words, struct err *err)
{
    char text[FLOAT_TEXT_BYTES_MAX];

    if (value > 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "%s%s", words, float_text(value, text));
}

enum err_code
optimizer_check_not_negative(double value, const char *words, struct err *err)
{
    char text[FLOAT_TEXT_BYTES_MAX];

    if (value >= 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "%s%s", words, float_text(value, text));
}

enum err_code
optimizer_check_positive_rate(const struct optimizer_step *step, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t element[OP_ELEMENT_BYTES_MAX];
    double rounded;

    tensor_element_of_double(step->dtype, step->learning_rate, element);
    rounded = tensor_element_as_double(step->dtype, element);
    if (rounded > 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "lr is not a positive scalar: [], it is %.9g, which is %.9g in %s",
                   step->learning_rate, rounded, dtype_name(step->dtype));
}

enum err_code
optimizer_check_strength(const char *name, double value, struct err *err)
{
    char text[FLOAT_TEXT_BYTES_MAX];

    if (value >= 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%s regularization strength is not a non-negative scalar: [], it is %s", name,
                   float_text(value, text));
}

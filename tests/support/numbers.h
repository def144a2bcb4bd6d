/* Whole texts read as numbers of the narrower dtypes, which the server reads in lists alone. */
#ifndef TESTS_SUPPORT_NUMBERS_H
#define TESTS_SUPPORT_NUMBERS_H

#include "api/json/number.h"

static inline bool
number_is(const char *text, size_t length, struct api_number *out)
{
    return length > 0 && api_number_scan(text, length, out) == length;
}

static inline bool
number_is_integer(const char *text, size_t length)
{
    struct api_number number;

    return number_is(text, length, &number) && number.integer;
}

static inline bool
number_f32(const char *text, size_t length, float *out)
{
    struct api_number number;

    return number_is(text, length, &number) && api_number_as_f32(&number, out);
}

static inline bool
number_f16(const char *text, size_t length, uint16_t *out)
{
    struct api_number number;

    return number_is(text, length, &number) && api_number_as_f16(&number, out);
}

static inline bool
number_bf16(const char *text, size_t length, uint16_t *out)
{
    struct api_number number;

    return number_is(text, length, &number) && api_number_as_bf16(&number, out);
}

#endif

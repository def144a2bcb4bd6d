/* The known draws of tests/vectors/random.inc, and whether a result is one of them. */
#ifndef TESTS_UNIT_SERVICE_DRAW_CASES_H
#define TESTS_UNIT_SERVICE_DRAW_CASES_H

#include <math.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/tensor/convert.h"
#include "tests/vectors/random_cases.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#include "tests/vectors/random.inc"
#pragma GCC diagnostic pop

enum {
    DRAW_TEXT_MAX = 64,
    DRAW_BYTES_MAX = 1 << 20,
    DRAW_CASES = sizeof draw_cases / sizeof draw_cases[0]
};

static inline void
draw_print_fixed(double value, char text[DRAW_TEXT_MAX])
{
    size_t end = (size_t)snprintf(text, DRAW_TEXT_MAX, "%.8f", value);

    while (text[end - 1] == '0')
        text[--end] = '\0';
}

static inline bool
draw_agrees(const struct draw_case *c, const uint8_t *element, const char *expected)
{
    const double value = tensor_element_as_double(c->dtype, element);
    char text[DRAW_TEXT_MAX];
    uint64_t bits = 0;
    int64_t integer = 0;

    switch (c->style) {
    case STYLE_EXACT:
        tensor_cast(c->dtype, element, DTYPE_INT64, &integer, 1);
        return integer == strtoll(expected, NULL, 10);
    case STYLE_BITS:
        memcpy(&bits, element, dtype_size(c->dtype));
        return bits == strtoull(expected, NULL, 16);
    case STYLE_CLOSE:
        return fabs(value - strtod(expected, NULL)) <= 1e-6 + 1e-6 * fabs(value);
    case STYLE_FLOAT32:
        return (float)value == strtof(expected, NULL);
    case STYLE_SHORTEST:
        draw_print_fixed(value, text);
        return (float)value == strtof(expected, NULL) || strcmp(text, expected) == 0;
    case STYLE_FIXED:
        draw_print_fixed(value, text);
        return strcmp(text, expected) == 0;
    }
    return false;
}

static inline void
draw_check_digest(const struct draw_case *c, const uint8_t *result, uint64_t size)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    char text[2 * SHA256_DIGEST_SIZE + 1];

    sha256_init(&context);
    sha256_update(&context, size, result);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(text, c->sha256) != 0)
        fail_msg("%s: another digest", c->id);
}

/* All of the case's runs, one after the other. */
static inline void
draw_check(const struct draw_case *c, const uint8_t *result, uint64_t size)
{
    for (size_t j = 0; j < c->expected_count; j++) {
        const uint8_t *element = result + (c->select + j) * dtype_size(c->dtype);

        if (!draw_agrees(c, element, c->expected[j]))
            fail_msg("%s under %s: element %zu is %.17g, not %s", c->id,
                     random_profile_name(c->profile), (size_t)c->select + j,
                     tensor_element_as_double(c->dtype, element), c->expected[j]);
    }
    if (c->sha256 != NULL)
        draw_check_digest(c, result, size);
}

#endif

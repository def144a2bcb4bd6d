/* Numbers out of text: the grammar, the integers, and the first 19 digits for number_float.c.
 *
 * One pass, no copy. 19 digits always fit 64 bits; what follows them only decides ties, so it is
 * kept as one bit (`more`) and as the borrowed text. Exponents saturate far outside of what any
 * type can hold. */
#include "api/json/number.h"

#define EXPONENT_MAX INT64_C(1000000000000000)

static bool
is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static const char *
digits_from(const char *p, const char *end, uint64_t *digits)
{
    while (p < end && is_digit(*p))
        *digits = *digits * 10 + (uint64_t)(*p++ - '0');
    return p;
}

/* The exponent behind "e" or "E"; NULL when p does not begin a whole one. */
static const char *
exponent_from(const char *p, const char *end, int64_t *exponent)
{
    bool negative = false;
    int64_t value = 0;

    if (++p < end && (*p == '+' || *p == '-'))
        negative = *p++ == '-';
    if (p == end || !is_digit(*p))
        return NULL;
    for (; p < end && is_digit(*p); p++)
        if (value < EXPONENT_MAX)
            value = value * 10 + (*p - '0');
    *exponent = negative ? -value : value;
    return p;
}

/* The digits from `first` to `end` again, now only 19 of them: more wrapped around in `digits`. */
static void
cut_digits(struct api_number *number, const char *first, const char *end)
{
    unsigned taken = 0;
    bool fraction = false;

    number->digits = 0;
    for (const char *p = first; p < end; p++) {
        if (*p == '.') {
            fraction = true;
        } else if (taken < API_NUMBER_DIGITS_MAX) {
            number->digits = number->digits * 10 + (uint64_t)(*p - '0');
            taken += number->digits != 0;
        } else {
            number->more = number->more || *p != '0';
            number->exponent++;
        }
        if (fraction && *p != '.')
            number->exponent--;
    }
}

size_t
api_number_scan(const char *text, size_t size, struct api_number *out)
{
    const char *p = text, *end = text + size, *first, *digits_end, *after;
    bool negative = size > 0 && *p == '-', integer = true;
    int64_t exponent = 0, written = 0;
    uint64_t digits = 0;
    size_t count;

    p += negative;
    if (p == end || !is_digit(*p))
        return 0;
    first = p;
    digits = (uint64_t)(*p++ - '0');
    if (digits != 0)
        p = digits_from(p, end, &digits);
    digits_end = p;
    count = (size_t)(p - first);
    if (end - p >= 2 && *p == '.' && is_digit(p[1])) {
        digits_end = digits_from(p + 1, end, &digits);
        exponent = p + 1 - digits_end;
        count += (size_t)-exponent;
        p = digits_end;
        integer = false;
    }
    if (p < end && (*p | 0x20) == 'e') {
        after = exponent_from(p, end, &written);
        if (after != NULL) {
            integer = false;
            p = after;
        }
    }
    *out = (struct api_number){.text = text,
                               .length = (size_t)(p - text),
                               .digits = digits,
                               .exponent = exponent + written,
                               .negative = negative,
                               .integer = integer};
    if (count > API_NUMBER_DIGITS_MAX) {
        out->exponent = written;
        cut_digits(out, first, digits_end);
    }
    return (size_t)(p - text);
}

/* The whole text as one number. */
static bool
scan_whole(const char *text, size_t length, struct api_number *out)
{
    return length > 0 && api_number_scan(text, length, out) == length;
}

size_t
api_number_length(const char *text, size_t size)
{
    struct api_number number;

    return api_number_scan(text, size, &number);
}

/* The magnitude of an integer, when 64 bits hold it. */
static bool
magnitude(const struct api_number *number, uint64_t *out)
{
    const char *end = number->text + number->length;
    uint64_t value = 0;

    if (!number->integer)
        return false;
    if (number->exponent == 0) { /* nothing was cut */
        *out = number->digits;
        return true;
    }
    for (const char *p = number->text + number->negative; p < end; p++)
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return false;
    *out = value;
    return true;
}

bool
api_number_as_u64(const struct api_number *number, uint64_t *out)
{
    uint64_t value = 0;

    if (!magnitude(number, &value) || (number->negative && value != 0))
        return false;
    *out = value;
    return true;
}

bool
api_number_as_i64(const struct api_number *number, int64_t *out)
{
    uint64_t value = 0;
    uint64_t limit = (uint64_t)INT64_MAX + number->negative;

    if (!magnitude(number, &value) || value > limit)
        return false;
    *out = (int64_t)(number->negative ? 0 - value : value);
    return true;
}

bool
api_number_i64(const char *text, size_t length, int64_t *out)
{
    struct api_number number;

    return scan_whole(text, length, &number) && api_number_as_i64(&number, out);
}

bool
api_number_u64(const char *text, size_t length, uint64_t *out)
{
    struct api_number number;

    return scan_whole(text, length, &number) && api_number_as_u64(&number, out);
}

bool
api_number_f64(const char *text, size_t length, double *out)
{
    struct api_number number;

    return scan_whole(text, length, &number) && api_number_as_f64(&number, out);
}

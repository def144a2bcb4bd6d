/* Covers api/json/number*.c: reading any text as every type, printing any bits as every type.
 * Oracle: the C library for float32, float64 and 64-bit integers; for 16-bit floats that no
 * neighbour is nearer. Whatever is printed must read back to the same bits. */
#include "api/json/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/check.h"
#include "tests/support/numbers.h"

enum { TEXT_BYTES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static double
half_value(uint16_t bits, bool bf16)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;

    if (bf16) {
        memcpy(&value, &wide, sizeof value);
        return (double)value;
    }
    if (bits >> 10 == 0)
        return ldexp(bits, -24);
    return ldexp((bits & 0x3ff) | 0x400, (bits >> 10) - 25);
}

/* No other 16-bit float is nearer to the text's value, as far as float64 can tell. */
static void
check_half(double exact, uint16_t bits, bool bf16)
{
    uint16_t magnitude = bits & 0x7fff, largest = bf16 ? 0x7f7f : 0x7bff;
    double distance = fabs(fabs(exact) - half_value(magnitude, bf16));

    CHECK(magnitude <= largest);
    CHECK((bits >> 15 != 0) == (signbit(exact) != 0));
    if (magnitude > 0)
        CHECK(distance <= fabs(fabs(exact) - half_value((uint16_t)(magnitude - 1), bf16)));
    if (magnitude < largest)
        CHECK(distance <= fabs(fabs(exact) - half_value((uint16_t)(magnitude + 1), bf16)));
}

static void
check_integers(const struct api_number *number, const char *text)
{
    int64_t i64 = 0;
    uint64_t u64 = 0;
    bool is_i64 = api_number_as_i64(number, &i64), is_u64 = api_number_as_u64(number, &u64);
    long long want;

    if (!number->integer) {
        CHECK(!is_i64 && !is_u64);
        return;
    }
    errno = 0;
    want = strtoll(text, NULL, 10);
    CHECK(is_i64 == (errno == 0));
    CHECK(!is_i64 || i64 == want);
    if (!number->negative) {
        unsigned long long unsigned_want;

        errno = 0;
        unsigned_want = strtoull(text, NULL, 10);
        CHECK(is_u64 == (errno == 0));
        CHECK(!is_u64 || u64 == unsigned_want);
    }
}

static void
check_reading(const uint8_t *data, size_t size)
{
    char text[TEXT_BYTES_MAX + 1];
    struct api_number number;
    double f64 = 0, want;
    float f32 = 0, want32;
    uint16_t bits = 0;
    uint8_t byte = 0;

    if (size > TEXT_BYTES_MAX || api_number_scan((const char *)data, size, &number) == 0)
        return;
    CHECK(number.length <= size);
    memcpy(text, data, number.length);
    text[number.length] = '\0';
    want = strtod(text, NULL);
    CHECK(api_number_as_f64(&number, &f64) == (isinf(want) == 0));
    CHECK(isinf(want) || memcmp(&f64, &want, sizeof want) == 0);
    want32 = strtof(text, NULL);
    CHECK(api_number_as_f32(&number, &f32) == (isinf(want32) == 0));
    CHECK(isinf(want32) || memcmp(&f32, &want32, sizeof want32) == 0);
    if (api_number_as_f16(&number, &bits))
        check_half(want, bits, false);
    if (api_number_as_bf16(&number, &bits))
        check_half(want, bits, true);
    (void)api_number_as_f8_e4m3fn(&number, &byte);
    (void)api_number_as_f8_e5m2(&number, &byte);
    check_integers(&number, text);
}

static void
check_printing(const uint8_t *data)
{
    char text[API_NUMBER_BYTES_MAX];
    double f64, f64_back = 0;
    float f32, f32_back = 0;
    uint16_t half, half_back = 0;
    size_t size;

    memcpy(&f64, data, sizeof f64);
    memcpy(&f32, data, sizeof f32);
    memcpy(&half, data, sizeof half);
    if (isfinite(f64)) {
        size = api_number_print_f64(f64, text);
        CHECK(size <= 24 && api_number_f64(text, size, &f64_back));
        CHECK(memcmp(&f64, &f64_back, sizeof f64) == 0);
    }
    if (isfinite(f32)) {
        size = api_number_print_f32(f32, text);
        CHECK(size <= 24 && number_f32(text, size, &f32_back));
        CHECK(memcmp(&f32, &f32_back, sizeof f32) == 0);
    }
    if ((half & 0x7c00) != 0x7c00) {
        size = api_number_print_f16(half, text);
        CHECK(number_f16(text, size, &half_back) && half_back == half);
    }
    if ((half & 0x7f80) != 0x7f80) {
        size = api_number_print_bf16(half, text);
        CHECK(number_bf16(text, size, &half_back) && half_back == half);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_reading(data, size);
    if (size >= sizeof(double))
        check_printing(data);
    return 0;
}

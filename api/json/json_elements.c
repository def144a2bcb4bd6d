/* Second pass over a tensor's text: one loop for all dtypes, one small function per dtype. */
#include "api/json/json_elements.h"

#include <math.h>

#include "api/json/json_doc.h"
#include "api/json/number.h"
#include "api/json/text.h"

#define KIND(name)    (1u << ELEMENT_##name)
#define KINDS_INTEGER (KIND(INT32) | KIND(INT64) | KIND(WIDE))
#define KINDS_FLOAT   (KINDS_INTEGER | KIND(FRACTION) | KIND(NONFINITE))
#define KINDS_TEXT    (KIND(TEXT) | KIND(BASE64) | KIND(NONFINITE))

/* One number into its place. False: it does not fit. */
typedef bool store_number(const struct api_number *number, void *out);
/* NaN or an infinity into its place. False: the type has none. */
typedef bool store_nonfinite(double value, void *out);

/* --- integers ------------------------------------------------------------------------------ */

static bool
signed_within(const struct api_number *number, int64_t limit, int64_t *out)
{
    return api_number_as_i64(number, out) && *out <= limit && *out >= -limit - 1;
}

static bool
unsigned_within(const struct api_number *number, uint64_t limit, uint64_t *out)
{
    return api_number_as_u64(number, out) && *out <= limit;
}

/* The low bytes of an integer are its narrower self: little-endian. */
#define STORE_INTEGER(name, type, within, limit, size)                                             \
    static bool name(const struct api_number *number, void *out)                                   \
    {                                                                                              \
        type value = 0;                                                                            \
        bool fits = within(number, limit, &value);                                                 \
                                                                                                   \
        memcpy(out, &value, size);                                                                 \
        return fits;                                                                               \
    }
STORE_INTEGER(store_i8, int64_t, signed_within, INT8_MAX, 1)
STORE_INTEGER(store_i16, int64_t, signed_within, INT16_MAX, 2)
STORE_INTEGER(store_i32, int64_t, signed_within, INT32_MAX, 4)
STORE_INTEGER(store_i64, int64_t, signed_within, INT64_MAX, 8)
STORE_INTEGER(store_u8, uint64_t, unsigned_within, UINT8_MAX, 1)
STORE_INTEGER(store_u16, uint64_t, unsigned_within, UINT16_MAX, 2)
STORE_INTEGER(store_u32, uint64_t, unsigned_within, UINT32_MAX, 4)
STORE_INTEGER(store_u64, uint64_t, unsigned_within, UINT64_MAX, 8)

/* --- floats -------------------------------------------------------------------------------- */

#define STORE_FLOAT(name, type, read)                                                              \
    static bool name(const struct api_number *number, void *out)                                   \
    {                                                                                              \
        type value = 0;                                                                            \
        bool fits = read(number, &value);                                                          \
                                                                                                   \
        memcpy(out, &value, sizeof value);                                                         \
        return fits;                                                                               \
    }
STORE_FLOAT(store_f64, double, api_number_as_f64)
STORE_FLOAT(store_f32, float, api_number_as_f32)
STORE_FLOAT(store_f16, uint16_t, api_number_as_f16)
STORE_FLOAT(store_bf16, uint16_t, api_number_as_bf16)
STORE_FLOAT(store_f8_e4m3fn, uint8_t, api_number_as_f8_e4m3fn)
STORE_FLOAT(store_f8_e5m2, uint8_t, api_number_as_f8_e5m2)

static bool
nonfinite_f64(double value, void *out)
{
    memcpy(out, &value, sizeof value);
    return true;
}

static bool
nonfinite_f32(double value, void *out)
{
    float narrow = (float)value;

    memcpy(out, &narrow, sizeof narrow);
    return true;
}

/* Sign, then an exponent of all ones: `infinity` its bits, `nan` those of the quiet NaN. */
static uint16_t
nonfinite_bits(double value, uint16_t infinity, uint16_t nan, uint16_t sign)
{
    if (isnan(value))
        return nan;
    return value < 0 ? infinity | sign : infinity;
}

static bool
nonfinite_f16(double value, void *out)
{
    uint16_t bits = nonfinite_bits(value, 0x7c00, 0x7e00, 0x8000);

    memcpy(out, &bits, sizeof bits);
    return true;
}

static bool
nonfinite_bf16(double value, void *out)
{
    uint16_t bits = nonfinite_bits(value, 0x7f80, 0x7fc0, 0x8000);

    memcpy(out, &bits, sizeof bits);
    return true;
}

static bool
nonfinite_f8_e5m2(double value, void *out)
{
    *(uint8_t *)out = (uint8_t)nonfinite_bits(value, 0x7c, 0x7e, 0x80);
    return true;
}

static bool
nonfinite_f8_e4m3fn(double value, void *out)
{
    *(uint8_t *)out = 0x7f;
    return isnan(value); /* it has no infinities */
}

/* --- the table ----------------------------------------------------------------------------- */

static const struct {
    struct element_reader reader;
    store_number *number;
    store_nonfinite *nonfinite;
} rows[DTYPE_COUNT] = {
#define INTEGER(dtype, size, store) [DTYPE_##dtype] = {{KINDS_INTEGER, 1, size}, store, NULL}
#define FLOAT(dtype, numbers, size, store, nonfinite)                                              \
    [DTYPE_##dtype] = {{KINDS_FLOAT, numbers, size}, store, nonfinite}
    INTEGER(INT8, 1, store_i8),
    INTEGER(INT16, 2, store_i16),
    INTEGER(INT32, 4, store_i32),
    INTEGER(INT64, 8, store_i64),
    INTEGER(UINT8, 1, store_u8),
    INTEGER(UINT16, 2, store_u16),
    INTEGER(UINT32, 4, store_u32),
    INTEGER(UINT64, 8, store_u64),
    INTEGER(QINT8, 1, store_i8),
    INTEGER(QINT16, 2, store_i16),
    INTEGER(QINT32, 4, store_i32),
    INTEGER(QUINT8, 1, store_u8),
    INTEGER(QUINT16, 2, store_u16),
    FLOAT(FLOAT16, 1, 2, store_f16, nonfinite_f16),
    FLOAT(BFLOAT16, 1, 2, store_bf16, nonfinite_bf16),
    FLOAT(FLOAT32, 1, 4, store_f32, nonfinite_f32),
    FLOAT(FLOAT64, 1, 8, store_f64, nonfinite_f64),
    FLOAT(FLOAT8_E4M3FN, 1, 1, store_f8_e4m3fn, nonfinite_f8_e4m3fn),
    FLOAT(FLOAT8_E5M2, 1, 1, store_f8_e5m2, nonfinite_f8_e5m2),
    FLOAT(COMPLEX64, 2, 4, store_f32, nonfinite_f32),
    FLOAT(COMPLEX128, 2, 8, store_f64, nonfinite_f64),
    [DTYPE_BOOL] = {{KIND(BOOL), 1, 1}, NULL, NULL},
    [DTYPE_STRING] = {{KINDS_TEXT, 1, 0}, NULL, NULL},
#undef INTEGER
#undef FLOAT
};

const struct element_reader *
api_element_reader_of(enum dtype dtype)
{
    return &rows[dtype].reader;
}

/* --- numbers and booleans ------------------------------------------------------------------ */

static enum err_code
does_not_fit(const struct api_value *value, const struct survey *survey, uint64_t ordinal,
             struct bytes from_element, enum dtype dtype, struct err *err)
{
    char where[API_WHERE_BYTES_MAX], place[SURVEY_PLACE_BYTES_MAX];
    char text[SURVEY_ELEMENT_BYTES_MAX];
    bool is_float = (rows[dtype].reader.kinds & KIND(FRACTION)) != 0;

    return err_set(err, ERR_INVALID_ARGUMENT, "%s:%s %s %s %s", api_value_where(value, where),
                   api_survey_place(survey, ordinal, place),
                   api_survey_element_text(from_element, text),
                   is_float ? "overflows" : "is outside", dtype_name(dtype));
}

static void
store_bools(struct bytes text, uint8_t *out)
{
    const uint8_t *end = text.data + text.size, *p = survey_next_element(text.data, end);

    for (; p < end; p = survey_next_element(p, end)) {
        *out++ = *p == 't';
        p += *p == 't' ? strlen("true") : strlen("false");
    }
}

enum err_code
api_elements_store(const struct api_value *value, const struct survey *survey, enum dtype dtype,
                   uint8_t *out, struct err *err)
{
    struct bytes text = value->text;
    const uint8_t *end = text.data + text.size, *p = survey_next_element(text.data, end);
    store_number *store = rows[dtype].number;
    uint32_t size = rows[dtype].reader.size;
    uint8_t *at = out;

    if (dtype == DTYPE_BOOL) {
        store_bools(text, out);
        return OK;
    }
    for (; p < end; p = survey_next_element(p, end)) {
        struct api_number number;
        double nonfinite = 0;
        const uint8_t *begin = p;
        bool fits;

        if (*p == '"') {
            p = survey_after_string(p);
            fits = api_json_nonfinite(bytes_of(begin, (size_t)(p - begin)), &nonfinite) &&
                   rows[dtype].nonfinite(nonfinite, at);
        } else {
            p += api_number_scan((const char *)p, (size_t)(end - p), &number);
            fits = store(&number, at);
        }
        if (!fits)
            return does_not_fit(value, survey, (uint64_t)(at - out) / size,
                                bytes_of(begin, (size_t)(end - begin)), dtype, err);
        at += size;
    }
    return OK;
}

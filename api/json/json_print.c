/* A tensor as nested JSON lists.
 *
 * One element at a time into reserved room: the brackets before it, the element, the brackets and
 * the comma after it. A bracket opens before an element for every dimension whose index is at its
 * start, and closes after it where it is at its end, so no recursion and no stack. A list without
 * elements ends the nesting: [2,0,3] prints [[],[]]. */
#include <math.h>

#include "api/json/jsonio.h"
#include "api/json/number.h"
#include "api/json/text.h"

enum { ELEMENT_ROOM = 2 * API_NUMBER_BYTES_MAX + 8, STRING_LENGTH_BYTES = 4 };

/* One element's text; how many bytes it has. Room for ELEMENT_ROOM. */
typedef size_t print_element(const uint8_t *element, char *out);

static size_t
print_word(const char *word, char *out)
{
    size_t size = strlen(word);

    memcpy(out, word, size);
    return size;
}

static size_t
print_nonfinite(bool nan, bool negative, char *out)
{
    return print_word(nan ? "\"NaN\"" : negative ? "\"-Infinity\"" : "\"Infinity\"", out);
}

static size_t
print_f64(const uint8_t *element, char *out)
{
    double value;

    memcpy(&value, element, sizeof value);
    return isfinite(value) ? api_number_print_f64(value, out)
                           : print_nonfinite(isnan(value), value < 0, out);
}

static size_t
print_f32(const uint8_t *element, char *out)
{
    float value;

    memcpy(&value, element, sizeof value);
    return isfinite(value) ? api_number_print_f32(value, out)
                           : print_nonfinite(isnan(value), value < 0, out);
}

static size_t
print_f16(const uint8_t *element, char *out)
{
    uint16_t bits;

    memcpy(&bits, element, sizeof bits);
    return (bits & 0x7c00) != 0x7c00 ? api_number_print_f16(bits, out)
                                     : print_nonfinite((bits & 0x3ff) != 0, bits >> 15 != 0, out);
}

static size_t
print_bf16(const uint8_t *element, char *out)
{
    uint16_t bits;

    memcpy(&bits, element, sizeof bits);
    return (bits & 0x7f80) != 0x7f80 ? api_number_print_bf16(bits, out)
                                     : print_nonfinite((bits & 0x7f) != 0, bits >> 15 != 0, out);
}

static size_t
print_f8_e4m3fn(const uint8_t *element, char *out)
{
    return (*element & 0x7f) != 0x7f ? api_number_print_f8_e4m3fn(*element, out)
                                     : print_nonfinite(true, false, out);
}

static size_t
print_f8_e5m2(const uint8_t *element, char *out)
{
    return (*element & 0x7c) != 0x7c
               ? api_number_print_f8_e5m2(*element, out)
               : print_nonfinite((*element & 3) != 0, *element >> 7 != 0, out);
}

static size_t
print_pair(const uint8_t *element, size_t part_size, print_element *part, char *out)
{
    size_t size = 0;

    out[size++] = '[';
    size += part(element, out + size);
    out[size++] = ',';
    size += part(element + part_size, out + size);
    out[size++] = ']';
    return size;
}

static size_t
print_c64(const uint8_t *element, char *out)
{
    return print_pair(element, sizeof(float), print_f32, out);
}

static size_t
print_c128(const uint8_t *element, char *out)
{
    return print_pair(element, sizeof(double), print_f64, out);
}

static size_t
print_bool(const uint8_t *element, char *out)
{
    return print_word(*element != 0 ? "true" : "false", out);
}

#define PRINT_INTEGER(name, type, print)                                                           \
    static size_t name(const uint8_t *element, char *out)                                          \
    {                                                                                              \
        type value;                                                                                \
                                                                                                   \
        memcpy(&value, element, sizeof value);                                                     \
        return print(value, out);                                                                  \
    }
PRINT_INTEGER(print_i8, int8_t, api_number_print_i64)
PRINT_INTEGER(print_i16, int16_t, api_number_print_i64)
PRINT_INTEGER(print_i32, int32_t, api_number_print_i64)
PRINT_INTEGER(print_i64, int64_t, api_number_print_i64)
PRINT_INTEGER(print_u8, uint8_t, api_number_print_u64)
PRINT_INTEGER(print_u16, uint16_t, api_number_print_u64)
PRINT_INTEGER(print_u32, uint32_t, api_number_print_u64)
PRINT_INTEGER(print_u64, uint64_t, api_number_print_u64)

static print_element *const printers[DTYPE_COUNT] = {
    [DTYPE_FLOAT16] = print_f16,
    [DTYPE_BFLOAT16] = print_bf16,
    [DTYPE_FLOAT32] = print_f32,
    [DTYPE_FLOAT64] = print_f64,
    [DTYPE_INT8] = print_i8,
    [DTYPE_INT16] = print_i16,
    [DTYPE_INT32] = print_i32,
    [DTYPE_INT64] = print_i64,
    [DTYPE_UINT8] = print_u8,
    [DTYPE_UINT16] = print_u16,
    [DTYPE_UINT32] = print_u32,
    [DTYPE_UINT64] = print_u64,
    [DTYPE_BOOL] = print_bool,
    [DTYPE_COMPLEX64] = print_c64,
    [DTYPE_COMPLEX128] = print_c128,
    [DTYPE_QINT8] = print_i8,
    [DTYPE_QUINT8] = print_u8,
    [DTYPE_QINT16] = print_i16,
    [DTYPE_QUINT16] = print_u16,
    [DTYPE_QINT32] = print_i32,
    [DTYPE_FLOAT8_E4M3FN] = print_f8_e4m3fn,
    [DTYPE_FLOAT8_E5M2] = print_f8_e5m2,
};

/* Where printing stands: the dimensions up to the first zero, and an index in each. */
struct nesting {
    uint32_t levels; /* lists around an element */
    uint64_t index[SHAPE_RANK_MAX];
    uint64_t dims[SHAPE_RANK_MAX];
    uint64_t count; /* elements, or "[]" where there are none */
    bool empty;     /* each is "[]" */
};

static struct nesting
nesting_of(const struct shape *shape)
{
    struct nesting n = {.count = 1};

    for (uint32_t i = 0; i < shape->rank && !n.empty; i++) {
        n.empty = shape->dims[i] == 0;
        if (n.empty)
            break;
        n.dims[n.levels++] = shape->dims[i];
        n.count *= shape->dims[i];
    }
    return n;
}

/* "[" for every level that begins here. */
static size_t
print_opening(const struct nesting *n, char *out)
{
    uint32_t level = n->levels;
    size_t size = 0;

    while (level > 0 && n->index[level - 1] == 0) {
        out[size++] = '[';
        level--;
    }
    return size;
}

/* Goes to the next element: "]" for every level that ends, then "," unless all did. */
static size_t
print_closing(struct nesting *n, char *out)
{
    uint32_t level = n->levels;
    size_t size = 0;

    while (level > 0 && ++n->index[level - 1] == n->dims[level - 1]) {
        n->index[level - 1] = 0;
        out[size++] = ']';
        level--;
    }
    if (level > 0)
        out[size++] = ',';
    return size;
}

static enum err_code
append_numbers(const struct tensor_view *tensor, struct nesting *n, struct buf *out,
               struct err *err)
{
    print_element *print = printers[tensor->type.dtype];
    uint32_t step = dtype_size(tensor->type.dtype);

    for (uint64_t i = 0; i < n->count; i++) {
        uint8_t *room = NULL;
        char *text;
        size_t size;

        TRY(buf_reserve(out, ELEMENT_ROOM + 2 * SHAPE_RANK_MAX, &room, err));
        text = (char *)room;
        size = print_opening(n, text);
        size +=
            n->empty ? print_word("[]", text + size) : print(tensor->data + i * step, text + size);
        size += print_closing(n, text + size);
        buf_commit(out, size);
    }
    return OK;
}

static enum err_code
append_string(struct bytes string, struct buf *out, struct err *err)
{
    if (api_utf8_valid(string))
        return api_json_escape(string, out, err);
    TRY(buf_append_text(out, "{\"base64\":\"", err));
    TRY(api_base64_encode(string, out, err));
    return buf_append_text(out, "\"}", err);
}

static enum err_code
append_strings(const struct tensor_view *tensor, struct nesting *n, struct buf *out,
               struct err *err)
{
    struct reader reader = reader_of(bytes_of(tensor->data, (size_t)tensor->size));
    char brackets[SHAPE_RANK_MAX + 1];

    for (uint64_t i = 0; i < n->count; i++) {
        TRY(buf_append(out, brackets, print_opening(n, brackets), err));
        if (n->empty)
            TRY(buf_append_text(out, "[]", err));
        else
            TRY(append_string(reader_bytes(&reader), out, err));
        TRY(buf_append(out, brackets, print_closing(n, brackets), err));
    }
    if (reader.failed)
        return err_set(err, ERR_DATA_LOSS, "the bytes of a string tensor end too early");
    return OK;
}

enum err_code
api_tensor_text(const struct tensor_view *tensor, struct buf *out, struct err *err)
{
    struct nesting n = nesting_of(&tensor->type.shape);

    return tensor->type.dtype == DTYPE_STRING ? append_strings(tensor, &n, out, err)
                                              : append_numbers(tensor, &n, out, err);
}

/* How NumPy lays out arrays: brackets, blank lines between blocks, lines broken at 75 columns.
 * Rows, the runs along the last dimension, are printed one after the other; how many dimensions end
 * between two of them says what stands there. */
#include "api/json/numpy_text.h"

#include "api/json/number.h"
#include "api/json/numpy_float.h"
#include "store/base/scope.h"

enum { LINE_WIDTH = 75 };

/* How one element becomes a word. */
struct words {
    enum dtype dtype;
    struct bytes data;
    uint64_t count;
    bool alone; /* a scalar */
    size_t integer_width;
    struct api_numpy_floats real, imaginary;
    struct api_numpy_float_format real_format, imaginary_format;
    struct reader strings; /* what is left of them */
};

/* --- integers ------------------------------------------------------------------------------ */

/* Of an element that is an integer, whatever its type is called. */
static size_t
print_integer(enum dtype dtype, const uint8_t *at, char out[static API_NUMBER_BYTES_MAX])
{
    uint64_t bits = 0;
    uint32_t size = dtype_size(dtype);
    bool is_unsigned = dtype_info(dtype)->kind == DTYPE_KIND_UNSIGNED || dtype == DTYPE_QUINT8 ||
                       dtype == DTYPE_QUINT16;

    memcpy(&bits, at, size);
    if (is_unsigned)
        return api_number_print_u64(bits, out);
    bits <<= 64 - 8 * size;
    return api_number_print_i64((int64_t)bits >> (64 - 8 * size), out);
}

static size_t
widest_integer(const struct words *words)
{
    char text[API_NUMBER_BYTES_MAX];
    size_t widest = 0, size = dtype_size(words->dtype);

    for (uint64_t i = 0; i < words->count; i++) {
        size_t length = print_integer(words->dtype, words->data.data + i * size, text);

        widest = length > widest ? length : widest;
    }
    return widest;
}

/* --- bytes --------------------------------------------------------------------------------- */

/* The text of one byte, at most 4 characters. Returns the length. */
static size_t
escape(uint8_t byte, char quote, char out[static 4])
{
    static const char digits[] = "0123456789abcdef";
    char letter = byte == '\t' ? 't' : byte == '\n' ? 'n' : byte == '\r' ? 'r' : (char)byte;

    if (byte >= 0x20 && byte < 0x7f && byte != '\\' && byte != (uint8_t)quote) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    out[1] = letter;
    if (letter != (char)byte || byte == '\\' || byte == (uint8_t)quote)
        return 2;
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

/* b'…', as Python writes bytes. */
static enum err_code
append_bytes(struct bytes bytes, struct buf *out, struct err *err)
{
    bool single = bytes.size > 0 && memchr(bytes.data, '\'', bytes.size) != NULL;
    bool both = single && memchr(bytes.data, '"', bytes.size) != NULL;
    char quote = single && !both ? '"' : '\'';

    TRY(buf_printf(out, err, "b%c", quote));
    for (size_t i = 0; i < bytes.size; i++) {
        char text[4];

        TRY(buf_append(out, text, escape(bytes.data[i], quote, text), err));
    }
    return buf_append_byte(out, (uint8_t)quote, err);
}

/* --- words --------------------------------------------------------------------------------- */

static bool
is_float(enum dtype dtype)
{
    return dtype_is_float(dtype) || dtype == DTYPE_FLOAT8_E4M3FN || dtype == DTYPE_FLOAT8_E5M2;
}

static void
words_init(struct words *words, enum dtype dtype, const struct tensor_corners *corners,
           struct bytes data)
{
    enum dtype real = dtype_real(dtype);
    size_t size = dtype_size(dtype);
    uint64_t count = shape_count(&corners->kept);

    *words = (struct words){.dtype = dtype,
                            .data = data,
                            .count = count,
                            .alone = corners->whole.rank == 0,
                            .real = {data.data, real, size, count},
                            .imaginary = {data.data, real, size, count},
                            .strings = reader_of(data)};
    if (is_float(dtype) || dtype_is_complex(dtype))
        api_numpy_float_format_of(&words->real, false, &words->real_format);
    else if (dtype != DTYPE_BOOL && dtype != DTYPE_STRING)
        words->integer_width = widest_integer(words);
    if (!dtype_is_complex(dtype))
        return;
    words->imaginary.data = data.data + size / 2;
    api_numpy_float_format_of(&words->imaginary, true, &words->imaginary_format);
}

/* 1+2j: the j stands before what the imaginary part is filled up with. */
static enum err_code
append_complex(const struct words *words, uint64_t i, struct buf *out, struct err *err)
{
    char text[API_NUMPY_FLOAT_BYTES_MAX];
    double real = api_numpy_float_at(&words->real, i);
    double imaginary = api_numpy_float_at(&words->imaginary, i);
    size_t size = api_numpy_float_print(&words->real_format, real, text), end;

    TRY(buf_append(out, text, size, err));
    size = api_numpy_float_print(&words->imaginary_format, imaginary, text);
    for (end = size; text[end - 1] == ' ';)
        end--;
    TRY(buf_append(out, text, end, err));
    TRY(buf_append_byte(out, 'j', err));
    return buf_append(out, text + end, size - end, err);
}

static enum err_code
append_complex_alone(const struct words *words, struct buf *out, struct err *err)
{
    char text[API_NUMPY_FLOAT_BYTES_MAX];
    enum dtype dtype = words->real_format.dtype;
    double real = api_numpy_float_at(&words->real, 0);
    double imaginary = api_numpy_float_at(&words->imaginary, 0);
    bool pure = real == 0 && !__builtin_signbit(real);
    size_t size;

    if (!pure) {
        size = api_numpy_float_alone(dtype, real, false, true, text);
        TRY(buf_append_byte(out, '(', err));
        TRY(buf_append(out, text, size, err));
    }
    size = api_numpy_float_alone(dtype, imaginary, !pure, true, text);
    TRY(buf_append(out, text, size, err));
    return buf_append_text(out, pure ? "j" : "j)", err);
}

static enum err_code
append_float(const struct words *words, uint64_t i, struct buf *out, struct err *err)
{
    char text[API_NUMPY_FLOAT_BYTES_MAX];
    double value = api_numpy_float_at(&words->real, i);
    size_t size = words->alone
                      ? api_numpy_float_alone(words->real_format.dtype, value, false, false, text)
                      : api_numpy_float_print(&words->real_format, value, text);

    return buf_append(out, text, size, err);
}

static enum err_code
append_integer(const struct words *words, uint64_t i, struct buf *out, struct err *err)
{
    char text[API_NUMBER_BYTES_MAX];
    size_t size =
        print_integer(words->dtype, words->data.data + i * dtype_size(words->dtype), text);

    return buf_printf(out, err, "%*.*s", (int)words->integer_width, (int)size, text);
}

/* Elements are asked for in order: where a string begins is known by the one before. */
static enum err_code
append_word(struct words *words, uint64_t i, struct buf *out, struct err *err)
{
    if (words->dtype == DTYPE_STRING)
        return append_bytes(reader_bytes(&words->strings), out, err);
    if (words->dtype == DTYPE_BOOL)
        return buf_append_text(out,
                               words->data.data[i] == 0 ? "False"
                               : words->alone           ? "True"
                                                        : " True",
                               err);
    if (dtype_is_complex(words->dtype))
        return words->alone ? append_complex_alone(words, out, err)
                            : append_complex(words, i, out, err);
    return is_float(words->dtype) ? append_float(words, i, out, err)
                                  : append_integer(words, i, out, err);
}

/* --- layout -------------------------------------------------------------------------------- */

struct layout {
    const struct tensor_corners *corners;
    struct words words;
    uint32_t rank;
    uint64_t at[SHAPE_RANK_MAX]; /* of the next row, in all dimensions but the last */
    size_t column;
    struct buf word; /* owned */
    struct buf *out;
};

static void
layout_drop(struct layout *l)
{
    buf_drop(&l->word);
}

static enum err_code
append_times(struct buf *out, char byte, size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++)
        TRY(buf_append_byte(out, (uint8_t)byte, err));
    return OK;
}

/* The word moves to the next line if it would stand too far right, and not first, on this one. */
static enum err_code
append_to_line(struct layout *l, struct err *err)
{
    struct buf *out = l->out;

    if (l->column + l->word.size > LINE_WIDTH - l->rank && l->column > l->rank) {
        while (out->data[out->size - 1] == ' ')
            out->size--;
        TRY(buf_append_byte(out, '\n', err));
        TRY(append_times(out, ' ', l->rank, err));
        l->column = l->rank;
    }
    l->column += l->word.size;
    return buf_append(out, l->word.data, l->word.size, err);
}

static enum err_code
append_row(struct layout *l, uint64_t first, struct err *err)
{
    uint64_t count = l->corners->kept.dims[l->rank - 1];
    bool cut = tensor_corners_cut(l->corners, l->rank - 1);

    l->column = l->rank;
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) {
            TRY(buf_append_byte(l->out, ' ', err));
            l->column++;
        }
        l->word.size = 0;
        if (cut && i == l->corners->edge) {
            TRY(buf_append_text(&l->word, "...", err));
            TRY(append_to_line(l, err));
            TRY(buf_append_byte(l->out, ' ', err));
            l->column++;
            l->word.size = 0;
        }
        TRY(append_word(&l->words, first + i, &l->word, err));
        TRY(append_to_line(l, err));
    }
    return OK;
}

/* From the end of a row to the beginning of the next. */
static enum err_code
append_gap(struct layout *l, struct err *err)
{
    uint32_t axis = l->rank - 2, newlines;

    while (++l->at[axis] == l->corners->kept.dims[axis])
        l->at[axis--] = 0;
    newlines = l->rank - 1 - axis;
    TRY(append_times(l->out, ']', newlines, err));
    TRY(append_times(l->out, '\n', newlines, err));
    if (tensor_corners_cut(l->corners, axis) && l->at[axis] == l->corners->edge) {
        TRY(append_times(l->out, ' ', axis + 1, err));
        TRY(buf_append_text(l->out, "...", err));
        TRY(append_times(l->out, '\n', newlines, err));
    }
    TRY(append_times(l->out, ' ', axis + 1, err));
    return append_times(l->out, '[', newlines, err);
}

enum err_code
api_numpy_text(enum dtype dtype, const struct tensor_corners *corners, struct bytes data,
               struct buf *out, struct err *err)
{
    AUTO(layout) l = {.corners = corners, .rank = corners->whole.rank, .out = out};
    uint64_t count = shape_count(&corners->kept), row;

    buf_init(&l.word, out->size_max);
    if (count == 0)
        return buf_append_text(out, "[]", err);
    words_init(&l.words, dtype, corners, data);
    if (l.rank == 0)
        return append_word(&l.words, 0, out, err);
    row = corners->kept.dims[l.rank - 1];
    TRY(append_times(out, '[', l.rank, err));
    for (uint64_t first = 0; first < count; first += row) {
        if (first > 0)
            TRY(append_gap(&l, err));
        TRY(append_row(&l, first, err));
    }
    return append_times(out, ']', l.rank, err);
}

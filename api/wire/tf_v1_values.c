#include "api/wire/tf_v1_values.h"

#include <inttypes.h>

#include "api/file/varint.h"
#include "store/base/check.h"

/* FORM(field, its name, how one stands alone, bytes, is a number signed) and the range of those
 * that are narrower than their field. */
#define FORM(field_, name_, wire_, size_, signed_)                                                 \
    .field = (field_), .name = (name_), .wire = (wire_), .size = (size_), .sign_extended = (signed_)
#define RANGE(minimum_, maximum_) .checked = true, .minimum = (minimum_), .maximum = (maximum_)

/* BFLOAT16 and the types of 8-bit floats are younger than the format. */
static const struct api_tf_v1_form forms[DTYPE_COUNT] = {
    [DTYPE_FLOAT32] = {FORM(5, "float_val", API_PROTO_FIXED32, 4, false)},
    [DTYPE_FLOAT64] = {FORM(6, "double_val", API_PROTO_FIXED64, 8, false)},
    [DTYPE_INT32] = {FORM(7, "int_val", API_PROTO_VARINT, 4, true)},
    [DTYPE_QINT32] = {FORM(7, "int_val", API_PROTO_VARINT, 4, true)},
    [DTYPE_INT16] = {FORM(7, "int_val", API_PROTO_VARINT, 2, true), RANGE(INT16_MIN, INT16_MAX)},
    [DTYPE_QINT16] = {FORM(7, "int_val", API_PROTO_VARINT, 2, true), RANGE(INT16_MIN, INT16_MAX)},
    [DTYPE_UINT16] = {FORM(7, "int_val", API_PROTO_VARINT, 2, false), RANGE(0, UINT16_MAX)},
    [DTYPE_QUINT16] = {FORM(7, "int_val", API_PROTO_VARINT, 2, false), RANGE(0, UINT16_MAX)},
    [DTYPE_INT8] = {FORM(7, "int_val", API_PROTO_VARINT, 1, true), RANGE(INT8_MIN, INT8_MAX)},
    [DTYPE_QINT8] = {FORM(7, "int_val", API_PROTO_VARINT, 1, true), RANGE(INT8_MIN, INT8_MAX)},
    [DTYPE_UINT8] = {FORM(7, "int_val", API_PROTO_VARINT, 1, false), RANGE(0, UINT8_MAX)},
    [DTYPE_QUINT8] = {FORM(7, "int_val", API_PROTO_VARINT, 1, false), RANGE(0, UINT8_MAX)},
    [DTYPE_STRING] = {FORM(8, "string_val", API_PROTO_BYTES, 0, false)},
    [DTYPE_COMPLEX64] = {FORM(9, "scomplex_val", API_PROTO_FIXED32, 4, false)},
    [DTYPE_INT64] = {FORM(10, "int64_val", API_PROTO_VARINT, 8, true)},
    [DTYPE_BOOL] = {FORM(11, "bool_val", API_PROTO_VARINT, 1, false)},
    [DTYPE_COMPLEX128] = {FORM(12, "dcomplex_val", API_PROTO_FIXED64, 8, false)},
    [DTYPE_FLOAT16] = {FORM(13, "half_val", API_PROTO_VARINT, 2, false), RANGE(0, UINT16_MAX)},
    [DTYPE_UINT32] = {FORM(16, "uint32_val", API_PROTO_VARINT, 4, false)},
    [DTYPE_UINT64] = {FORM(17, "uint64_val", API_PROTO_VARINT, 8, false)},
};

const struct api_tf_v1_form *
api_tf_v1_form_of(enum dtype dtype)
{
    return dtype < DTYPE_COUNT && forms[dtype].field != 0 ? &forms[dtype] : NULL;
}

/* Numbers that make one element. */
static uint64_t
per_element(const struct api_tf_v1_values *values)
{
    return dtype_is_complex(values->dtype) ? 2 : 1;
}

void
api_tf_v1_values_init(struct api_tf_v1_values *values, enum dtype dtype, uint64_t count,
                      const struct api_file *message, uint8_t *window, size_t room)
{
    *values = (struct api_tf_v1_values){.form = api_tf_v1_form_of(dtype), .dtype = dtype};
    CHECK(values->form != NULL);
    values->due = count * per_element(values);
    api_proto_file_init(&values->in, message, window, room);
}

/* --- fields -------------------------------------------------------------------------------- */

/* Goes on to the next field that is the value field; *found: there is one. Of one that is not
 * packed, out->value is the number; else values->run bytes follow. */
static enum err_code
next_field(struct api_tf_v1_values *values, struct api_proto_field *out, bool *found,
           struct err *err)
{
    const uint32_t packed = API_PROTO_TAG(values->form->field, API_PROTO_BYTES);
    const uint32_t single = API_PROTO_TAG(values->form->field, values->form->wire);

    CHECK(values->run == 0);
    for (;;) {
        TRY(api_proto_file_next(&values->in, out, err));
        *found = out->tag == packed || out->tag == single;
        if (out->tag == packed)
            values->run = out->value;
        if (*found || out->tag == 0)
            return OK;
        if ((out->tag & 7) == API_PROTO_BYTES)
            api_proto_file_pass(&values->in, out->value);
    }
}

static enum err_code
too_few(const struct api_tf_v1_values *values, struct err *err)
{
    return err_set(err, ERR_INVALID_ARGUMENT, "%s has %" PRIu64 " values, its shape needs %" PRIu64,
                   values->form->name, values->read, values->due);
}

enum err_code
api_tf_v1_values_end(struct api_tf_v1_values *values, struct err *err)
{
    struct api_proto_field field;
    bool found = values->run > 0;

    /* Packed numbers that are none: legal, and nothing. */
    while (!found) {
        TRY(next_field(values, &field, &found, err));
        if (!found)
            return OK;
        found = values->run > 0 || values->form->wire == API_PROTO_BYTES ||
                (field.tag & 7) != API_PROTO_BYTES;
    }
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%s has more values than the %" PRIu64 " that its shape needs",
                   values->form->name, values->due);
}

/* --- numbers ------------------------------------------------------------------------------- */

static enum err_code
put_number(const struct api_tf_v1_values *values, uint64_t value, uint8_t *out, struct err *err)
{
    const struct api_tf_v1_form *form = values->form;
    int32_t narrow = (int32_t)value;

    if (form->checked && (narrow < form->minimum || narrow > form->maximum))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "value %" PRIu64 " of %s is %" PRId32 ", its type has %" PRId64
                       " to %" PRId64,
                       values->read, form->name, narrow, form->minimum, form->maximum);
    if (values->dtype == DTYPE_BOOL)
        value = value != 0;
    memcpy(out, &value, form->size);
    return OK;
}

/* As many packed varints as are wanted, or there are. */
static enum err_code
take_varints(struct api_tf_v1_values *values, uint8_t **out, uint64_t *count, struct err *err)
{
    size_t enough = values->run < API_VARINT_BYTES_MAX ? (size_t)values->run : API_VARINT_BYTES_MAX;
    struct bytes left;
    size_t before;

    TRY(api_proto_file_look(&values->in, enough, &left, err));
    if (left.size > values->run)
        left.size = (size_t)values->run;
    before = left.size;
    while (*count > 0 && left.size > 0 &&
           (left.size >= API_VARINT_BYTES_MAX || before == values->run)) {
        uint64_t value = 0;

        if (api_varint_read(&left, &value) != API_VARINT_READ)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s ends inside a varint, or has one of more than 64 bits",
                           values->form->name);
        TRY(put_number(values, value, *out, err));
        *out += values->form->size;
        values->read++;
        --*count;
    }
    api_proto_file_pass(&values->in, before - left.size);
    values->run -= before - left.size;
    return OK;
}

static enum err_code
take_fixed(struct api_tf_v1_values *values, uint8_t **out, uint64_t *count, struct err *err)
{
    uint32_t size = values->form->size;
    uint64_t numbers = values->run / size < *count ? values->run / size : *count;

    if (values->run % size != 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s has %" PRIu64 " bytes, its numbers have %" PRIu32, values->form->name,
                       values->run, size);
    TRY(api_proto_file_take(&values->in, *out, (size_t)(numbers * size), err));
    *out += numbers * size;
    values->run -= numbers * size;
    values->read += numbers;
    *count -= numbers;
    return OK;
}

enum err_code
api_tf_v1_values_numbers(struct api_tf_v1_values *values, void *out, uint64_t count,
                         struct err *err)
{
    struct api_proto_field field;
    uint8_t *place = out;
    bool found = false;

    count *= per_element(values);
    while (count > 0) {
        if (values->run > 0 && values->form->wire == API_PROTO_VARINT) {
            TRY(take_varints(values, &place, &count, err));
        } else if (values->run > 0) {
            TRY(take_fixed(values, &place, &count, err));
        } else {
            TRY(next_field(values, &field, &found, err));
            if (!found)
                return too_few(values, err);
            if ((field.tag & 7) == API_PROTO_BYTES)
                continue;
            TRY(put_number(values, field.value, place, err));
            place += values->form->size;
            values->read++;
            count--;
        }
    }
    return values->read == values->due ? api_tf_v1_values_end(values, err) : OK;
}

/* --- strings ------------------------------------------------------------------------------- */

enum err_code
api_tf_v1_values_string(struct api_tf_v1_values *values, uint32_t *length, struct err *err)
{
    struct api_proto_field field;
    bool found = false;

    TRY(next_field(values, &field, &found, err));
    if (!found)
        return too_few(values, err);
    if (values->run > UINT32_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a string of %" PRIu64 " bytes", values->run);
    *length = (uint32_t)values->run;
    values->read++;
    return values->run == 0 && values->read == values->due ? api_tf_v1_values_end(values, err) : OK;
}

enum err_code
api_tf_v1_values_bytes(struct api_tf_v1_values *values, void *out, size_t size, struct err *err)
{
    CHECK(size <= values->run);
    if (size == 0)
        return OK;
    TRY(api_proto_file_take(&values->in, out, size, err));
    values->run -= size;
    return values->run == 0 && values->read == values->due ? api_tf_v1_values_end(values, err) : OK;
}

enum err_code
api_tf_v1_values_measure(struct api_tf_v1_values *values, uint64_t *out, struct err *err)
{
    uint32_t length = 0;

    *out = 0;
    while (values->read < values->due) {
        TRY(api_tf_v1_values_string(values, &length, err));
        api_proto_file_pass(&values->in, values->run);
        values->run = 0;
        *out += sizeof length + length;
    }
    return api_tf_v1_values_end(values, err);
}

/* The values of one slice in a V1 file: a TensorProto with nothing but its value field, which
 * depends on the element type.
 *
 *     float_val and double_val   packed numbers of fixed size; complex elements are two
 *     the other numbers          packed varints; of the narrow types as int32
 *     string_val                 a field for every element
 *
 * Packed or not, in one run or several, as protobuf allows. Read front to back as elements in the
 * form that values have here. */
#ifndef API_WIRE_TF_V1_VALUES_H
#define API_WIRE_TF_V1_VALUES_H

#include "api/file/proto_file.h"
#include "service/tensor/tensor.h"

/* How elements stand in a TensorProto. */
struct api_tf_v1_form {
    uint32_t field;
    const char *name;         /* "float_val" */
    enum api_proto_wire wire; /* of one that is not packed */
    uint32_t size;            /* bytes of one number, of which a complex element has two */
    bool sign_extended;       /* varints: to 64 bits */
    bool checked;             /* against its range; otherwise what does not fit is cut off */
    int64_t minimum, maximum;
};

/* NULL: not in V1 files. */
const struct api_tf_v1_form *api_tf_v1_form_of(enum dtype dtype);

/* Owns nothing. */
struct api_tf_v1_values {
    struct api_proto_file in;
    const struct api_tf_v1_form *form;
    enum dtype dtype;
    uint64_t due, read; /* numbers, or strings */
    uint64_t run;       /* bytes left of the packed numbers, or the string, that are read */
};

/* `count`: elements that there must be. The window is borrowed; the larger the fewer reads. */
void api_tf_v1_values_init(struct api_tf_v1_values *values, enum dtype dtype, uint64_t count,
                           const struct api_file *message, uint8_t *window, size_t room);
/* The next `count` elements of numbers. ERR_INVALID_ARGUMENT: there are fewer, or more than are due
 * (of the call that takes the last one), a number out of range, a damaged message. */
ERR_MUST_CHECK enum err_code api_tf_v1_values_numbers(struct api_tf_v1_values *values, void *out,
                                                      uint64_t count, struct err *err);
/* Strings, each in pieces: its length (at most 2^32 - 1) first, then exactly its bytes, then the
 * next. The call that takes the last byte of the last one makes sure that no more follow, and
 * values->run says how much of this one is left. */
ERR_MUST_CHECK enum err_code api_tf_v1_values_string(struct api_tf_v1_values *values,
                                                     uint32_t *length, struct err *err);
ERR_MUST_CHECK enum err_code api_tf_v1_values_bytes(struct api_tf_v1_values *values, void *out,
                                                    size_t size, struct err *err);
/* What all of its strings take here (u32 + bytes each); reads on to the end. */
ERR_MUST_CHECK enum err_code api_tf_v1_values_measure(struct api_tf_v1_values *values,
                                                      uint64_t *out, struct err *err);
/* Makes sure that no value follows. */
ERR_MUST_CHECK enum err_code api_tf_v1_values_end(struct api_tf_v1_values *values, struct err *err);

#endif

#include "api/file/tf_message.h"

#include <inttypes.h>

#include "api/file/proto.h"
#include "api/file/varint.h"
#include "service/name.h"
#include "store/base/scope.h"

/* --- element types ------------------------------------------------------------------------- */

/* By number. Which of ours is which of these is in dtype.def. */
static const char *const dtype_names[] = {
    NULL,
    "DT_FLOAT",
    "DT_DOUBLE",
    "DT_INT32",
    "DT_UINT8",
    "DT_INT16",
    "DT_INT8",
    "DT_STRING",
    "DT_COMPLEX64",
    "DT_INT64",
    "DT_BOOL",
    "DT_QINT8",
    "DT_QUINT8",
    "DT_QINT32",
    "DT_BFLOAT16",
    "DT_QINT16",
    "DT_QUINT16",
    "DT_UINT16",
    "DT_COMPLEX128",
    "DT_HALF",
    "DT_RESOURCE",
    "DT_VARIANT",
    "DT_UINT32",
    "DT_UINT64",
    "DT_FLOAT8_E5M2",
    "DT_FLOAT8_E4M3FN",
    "DT_FLOAT8_E4M3FNUZ",
    "DT_FLOAT8_E4M3B11FNUZ",
    "DT_FLOAT8_E5M2FNUZ",
    "DT_INT4",
    "DT_UINT4",
    "DT_INT2",
    "DT_UINT2",
};

const char *
api_tf_dtype_name(uint64_t number)
{
    return number < sizeof dtype_names / sizeof dtype_names[0] ? dtype_names[number] : NULL;
}

bool
api_tf_dtype_of(uint64_t number, enum dtype *out)
{
    for (unsigned i = 0; i < DTYPE_COUNT && number != 0; i++)
        if (api_tf_dtype_number((enum dtype)i) == number) {
            *out = (enum dtype)i;
            return true;
        }
    return false;
}

uint32_t
api_tf_dtype_number(enum dtype dtype)
{
    return (uint32_t)dtype_info(dtype)->tf_enum;
}

/* --- shapes -------------------------------------------------------------------------------- */

enum { SHAPE_DIM = 2, SHAPE_UNKNOWN_RANK = 3, DIM_SIZE = 1 };

static enum err_code
read_dim(struct bytes message, struct api_tf_shape *io, struct err *err)
{
    struct api_proto_field field;
    uint64_t size = 0;

    do {
        TRY(api_proto_next(&message, &field, err));
        if (field.tag == API_PROTO_TAG(DIM_SIZE, API_PROTO_VARINT))
            size = field.value;
    } while (field.tag != 0);
    if (io->rank < SHAPE_RANK_MAX)
        io->shape.dims[io->shape.rank++] = size;
    io->rank++;
    io->negative |= (int64_t)size < 0;
    if (io->count_without_zeros == 0)
        io->count_without_zeros = size;
    else if (size != 0)
        io->overflows |=
            __builtin_mul_overflow(io->count_without_zeros, size, &io->count_without_zeros);
    return OK;
}

enum err_code
api_tf_shape_read(struct bytes message, struct api_tf_shape *io, struct err *err)
{
    struct api_proto_field field;

    do {
        TRY(api_proto_next(&message, &field, err));
        if (field.tag == API_PROTO_TAG(SHAPE_DIM, API_PROTO_BYTES))
            TRY(read_dim(field.bytes, io, err));
        else if (field.tag == API_PROTO_TAG(SHAPE_UNKNOWN_RANK, API_PROTO_VARINT))
            io->unknown_rank = field.value != 0;
    } while (field.tag != 0);
    return OK;
}

enum err_code
api_tf_shape_check(const struct api_tf_shape *shape, const char **reason, struct err *err)
{
    *reason = NULL;
    if (shape->unknown_rank)
        return err_set(err, ERR_INVALID_ARGUMENT, "its shape is unknown");
    if (shape->rank > API_TF_RANK_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its shape has %" PRIu32 " dimensions, TensorFlow's limit is %d",
                       shape->rank, API_TF_RANK_MAX);
    if (shape->negative)
        return err_set(err, ERR_INVALID_ARGUMENT, "its shape has a negative dimension");
    if (shape->overflows || shape->count_without_zeros > INT64_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "its shape has more than 2^63 elements");
    if (shape->rank > SHAPE_RANK_MAX)
        *reason = "it has more than 32 dimensions";
    else if (shape_check(&shape->shape, NULL) != OK)
        *reason = "its shape has more than 2^47 elements";
    return OK;
}

enum err_code
api_tf_shape_append(struct buf *out, const struct shape *shape, struct err *err)
{
    for (uint32_t i = 0; i < shape->rank; i++) {
        uint64_t dim = shape->dims[i];

        TRY(api_proto_put_head(out, SHAPE_DIM, dim == 0 ? 0 : 1 + api_varint_size(dim), err));
        TRY(api_proto_put_number(out, DIM_SIZE, dim, err));
    }
    return OK;
}

/* --- what can be kept ---------------------------------------------------------------------- */

enum { DTYPE_NUMBER_MAX = 100 }; /* above are references, which are never stored */

enum err_code
api_tf_judge(struct bytes name, uint64_t number, const struct api_tf_shape *shape,
             enum dtype *dtype, struct err *why, struct err *err)
{
    const char *reason = NULL, *dtype_said = api_tf_dtype_name(number);
    enum err_code fit;

    if (number == 0 || number > DTYPE_NUMBER_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its dtype is number %" PRIu64 ", which is none that is stored", number);
    if (dtype_said == NULL)
        fit = err_set(why, ERR_UNIMPLEMENTED, "dtype number %" PRIu64 " is of a newer TensorFlow",
                      number);
    else if (!api_tf_dtype_of(number, dtype))
        fit = err_set(why, ERR_UNIMPLEMENTED, "dtype %s is not kept here", dtype_said);
    else
        fit = name_check_tensor(name, why);
    if (fit != OK)
        return OK;
    TRY(api_tf_shape_check(shape, &reason, err));
    if (reason != NULL)
        (void)err_set(why, ERR_UNIMPLEMENTED, "%s", reason);
    return OK;
}

/* --- slices -------------------------------------------------------------------------------- */

enum { SLICE_EXTENT = 1, EXTENT_START = 1, EXTENT_LENGTH = 2 };

static enum err_code
read_extent(struct bytes message, struct api_tf_slice *io, struct err *err)
{
    struct api_extent extent = {.start = 0, .length = API_EXTENT_WHOLE};
    struct api_proto_field field;

    do {
        TRY(api_proto_next(&message, &field, err));
        if (field.tag == API_PROTO_TAG(EXTENT_START, API_PROTO_VARINT))
            extent.start = (int64_t)field.value;
        else if (field.tag == API_PROTO_TAG(EXTENT_LENGTH, API_PROTO_VARINT))
            extent.length = (int64_t)field.value;
    } while (field.tag != 0);
    if (io->rank < SHAPE_RANK_MAX)
        io->extents[io->rank] = extent;
    io->rank++;
    return OK;
}

enum err_code
api_tf_slice_read(struct bytes message, struct api_tf_slice *io, struct err *err)
{
    struct api_proto_field field;

    do {
        TRY(api_proto_next(&message, &field, err));
        if (field.tag == API_PROTO_TAG(SLICE_EXTENT, API_PROTO_BYTES))
            TRY(read_extent(field.bytes, io, err));
    } while (field.tag != 0);
    return OK;
}

enum err_code
api_tf_slice_check(const struct api_tf_slice *slice, const struct shape *whole,
                   uint64_t first[static SHAPE_RANK_MAX], struct shape *part, struct err *err)
{
    char text[SHAPE_TEXT_BYTES_MAX];

    if (slice->rank != whole->rank)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a slice of it has %" PRIu32 " dimensions, its shape is %s", slice->rank,
                       shape_text(whole, text));
    *part = *whole;
    for (uint32_t i = 0; i < slice->rank; i++) {
        const struct api_extent *extent = &slice->extents[i];

        first[i] = 0;
        if (extent->length == API_EXTENT_WHOLE && extent->start == 0)
            continue;
        first[i] = (uint64_t)extent->start;
        part->dims[i] = (uint64_t)extent->length;
        if (extent->start < 0 || extent->length <= 0 || first[i] > whole->dims[i] ||
            part->dims[i] > whole->dims[i] - first[i])
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "a slice of it begins at %" PRId64 " and has length %" PRId64
                           " in dimension %" PRIu32 ", its shape is %s",
                           extent->start, extent->length, i, shape_text(whole, text));
    }
    return OK;
}

static enum err_code
append_extent(struct buf *out, const struct api_extent *extent, struct err *err)
{
    uint64_t start = (uint64_t)extent->start, length = (uint64_t)extent->length;
    size_t size = (start == 0 ? 0 : 1 + api_varint_size(start)) + 1 + api_varint_size(length);

    if (extent->length == API_EXTENT_WHOLE)
        return api_proto_put_head(out, SLICE_EXTENT, 0, err);
    TRY(api_proto_put_head(out, SLICE_EXTENT, size, err));
    TRY(api_proto_put_number(out, EXTENT_START, start, err));
    /* Its presence has a meaning, so 0 would be written too. */
    TRY(api_varint_append(out, API_PROTO_TAG(EXTENT_LENGTH, API_PROTO_VARINT), err));
    return api_varint_append(out, length, err);
}

enum err_code
api_tf_slice_append(struct buf *out, const struct api_extent *extents, uint32_t rank,
                    struct err *err)
{
    for (uint32_t i = 0; i < rank; i++)
        TRY(append_extent(out, &extents[i], err));
    return OK;
}

/* --- versions ------------------------------------------------------------------------------ */

/* Of both formats. */
enum {
    READER_VERSION = 1,
    VERSION_PRODUCER = 1,
    VERSION_MIN_CONSUMER = 2,
    VERSION_BAD_CONSUMERS = 3
};

static enum err_code
read_bad_consumers(struct bytes packed, struct api_tf_version *io, struct err *err)
{
    while (packed.size > 0) {
        uint64_t version = 0;

        if (api_varint_read(&packed, &version) != API_VARINT_READ)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "its list of bad consumers ends inside a number, or has one of more "
                           "than 64 bits");
        io->bad_consumer |= (int32_t)version == READER_VERSION;
    }
    return OK;
}

enum err_code
api_tf_version_read(struct bytes message, struct api_tf_version *io, struct err *err)
{
    struct api_proto_field field;

    do {
        TRY(api_proto_next(&message, &field, err));
        if (field.tag == API_PROTO_TAG(VERSION_PRODUCER, API_PROTO_VARINT))
            io->producer = (int32_t)field.value;
        else if (field.tag == API_PROTO_TAG(VERSION_MIN_CONSUMER, API_PROTO_VARINT))
            io->min_consumer = (int32_t)field.value;
        else if (field.tag == API_PROTO_TAG(VERSION_BAD_CONSUMERS, API_PROTO_VARINT))
            io->bad_consumer |= (int32_t)field.value == READER_VERSION;
        else if (field.tag == API_PROTO_TAG(VERSION_BAD_CONSUMERS, API_PROTO_BYTES))
            TRY(read_bad_consumers(field.bytes, io, err));
    } while (field.tag != 0);
    return OK;
}

enum err_code
api_tf_version_check(const struct api_tf_version *version, struct err *err)
{
    if (version->producer < 0)
        return err_set(err, ERR_INVALID_ARGUMENT, "its writer's version is %" PRId32,
                       version->producer);
    if (version->min_consumer > READER_VERSION)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it is for readers of version %" PRId32 " and newer, this is one of %d",
                       version->min_consumer, READER_VERSION);
    if (version->bad_consumer)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it says that readers of version %d, as this one is, must not read it",
                       READER_VERSION);
    return OK;
}

enum err_code
api_tf_version_put(struct buf *out, uint32_t number, struct err *err)
{
    TRY(api_proto_put_head(out, number, 2, err));
    return api_proto_put_number(out, VERSION_PRODUCER, READER_VERSION, err);
}

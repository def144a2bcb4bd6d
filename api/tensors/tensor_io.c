#include "api/tensors/tensor_io.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/json/text.h"
#include "api/state.h"
#include "service/tensor/slice.h"
#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum { NPY_MAGIC_BYTES = 6 };

/* --- bodies --- */

void
api_tensor_body_drop(struct api_tensor_body *body)
{
    tensor_drop(&body->decoded);
    api_npy_reader_drop(&body->npy);
}

/* Hands out the body's bytes; with the last one it makes sure that nothing follows, so that a body
 * that is too long is refused before anything is committed. */
static enum err_code
body_source(void *context, void *out, size_t size, struct err *err)
{
    struct api_tensor_body *body = context;

    if (body->decoded.data != NULL) {
        memcpy(out, body->decoded.data + body->offset, size);
        body->offset += size;
        return OK;
    }
    if (body->is_npy)
        TRY(api_npy_reader_read(&body->npy, out, size, err));
    else
        TRY(api_request_body_exactly(body->rq, out, size, err));
    body->offset += size;
    return body->offset == body->size ? api_request_body_end(body->rq, err) : OK;
}

static enum err_code
wrong_length(const struct api_tensor_body *body, uint64_t length, struct err *err)
{
    char text[TENSOR_TYPE_TEXT_BYTES_MAX];

    return err_set(err, ERR_INVALID_ARGUMENT, "the body has %" PRIu64 " bytes, %s takes %" PRIu64,
                   length, tensor_type_text(&body->type, text), body->size);
}

/* "784,200"; "()" or "" is a scalar. */
static enum err_code
parse_shape_header(struct bytes text, struct shape *out, struct err *err)
{
    const char *at = (const char *)text.data, *end = at + text.size;
    char shown[API_SHOWN_BYTES_MAX + 1];

    *out = (struct shape){0};
    if (bytes_equal(text, bytes_of_text("()")))
        return OK;
    while (at < end) {
        uint64_t dim = 0;
        const char *first = at;

        for (; at < end && *at >= '0' && *at <= '9'; at++) {
            if (__builtin_mul_overflow(dim, 10, &dim) ||
                __builtin_add_overflow(dim, (uint64_t)(*at - '0'), &dim))
                return err_set(err, ERR_INVALID_ARGUMENT, "Tensor-Shape: a dimension is too large");
        }
        if (at == first || (at < end && *at != ',') || (at < end && at + 1 == end))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "Tensor-Shape must be numbers between commas (784,200), not '%s'",
                           api_text_shown(text, shown));
        if (out->rank == SHAPE_RANK_MAX)
            return err_set(err, ERR_INVALID_ARGUMENT, "Tensor-Shape has over %d dimensions",
                           SHAPE_RANK_MAX);
        out->dims[out->rank++] = dim;
        if (at < end)
            at++;
    }
    return shape_check(out, err);
}

static enum err_code
open_raw(const struct tensor_type *hint, struct api_tensor_body *body, struct err *err)
{
    struct bytes dtype = api_request_header(body->rq, "Tensor-Dtype");
    struct bytes shape = api_request_header(body->rq, "Tensor-Shape");
    uint64_t length = api_request_body_length(body->rq);
    char shown[API_SHOWN_BYTES_MAX + 1];

    if ((dtype.data == NULL || shape.data == NULL) && hint == NULL)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "raw bytes need the headers Tensor-Dtype and Tensor-Shape (or send .npy)");
    if (hint != NULL)
        body->type = *hint;
    if (dtype.data != NULL && !dtype_of_name(dtype, &body->type.dtype))
        return err_set(err, ERR_INVALID_ARGUMENT, "Tensor-Dtype: there is no dtype '%s'",
                       api_text_shown(dtype, shown));
    if (shape.data != NULL)
        TRY(parse_shape_header(shape, &body->type.shape, err));
    body->size = tensor_type_bytes(&body->type);
    if (body->type.dtype == DTYPE_STRING) {
        if (length == UINT64_MAX)
            return err_set(err, ERR_LENGTH_REQUIRED,
                           "a raw string tensor needs Content-Length: its size is not in its type");
        body->size = length;
    }
    if (length != UINT64_MAX && length != body->size)
        return wrong_length(body, length, err);
    return OK;
}

static enum err_code
open_npy(enum api_npy_v2 v2, struct api_tensor_body *body, struct err *err)
{
    uint64_t length = api_request_body_length(body->rq);

    body->bytes = api_request_body_source(body->rq);
    TRY(api_npy_reader_open(&body->bytes, "the body", v2,
                            service_limits_of(api_request_service(body->rq))->expression_bytes_max,
                            &body->npy, err));
    body->type = body->npy.type;
    body->size = body->npy.size;
    body->is_npy = true;
    if (length != UINT64_MAX && length - body->npy.header_bytes != body->size)
        return wrong_length(body, length - body->npy.header_bytes, err);
    return OK;
}

static enum err_code
open_json(const struct tensor_type *hint, struct api_tensor_body *body, struct err *err)
{
    struct api_tensor_hint expected = {
        .dtype = hint ? hint->dtype : DTYPE_UNSET,
        .bytes_max = service_limits_of(api_request_service(body->rq))->literal_bytes_max,
    };
    struct api_value root;
    bool inferred = false;

    TRY(api_request_value(body->rq, &root, err));
    TRY(api_value_tensor(&root, &expected, &body->decoded, &inferred, err));
    body->type = body->decoded.type;
    body->size = body->decoded.size;
    return OK;
}

/* A body that does not say what it is: npy has a magic, JSON begins like JSON. */
static enum err_code
sniff(struct api_request *rq, enum api_format *out, struct err *err)
{
    uint8_t first[NPY_MAGIC_BYTES];
    size_t got = 0;

    TRY(api_request_body_peek(rq, first, sizeof first, &got, err));
    if (got == NPY_MAGIC_BYTES && memcmp(first, "\x93NUMPY", NPY_MAGIC_BYTES) == 0)
        *out = API_FORMAT_NPY;
    else if (api_request_header(rq, "Tensor-Dtype").data != NULL)
        *out = API_FORMAT_RAW;
    else
        *out = API_FORMAT_JSON;
    return OK;
}

enum err_code
api_tensor_body_open(struct api_request *rq, const struct tensor_type *hint,
                     struct api_tensor_body *out, struct err *err)
{
    enum api_format format = API_FORMAT_UNKNOWN;
    enum api_npy_v2 v2 = API_NPY_V2_UNKNOWN;

    *out = (struct api_tensor_body){.rq = rq};
    out->source = (struct tensor_source){.context = out, .read = body_source};
    TRY(api_negotiate_body(rq,
                           API_FORMATS(API_FORMAT_JSON) | API_FORMATS(API_FORMAT_RAW) |
                               API_FORMATS(API_FORMAT_NPY),
                           &format, err));
    TRY(api_negotiate_npy_v2(rq, NULL, &v2, err));
    if (format == API_FORMAT_UNKNOWN)
        TRY(sniff(rq, &format, err));
    if (format == API_FORMAT_NPY)
        return open_npy(v2, out, err);
    if (format == API_FORMAT_RAW)
        return open_raw(hint, out, err);
    return open_json(hint, out, err);
}

/* --- representation --- */

/* Grows when a later version of this program writes the same values as other bytes: tags that
 * clients have kept are of the old ones. */
enum { LAYOUT_VERSION = 2 };

const char *
api_representation(struct api_request *rq, const char *format,
                   char out[static API_REPRESENTATION_BYTES_MAX])
{
    uint32_t crc = 0;
    int used;

    /* All but one: ?format=npy and Accept: application/x-npy are the same bytes. */
    for (size_t i = 0; i < rq->argument_count; i++) {
        const struct api_argument *argument = &rq->arguments[i];

        if (bytes_equal(argument->name, bytes_of_text("format")))
            continue;
        crc = crc32c(crc, argument->name.data, argument->name.size);
        crc = crc32c(crc, "", 1);
        crc = crc32c(crc, argument->value.data, argument->value.size);
        crc = crc32c(crc, "", 1);
    }
    used = snprintf(out, API_REPRESENTATION_BYTES_MAX, "%s.%d", format, LAYOUT_VERSION);
    if (crc != 0)
        snprintf(out + used, API_REPRESENTATION_BYTES_MAX - (size_t)used, "-%08" PRIx32, crc);
    return out;
}

#include "api/file/proto.h"

#include <inttypes.h>

#include "api/file/varint.h"

enum { WIRE_BITS = 3, WIRE_MASK = 7, GROUP_BEGINS = 3, GROUP_ENDS = 4 };

static enum err_code
read_varint(struct bytes *left, uint64_t *out, struct err *err)
{
    switch (api_varint_read(left, out)) {
    case API_VARINT_READ:
        return OK;
    case API_VARINT_SHORT:
        return err_set(err, ERR_INVALID_ARGUMENT, "a protobuf message ends inside a varint");
    case API_VARINT_BAD:
        break;
    }
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "a protobuf message has a varint of more than 64 bits");
}

/* A number of `size` bytes, little-endian. */
static enum err_code
read_fixed(struct bytes *left, size_t size, uint64_t *out, struct err *err)
{
    if (left->size < size)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a protobuf message ends inside a number of %zu bytes", size);
    *out = 0;
    memcpy(out, left->data, size);
    *left = bytes_of(left->data + size, left->size - size);
    return OK;
}

static enum err_code
check_tag(uint64_t tag, struct err *err)
{
    uint64_t wire = tag & WIRE_MASK;

    if (tag > UINT32_MAX || tag >> WIRE_BITS == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a protobuf message has a field of number %" PRIu64, tag >> WIRE_BITS);
    if (wire == GROUP_BEGINS || wire == GROUP_ENDS)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a protobuf message has a group (field %" PRIu64 "), which is not read",
                       tag >> WIRE_BITS);
    if (wire > API_PROTO_FIXED32)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a protobuf message has wire type %" PRIu64 " (field %" PRIu64
                       "), which there is not",
                       wire, tag >> WIRE_BITS);
    return OK;
}

/* Tag and number, or tag and length. */
static enum err_code
take_head(struct bytes *left, struct api_proto_field *out, struct err *err)
{
    uint64_t tag = 0;

    *out = (struct api_proto_field){.tag = 0};
    if (left->size == 0)
        return OK;
    TRY(read_varint(left, &tag, err));
    TRY(check_tag(tag, err));
    out->tag = (uint32_t)tag;
    switch (tag & WIRE_MASK) {
    case API_PROTO_FIXED64:
        return read_fixed(left, sizeof(uint64_t), &out->value, err);
    case API_PROTO_FIXED32:
        return read_fixed(left, sizeof(uint32_t), &out->value, err);
    default:
        return read_varint(left, &out->value, err);
    }
}

enum err_code
api_proto_head(struct bytes window, struct api_proto_field *out, size_t *size, struct err *err)
{
    struct bytes left = window;

    TRY(take_head(&left, out, err));
    *size = window.size - left.size;
    return OK;
}

enum err_code
api_proto_next(struct bytes *message, struct api_proto_field *out, struct err *err)
{
    TRY(take_head(message, out, err));
    if ((out->tag & WIRE_MASK) != API_PROTO_BYTES)
        return OK;
    if (out->value > message->size)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field %" PRIu32 " of a protobuf message has %" PRIu64
                       " bytes, %zu bytes are left",
                       out->tag >> WIRE_BITS, out->value, message->size);
    out->bytes = bytes_of(message->data, (size_t)out->value);
    *message = bytes_of(message->data + out->value, message->size - (size_t)out->value);
    return OK;
}

/* --- writing ------------------------------------------------------------------------------- */

enum err_code
api_proto_put_number(struct buf *out, uint32_t number, uint64_t value, struct err *err)
{
    if (value == 0)
        return OK;
    TRY(api_varint_append(out, API_PROTO_TAG(number, API_PROTO_VARINT), err));
    return api_varint_append(out, value, err);
}

enum err_code
api_proto_put_fixed32(struct buf *out, uint32_t number, uint32_t value, struct err *err)
{
    if (value == 0)
        return OK;
    TRY(api_varint_append(out, API_PROTO_TAG(number, API_PROTO_FIXED32), err));
    return buf_append_u32(out, value, err);
}

enum err_code
api_proto_put_head(struct buf *out, uint32_t number, uint64_t size, struct err *err)
{
    TRY(api_varint_append(out, API_PROTO_TAG(number, API_PROTO_BYTES), err));
    return api_varint_append(out, size, err);
}

enum err_code
api_proto_put_bytes(struct buf *out, uint32_t number, struct bytes bytes, struct err *err)
{
    TRY(api_proto_put_head(out, number, bytes.size, err));
    return buf_append(out, bytes.data, bytes.size, err);
}

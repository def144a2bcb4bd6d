/* Protocol buffers, as much of them as checkpoints need: a message's fields one after the other,
 * read where they lie, and fields written in ascending order.
 *
 * What a reader of a message keeps to: it switches on the tag (number and wire type together), so
 * that a field it does not know, or one of another wire type, is passed over as protobuf does. Of a
 * scalar that is there twice the last wins, and a message that is there twice is merged, by reading
 * both into the same struct. Writers leave zeros out. */
#ifndef API_FILE_PROTO_H
#define API_FILE_PROTO_H

#include "store/base/buf.h"

enum api_proto_wire {
    API_PROTO_VARINT = 0,
    API_PROTO_FIXED64 = 1,
    API_PROTO_BYTES = 2, /* texts, messages, packed numbers */
    API_PROTO_FIXED32 = 5
};

#define API_PROTO_TAG(number, wire) ((uint32_t)(number) << 3 | (uint32_t)(wire))

struct api_proto_field {
    uint32_t tag;       /* API_PROTO_TAG; 0: the message has ended */
    uint64_t value;     /* of numbers; a negative int32 or int64 as 64 bits. Of bytes: how many */
    struct bytes bytes; /* of API_PROTO_BYTES; borrows from the message */
};

/* Takes the next field off the front of *message. ERR_INVALID_ARGUMENT: a group, a wire type or
 * number there is not, a varint of more than 64 bits, or more bytes than the message has. */
ERR_MUST_CHECK enum err_code api_proto_next(struct bytes *message, struct api_proto_field *out,
                                            struct err *err);

/* The same where only the beginning of a message is at hand: bytes are not taken, only counted.
 * `window` is the first API_PROTO_HEAD_BYTES_MAX bytes of it, or all; *size says how many of them
 * the head has. What the value counts may be more than there is: for the caller to check. */
enum { API_PROTO_HEAD_BYTES_MAX = 20 };
ERR_MUST_CHECK enum err_code api_proto_head(struct bytes window, struct api_proto_field *out,
                                            size_t *size, struct err *err);

/* Writing. The first two write nothing for 0. A negative number is given as 64 bits. */
ERR_MUST_CHECK enum err_code api_proto_put_number(struct buf *out, uint32_t number, uint64_t value,
                                                  struct err *err);
ERR_MUST_CHECK enum err_code api_proto_put_fixed32(struct buf *out, uint32_t number, uint32_t value,
                                                   struct err *err);
ERR_MUST_CHECK enum err_code api_proto_put_bytes(struct buf *out, uint32_t number,
                                                 struct bytes bytes, struct err *err);
/* Of a field of `size` bytes that follow. */
ERR_MUST_CHECK enum err_code api_proto_put_head(struct buf *out, uint32_t number, uint64_t size,
                                                struct err *err);

#endif

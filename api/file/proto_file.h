/* A protobuf message that lies in a file, read front to back through a window, so that a field of
 * gigabytes is never held whole. */
#ifndef API_FILE_PROTO_FILE_H
#define API_FILE_PROTO_FILE_H

#include "api/file/file.h"
#include "api/file/proto.h"

/* Owns nothing. */
struct api_proto_file {
    struct api_file file; /* the message */
    uint8_t *window;      /* borrowed */
    size_t room;          /* of the window: at least API_PROTO_HEAD_BYTES_MAX */
    size_t begin, end;    /* in the window: what is at hand */
    uint64_t at;          /* in the message: what follows that */
};

void api_proto_file_init(struct api_proto_file *message, const struct api_file *file,
                         uint8_t *window, size_t room);
/* How many bytes of the message are not taken yet. */
uint64_t api_proto_file_left(const struct api_proto_file *message);
/* Takes the next field's head off the front. Of API_PROTO_BYTES the bytes follow: at most as many
 * as are left, for the caller to take. Otherwise as api_proto_next. */
ERR_MUST_CHECK enum err_code api_proto_file_next(struct api_proto_file *message,
                                                 struct api_proto_field *out, struct err *err);
/* *out: what is at hand, `wanted` bytes (at most the window's room) or all that are left. Borrows
 * until the next call. */
ERR_MUST_CHECK enum err_code api_proto_file_look(struct api_proto_file *message, size_t wanted,
                                                 struct bytes *out, struct err *err);
/* Takes bytes: copied, or passed over. No more than are left. */
ERR_MUST_CHECK enum err_code api_proto_file_take(struct api_proto_file *message, void *out,
                                                 size_t size, struct err *err);
void api_proto_file_pass(struct api_proto_file *message, uint64_t size);

#endif

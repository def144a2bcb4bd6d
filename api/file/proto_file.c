#include "api/file/proto_file.h"

#include <inttypes.h>

#include "store/base/check.h"

void
api_proto_file_init(struct api_proto_file *message, const struct api_file *file, uint8_t *window,
                    size_t room)
{
    CHECK(room >= API_PROTO_HEAD_BYTES_MAX);
    *message = (struct api_proto_file){.file = *file, .window = window, .room = room};
}

static size_t
at_hand(const struct api_proto_file *message)
{
    return message->end - message->begin;
}

uint64_t
api_proto_file_left(const struct api_proto_file *message)
{
    return message->file.size - message->at + at_hand(message);
}

/* Reads on until the window is full or the message ends. */
static enum err_code
fill(struct api_proto_file *message, struct err *err)
{
    size_t kept = at_hand(message), size = message->room - kept;

    if (size > message->file.size - message->at)
        size = (size_t)(message->file.size - message->at);
    memmove(message->window, message->window + message->begin, kept);
    message->begin = 0;
    message->end = kept;
    TRY(api_file_read(&message->file, message->at, message->window + kept, size, err));
    message->end += size;
    message->at += size;
    return OK;
}

enum err_code
api_proto_file_look(struct api_proto_file *message, size_t wanted, struct bytes *out,
                    struct err *err)
{
    CHECK(wanted <= message->room);
    if (at_hand(message) < wanted && message->at < message->file.size)
        TRY(fill(message, err));
    *out = bytes_of(message->window + message->begin, at_hand(message));
    return OK;
}

enum err_code
api_proto_file_next(struct api_proto_file *message, struct api_proto_field *out, struct err *err)
{
    struct bytes window;
    size_t size = 0;

    TRY(api_proto_file_look(message, API_PROTO_HEAD_BYTES_MAX, &window, err));
    TRY(api_proto_head(window, out, &size, err));
    message->begin += size;
    if ((out->tag & 7) != API_PROTO_BYTES || out->value <= api_proto_file_left(message))
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "field %" PRIu32 " of a protobuf message has %" PRIu64 " bytes, %" PRIu64
                   " bytes are left",
                   out->tag >> 3, out->value, api_proto_file_left(message));
}

enum err_code
api_proto_file_take(struct api_proto_file *message, void *out, size_t size, struct err *err)
{
    size_t first = size < at_hand(message) ? size : at_hand(message);

    CHECK(size <= api_proto_file_left(message));
    if (first > 0)
        memcpy(out, message->window + message->begin, first);
    message->begin += first;
    size -= first;
    if (size == 0)
        return OK;
    TRY(api_file_read(&message->file, message->at, (uint8_t *)out + first, size, err));
    message->at += size;
    return OK;
}

void
api_proto_file_pass(struct api_proto_file *message, uint64_t size)
{
    CHECK(size <= api_proto_file_left(message));
    if (size <= at_hand(message)) {
        message->begin += (size_t)size;
        return;
    }
    message->at += size - at_hand(message);
    message->begin = message->end = 0;
}

/* The bytes of one tensor or slice of a V2 checkpoint, read front to back and summed. */
#include <inttypes.h>

#include "api/file/crc_mask.h"
#include "api/file/varint.h"
#include "api/wire/npy.h"
#include "api/wire/tf_v2.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/crc32c.h"
#include "store/base/scope.h"

enum {
    HEAD_BYTES = 4,       /* a string's length as values keep it */
    WINDOW_ALIGNMENT = 16 /* whole elements of any type */
};

static enum err_code
check_sum(const struct api_tf_v2_piece *piece, uint32_t crc, struct err *err)
{
    if (api_crc_mask(crc) == piece->crc)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "its bytes have checksum %08" PRIx32 ", the index says %08" PRIx32,
                   api_crc_mask(crc), piece->crc);
}

/* --- windows --- */

size_t
api_tf_v2_window_bytes(uint64_t size, size_t most)
{
    if (size < most)
        most = (size_t)size;
    if (most > API_TF_V2_WINDOW_BYTES_MAX)
        most = API_TF_V2_WINDOW_BYTES_MAX;
    most = (most + WINDOW_ALIGNMENT - 1) / WINDOW_ALIGNMENT * WINDOW_ALIGNMENT;
    return most < API_TF_V2_WINDOW_BYTES_MIN ? API_TF_V2_WINDOW_BYTES_MIN : most;
}

static uint64_t
window_left(const struct api_tf_v2_window *window)
{
    return window->file.size - window->at + (window->end - window->begin);
}

/* More of the file behind what is at hand; *more points at it. */
static enum err_code
window_fill(struct api_tf_v2_window *window, struct bytes *more, struct err *err)
{
    size_t kept = window->end - window->begin, room = window->capacity - kept;
    uint64_t left = window->file.size - window->at;

    if (kept > 0)
        memmove(window->room, window->room + window->begin, kept);
    if (room > left)
        room = (size_t)left;
    window->begin = 0;
    window->end = kept;
    TRY(api_file_read(&window->file, window->at, window->room + kept, room, err));
    *more = bytes_of(window->room + kept, room);
    window->at += room;
    window->end += room;
    return OK;
}

static enum err_code
next_length(struct api_tf_v2_window *window, uint64_t *out, struct err *err)
{
    struct bytes more, left;
    enum api_varint_outcome outcome;

    if (window->end - window->begin < API_VARINT_BYTES_MAX)
        TRY(window_fill(window, &more, err));
    left = bytes_of(window->room + window->begin, window->end - window->begin);
    outcome = api_varint_read(&left, out);
    if (outcome != API_VARINT_READ)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a length among those of its strings has more than 64 bits, or is cut off");
    window->begin = window->end - left.size;
    return OK;
}

/* --- opening --- */

/* Lengths are summed as 4 bytes each, or 8. */
static uint32_t
sum_length(uint32_t crc, uint64_t length, bool big_endian)
{
    uint64_t wide = big_endian ? __builtin_bswap64(length) : length;
    uint32_t narrow = big_endian ? __builtin_bswap32((uint32_t)length) : (uint32_t)length;

    return length <= UINT32_MAX ? crc32c(crc, &narrow, sizeof narrow)
                                : crc32c(crc, &wide, sizeof wide);
}

/* All lengths. *read: how many bytes they take; *total: what they sum up to. */
static enum err_code
scan_lengths(struct api_tf_v2_piece *piece, uint64_t *read, uint64_t *total, struct err *err)
{
    size_t capacity = api_tf_v2_window_bytes(piece->file.size, API_TF_V2_WINDOW_BYTES_MAX);
    AUTO_CALL(mem_free_scope) uint8_t *room = mem_alloc(capacity, err);
    struct api_tf_v2_window window = {.file = piece->file, .room = room, .capacity = capacity};

    if (room == NULL)
        return ERR_NO_MEMORY;
    *total = 0;
    for (uint64_t i = 0; i < piece->elements; i++) {
        uint64_t length = 0;

        TRY(next_length(&window, &length, err));
        if (length > piece->file.size - *total)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "its strings have more bytes together than its %" PRIu64,
                           piece->file.size);
        *total += length;
        piece->crc_begin = sum_length(piece->crc_begin, length, piece->big_endian);
        if (length > UINT32_MAX)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "string %" PRIu64 " of it has %" PRIu64 " bytes, the limit is %" PRIu32,
                           i, length, UINT32_MAX);
    }
    *read = piece->file.size - window_left(&window);
    return OK;
}

/* The checksum after the lengths. */
static enum err_code
check_lengths(struct api_tf_v2_piece *piece, uint64_t at, struct err *err)
{
    uint8_t stored[API_CRC_BYTES];
    uint32_t says;

    TRY(api_file_read(&piece->file, at, stored, sizeof stored, err));
    memcpy(&says, stored, sizeof says);
    if (piece->big_endian)
        says = __builtin_bswap32(says);
    if (says != api_crc_mask(piece->crc_begin))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the lengths of its strings have checksum %08" PRIx32
                       ", the data says %08" PRIx32,
                       api_crc_mask(piece->crc_begin), says);
    piece->crc_begin = crc32c(piece->crc_begin, stored, sizeof stored);
    return OK;
}

static enum err_code
open_strings(struct api_tf_v2_piece *piece, struct err *err)
{
    uint64_t size = piece->file.size, lengths = 0, total = 0;

    if (size == 0 && piece->elements == 0)
        return OK;
    if (size < API_CRC_BYTES || piece->elements > size - API_CRC_BYTES)
        return err_set(err, ERR_INVALID_ARGUMENT, "it has %" PRIu64 " strings in %" PRIu64 " bytes",
                       piece->elements, size);
    TRY(scan_lengths(piece, &lengths, &total, err));
    if (lengths > size - API_CRC_BYTES || total != size - API_CRC_BYTES - lengths)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its strings have %" PRIu64 " bytes and lengths of %" PRIu64
                       ", it has %" PRIu64 " in all",
                       total, lengths, size);
    TRY(check_lengths(piece, lengths, err));
    piece->size = HEAD_BYTES * piece->elements + total;
    TRY(api_file_part(&piece->file, 0, lengths, &piece->lengths, err));
    TRY(api_file_part(&piece->file, lengths + API_CRC_BYTES, total, &piece->file, err));
    return total == 0 ? check_sum(piece, piece->crc_begin, err) : OK;
}

enum err_code
api_tf_v2_piece_open(struct api_tf_v2_piece *piece, struct err *err)
{
    piece->crc_begin = 0;
    piece->size = 0;
    if (piece->dtype == DTYPE_STRING)
        return open_strings(piece, err);
    piece->size = piece->elements * dtype_size(piece->dtype);
    if (piece->size != piece->file.size)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "it has %" PRIu64 " bytes, its shape takes %" PRIu64, piece->file.size,
                       piece->size);
    return piece->size == 0 ? check_sum(piece, 0, err) : OK;
}

/* --- reading --- */

void
api_tf_v2_stream_init(struct api_tf_v2_stream *stream, const struct api_tf_v2_piece *piece,
                      uint8_t *room, size_t capacity)
{
    CHECK(capacity >= API_TF_V2_WINDOW_BYTES_MIN && capacity % WINDOW_ALIGNMENT == 0);
    *stream = (struct api_tf_v2_stream){.piece = piece, .crc = piece->crc_begin};
    stream->bytes =
        (struct api_tf_v2_window){.file = piece->file, .room = room, .capacity = capacity};
    stream->lengths = (struct api_tf_v2_window){
        .file = piece->lengths, .room = room + capacity, .capacity = capacity};
}

static enum err_code
sum(struct api_tf_v2_stream *stream, const uint8_t *bytes, size_t size, struct err *err)
{
    stream->crc = crc32c(stream->crc, bytes, size);
    return stream->bytes.at == stream->bytes.file.size ? check_sum(stream->piece, stream->crc, err)
                                                       : OK;
}

/* Whole elements are read and turned round together: a window has a multiple of their size. */
static enum err_code
fill(struct api_tf_v2_stream *stream, struct err *err)
{
    struct bytes more = {NULL, 0};
    uint8_t *room;

    TRY(window_fill(&stream->bytes, &more, err));
    TRY(sum(stream, more.data, more.size, err));
    room = stream->bytes.room + (more.data - stream->bytes.room);
    if (stream->piece->big_endian)
        api_wire_swap(stream->piece->dtype, room, more.size);
    return OK;
}

/* Past the window when there is nothing to be done but to sum. */
static enum err_code
read_directly(struct api_tf_v2_stream *stream, uint8_t *out, size_t size, struct err *err)
{
    struct api_tf_v2_window *window = &stream->bytes;

    TRY(api_file_read(&window->file, window->at, out, size, err));
    window->at += size;
    return sum(stream, out, size, err);
}

enum err_code
api_tf_v2_stream_numbers(struct api_tf_v2_stream *stream, uint8_t *out, size_t size,
                         struct err *err)
{
    struct api_tf_v2_window *window = &stream->bytes;

    if (size > window_left(window))
        return err_set(err, ERR_INVALID_ARGUMENT, "its data changed while it was read");
    while (size > 0) {
        size_t ready = window->end - window->begin;

        if (ready == 0 && size >= window->capacity && !stream->piece->big_endian)
            return read_directly(stream, out, size, err);
        if (ready == 0) {
            TRY(fill(stream, err));
            continue;
        }
        if (ready > size)
            ready = size;
        memcpy(out, window->room + window->begin, ready);
        window->begin += ready;
        out += ready;
        size -= ready;
    }
    return OK;
}

static enum err_code
begin_string(struct api_tf_v2_stream *stream, struct err *err)
{
    uint64_t length = 0;
    uint32_t head;

    TRY(next_length(&stream->lengths, &length, err));
    head = (uint32_t)length;
    memcpy(stream->head, &head, sizeof head);
    stream->head_left = sizeof head;
    stream->body_left = length;
    return OK;
}

enum err_code
api_tf_v2_stream_strings(struct api_tf_v2_stream *stream, uint8_t *out, size_t size, uint64_t *left,
                         size_t *got, struct err *err)
{
    uint8_t *begin = out, *end = out + size;

    while (out<end && * left> 0) {
        size_t body;

        if (stream->head_left == 0 && stream->body_left == 0)
            TRY(begin_string(stream, err));
        for (; stream->head_left > 0 && out < end; stream->head_left--)
            *out++ = stream->head[HEAD_BYTES - stream->head_left];
        body = (size_t)(end - out) < stream->body_left ? (size_t)(end - out)
                                                       : (size_t)stream->body_left;
        if (stream->head_left == 0)
            TRY(api_tf_v2_stream_numbers(stream, out, body, err));
        else
            body = 0;
        out += body;
        stream->body_left -= body;
        *left -= stream->head_left == 0 && stream->body_left == 0;
    }
    *got = (size_t)(out - begin);
    return OK;
}

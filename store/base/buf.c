#include "store/base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "store/base/alloc.h"
#include "store/base/check.h"

enum { BUF_FIRST_CAPACITY = 256 };

void
buf_init(struct buf *b, size_t size_max)
{
    *b = (struct buf){.size_max = size_max};
}

void
buf_drop(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){0};
}

/* Room for `size` more bytes, and behind them for `spare` ones that are never committed. */
static enum err_code
make_room(struct buf *b, size_t size, size_t spare, uint8_t **out, struct err *err)
{
    size_t want = 0, capacity = b->capacity ? b->capacity : BUF_FIRST_CAPACITY;
    uint8_t *grown = NULL;

    if (__builtin_add_overflow(b->size, size, &want))
        want = SIZE_MAX;
    if (want > b->size_max || want > SIZE_MAX - spare)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE, "%zu bytes are over the limit of %zu bytes",
                       want, b->size_max);
    want += spare;
    if (want > b->capacity || b->data == NULL) {
        while (capacity < want)
            capacity = capacity > SIZE_MAX / 2 ? want : capacity * 2;
        grown = mem_resize(b->data, capacity, err);
        if (grown == NULL)
            return ERR_NO_MEMORY;
        b->data = grown;
        b->capacity = capacity;
    }
    *out = b->data + b->size;
    return OK;
}

enum err_code
buf_reserve(struct buf *b, size_t size, uint8_t **out, struct err *err)
{
    return make_room(b, size, 0, out, err);
}

void
buf_commit(struct buf *b, size_t size)
{
    CHECK(size <= b->capacity - b->size);
    b->size += size;
}

enum err_code
buf_append(struct buf *b, const void *data, size_t size, struct err *err)
{
    uint8_t *room = NULL;

    if (size == 0)
        return OK;
    TRY(buf_reserve(b, size, &room, err));
    CHECK(room != NULL);
    memcpy(room, data, size);
    b->size += size;
    return OK;
}

enum err_code
buf_append_text(struct buf *b, const char *text, struct err *err)
{
    return buf_append(b, text, strlen(text), err);
}

enum err_code
buf_append_byte(struct buf *b, uint8_t byte, struct err *err)
{
    return buf_append(b, &byte, 1, err);
}

enum err_code
buf_printf(struct buf *b, struct err *err, const char *format, ...)
{
    uint8_t *room = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(length >= 0);
    TRY(make_room(b, (size_t)length, 1, &room, err)); /* the NUL does not count */
    va_start(args, format);
    vsnprintf((char *)room, (size_t)length + 1, format, args);
    va_end(args);
    b->size += (size_t)length;
    return OK;
}

enum err_code
buf_append_u32(struct buf *b, uint32_t value, struct err *err)
{
    uint8_t le[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                     (uint8_t)(value >> 24)};

    return buf_append(b, le, sizeof le, err);
}

enum err_code
buf_append_u64(struct buf *b, uint64_t value, struct err *err)
{
    TRY(buf_append_u32(b, (uint32_t)value, err));
    return buf_append_u32(b, (uint32_t)(value >> 32), err);
}

enum err_code
buf_append_bytes(struct buf *b, struct bytes bytes, struct err *err)
{
    CHECK(bytes.size <= UINT32_MAX);
    TRY(buf_append_u32(b, (uint32_t)bytes.size, err));
    return buf_append(b, bytes.data, bytes.size, err);
}

struct reader
reader_of(struct bytes bytes)
{
    return (struct reader){.left = bytes};
}

struct bytes
reader_take(struct reader *r, size_t size)
{
    struct bytes taken;

    if (r->failed || r->left.size < size) {
        r->failed = true;
        return bytes_of("", 0);
    }
    taken = bytes_of(r->left.data, size);
    r->left.data += size;
    r->left.size -= size;
    return taken;
}

uint8_t
reader_u8(struct reader *r)
{
    struct bytes b = reader_take(r, 1);

    return b.size == 1 ? b.data[0] : 0;
}

uint32_t
reader_u32(struct reader *r)
{
    struct bytes b = reader_take(r, 4);

    if (b.size != 4)
        return 0;
    return (uint32_t)b.data[0] | (uint32_t)b.data[1] << 8 | (uint32_t)b.data[2] << 16 |
           (uint32_t)b.data[3] << 24;
}

uint64_t
reader_u64(struct reader *r)
{
    uint64_t low = reader_u32(r);

    return low | (uint64_t)reader_u32(r) << 32;
}

struct bytes
reader_bytes(struct reader *r)
{
    return reader_take(r, reader_u32(r));
}

bool
reader_ended_well(const struct reader *r)
{
    return !r->failed && r->left.size == 0;
}

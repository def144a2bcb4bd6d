/* A growable buffer that cannot be made without its maximum. Owns its bytes; release with buf_drop.
 * Past the maximum an append fails with ERR_PAYLOAD_TOO_LARGE; the bytes already there stay. */
#ifndef STORE_BASE_BUF_H
#define STORE_BASE_BUF_H

#include "store/base/bytes.h"
#include "store/base/err.h"

struct buf {
    uint8_t *data;
    size_t size, capacity, size_max;
};

void buf_init(struct buf *b, size_t size_max);
void buf_drop(struct buf *b);
ERR_MUST_CHECK enum err_code buf_append(struct buf *b, const void *data, size_t size,
                                        struct err *err);
ERR_MUST_CHECK enum err_code buf_append_text(struct buf *b, const char *text, struct err *err);
ERR_MUST_CHECK enum err_code buf_append_byte(struct buf *b, uint8_t byte, struct err *err);
ERR_MUST_CHECK enum err_code buf_printf(struct buf *b, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Room for `size` more bytes; *out borrows from b until the next call. Then buf_commit what was
 * used. */
ERR_MUST_CHECK enum err_code buf_reserve(struct buf *b, size_t size, uint8_t **out,
                                         struct err *err);
void buf_commit(struct buf *b, size_t size);

/* Little-endian integers, for records. */
ERR_MUST_CHECK enum err_code buf_append_u32(struct buf *b, uint32_t value, struct err *err);
ERR_MUST_CHECK enum err_code buf_append_u64(struct buf *b, uint64_t value, struct err *err);
/* u32 length + bytes. */
ERR_MUST_CHECK enum err_code buf_append_bytes(struct buf *b, struct bytes bytes, struct err *err);

static inline struct bytes
buf_bytes(const struct buf *b)
{
    return bytes_of(b->data == NULL ? (const uint8_t *)"" : b->data, b->size);
}

/* Reading back what the calls above wrote. After a short or bad read `failed` stays set and every
 * later read gives zeros, so a decoder checks once, at its end. Borrows from the bytes given. */
struct reader {
    struct bytes left;
    bool failed;
};

struct reader reader_of(struct bytes bytes);
uint8_t reader_u8(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
struct bytes reader_bytes(struct reader *r);             /* u32 length + bytes */
struct bytes reader_take(struct reader *r, size_t size); /* exactly size bytes */
/* Everything read and nothing failed. */
bool reader_ended_well(const struct reader *r);

#endif

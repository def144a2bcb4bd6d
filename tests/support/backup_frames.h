/* The frames of a backup in memory (store/backup.h), for tests that change some. */
#ifndef TESTS_SUPPORT_BACKUP_FRAMES_H
#define TESTS_SUPPORT_BACKUP_FRAMES_H

#include "store/backup.h"
#include "store/base/crc32c.h"

static inline uint32_t
frame_u32(const uint8_t *frame, size_t index)
{
    uint32_t value;

    memcpy(&value, frame + 4 * index, sizeof value);
    return value;
}

/* Where the nth frame begins, and its size with head, which may be more than is there; 0: there are
 * fewer. */
static inline size_t
frame_at(struct bytes stream, unsigned nth, size_t *size)
{
    size_t at = BACKUP_MAGIC_BYTES;

    for (unsigned i = 0; at + BACKUP_FRAME_HEAD_BYTES <= stream.size; i++) {
        *size = (size_t)BACKUP_FRAME_HEAD_BYTES + frame_u32(stream.data + at, 1);
        if (i == nth)
            return at;
        at += *size;
    }
    return 0;
}

/* Makes its checksums right again, all of them. */
static inline void
frames_mend(uint8_t *stream, size_t stream_size)
{
    uint32_t heads = 0;
    size_t at, size = 0;

    for (unsigned i = 0; (at = frame_at(bytes_of(stream, stream_size), i, &size)) != 0; i++) {
        uint8_t *frame = stream + at;
        uint32_t crc;

        if (size > stream_size - at)
            return;
        if (frame_u32(frame, 0) == BACKUP_END && size == BACKUP_FRAME_HEAD_BYTES + BACKUP_END_BYTES)
            memcpy(frame + BACKUP_FRAME_HEAD_BYTES + 16, &heads, sizeof heads);
        crc = crc32c(0, frame + BACKUP_FRAME_HEAD_BYTES, size - BACKUP_FRAME_HEAD_BYTES);
        memcpy(frame + 8, &crc, sizeof crc);
        crc = crc32c(0, frame, 12);
        memcpy(frame + 12, &crc, sizeof crc);
        if (frame_u32(frame, 0) == BACKUP_RECORDS || frame_u32(frame, 0) == BACKUP_CHUNK)
            heads = crc32c(heads, frame, BACKUP_FRAME_HEAD_BYTES);
    }
}

#endif

/* Covers store/backup_read.c: any stream. What it gives is inside the stream's limits, and an error
 * has words. */
#include "store/base/check.h"
#include "tests/support/backup_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

/* Most with right checksums: what is behind them is to be reached. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    size = LLVMFuzzerMutate(data, size, size_max);
    if (seed % 16 != 0)
        frames_mend(data, size);
    return size;
}

struct source {
    struct bytes left;
    size_t step;
};

static enum err_code
give(void *context, uint8_t *out, size_t size, size_t *got, struct err *err)
{
    struct source *source = context;

    (void)err;
    *got = source->left.size < size ? source->left.size : size;
    if (*got > source->step)
        *got = source->step;
    if (*got == 0)
        return OK;
    memcpy(out, source->left.data, *got);
    source->left.data += *got;
    source->left.size -= *got;
    source->step = source->step * 5 % 70001 + 1;
    return OK;
}

struct seen {
    bool begun, chunks_begun;
    uint64_t records, chunks;
    size_t bytes;
};

static enum err_code
begin(void *context, const struct store_state *state, const struct backup_counts *counts,
      struct err *err)
{
    struct seen *seen = context;

    (void)state;
    (void)counts;
    (void)err;
    CHECK(!seen->begun);
    seen->begun = true;
    return OK;
}

static enum err_code
record(void *context, struct bytes key, struct bytes value, struct err *err)
{
    struct seen *seen = context;

    CHECK(seen->begun && !seen->chunks_begun);
    seen->records++;
    seen->bytes += key.size + value.size;
    /* As a store would: what has no key is none of its records. */
    return key.size > 0 ? OK : err_set(err, ERR_DATA_LOSS, "no key");
}

static enum err_code
chunk(void *context, uint64_t id, struct store_chunk_place place, struct bytes payload,
      struct err *err)
{
    struct seen *seen = context;
    uint32_t crc = crc32c(0, payload.data, payload.size); /* reads it all */

    (void)id;
    (void)place;
    (void)err;
    (void)crc;
    CHECK(seen->begun && payload.size <= STORE_BULK_BYTES);
    seen->chunks_begun = true;
    seen->chunks++;
    seen->bytes += payload.size;
    return OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct backup_sink sink = {.begin = begin, .record = record, .chunk = chunk};
    struct source source = {.left = bytes_of(data, size), .step = 1 + size % 97};
    struct backup_counts counts;
    struct seen seen = {.begun = false};
    struct err err = ERR_INIT;

    if (backup_read(give, &source, &sink, &seen, &counts, &err) != OK) {
        CHECK(err.code != OK && err.text[0] != '\0');
        return 0;
    }
    CHECK(seen.begun && counts.records == seen.records && counts.chunks == seen.chunks);
    CHECK(seen.bytes < size && source.left.size == 0);
    return 0;
}

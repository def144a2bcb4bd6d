#include "api/wire/tf_v2_strings.h"

#include "api/file/crc_mask.h"
#include "api/file/varint.h"
#include "store/base/crc32c.h"

enum { HEAD_BYTES = 4 }; /* a string's length as values keep it */

struct api_tf_v2_string_runs
api_tf_v2_string_runs_of(const struct tensor_set *set, size_t i)
{
    const struct tensor_set_entry *entry = &set->entries[i];

    return (struct api_tf_v2_string_runs){.spans = set->spans + entry->span_first,
                                          .count = entry->span_count};
}

/* The next bytes that lie together: at most `size`, none at the end. */
static struct bytes
next_bytes(struct api_tf_v2_string_runs *runs, size_t size)
{
    struct bytes taken;

    while (runs->left.size == 0 && runs->count > 0) {
        runs->left = *runs->spans++;
        runs->count--;
    }
    taken = bytes_of(runs->left.data, size < runs->left.size ? size : runs->left.size);
    runs->left = bytes_of(runs->left.data + taken.size, runs->left.size - taken.size);
    return taken;
}

static enum err_code
broken(struct err *err)
{
    return err_set(err, ERR_INTERNAL, "a string tensor ends inside a string");
}

static enum err_code
next_length(struct api_tf_v2_string_runs *runs, uint32_t *out, struct err *err)
{
    uint8_t head[HEAD_BYTES];
    size_t have = 0;

    while (have < sizeof head) {
        struct bytes more = next_bytes(runs, sizeof head - have);

        if (more.size == 0)
            return broken(err);
        memcpy(head + have, more.data, more.size);
        have += more.size;
    }
    memcpy(out, head, sizeof head);
    return OK;
}

/* The next string: into the scratch, or passed over when that is NULL. */
static enum err_code
next_string(struct api_tf_v2_string_runs *runs, uint32_t length, struct scratch *scratch,
            uint32_t *crc, struct err *err)
{
    while (length > 0) {
        struct bytes more = next_bytes(runs, length);

        if (more.size == 0)
            return broken(err);
        length -= (uint32_t)more.size;
        if (scratch == NULL)
            continue;
        *crc = crc32c(*crc, more.data, more.size);
        TRY(scratch_append(scratch, more.data, more.size, err));
    }
    return OK;
}

/* Lengths are summed as 4 bytes each. */
static enum err_code
write_lengths(struct api_tf_v2_string_runs runs, uint64_t count, struct scratch *scratch,
              uint32_t *crc, struct err *err)
{
    for (uint64_t i = 0; i < count; i++) {
        uint8_t bytes[API_VARINT_BYTES_MAX];
        uint32_t length = 0;

        TRY(next_length(&runs, &length, err));
        TRY(next_string(&runs, length, NULL, NULL, err));
        *crc = crc32c(*crc, &length, sizeof length);
        TRY(scratch_append(scratch, bytes, api_varint_put(length, bytes), err));
    }
    return OK;
}

static enum err_code
write_strings(struct api_tf_v2_string_runs *runs, uint64_t count, struct scratch *scratch,
              uint32_t *crc, struct err *err)
{
    for (uint64_t i = 0; i < count; i++) {
        uint32_t length = 0;

        TRY(next_length(runs, &length, err));
        TRY(next_string(runs, length, scratch, crc, err));
    }
    return OK;
}

enum err_code
api_tf_v2_strings_write(struct api_tf_v2_string_runs *runs, uint64_t count, struct scratch *scratch,
                        uint64_t *size, uint32_t *crc, struct err *err)
{
    uint64_t begin = scratch_size(scratch);
    uint32_t masked;

    *crc = 0;
    TRY(write_lengths(*runs, count, scratch, crc, err));
    masked = api_crc_mask(*crc);
    *crc = crc32c(*crc, &masked, sizeof masked);
    TRY(scratch_append(scratch, &masked, sizeof masked, err));
    TRY(write_strings(runs, count, scratch, crc, err));
    *size = scratch_size(scratch) - begin;
    return OK;
}

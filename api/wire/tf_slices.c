#include "api/wire/tf_slices.h"

#include <inttypes.h>
#include <stdio.h>

#include "api/json/text.h"

/* --- writing ------------------------------------------------------------------------------- */

struct api_tf_slice_runs
api_tf_slice_runs_of(const struct tensor_set_entry *entry, uint32_t index)
{
    const struct shape *whole = &entry->type.shape;
    struct partition_part part = partition_part_of(&entry->partition, whole, index);
    uint32_t axis = entry->partition.axis;
    struct api_tf_slice_runs runs = {.count = 1};
    uint64_t inner = 1;

    for (uint32_t i = axis + 1; i < whole->rank; i++)
        inner *= whole->dims[i];
    for (uint32_t i = 0; i < axis; i++)
        runs.count *= whole->dims[i];
    runs.first = part.offset[axis] * inner;
    runs.length = part.shape.dims[axis] * inner;
    runs.stride = whole->dims[axis] * inner;
    return runs;
}

uint32_t
api_tf_slice_count(const struct tensor_set_entry *entry)
{
    uint32_t count = entry->partition.count;

    if (count > 1 && entry->type.dtype == DTYPE_STRING && api_tf_slice_runs_of(entry, 0).count > 1)
        return 0;
    return count;
}

void
api_tf_slice_extents(const struct tensor_set_entry *entry, uint32_t index,
                     struct api_extent out[static SHAPE_RANK_MAX])
{
    struct partition_part part = partition_part_of(&entry->partition, &entry->type.shape, index);

    for (uint32_t i = 0; i < part.shape.rank; i++)
        out[i] = (struct api_extent){(int64_t)part.offset[i], (int64_t)part.shape.dims[i]};
}

uint32_t
api_tf_slice_shard(const struct tensor_set_entry *entry, uint32_t index, uint32_t shards)
{
    uint32_t shard = partition_part_shard(entry->part_shards, index, entry->shard);

    return shard < shards ? shard : 0;
}

/* A place in the bytes of an entry; goes forward only. */
struct place {
    const struct bytes *span; /* the one it is in */
    size_t begin;             /* in the span */
    uint64_t at;              /* in the entry */
};

/* The bytes at the place that lie in one run, at most `size`; goes past them. Not at the end. */
static struct bytes
take_run(struct place *place, uint64_t size)
{
    struct bytes run;

    while (place->begin == place->span->size) {
        place->span++;
        place->begin = 0;
    }
    run = bytes_of(place->span->data + place->begin, place->span->size - place->begin);
    if (run.size > size)
        run.size = (size_t)size;
    place->begin += run.size;
    place->at += run.size;
    return run;
}

enum err_code
api_tf_slice_each(const struct tensor_set *set, const struct tensor_set_entry *entry,
                  uint32_t index, api_tf_slice_visit *visit, void *context, struct err *err)
{
    struct api_tf_slice_runs runs = api_tf_slice_runs_of(entry, index);
    struct place place = {.span = set->spans + entry->span_first};
    uint64_t size = dtype_size(entry->type.dtype);

    for (uint64_t i = 0; i < runs.count; i++) {
        uint64_t begin = (runs.first + i * runs.stride) * size, end = begin + runs.length * size;

        while (place.at < begin)
            (void)take_run(&place, begin - place.at);
        while (place.at < end)
            TRY(visit(context, take_run(&place, end - place.at), err));
    }
    return OK;
}

/* --- reading ------------------------------------------------------------------------------- */

enum err_code
api_tf_slices_cover(struct bytes name, const struct shape *whole, size_t count, uint64_t covered,
                    struct err *err)
{
    uint64_t total = shape_count(whole);
    char shown[API_SHOWN_BYTES_MAX + 1], spec[2 * SHAPE_RANK_MAX + 1] = "",
                                                                   text[SHAPE_TEXT_BYTES_MAX];

    if (covered == total)
        return OK;
    if (covered > total)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "its %zu slices have %" PRIu64 " elements together, its shape is %s: they "
                       "overlap",
                       count, covered, shape_text(whole, text));
    for (uint32_t i = 0; i < whole->rank; i++)
        snprintf(spec + strlen(spec), sizeof spec - strlen(spec), "%s-", i == 0 ? "" : ":");
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "Does not have sufficient slices for partitioned tensor %s to restore in "
                   "slice_spec: %s (its %zu slices have %" PRIu64
                   " elements together, its shape is %s: they leave a hole)",
                   api_text_shown(name, shown), spec, count, covered, shape_text(whole, text));
}

/* The dimension that the slice has not all of; the first, when it is the whole. */
static uint32_t
cut_axis(const struct api_tf_slice_found *slice, const struct shape *whole)
{
    for (uint32_t i = 0; i < whole->rank; i++)
        if (slice->dims[i] != whole->dims[i])
            return i;
    return 0;
}

enum err_code
api_tf_slices_partition(const struct api_tf_slice_found *slices, size_t count,
                        const struct shape *whole, struct arena *arena, struct partition *out,
                        struct bytes *part_shards, struct err *err)
{
    struct partition partition = {.count = (uint32_t)count};
    uint8_t *shards;
    bool apart = false;

    *out = (struct partition){0};
    *part_shards = bytes_of(NULL, 0);
    if (count == 0 || count > PARTITION_PARTS_MAX || whole->rank == 0)
        return OK;
    partition.axis = cut_axis(&slices[0], whole);
    if (!partition_fits(&partition, whole))
        return OK;
    shards = arena_array(arena, count, PARTITION_SHARD_BYTES, err);
    if (shards == NULL)
        return ERR_NO_MEMORY;
    /* As many as there are parts, none over another, so that each part is one of them. */
    for (size_t i = 0; i < count; i++) {
        struct shape shape = {.rank = whole->rank};
        uint32_t index;

        memcpy(shape.dims, slices[i].dims, whole->rank * sizeof *shape.dims);
        index = partition_part_at(&partition, whole, slices[i].first, &shape);
        if (index == partition.count)
            return OK;
        partition_put_shard(shards, index, slices[i].shard);
        apart |= slices[i].shard != slices[0].shard;
    }
    *out = partition;
    if (apart)
        *part_shards = bytes_of(shards, count * PARTITION_SHARD_BYTES);
    return OK;
}

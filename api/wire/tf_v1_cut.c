#include "api/wire/tf_v1_cut.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/scope.h"

enum { KEPT_SLICES_MAX = 256 }; /* of one tensor, that are written as they came */

struct cutting {
    uint32_t shards;
    struct api_tf_v1_slices_of *kept; /* as metadata tells, by name */
    size_t kept_count;
    struct arena *arena;
};

enum err_code
api_tf_v1_part(const struct tensor_set_entry *entry, const struct api_extent *extents,
               struct arena *arena, struct api_tf_parts *out, struct err *err)
{
    struct api_tf_slice slice = {.rank = entry->type.shape.rank};
    uint64_t first[SHAPE_RANK_MAX];
    struct shape part;

    memcpy(slice.extents, extents, slice.rank * sizeof *extents);
    TRY(api_tf_slice_check(&slice, &entry->type.shape, first, &part, err));
    TRY(api_tf_parts_begin(out, arena, &entry->type.shape, 1, err));
    return api_tf_parts_add(out, arena, first, &part, err);
}

static bool
overlap(const struct api_tf_parts *a, const struct api_tf_parts *b)
{
    for (uint32_t i = 0; i < a->whole.rank; i++)
        if (a->parts->first[i] + a->parts->dims[i] <= b->parts->first[i] ||
            b->parts->first[i] + b->parts->dims[i] <= a->parts->first[i])
            return false;
    return true;
}

/* Whether slices of long ago are still the parts of this tensor. */
static bool
fits(const struct api_tf_v1_slices_of *kept, const struct tensor_set_entry *entry)
{
    struct api_tf_parts *parts;
    AUTO(arena) arena = {0};
    uint64_t covered = 0;

    if (kept->rank != entry->type.shape.rank || kept->count == 0 || kept->count > KEPT_SLICES_MAX ||
        (kept->count > 1 && entry->type.dtype == DTYPE_STRING))
        return false;
    arena_init(&arena, (size_t)1 << 20);
    parts = arena_array(&arena, kept->count, sizeof *parts, NULL);
    for (size_t i = 0; i < kept->count; i++) {
        if (parts == NULL ||
            api_tf_v1_part(entry, kept->extents + i * kept->rank, &arena, &parts[i], NULL) != OK)
            return false;
        covered += parts[i].covered;
        for (size_t j = 0; j < i; j++)
            if (overlap(&parts[i], &parts[j]))
                return false;
    }
    return covered == shape_count(&entry->type.shape);
}

static int
compare_name(const void *name, const void *kept)
{
    return bytes_compare(*(const struct bytes *)name,
                         ((const struct api_tf_v1_slices_of *)kept)->name);
}

/* As a saver of a partitioned variable has them; else one slice that is all of the tensor. */
static enum err_code
make_slices(const struct cutting *c, const struct tensor_set_entry *entry,
            struct api_tf_v1_slices_of *out, struct err *err)
{
    uint32_t count = api_tf_slice_count(entry), rank = entry->type.shape.rank;
    struct api_extent whole[SHAPE_RANK_MAX], *extents;

    *out = (struct api_tf_v1_slices_of){
        .name = bytes_of_text(entry->name), .rank = rank, .count = count > 0 ? count : 1};
    extents = arena_array(c->arena, out->count * rank, sizeof *extents, err);
    if (extents == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < rank; i++)
        whole[i] = (struct api_extent){0, API_EXTENT_WHOLE};
    for (uint32_t i = 0; i < out->count; i++) {
        if (count > 0)
            api_tf_slice_extents(entry, i, whole);
        memcpy(extents + (size_t)i * rank, whole, rank * sizeof *extents);
    }
    out->extents = extents;
    return OK;
}

/* The shard that a slice is in: that of the part which it is. */
static uint32_t
shard_of(const struct cutting *c, const struct tensor_set_entry *entry,
         const struct api_extent *extents)
{
    struct api_tf_slice slice = {.rank = entry->type.shape.rank};
    uint64_t first[SHAPE_RANK_MAX];
    struct shape shape;
    uint32_t part;

    if (entry->partition.count == 0)
        return api_tf_slice_shard(entry, 0, c->shards);
    memcpy(slice.extents, extents, slice.rank * sizeof *extents);
    if (api_tf_slice_check(&slice, &entry->type.shape, first, &shape, NULL) != OK)
        return 0;
    part = partition_part_at(&entry->partition, &entry->type.shape, first, &shape);
    return api_tf_slice_shard(entry, part < entry->partition.count ? part : 0, c->shards);
}

/* The slices that a tensor is written in: as it came, or as it was saved. */
static enum err_code
cut(const struct cutting *c, const struct tensor_set_entry *entry, struct api_tf_v1_cut *out,
    struct err *err)
{
    struct bytes name = bytes_of_text(entry->name);
    const struct api_tf_v1_slices_of *kept =
        c->kept_count == 0 ? NULL
                           : bsearch(&name, c->kept, c->kept_count, sizeof *c->kept, compare_name);

    if (kept != NULL && fits(kept, entry))
        out->slices = *kept;
    else
        TRY(make_slices(c, entry, &out->slices, err));
    out->shards = arena_array(c->arena, out->slices.count, sizeof *out->shards, err);
    if (out->shards == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < out->slices.count; i++)
        out->shards[i] = shard_of(c, entry, out->slices.extents + i * out->slices.rank);
    return OK;
}

static enum err_code
read_kept(struct cutting *c, const struct api_wire_export *what, struct err *err)
{
    for (size_t i = 0; i < what->metadata_count; i++) {
        struct bytes name = what->metadata[2 * i], value = what->metadata[2 * i + 1];
        struct err problem = ERR_INIT;

        if (!bytes_equal(name, bytes_of_text(API_TF_V1_PAIR_SLICES)))
            continue;
        /* Anybody may have written it: what is no list of slices is none. */
        if (api_tf_v1_slices_read(value, c->arena, &c->kept, &c->kept_count, &problem) == OK)
            continue;
        c->kept_count = 0;
        if (problem.code != ERR_INVALID_ARGUMENT)
            return err_set(err, problem.code, "%s", problem.text);
    }
    return OK;
}

enum err_code
api_tf_v1_cut(const struct api_wire_export *what, struct arena *arena, struct api_tf_v1_cut **out,
              struct err *err)
{
    const struct tensor_set *set = what->set;
    struct cutting c = {.arena = arena, .shards = what->shards};
    struct api_tf_v1_cut *cuts;

    TRY(read_kept(&c, what, err));
    cuts = arena_array(arena, set->entry_count, sizeof *cuts, err);
    if (cuts == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < set->entry_count; i++)
        TRY(cut(&c, &set->entries[what->order[i]], &cuts[i], err));
    *out = cuts;
    return OK;
}

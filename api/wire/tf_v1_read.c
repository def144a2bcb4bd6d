/* V1 checkpoints as a format of sets: what is read, told as a catalog. */
#include <inttypes.h>

#include "api/wire/tf_v1.h"
#include "service/saving/checkpoint.h"
#include "store/base/scope.h"

enum { SLICES_TEXT_BYTES_MAX = CHECKPOINT_METADATA_BYTES_MAX / 2 };

static enum err_code
add_tensors(const struct api_tf_v1_tensor *tensors, size_t count,
            const struct api_wire_input *input, struct api_wire_catalog *out, struct err *err)
{
    out->tensors = arena_array(input->arena, count, sizeof *out->tensors, err);
    out->refused = arena_array(input->arena, count, sizeof *out->refused, err);
    if (out->tensors == NULL || out->refused == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (tensors[i].refused != NULL)
            out->refused[out->refused_count++] =
                (struct api_wire_refused){tensors[i].name, tensors[i].refused};
        else
            out->tensors[out->count++] =
                (struct api_wire_tensor){.name = tensors[i].name,
                                         .type = tensors[i].type,
                                         .size = tensors[i].size,
                                         .shard = tensors[i].file,
                                         .partition = tensors[i].partition,
                                         .part_shards = tensors[i].part_shards};
    }
    if (out->count > input->limits->tensors_max)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "%zu tensors, the limit is %" PRIu32 " (variables_per_request_max)",
                       out->count, input->limits->tensors_max);
    return OK;
}

/* Slices that say more than "all of it", for the metadata. */
static enum err_code
spell_slices(const struct api_tf_v1_tensor *tensors, size_t count, struct arena *arena,
             struct buf *out, struct err *err)
{
    struct api_tf_v1_slices_of *told = arena_array(arena, count, sizeof *told, err);
    size_t told_count = 0;

    if (told == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct api_tf_v1_tensor *tensor = &tensors[i];
        uint32_t rank = tensor->type.shape.rank;
        struct api_extent *extents;

        if (tensor->slice_count == 0 ||
            (tensor->slice_count == 1 &&
             api_tf_v1_slice_is_plain(tensor->slices[0]->extents, rank)))
            continue;
        extents = arena_array(arena, tensor->slice_count * rank, sizeof *extents, err);
        if (extents == NULL)
            return ERR_NO_MEMORY;
        for (size_t j = 0; j < tensor->slice_count; j++)
            memcpy(extents + j * rank, tensor->slices[j]->extents, rank * sizeof *extents);
        told[told_count++] =
            (struct api_tf_v1_slices_of){tensor->name, rank, extents, tensor->slice_count};
    }
    return told_count == 0 ? OK : api_tf_v1_slices_write(told, told_count, out, err);
}

static enum err_code
add_pair(struct arena *arena, const char *name, struct bytes value, struct api_wire_catalog *out,
         struct err *err)
{
    char *copy = arena_text(arena, value, err);

    if (copy == NULL)
        return ERR_NO_MEMORY;
    out->metadata[2 * out->metadata_count] = bytes_of_text(name);
    out->metadata[2 * out->metadata_count + 1] = bytes_of(copy, value.size);
    out->metadata_count++;
    return OK;
}

/* What a file that is to be the same needs beside the tensors. */
static enum err_code
add_metadata(const struct api_tf_v1_catalog *found, const struct api_tf_v1_tensor *tensors,
             size_t count, struct api_wire_catalog *out, struct err *err)
{
    AUTO(buf) slices = {0};
    struct err problem = ERR_INIT;

    out->metadata = arena_array(found->arena, 4, sizeof *out->metadata, err);
    if (out->metadata == NULL)
        return ERR_NO_MEMORY;
    buf_init(&slices, SLICES_TEXT_BYTES_MAX);
    if (spell_slices(tensors, count, found->arena, &slices, &problem) == OK && slices.size > 0)
        TRY(add_pair(found->arena, API_TF_V1_PAIR_SLICES, buf_bytes(&slices), out, err));
    /* Too many of them are forgotten: each tensor is one slice from now on. */
    if (problem.code != OK && problem.code != ERR_PAYLOAD_TOO_LARGE)
        return err_set(err, problem.code, "%s", problem.text);
    if (found->without_versions)
        TRY(add_pair(found->arena, API_TF_V1_PAIR_VERSIONS, bytes_of_text("none"), out, err));
    return OK;
}

/* --- the format ---------------------------------------------------------------------------- */

static enum err_code
scan(const struct api_wire_input *input, struct api_tf_v1_catalog *found, uint32_t *shards,
     struct err *err)
{
    struct api_tf_v1_files files;

    TRY(api_tf_v1_find(input, &files, err));
    *shards = files.count > 1 ? (uint32_t)files.count : 0;
    for (size_t i = 0; i < files.count; i++) {
        enum err_code code = api_tf_v1_scan(input, &files.files[i]->file, (uint32_t)i, found, err);

        if (code != OK && err != NULL && err->about_kind == NULL)
            err_prefix(err, "file %zu of %zu of the V1 checkpoint", i, files.count);
        TRY(code);
    }
    return OK;
}

enum err_code
api_tf_v1_open(const struct api_wire_input *input, struct api_wire_reader *out, struct err *err)
{
    struct api_tf_v1_catalog found = {.arena = input->arena};
    struct api_tf_v1_tensor *tensors = NULL;
    struct api_tf_v1_source *source;
    size_t count = 0;

    TRY(scan(input, &found, &out->catalog.shards, err));
    TRY(api_tf_v1_tensors(&found, &tensors, &count, err));
    TRY(add_tensors(tensors, count, input, &out->catalog, err));
    TRY(add_metadata(&found, tensors, count, &out->catalog, err));
    source = api_tf_v1_source_make(tensors, err);
    if (source == NULL)
        return ERR_NO_MEMORY;
    out->state = source;
    out->drop = api_tf_v1_source_drop;
    out->source = (struct tensor_source){.context = source, .read = api_tf_v1_source_read};
    return OK;
}

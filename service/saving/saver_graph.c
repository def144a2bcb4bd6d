/* Names, order and inputs are those of python/training/saver.py (BaseSaverBuilder) with V2 files:
 * one SaveV2 of all, or one of each shard and their merge; of each tensor or part a RestoreV2 and
 * an Assign; and what groups these. */
#include "service/saving/saver_graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/saving/saver_nodes.h"

enum { SUFFIX_BYTES_MAX = 64 };

/* --- saving -------------------------------------------------------------------------------- */

/* Some of the tensors, which lie side by side: all, or those of one shard. */
struct group {
    const struct saver_tensor *first;
    size_t count;
};

/* tensor_names and shape_and_slices below an op that saves or restores. */
static enum err_code
add_names(struct saver_nodes *s, const char *op, const struct group *group,
          const char *out[static 2], struct err *err)
{
    const char **texts = arena_array(s->arena, 2 * group->count, sizeof *texts, err);

    if (texts == NULL || op == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < group->count; i++) {
        texts[i] = group->first[i].name;
        texts[group->count + i] = group->first[i].spec;
    }
    out[0] = saver_nodes_below(s, op, "tensor_names", err);
    out[1] = saver_nodes_below(s, op, "shape_and_slices", err);
    TRY(saver_nodes_add_texts(s, out[0], texts, group->count, false, err));
    return saver_nodes_add_texts(s, out[1], texts + group->count, group->count, false, err);
}

/* *done: the filename, once all of the group is saved. */
static enum err_code
add_save(struct saver_nodes *s, const char *filename, const struct group *group, const char **done,
         struct err *err)
{
    const char *op = saver_nodes_name(s, "SaveV2", err);
    const char **inputs = arena_array(s->arena, 3 + group->count, sizeof *inputs, err);
    struct graph_node *node = NULL;

    if (inputs == NULL)
        return ERR_NO_MEMORY;
    inputs[0] = filename;
    TRY(add_names(s, op, group, inputs + 1, err));
    for (size_t i = 0; i < group->count; i++)
        inputs[3 + i] = group->first[i].variable;
    TRY(saver_nodes_add(s, op, "SaveV2", inputs, 3 + group->count, &node, err));
    *done = saver_nodes_name(s, "control_dependency", err);
    return saver_nodes_add_of_string(
        s, *done, "Identity", (const char *[]){filename, saver_nodes_control(s, op, err)}, 2, err);
}

/* Each shard into files of its own, whose names are put together of these. */
static enum err_code
add_shard(struct saver_nodes *s, const char *prefix, const char *shards, uint32_t number,
          const struct group *group, const char **filename, const char **done, struct err *err)
{
    const char *name = saver_nodes_name(s, "ShardedFilename", err), *shard;

    if (name == NULL)
        return ERR_NO_MEMORY;
    shard = saver_nodes_below(s, name, "shard", err);
    TRY(saver_nodes_add_number(s, shard, number, err));
    TRY(saver_nodes_add_of_string(s, name, "ShardedFilename",
                                  (const char *[]){prefix, shard, shards}, 3, err));
    *filename = name;
    return add_save(s, name, group, done, err);
}

static enum err_code
add_merge(struct saver_nodes *s, const char *filename, const char *const *files,
          const char *const *done, size_t count, const char **out, struct err *err)
{
    const char *op = saver_nodes_name(s, "MergeV2Checkpoints", err), *prefixes;
    const char **inputs = arena_array(s->arena, 2 * count + 2, sizeof *inputs, err);
    struct graph_node *node = NULL;

    if (op == NULL || inputs == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        inputs[i] = files[i];
        inputs[count + i] = saver_nodes_control(s, done[i], err);
    }
    prefixes = saver_nodes_below(s, op, "checkpoint_prefixes", err);
    TRY(saver_nodes_add(s, prefixes, "Pack", inputs, 2 * count, &node, err));
    node->has_dtype = true;
    node->type.dtype = DTYPE_STRING;
    TRY(saver_nodes_add(s, op, "MergeV2Checkpoints", (const char *[]){prefixes, filename}, 2, &node,
                        err));
    inputs[0] = filename;
    memmove(inputs + 1, inputs + count, count * sizeof *inputs);
    inputs[count + 1] = saver_nodes_control(s, op, err);
    *out = saver_nodes_name(s, "Identity", err);
    return saver_nodes_add_of_string(s, *out, "Identity", inputs, count + 2, err);
}

static enum err_code
add_sharded(struct saver_nodes *s, uint64_t id, const char *filename, const struct group *groups,
            size_t count, const char **out, struct err *err)
{
    const char **files = arena_array(s->arena, 2 * count, sizeof *files, err);
    const char *join = saver_nodes_name(s, "StringJoin", err),
               *shards = saver_nodes_name(s, "num_shards", err);
    char suffix[SUFFIX_BYTES_MAX], *text;
    const char *inner;

    /* TensorFlow draws the number when the graph is made. */
    snprintf(suffix, sizeof suffix, "_temp_%032" PRIx64 "/part", id);
    text = arena_text(s->arena, bytes_of_text(suffix), err);
    if (files == NULL || join == NULL || text == NULL)
        return ERR_NO_MEMORY;
    inner = saver_nodes_below(s, join, "inputs_1", err);
    TRY(saver_nodes_add_texts(s, inner, (const char *[]){text}, 1, true, err));
    TRY(saver_nodes_add_of_string(s, join, "StringJoin", (const char *[]){filename, inner}, 2,
                                  err));
    TRY(saver_nodes_add_number(s, shards, (uint32_t)count, err));
    for (size_t i = 0; i < count; i++)
        TRY(add_shard(s, join, shards, (uint32_t)i, &groups[i], &files[i], &files[count + i], err));
    return add_merge(s, filename, files, files + count, count, out, err);
}

/* --- restoring ----------------------------------------------------------------------------- */

static enum err_code
add_restore(struct saver_nodes *s, const char *filename, const struct saver_tensor *tensor,
            const char **assign, struct err *err)
{
    const char *op = saver_nodes_name(s, "RestoreV2", err), *inputs[3] = {filename};
    struct graph_node *node = NULL;

    TRY(add_names(s, op, &(struct group){tensor, 1}, inputs + 1, err));
    TRY(saver_nodes_add(s, op, "RestoreV2", inputs, 3, &node, err));
    node->has_dtype = true; /* what shape it has, the file says */
    node->type.dtype = tensor->type.dtype;
    node->tensor = tensor->name;
    *assign = saver_nodes_name(s, "Assign", err);
    TRY(saver_nodes_add(s, *assign, "Assign", (const char *[]){tensor->variable, op}, 2, &node,
                        err));
    saver_nodes_type(node, &tensor->type);
    node->tensor = tensor->name;
    return OK;
}

/* A NoOp after all of `names`. */
static enum err_code
add_after(struct saver_nodes *s, const char *name, const char *const *names, size_t count,
          struct err *err)
{
    const char **inputs = arena_array(s->arena, count, sizeof *inputs, err);
    struct graph_node *node = NULL;

    if (inputs == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        inputs[i] = saver_nodes_control(s, names[i], err);
    return saver_nodes_add(s, name, "NoOp", inputs, count, &node, err);
}

static enum err_code
add_restores(struct saver_nodes *s, const char *filename, const struct group *group,
             const char *name, struct err *err)
{
    const char **assigns = arena_array(s->arena, group->count, sizeof *assigns, err);

    if (assigns == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < group->count; i++)
        TRY(add_restore(s, filename, &group->first[i], &assigns[i], err));
    return add_after(s, name, assigns, group->count, err);
}

/* Of several devices, each has a node of its own below the one that is for all. */
static enum err_code
add_restored_shards(struct saver_nodes *s, const char *filename, const struct group *groups,
                    size_t count, const char **out, struct err *err)
{
    const char **shards = arena_array(s->arena, 2 * count, sizeof *shards, err);

    if (shards == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        shards[i] = saver_nodes_name(s, "restore_shard", err);
        TRY(add_restores(s, filename, &groups[i], shards[i], err));
    }
    *out = saver_nodes_name(s, "restore_all", err);
    for (size_t i = 0; i < count; i++) {
        shards[count + i] = saver_nodes_name(s, "restore_all/NoOp", err);
        TRY(add_after(s, shards[count + i], &shards[i], 1, err));
    }
    return add_after(s, *out, shards + count, count, err);
}

/* --- all of it ----------------------------------------------------------------------------- */

/* The variables come first, and have their names before the saver does. */
static enum err_code
add_variables(struct saver_nodes *s, const struct saver_tensor *tensors, size_t count,
              struct err *err)
{
    const char **taken = arena_array(s->arena, count, sizeof *taken, err);

    if (taken == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct graph_node *node = NULL;

        taken[i] = tensors[i].variable;
        TRY(saver_nodes_add(s, taken[i], "VariableV2", NULL, 0, &node, err));
        saver_nodes_type(node, &tensors[i].type);
        node->tensor = tensors[i].name;
    }
    saver_nodes_avoid(s, taken, count);
    return OK;
}

static int
compare_shards(const void *a, const void *b)
{
    const struct saver_tensor *x = a, *y = b;

    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static enum err_code
group_by_shard(struct arena *arena, struct saver_tensor *tensors, size_t count, struct group **out,
               size_t *out_count, struct err *err)
{
    struct group *groups = arena_array(arena, count, sizeof *groups, err);
    size_t group_count = 0;

    if (groups == NULL)
        return ERR_NO_MEMORY;
    qsort(tensors, count, sizeof *tensors, compare_shards);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || tensors[i].shard != tensors[i - 1].shard)
            groups[group_count++].first = &tensors[i];
        groups[group_count - 1].count++;
    }
    *out = groups;
    *out_count = group_count;
    return OK;
}

static enum err_code
make(struct saver_nodes *s, uint64_t id, const struct group *groups, size_t count,
     struct checkpoint_graph *out, struct err *err)
{
    s->scope = saver_nodes_name(s, "save", err);
    out->filename = s->scope == NULL ? NULL : saver_nodes_name(s, "Const", err);
    TRY(saver_nodes_add_texts(s, out->filename, (const char *[]){"model"}, 1, true, err));
    out->sharded = count > 1;
    if (out->sharded) {
        TRY(add_sharded(s, id, out->filename, groups, count, &out->save, err));
        return add_restored_shards(s, out->filename, groups, count, &out->restore, err);
    }
    TRY(add_save(s, out->filename, groups, &out->save, err));
    out->restore = saver_nodes_name(s, "restore_all", err);
    return add_restores(s, out->filename, groups, out->restore, err);
}

enum err_code
saver_graph_make(struct saver_tensor *tensors, size_t count, uint64_t id, struct arena *arena,
                 struct checkpoint_graph *out, struct err *err)
{
    struct saver_nodes nodes = {.arena = arena};
    struct group *groups = NULL;
    size_t group_count = 0;

    TRY(add_variables(&nodes, tensors, count, err));
    TRY(group_by_shard(arena, tensors, count, &groups, &group_count, err));
    TRY(make(&nodes, id, groups, group_count, out, err));
    out->nodes = nodes.nodes;
    out->node_count = nodes.count;
    return OK;
}

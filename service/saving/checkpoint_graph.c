/* Names, order and inputs are those of python/training/saver.py (BaseSaverBuilder) with V2 files:
 * one SaveV2 of all, or one of each shard and their merge; of each tensor or part a RestoreV2 and
 * an Assign; and what groups these. */
#include "service/saving/checkpoint_graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/graph/graph_place.h"
#include "service/state.h"
#include "store/base/scope.h"

enum {
    NODES_EACH = 5, /* of a tensor or part: its variable, and four to restore it */
    SAVEABLES_MAX = GRAPH_PAGE_NODES_MAX / NODES_EACH,
    COUNTERS_MAX = 16, /* more than there are names to count */
    SUFFIX_BYTES_MAX = 64,
};

/* A tensor that was whole, or one part of it. */
struct saveable {
    const char *tensor, *variable, *spec; /* spec "": whole */
    struct tensor_type type;
    uint32_t shard;
    size_t order;
};

struct making {
    struct arena *arena;
    const char *prefix; /* of tensors */
    uint64_t checkpoint_id;
    struct saveable *saveables;
    size_t count, capacity;
    const char **taken; /* names of variables, sorted */
    const char *scope;  /* "save" */
    struct {
        const char *base;
        uint64_t next;
    } counters[COUNTERS_MAX];
    struct graph_node *nodes;
    size_t node_count, node_capacity;
};

/* --- what is saved ------------------------------------------------------------------------- */

static enum err_code
add_saveable(struct making *m, const struct saveable *saveable, struct err *err)
{
    struct saveable *grown =
        arena_grown(m->arena, m->saveables, m->count, &m->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    m->saveables = grown;
    grown[m->count] = *saveable;
    grown[m->count].order = m->count;
    m->count++;
    return OK;
}

static enum err_code
add_part(struct making *m, const char *tensor, const struct tensor_record *record, uint32_t index,
         struct err *err)
{
    struct partition_part part = partition_part_of(&record->partition, &record->type.shape, index);
    size_t name_size = strlen(tensor) + PARTITION_NAME_BYTES_MAX - NAME_BYTES_MAX;
    char spec[PARTITION_TEXT_BYTES_MAX], *name = arena_alloc(m->arena, name_size, err);
    struct saveable saveable = {
        .tensor = tensor,
        .variable = name,
        .type = {.dtype = record->type.dtype, .shape = part.shape},
        .shard = partition_part_shard(record->part_shards, index, record->shard),
    };

    if (name == NULL)
        return ERR_NO_MEMORY;
    snprintf(name, name_size, "%s/part_%" PRIu32, tensor, index);
    partition_part_save_spec(&part, &record->type.shape, spec);
    saveable.spec = arena_text(m->arena, bytes_of_text(spec), err);
    return saveable.spec == NULL ? ERR_NO_MEMORY : add_saveable(m, &saveable, err);
}

static enum err_code
add_tensor(struct making *m, struct bytes name, const struct tensor_record *record, struct err *err)
{
    const char *tensor = arena_text(m->arena, name, err);
    uint32_t parts = record->partition.count;

    if (tensor == NULL)
        return ERR_NO_MEMORY;
    if (m->count + (parts > 0 ? parts : 1) > SAVEABLES_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "this graph has over %d nodes: ask for that of fewer tensors (prefix=)",
                       GRAPH_PAGE_NODES_MAX);
    if (parts == 0)
        return add_saveable(m,
                            &(struct saveable){.tensor = tensor,
                                               .variable = tensor,
                                               .spec = "",
                                               .type = record->type,
                                               .shard = record->shard},
                            err);
    for (uint32_t i = 0; i < parts; i++)
        TRY(add_part(m, tensor, record, i, err));
    return OK;
}

static enum err_code
collect(struct making *m, const struct store_view *view, struct err *err)
{
    struct record_key prefix = record_key_tensor(m->checkpoint_id, bytes_of_text(m->prefix));
    AUTO_CURSOR cursor = NULL;
    bool found = true;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct tensor_record record;
        struct bytes key, value;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_tensor(value, &record, err));
        TRY(add_tensor(m, record_key_name(key), &record, err));
    }
}

/* --- names --------------------------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum err_code
sort_names(struct making *m, struct err *err)
{
    m->taken = arena_array(m->arena, m->count, sizeof *m->taken, err);
    if (m->taken == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < m->count; i++)
        m->taken[i] = m->saveables[i].variable;
    qsort(m->taken, m->count, sizeof *m->taken, compare_names);
    return OK;
}

/* "base", "base_1" …: the next one of the saver's that is no variable's name. NULL: no memory. */
static const char *
next_name(struct making *m, const char *base, struct err *err)
{
    size_t i = 0;

    while (m->counters[i].base != NULL && strcmp(m->counters[i].base, base) != 0)
        i++;
    m->counters[i].base = base;
    for (;;) {
        char number[24] = "", name[GRAPH_SCOPE_BYTES_MAX];
        const char *text = name;

        if (m->counters[i].next > 0)
            snprintf(number, sizeof number, "_%" PRIu64, m->counters[i].next);
        m->counters[i].next++;
        snprintf(name, sizeof name, "%s%s%s%s", m->scope == NULL ? "" : m->scope,
                 m->scope == NULL ? "" : "/", base, number);
        if (bsearch(&text, m->taken, m->count, sizeof *m->taken, compare_names) == NULL)
            return arena_text(m->arena, bytes_of_text(name), err);
    }
}

static const char *
below(struct making *m, const char *name, const char *inner, struct err *err)
{
    char text[GRAPH_SCOPE_BYTES_MAX];

    snprintf(text, sizeof text, "%s/%s", name, inner);
    return arena_text(m->arena, bytes_of_text(text), err);
}

static const char *
control(struct making *m, const char *name, struct err *err)
{
    char text[GRAPH_SCOPE_BYTES_MAX];

    snprintf(text, sizeof text, "^%s", name);
    return arena_text(m->arena, bytes_of_text(text), err);
}

/* --- nodes --------------------------------------------------------------------------------- */

/* Any NULL among name and inputs: there was no memory for it. *out is the caller's to complete
 * until the next one comes. */
static enum err_code
add_node(struct making *m, const char *name, const char *op, const char *const *inputs,
         size_t input_count, struct graph_node **out, struct err *err)
{
    struct graph_node *grown =
        arena_grown(m->arena, m->nodes, m->node_count, &m->node_capacity, sizeof *grown, err);
    const char **copies = arena_array(m->arena, input_count, sizeof *copies, err);

    if (grown == NULL || copies == NULL || name == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < input_count; i++) {
        copies[i] = inputs[i];
        if (inputs[i] == NULL)
            return ERR_NO_MEMORY;
    }
    m->nodes = grown;
    *out = &grown[m->node_count++];
    **out = (struct graph_node){
        .name = name, .op = op, .inputs = copies, .input_count = (uint32_t)input_count};
    return OK;
}

static void
give_type(struct graph_node *node, const struct tensor_type *type)
{
    node->has_dtype = node->has_shape = true;
    node->type = *type;
}

static enum err_code
add_texts(struct making *m, const char *name, const char *const *texts, size_t count, bool scalar,
          struct err *err)
{
    struct tensor_type type = {.dtype = DTYPE_STRING, .shape = {.rank = !scalar}};
    const char **copies = arena_array(m->arena, count, sizeof *copies, err);
    struct graph_node *node = NULL;

    if (copies == NULL)
        return ERR_NO_MEMORY;
    memcpy(copies, texts, count * sizeof *copies);
    type.shape.dims[0] = scalar ? 0 : count;
    TRY(add_node(m, name, "Const", NULL, 0, &node, err));
    give_type(node, &type);
    node->texts = copies;
    node->text_count = (uint32_t)count;
    return OK;
}

static enum err_code
add_number(struct making *m, const char *name, uint32_t number, struct err *err)
{
    const struct tensor_type type = {.dtype = DTYPE_INT32};
    struct graph_node *node = NULL;

    TRY(add_node(m, name, "Const", NULL, 0, &node, err));
    give_type(node, &type);
    node->has_number = true;
    node->number = number;
    return OK;
}

static enum err_code
add_of_string(struct making *m, const char *name, const char *op, const char *const *inputs,
              size_t count, struct err *err)
{
    const struct tensor_type type = {.dtype = DTYPE_STRING};
    struct graph_node *node = NULL;

    TRY(add_node(m, name, op, inputs, count, &node, err));
    give_type(node, &type);
    return OK;
}

static enum err_code
add_variables(struct making *m, struct err *err)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct saveable *saveable = &m->saveables[i];
        struct graph_node *node = NULL;

        TRY(add_node(m, saveable->variable, "VariableV2", NULL, 0, &node, err));
        give_type(node, &saveable->type);
        node->tensor = saveable->tensor;
    }
    return OK;
}

/* --- saving -------------------------------------------------------------------------------- */

/* Some of the saveables, which lie side by side: all, or those of one shard. */
struct group {
    const struct saveable *first;
    size_t count;
};

/* tensor_names and shape_and_slices below an op that saves or restores. */
static enum err_code
add_names(struct making *m, const char *op, const struct group *group, const char *out[static 2],
          struct err *err)
{
    const char **texts = arena_array(m->arena, 2 * group->count, sizeof *texts, err);

    if (texts == NULL || op == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < group->count; i++) {
        texts[i] = group->first[i].tensor;
        texts[group->count + i] = group->first[i].spec;
    }
    out[0] = below(m, op, "tensor_names", err);
    out[1] = below(m, op, "shape_and_slices", err);
    TRY(add_texts(m, out[0], texts, group->count, false, err));
    return add_texts(m, out[1], texts + group->count, group->count, false, err);
}

/* *done: the filename, once all of the group is saved. */
static enum err_code
add_save(struct making *m, const char *filename, const struct group *group, const char **done,
         struct err *err)
{
    const char *op = next_name(m, "SaveV2", err);
    const char **inputs = arena_array(m->arena, 3 + group->count, sizeof *inputs, err);
    struct graph_node *node = NULL;

    if (inputs == NULL)
        return ERR_NO_MEMORY;
    inputs[0] = filename;
    TRY(add_names(m, op, group, inputs + 1, err));
    for (size_t i = 0; i < group->count; i++)
        inputs[3 + i] = group->first[i].variable;
    TRY(add_node(m, op, "SaveV2", inputs, 3 + group->count, &node, err));
    *done = next_name(m, "control_dependency", err);
    return add_of_string(m, *done, "Identity", (const char *[]){filename, control(m, op, err)}, 2,
                         err);
}

/* Each shard into files of its own, whose names are put together of these. */
static enum err_code
add_shard(struct making *m, const char *prefix, const char *shards, uint32_t number,
          const struct group *group, const char **filename, const char **done, struct err *err)
{
    const char *name = next_name(m, "ShardedFilename", err), *shard;

    if (name == NULL)
        return ERR_NO_MEMORY;
    shard = below(m, name, "shard", err);
    TRY(add_number(m, shard, number, err));
    TRY(add_of_string(m, name, "ShardedFilename", (const char *[]){prefix, shard, shards}, 3, err));
    *filename = name;
    return add_save(m, name, group, done, err);
}

static enum err_code
add_merge(struct making *m, const char *filename, const char *const *files, const char *const *done,
          size_t count, const char **out, struct err *err)
{
    const char *op = next_name(m, "MergeV2Checkpoints", err), *prefixes;
    const char **inputs = arena_array(m->arena, 2 * count + 2, sizeof *inputs, err);
    struct graph_node *node = NULL;

    if (op == NULL || inputs == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        inputs[i] = files[i];
        inputs[count + i] = control(m, done[i], err);
    }
    prefixes = below(m, op, "checkpoint_prefixes", err);
    TRY(add_node(m, prefixes, "Pack", inputs, 2 * count, &node, err));
    node->has_dtype = true;
    node->type.dtype = DTYPE_STRING;
    TRY(add_node(m, op, "MergeV2Checkpoints", (const char *[]){prefixes, filename}, 2, &node, err));
    inputs[0] = filename;
    memmove(inputs + 1, inputs + count, count * sizeof *inputs);
    inputs[count + 1] = control(m, op, err);
    *out = next_name(m, "Identity", err);
    return add_of_string(m, *out, "Identity", inputs, count + 2, err);
}

static enum err_code
add_sharded(struct making *m, const char *filename, const struct group *groups, size_t count,
            const char **out, struct err *err)
{
    const char **files = arena_array(m->arena, 2 * count, sizeof *files, err);
    const char *join = next_name(m, "StringJoin", err), *shards = next_name(m, "num_shards", err);
    char suffix[SUFFIX_BYTES_MAX], *text;
    const char *inner;

    /* TensorFlow draws the number when the graph is made. */
    snprintf(suffix, sizeof suffix, "_temp_%032" PRIx64 "/part", m->checkpoint_id);
    text = arena_text(m->arena, bytes_of_text(suffix), err);
    if (files == NULL || join == NULL || text == NULL)
        return ERR_NO_MEMORY;
    inner = below(m, join, "inputs_1", err);
    TRY(add_texts(m, inner, (const char *[]){text}, 1, true, err));
    TRY(add_of_string(m, join, "StringJoin", (const char *[]){filename, inner}, 2, err));
    TRY(add_number(m, shards, (uint32_t)count, err));
    for (size_t i = 0; i < count; i++)
        TRY(add_shard(m, join, shards, (uint32_t)i, &groups[i], &files[i], &files[count + i], err));
    return add_merge(m, filename, files, files + count, count, out, err);
}

/* --- restoring ----------------------------------------------------------------------------- */

static enum err_code
add_restore(struct making *m, const char *filename, const struct saveable *saveable,
            const char **assign, struct err *err)
{
    const char *op = next_name(m, "RestoreV2", err), *inputs[3] = {filename};
    struct graph_node *node = NULL;

    TRY(add_names(m, op, &(struct group){saveable, 1}, inputs + 1, err));
    TRY(add_node(m, op, "RestoreV2", inputs, 3, &node, err));
    node->has_dtype = true; /* what shape it has, the file says */
    node->type.dtype = saveable->type.dtype;
    node->tensor = saveable->tensor;
    *assign = next_name(m, "Assign", err);
    TRY(add_node(m, *assign, "Assign", (const char *[]){saveable->variable, op}, 2, &node, err));
    give_type(node, &saveable->type);
    node->tensor = saveable->tensor;
    return OK;
}

/* A NoOp after all of `names`. */
static enum err_code
add_after(struct making *m, const char *name, const char *const *names, size_t count,
          struct err *err)
{
    const char **inputs = arena_array(m->arena, count, sizeof *inputs, err);
    struct graph_node *node = NULL;

    if (inputs == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        inputs[i] = control(m, names[i], err);
    return add_node(m, name, "NoOp", inputs, count, &node, err);
}

static enum err_code
add_restores(struct making *m, const char *filename, const struct group *group, const char *name,
             struct err *err)
{
    const char **assigns = arena_array(m->arena, group->count, sizeof *assigns, err);

    if (assigns == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < group->count; i++)
        TRY(add_restore(m, filename, &group->first[i], &assigns[i], err));
    return add_after(m, name, assigns, group->count, err);
}

/* Of several devices, each has a node of its own below the one that is for all. */
static enum err_code
add_restored_shards(struct making *m, const char *filename, const struct group *groups,
                    size_t count, const char **out, struct err *err)
{
    const char **shards = arena_array(m->arena, 2 * count, sizeof *shards, err);

    if (shards == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        shards[i] = next_name(m, "restore_shard", err);
        TRY(add_restores(m, filename, &groups[i], shards[i], err));
    }
    *out = next_name(m, "restore_all", err);
    for (size_t i = 0; i < count; i++) {
        shards[count + i] = next_name(m, "restore_all/NoOp", err);
        TRY(add_after(m, shards[count + i], &shards[i], 1, err));
    }
    return add_after(m, *out, shards + count, count, err);
}

/* --- all of it ----------------------------------------------------------------------------- */

static int
compare_shards(const void *a, const void *b)
{
    const struct saveable *x = a, *y = b;

    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static enum err_code
group_by_shard(struct making *m, struct group **out, size_t *out_count, struct err *err)
{
    struct group *groups = arena_array(m->arena, m->count, sizeof *groups, err);
    size_t count = 0;

    if (groups == NULL)
        return ERR_NO_MEMORY;
    qsort(m->saveables, m->count, sizeof *m->saveables, compare_shards);
    for (size_t i = 0; i < m->count; i++) {
        if (i == 0 || m->saveables[i].shard != m->saveables[i - 1].shard)
            groups[count++].first = &m->saveables[i];
        groups[count - 1].count++;
    }
    *out = groups;
    *out_count = count;
    return OK;
}

static enum err_code
make(struct making *m, struct checkpoint_graph *out, struct err *err)
{
    struct group *groups = NULL;
    size_t count = 0;

    TRY(sort_names(m, err));
    TRY(add_variables(m, err));
    TRY(group_by_shard(m, &groups, &count, err));
    m->scope = next_name(m, "save", err);
    out->filename = m->scope == NULL ? NULL : next_name(m, "Const", err);
    TRY(add_texts(m, out->filename, (const char *[]){"model"}, 1, true, err));
    out->sharded = count > 1;
    if (out->sharded) {
        TRY(add_sharded(m, out->filename, groups, count, &out->save, err));
        return add_restored_shards(m, out->filename, groups, count, &out->restore, err);
    }
    TRY(add_save(m, out->filename, groups, &out->save, err));
    out->restore = next_name(m, "restore_all", err);
    return add_restores(m, out->filename, groups, out->restore, err);
}

enum err_code
checkpoint_graph(struct service *service, const char *model, const char *name, const char *prefix,
                 struct arena *arena, struct checkpoint_info *info, struct checkpoint_graph *out,
                 struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    struct model_record model_record;
    struct making m = {.arena = arena, .prefix = prefix == NULL ? "" : prefix};

    *out = (struct checkpoint_graph){.nodes = NULL};
    TRY(name_check("checkpoint", name, err));
    TRY(name_check_length("prefix", prefix, NAME_TENSOR_BYTES_MAX, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &model_record, err));
    TRY(service_open_checkpoint(view, model_record.id, name, &info->record, err));
    snprintf(info->name, sizeof info->name, "%s", name);
    m.checkpoint_id = info->record.id;
    TRY(collect(&m, view, err));
    if (m.count > 0)
        TRY(make(&m, out, err));
    out->nodes = m.nodes;
    out->node_count = m.node_count;
    return OK;
}

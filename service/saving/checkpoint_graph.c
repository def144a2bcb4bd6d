#include "service/saving/checkpoint_graph.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/saving/saver_graph.h"
#include "service/state.h"
#include "store/base/scope.h"

enum { TENSORS_MAX = GRAPH_PAGE_NODES_MAX / SAVER_GRAPH_NODES_EACH };

/* What is saved, as it is found. */
struct collection {
    struct arena *arena;
    const char *prefix; /* of names */
    uint64_t checkpoint_id;
    struct saver_tensor *tensors;
    size_t count, capacity;
};

static enum err_code
add_one(struct collection *c, const struct saver_tensor *tensor, struct err *err)
{
    struct saver_tensor *grown =
        arena_grown(c->arena, c->tensors, c->count, &c->capacity, sizeof *grown, err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    c->tensors = grown;
    grown[c->count] = *tensor;
    grown[c->count].order = c->count;
    c->count++;
    return OK;
}

static enum err_code
add_part(struct collection *c, const char *tensor, const struct tensor_record *record,
         uint32_t index, struct err *err)
{
    struct partition_part part = partition_part_of(&record->partition, &record->type.shape, index);
    size_t name_size = strlen(tensor) + PARTITION_NAME_BYTES_MAX - NAME_BYTES_MAX;
    char spec[PARTITION_TEXT_BYTES_MAX], *name = arena_alloc(c->arena, name_size, err);
    struct saver_tensor one = {
        .name = tensor,
        .variable = name,
        .type = {.dtype = record->type.dtype, .shape = part.shape},
        .shard = partition_part_shard(record->part_shards, index, record->shard),
    };

    if (name == NULL)
        return ERR_NO_MEMORY;
    snprintf(name, name_size, "%s/part_%" PRIu32, tensor, index);
    partition_part_save_spec(&part, &record->type.shape, spec);
    one.spec = arena_text(c->arena, bytes_of_text(spec), err);
    return one.spec == NULL ? ERR_NO_MEMORY : add_one(c, &one, err);
}

static enum err_code
add_tensor(struct collection *c, struct bytes name, const struct tensor_record *record,
           struct err *err)
{
    const char *tensor = arena_text(c->arena, name, err);
    uint32_t parts = record->partition.count;

    if (tensor == NULL)
        return ERR_NO_MEMORY;
    if (c->count + (parts > 0 ? parts : 1) > TENSORS_MAX)
        return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                       "this graph has over %d nodes: ask for that of fewer tensors (prefix=)",
                       GRAPH_PAGE_NODES_MAX);
    if (parts == 0)
        return add_one(c,
                       &(struct saver_tensor){.name = tensor,
                                              .variable = tensor,
                                              .spec = "",
                                              .type = record->type,
                                              .shard = record->shard},
                       err);
    for (uint32_t i = 0; i < parts; i++)
        TRY(add_part(c, tensor, record, i, err));
    return OK;
}

static enum err_code
collect(struct collection *c, const struct store_view *view, struct err *err)
{
    struct record_key prefix = record_key_tensor(c->checkpoint_id, bytes_of_text(c->prefix));
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
        TRY(add_tensor(c, record_key_name(key), &record, err));
    }
}

enum err_code
checkpoint_graph(struct service *service, const char *model, const char *name, const char *prefix,
                 struct arena *arena, struct checkpoint_info *info, struct checkpoint_graph *out,
                 struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    struct model_record model_record;
    struct collection c = {.arena = arena, .prefix = prefix == NULL ? "" : prefix};

    *out = (struct checkpoint_graph){.nodes = NULL};
    TRY(name_check("checkpoint", name, err));
    TRY(name_check_length("prefix", prefix, NAME_TENSOR_BYTES_MAX, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &model_record, err));
    TRY(service_open_checkpoint(view, model_record.id, name, &info->record, err));
    snprintf(info->name, sizeof info->name, "%s", name);
    c.checkpoint_id = info->record.id;
    TRY(collect(&c, view, err));
    if (c.count == 0)
        return OK;
    return saver_graph_make(c.tensors, c.count, c.checkpoint_id, arena, out, err);
}

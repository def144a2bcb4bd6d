/* One variable as it is shown: put together of its record and of what the record refers to. */
#include "service/variable/variable_info.h"

#include <stdio.h>

#include "service/device/placer.h"
#include "service/expr/op.h"
#include "service/state.h"
#include "store/base/scope.h"

enum { RECORDED_BYTES_MAX = 64 << 20 };

struct expr_limits
variable_expr_limits(const struct service_limits *limits)
{
    return (struct expr_limits){.nodes_max = limits->expression_nodes_max,
                                .depth_max = limits->expression_depth_max,
                                .literal_bytes_max = limits->literal_bytes_max};
}

/* A whole small value into a buffer. */
static enum err_code
read_whole(const struct store_view *view, const struct value_ref *ref, struct buf *out,
           struct err *err)
{
    AUTO(value_reader) reader = {0};
    uint8_t *room = NULL;

    TRY(value_open(view, ref, &reader, err));
    TRY(buf_reserve(out, ref->size, &room, err));
    TRY(value_copy(&reader, 0, ref->size, room, err));
    buf_commit(out, ref->size);
    return OK;
}

enum err_code
variable_initial_value(const struct store_view *view, const struct variable_record *record,
                       struct expr_tree *out, struct err *err)
{
    /* The record's size bounds all of it. */
    const struct expr_limits limits = {.nodes_max = UINT32_MAX,
                                       .depth_max = EXPR_DEPTH_MAX,
                                       .literal_bytes_max = RECORDED_BYTES_MAX};
    AUTO(buf) encoded;

    buf_init(&encoded, RECORDED_BYTES_MAX);
    TRY(read_whole(view, &record->initial_value, &encoded, err));
    return expr_decode(buf_bytes(&encoded), &limits, out, err);
}

/* Node by node, each once: a graph of n nodes may have 2^n ways from its root to one of them. */
size_t
variable_draws_of(const struct expr_tree *tree, struct variable_draw out[VARIABLE_DRAWS_MAX])
{
    size_t kept = 0;

    for (uint32_t i = 0; i < tree->node_count && kept < VARIABLE_DRAWS_MAX; i++) {
        const struct expr *node = tree->nodes[i];
        struct variable_draw *draw = &out[kept];

        if (node->kind != EXPR_OP || !node->op->random || node->depth == 0)
            continue;
        snprintf(draw->path, sizeof draw->path, "%s", node->path);
        draw->seed = node->seeds.key;
        draw->seed2 = node->seeds.counter_high;
        kept++;
    }
    return kept;
}

enum err_code
variable_draws_encode(const struct expr_tree *tree, struct buf *out, struct err *err)
{
    struct variable_draw draws[VARIABLE_DRAWS_MAX];
    size_t count = variable_draws_of(tree, draws);

    for (size_t i = 0; i < count; i++) {
        TRY(buf_append_bytes(out, bytes_of_text(draws[i].path), err));
        TRY(buf_append_u64(out, draws[i].seed, err));
        TRY(buf_append_u64(out, draws[i].seed2, err));
    }
    return OK;
}

static enum err_code
decode_draws(const struct store_view *view, const struct value_ref *ref, struct variable_info *out,
             struct err *err)
{
    struct reader in;
    AUTO(buf) encoded;

    buf_init(&encoded, RECORDED_BYTES_MAX);
    TRY(read_whole(view, ref, &encoded, err));
    in = reader_of(buf_bytes(&encoded));
    while (in.left.size > 0 && !in.failed && out->draw_count < VARIABLE_DRAWS_MAX) {
        struct variable_draw *draw = &out->draws[out->draw_count++];
        struct bytes path = reader_bytes(&in);

        snprintf(draw->path, sizeof draw->path, "%.*s", (int)path.size, (const char *)path.data);
        draw->seed = reader_u64(&in);
        draw->seed2 = reader_u64(&in);
    }
    if (!reader_ended_well(&in))
        return err_set(err, ERR_DATA_LOSS, "the recorded seeds of variable '%s' are damaged",
                       out->name);
    return OK;
}

void
variable_info_begin(const struct service *service, const struct model_devices *model,
                    struct variable_info *out)
{
    out->devices = service->devices;
    out->allow_soft_placement = model->allow_soft_placement;
}

const struct device *
variable_info_assigned(const struct variable_info *info, const char *device)
{
    const struct device_place_request request = {.node = info->name,
                                                 .device = device,
                                                 .dtype = info->record.type.dtype,
                                                 .allow_soft_placement =
                                                     info->allow_soft_placement};
    const struct device *found = NULL;

    return device_place(info->devices, &request, &found, NULL) == OK ? found : NULL;
}

static enum err_code
fill_expressions(const struct store_view *view, const struct variable_record *record,
                 struct variable_info *out, struct err *err)
{
    if (record->initialized_with.kind != VALUE_NONE)
        TRY(decode_draws(view, &record->initialized_with, out, err));
    if (record->initial_value.kind == VALUE_NONE)
        return OK;
    TRY(variable_initial_value(view, record, &out->initial_value, err));
    out->has_initial_value = true;
    return OK;
}

enum err_code
variable_info_fill(const struct store_view *view, const char *name, size_t name_size,
                   const struct variable_record *record, struct variable_info *out, struct err *err)
{
    enum err_code code;

    out->record = *record;
    out->draw_count = 0;
    out->has_initial_value = false;
    snprintf(out->name, sizeof out->name, "%.*s", (int)name_size, name);
    out->initialized = record->value.kind != VALUE_NONE;
    out->size = record->shape_known ? shape_count(&record->type.shape) : 0;
    out->bytes = out->initialized      ? record->value.size
                 : record->shape_known ? tensor_type_bytes(&record->type)
                                       : 0;
    TRY(partition_devices_look(view, record, &out->part_devices, err));
    code = fill_expressions(view, record, out, err);
    if (code != OK)
        variable_info_drop(out);
    return code;
}

void
variable_info_drop(struct variable_info *info)
{
    if (info->has_initial_value)
        expr_tree_drop(&info->initial_value);
    info->has_initial_value = false;
    partition_devices_drop(&info->part_devices);
}

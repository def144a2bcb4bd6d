/* Looking at variables: metadata, lists, values. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/device/placer.h"
#include "service/expr/compute.h"
#include "service/expr/op.h"
#include "service/state.h"
#include "service/tensor/convert.h"
#include "service/variable.h"
#include "service/variable_info.h"
#include "service/watch/look.h"
#include "store/base/alloc.h"
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
    TRY(partition_devices_read(view, record, &out->part_devices, err));
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

enum err_code
variable_get(struct service *service, const char *model, const char *name,
             struct variable_info *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record model_record;
    struct variable_record record;
    const struct store_view *view;

    TRY(name_check("variable", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &model_record, err));
    TRY(service_find_variable(view, model_record.id, name, &record, err));
    variable_info_begin(service, &model_record.devices, out);
    return variable_info_fill(view, name, strlen(name), &record, out, err);
}

enum err_code
variable_type(struct service *service, const char *model, const char *name,
              struct tensor_type *type, uint64_t *revision, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record model_record;
    struct variable_record record;

    TRY(name_check("variable", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    TRY(service_find_model(store_snapshot_view(snapshot), model, &model_record, err));
    TRY(service_find_variable(store_snapshot_view(snapshot), model_record.id, name, &record, err));
    *type = record.type;
    *revision = record.revision;
    return OK;
}

enum err_code
variable_list_revision(struct service *service, const char *model, uint64_t *revision,
                       struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    struct model_record record;
    struct usage_record usage;

    TRY(store_snapshot_open(service->store, &snapshot, err));
    TRY(service_find_model(store_snapshot_view(snapshot), model, &record, err));
    TRY(record_get_usage(store_snapshot_view(snapshot), record.id, &usage, err));
    *revision = usage.revision;
    return OK;
}

static bool
passes(const struct variable_filter *filter, const struct variable_record *record)
{
    bool initialized = record->value.kind != VALUE_NONE;

    if (filter->collection != NULL &&
        !record_texts_hold(&record->collections, bytes_of_text(filter->collection)))
        return false;
    if (filter->dtype != DTYPE_UNSET && filter->dtype != record->type.dtype)
        return false;
    if (filter->has_trainable && filter->trainable != record->trainable)
        return false;
    return !filter->has_initialized || filter->initialized == initialized;
}

static bool
covers(const struct device_spec *filter, const char *device)
{
    struct device_spec spec;

    return device_spec_parse(device, &spec, NULL) == OK && device_spec_covers(filter, &spec);
}

/* Whether the variable, or a part of it, is on a device that the filter names. */
static enum err_code
is_there(const struct store_view *view, const struct device_spec *filter,
         const struct variable_record *record, bool *out, struct err *err)
{
    AUTO(partition_devices) parts = {.count = 0};

    *out = filter == NULL || covers(filter, record->device);
    if (*out)
        return OK;
    TRY(partition_devices_read(view, record, &parts, err));
    for (uint32_t i = 0; i < parts.count && !*out; i++)
        *out = covers(filter, parts.each[i]);
    return OK;
}

/* A record that passed the filter, shown to the visitor. The info is large: it lives on the heap.
 */
static enum err_code
show(const struct store_view *view, struct bytes name, const struct variable_record *record,
     struct variable_info *info, variable_visit *visit, void *context, struct err *err)
{
    enum err_code code;

    TRY(variable_info_fill(view, (const char *)name.data, name.size, record, info, err));
    code = visit(context, info, err);
    variable_info_drop(info);
    return code;
}

enum err_code
variable_list(struct service *service, const char *model, const struct variable_filter *filter,
              const char *after, size_t count_max, variable_visit *visit, void *context, bool *more,
              uint64_t *revision, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_CURSOR cursor = NULL;
    AUTO_CALL(mem_free_scope) struct variable_info *info = mem_zeroed(1, sizeof *info, err);
    struct record_key prefix, start;
    struct model_record record;
    struct usage_record usage;
    const struct store_view *view;
    size_t count = 0;

    if (info == NULL)
        return ERR_NO_MEMORY;
    TRY(name_check_start(filter->prefix, err));
    TRY(name_check_length("collection", filter->collection, RECORD_COLLECTIONS_BYTES_MAX, err));
    TRY(name_check_start(after, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &record, err));
    TRY(record_get_usage(view, record.id, &usage, err));
    *revision = usage.revision;
    *more = false;
    variable_info_begin(service, &record.devices, info);
    prefix = record_key_variable(record.id, filter->prefix ? filter->prefix : "");
    start = record_key_variable(record.id, after ? after : "");
    TRY(store_cursor_open(view, record_key_bytes(&prefix),
                          after ? record_key_bytes(&start) : bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct variable_record variable;
        struct bytes key, value;
        bool found = false, there = false;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_variable(value, &variable, err));
        if (!passes(filter, &variable))
            continue;
        TRY(is_there(view, filter->device, &variable, &there, err));
        if (!there)
            continue;
        if (count++ == count_max) {
            *more = true;
            return OK;
        }
        TRY(show(view, record_key_name(key), &variable, info, visit, context, err));
    }
}

/* --- values --- */

static enum err_code
add_variable(struct tensor_set *set, const struct store_snapshot *snapshot, const char *name,
             size_t name_size, const struct variable_record *record, struct bytes slice,
             enum dtype cast_to, struct err *err)
{
    struct tensor_set_entry *entry;

    TRY(tensor_set_add(set, snapshot, name, name_size, &record->type, &record->value, slice,
                       cast_to, err));
    entry = &set->entries[set->entry_count - 1];
    entry->revision = record->revision;
    entry->version = record->version;
    return OK;
}

enum err_code
variable_read(struct service *service, const char *model, const char *name, struct bytes slice,
              enum dtype cast_to, bool brief, struct tensor_set *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(tensor_set) set = {0};
    struct model_record model_record;
    struct variable_record record;

    TRY(name_check("variable", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    TRY(service_find_model(store_snapshot_view(snapshot), model, &model_record, err));
    TRY(service_find_variable(store_snapshot_view(snapshot), model_record.id, name, &record, err));
    if (record.value.kind == VALUE_NONE)
        return compute_uninitialized(name, err);
    TRY(tensor_set_open(service, snapshot, brief, &set, err));
    TRY(add_variable(&set, snapshot, name, strlen(name), &record, slice, cast_to, err));
    *out = TAKE(set);
    return OK;
}

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Formats that name their tensors cannot hold one twice. */
static enum err_code
check_named_once(const char *const *names, size_t name_count, struct err *err)
{
    AUTO_CALL(mem_free_scope)
    const char **sorted = mem_zeroed(name_count, sizeof(const char *), err);

    if (sorted == NULL)
        return ERR_NO_MEMORY;
    if (name_count > 0)
        memcpy(sorted, names, name_count * sizeof(const char *));
    qsort(sorted, name_count, sizeof(const char *), compare_texts);
    for (size_t i = 1; i < name_count; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "variable '%s' is named twice", sorted[i]);
    return OK;
}

static enum err_code
too_many(const struct service *service, struct err *err)
{
    return err_set(err, ERR_PAYLOAD_TOO_LARGE,
                   "more than %" PRIu32
                   " variables in one reply (variables_per_request_max): use prefix",
                   service->limits.variables_per_request_max);
}

static enum err_code
read_named(struct service *service, struct tensor_set *set, const struct store_snapshot *snapshot,
           uint64_t model_id, const char *const *names, size_t name_count, struct err *err)
{
    struct variable_record record;

    if (name_count > service->limits.variables_per_request_max)
        return too_many(service, err);
    TRY(check_named_once(names, name_count, err));
    for (size_t i = 0; i < name_count; i++) {
        TRY(name_check("variable", names[i], err));
        TRY(service_find_variable(store_snapshot_view(snapshot), model_id, names[i], &record, err));
        if (record.value.kind == VALUE_NONE)
            return compute_uninitialized(names[i], err);
        TRY(add_variable(set, snapshot, names[i], strlen(names[i]), &record, bytes_of(NULL, 0),
                         DTYPE_UNSET, err));
    }
    return OK;
}

static enum err_code
read_prefix(struct service *service, struct tensor_set *set, const struct store_snapshot *snapshot,
            uint64_t model_id, const char *prefix_text, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct record_key prefix = record_key_variable(model_id, prefix_text ? prefix_text : "");
    struct variable_record record;
    struct bytes key, value, name;
    bool found = true;

    TRY(store_cursor_open(store_snapshot_view(snapshot), record_key_bytes(&prefix),
                          bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_variable(value, &record, err));
        if (record.value.kind == VALUE_NONE)
            continue;
        if (set->entry_count == service->limits.variables_per_request_max)
            return too_many(service, err);
        name = record_key_name(key);
        TRY(add_variable(set, snapshot, (const char *)name.data, name.size, &record,
                         bytes_of(NULL, 0), DTYPE_UNSET, err));
    }
}

enum err_code
variable_read_many(struct service *service, const char *model, const char *const *names,
                   size_t name_count, const char *prefix, struct tensor_set *out, struct err *err)
{
    return variable_read_some(service, model, names, name_count, prefix, false, out, err);
}

enum err_code
variable_read_some(struct service *service, const char *model, const char *const *names,
                   size_t name_count, const char *prefix, bool outline, struct tensor_set *out,
                   struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(tensor_set) set = {0};
    struct model_record record;
    struct usage_record usage;

    TRY(name_check_start(prefix, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    TRY(service_find_model(store_snapshot_view(snapshot), model, &record, err));
    TRY(tensor_set_open(service, snapshot, false, &set, err));
    if (outline)
        tensor_set_outline(&set);
    if (names != NULL)
        TRY(read_named(service, &set, snapshot, record.id, names, name_count, err));
    else
        TRY(read_prefix(service, &set, snapshot, record.id, prefix, err));
    /* As lists have it: what other models do is no change of these values. */
    TRY(record_get_usage(store_snapshot_view(snapshot), record.id, &usage, err));
    set.revision = usage.revision;
    TRY(look_step(store_snapshot_view(snapshot), record.id, &set.has_step, &set.step, err));
    if (outline)
        tensor_set_keep_snapshot(&set, TAKE(snapshot));
    *out = TAKE(set);
    return OK;
}

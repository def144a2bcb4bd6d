/* Looking at variables without their values: one, or all that pass a filter. */
#include <string.h>

#include "service/state.h"
#include "service/variable/variable.h"
#include "service/variable/variable_info.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

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

/* Whether the variable, or a part of it, is on a device that the filter names. Parts whose devices
 * are damaged are on none. */
static enum err_code
is_there(const struct store_view *view, const struct device_spec *filter,
         const struct variable_record *record, bool *out, struct err *err)
{
    AUTO(partition_devices) parts = {.count = 0};

    *out = filter == NULL || covers(filter, record->device);
    if (*out)
        return OK;
    TRY(partition_devices_look(view, record, &parts, err));
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

/* Reading values: of one variable or a slice of it, or of several, all of one revision. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "service/expr/compute.h"
#include "service/state.h"
#include "service/variable/variable.h"
#include "service/watch/look.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

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

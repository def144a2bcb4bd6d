#include "service/model_kind.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/state.h"
#include "store/base/scope.h"

enum err_code
model_kind_each(const struct store_view *view, uint64_t model_id, const struct model_kind *kind,
                const char *after, size_t count_max, model_kind_visit *visit, void *context,
                bool *more, struct err *err)
{
    struct record_key prefix = kind->key(model_id, ""), start;
    AUTO_CURSOR cursor = NULL;
    bool found = true;

    *more = false;
    start = kind->key(model_id, after != NULL ? after : "");
    TRY(store_cursor_open(view, record_key_bytes(&prefix),
                          after != NULL ? record_key_bytes(&start) : bytes_of(NULL, 0), &cursor,
                          err));
    for (size_t count = 0;; count++) {
        struct bytes key, record, text;
        char name[NAME_BYTES_MAX + 1];

        TRY(store_cursor_next(cursor, &found, &key, &record, err));
        *more = found && count == count_max;
        if (!found || *more)
            return OK;
        text = record_key_name(key);
        snprintf(name, sizeof name, "%.*s", (int)text.size, (const char *)text.data);
        TRY(visit(context, name, record, err));
    }
}

enum err_code
model_kind_check_after(const char *after, struct err *err)
{
    if (after == NULL || strlen(after) <= NAME_BYTES_MAX)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT, "a page token of %zu bytes, names have %d",
                   strlen(after), NAME_BYTES_MAX);
}

enum err_code
model_kind_page(struct service *service, const char *model, const struct model_kind *kind,
                const char *after, size_t count_max, model_kind_visit *visit, void *context,
                bool *more, uint64_t *revision, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    struct model_record record;
    struct usage_record usage;

    TRY(model_kind_check_after(after, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &record, err));
    TRY(record_get_usage(view, record.id, &usage, err));
    *revision = usage.revision;
    return model_kind_each(view, record.id, kind, after, count_max, visit, context, more, err);
}

static enum err_code
pass_by(void *context, const char *name, struct bytes record, struct err *err)
{
    (void)context;
    (void)name;
    (void)record;
    (void)err;
    return OK;
}

enum err_code
model_kind_check_count(const struct store_view *view, uint64_t model_id,
                       const struct model_kind *kind, struct err *err)
{
    bool more = false;

    TRY(model_kind_each(view, model_id, kind, NULL, kind->count_max - 1, pass_by, NULL, &more,
                        err));
    if (!more)
        return OK;
    return err_set(err, ERR_FAILED_PRECONDITION, "the model has %" PRIu32 " %s, more are not kept",
                   kind->count_max, kind->plural);
}

/* --- deleting ------------------------------------------------------------------------------ */

struct delete_unit {
    const char *model, *name;
    const struct model_kind *kind;
    model_kind_remove *remove;
    const struct write_options *options;
};

static enum err_code
delete_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct delete_unit *u = context;
    struct model_record model;
    struct record_key key;

    TRY(service_find_model(store_txn_view(txn), u->model, &model, err));
    TRY(u->remove(txn, model.id, u->name, u->options, err));
    key = u->kind->key(model.id, u->name);
    TRY(store_delete(txn, record_key_bytes(&key), err));
    return service_change_usage(txn, model.id, &(struct usage_change){0}, err);
}

enum err_code
model_kind_delete(struct service *service, const char *model, const struct model_kind *kind,
                  const char *name, model_kind_remove *remove, const struct write_options *options,
                  uint64_t *revision, struct err *err)
{
    struct delete_unit u = {
        .model = model, .name = name, .kind = kind, .remove = remove, .options = options};

    TRY(name_check(kind->noun, name, err));
    return service_commit(service, delete_unit, &u, options, NULL, revision, err);
}

#include "service/variable/variable_rows.h"

#include "service/commit.h"
#include "service/state.h"
#include "store/base/scope.h"

struct laying {
    struct service *service;
    const char *model, *name;
    struct variable_record variable; /* as it was read */
    struct value_builder *builder;
};

static enum err_code
rows_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct laying *l = context;
    const struct store_view *view = store_txn_view(txn);
    struct model_record model;
    struct variable_record variable;
    struct value_ref ref;

    TRY(service_find_model(view, l->model, &model, err));
    TRY(service_find_variable(view, model.id, l->name, &variable, err));
    if (variable.id != l->variable.id || variable.version != l->variable.version ||
        variable.value.kind != VALUE_CHUNKS || variable.value.id != l->variable.value.id)
        return err_set(err, ERR_CONFLICT, "variable '%s' changed meanwhile", l->name);
    TRY(value_builder_publish(l->builder, txn, &ref, err));
    TRY(value_release(txn, &variable.value, err));
    variable.value = ref;
    variable.row_updates = true;
    return record_put_variable(txn, model.id, l->name, &variable, err);
}

/* Whether there is something to do, and what of it has to be written out. */
static enum err_code
look(struct value_reader *reader, bool *wanted, uint64_t *stored_bytes, struct err *err)
{
    bool made = reader->pattern_size > 0 || reader->has_recipe, whole = false;

    *wanted = false;
    *stored_bytes = 0;
    if (value_reader_in_rows(reader))
        return OK;
    TRY(value_reader_is_whole(reader, &whole, err));
    *wanted = whole || !made || reader->ref.size <= VARIABLE_ROWS_MADE_BYTES_MAX;
    if (!whole)
        *stored_bytes = reader->ref.size;
    return OK;
}

static enum err_code
try_once(struct laying *l, bool *done, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_STAGE stage = NULL;
    AUTO(value_reader) reader = {0};
    AUTO_BUILDER builder = NULL;
    const struct store_view *view;
    struct model_record model;
    uint64_t stored_bytes = 0;
    bool wanted = false;
    enum err_code code;

    TRY(store_snapshot_open(l->service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, l->model, &model, err));
    TRY(service_find_variable(view, model.id, l->name, &l->variable, err));
    if (l->variable.value.kind != VALUE_CHUNKS)
        return OK;
    TRY(value_open(view, &l->variable.value, &reader, err));
    TRY(look(&reader, &wanted, &stored_bytes, err));
    if (!wanted)
        return OK;
    TRY(service_check_room(l->service, l->name, reader.ref.size, stored_bytes, err));
    TRY(store_stage_open(l->service->store, &stage, err));
    TRY(value_builder_open(l->service->store, stage, reader.ref.size, STORE_CLASS_ROWS, &builder,
                           err));
    TRY(value_builder_copy(builder, &reader, err));
    value_reader_drop(&reader);
    store_snapshot_drop(snapshot); /* not held over the wait: it would keep garbage */
    snapshot = NULL;
    l->builder = builder;
    code = service_commit(l->service, rows_unit, l, NULL, stage, NULL, err);
    if (code == OK)
        stage = NULL; /* taken */
    *done = code == OK;
    return code;
}

enum err_code
variable_lay_rows(struct service *service, const char *model, const char *name, bool *done,
                  struct err *err)
{
    struct laying l = {.service = service, .model = model, .name = name};
    uint32_t lock = service_update_lock_bit(model, name), closed = 0;
    enum err_code code = ERR_CONFLICT;

    *done = false;
    service_update_locks(service, lock, true);
    for (int i = 0; code == ERR_CONFLICT && i < SERVICE_UPDATE_TRIES_MAX; i++) {
        if (i == SERVICE_UPDATE_TRIES_OPEN) { /* small updates wait from here on */
            closed = lock;
            service_update_close(service, closed);
        }
        err_clear(err);
        code = try_once(&l, done, err);
    }
    service_update_open(service, closed);
    service_update_locks(service, lock, false);
    if (code != ERR_CONFLICT)
        return code;
    err_clear(err);
    return err_set(err, ERR_ABORTED,
                   "variable '%s' changed %d times while it was laid out for updates of rows: try "
                   "again",
                   name, SERVICE_UPDATE_TRIES_MAX);
}

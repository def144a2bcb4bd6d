/* Accumulators made, looked at and deleted. */
#include "service/training/accumulator.h"

#include <stdio.h>

#include "service/commit.h"
#include "service/model_kind.h"
#include "service/state.h"
#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

void
accumulator_result_drop(struct accumulator_result *result)
{
    if (result == NULL)
        return;
    tensor_drop(&result->values);
    tensor_drop(&result->numbers);
    mem_free(result);
}

uint64_t
accumulator_topic(const char *model, const char *name)
{
    const char *const names[] = {"accumulator", model, name, NULL};

    return service_topic(names);
}

static enum err_code
find(const struct store_view *view, uint64_t model_id, const char *name,
     struct accumulator_record *out, struct err *err)
{
    bool found = false;

    TRY(record_get_accumulator(view, model_id, name, &found, out, err));
    if (found)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there is no accumulator '%s'", name);
    err_about(err, "accumulator", name);
    return ERR_NOT_FOUND;
}

enum err_code
accumulator_release(struct store_txn *txn, const struct accumulator_record *record, struct err *err)
{
    if (record->num_accumulated == 0)
        return OK;
    TRY(value_release(txn, &record->sum.values, err));
    TRY(value_release(txn, &record->sum.numbers, err));
    return value_release(txn, &record->sum.counts, err);
}

/* --- making -------------------------------------------------------------------------------- */

struct create_unit {
    struct service *service;
    const char *model, *name;
    const struct accumulator_spec *spec;
    const struct write_options *options;
    bool *created;
    struct accumulator_record *out;
};

static enum err_code
check_spec(const struct accumulator_spec *spec, struct err *err)
{
    if (!dtype_is_float(spec->dtype))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "an accumulator is of float16, bfloat16, float32 or float64, not of %s",
                       dtype_name(spec->dtype));
    if (spec->sparse && spec->shape != NULL && spec->shape->rank == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "a sparse accumulator is of tensors that have rows, its shape is []");
    return OK;
}

static enum err_code
confirm(const struct create_unit *u, const struct accumulator_record *record, struct err *err)
{
    const struct accumulator_spec *spec = u->spec;
    char ours[SHAPE_TEXT_BYTES_MAX], theirs[SHAPE_TEXT_BYTES_MAX];
    const char *their_shape = record->shape_known ? shape_text(&record->shape, theirs) : "null";
    const char *our_shape = spec->shape != NULL ? shape_text(spec->shape, ours) : "null";

    if (record->dtype == spec->dtype && record->sparse == spec->sparse &&
        strcmp(their_shape, our_shape) == 0)
        return OK;
    return err_set(err, ERR_ALREADY_EXISTS,
                   "accumulator '%s' exists: %s of %s, shape %s; not %s of %s, shape %s", u->name,
                   record->sparse ? "sparse" : "dense", dtype_name(record->dtype), their_shape,
                   spec->sparse ? "sparse" : "dense", dtype_name(spec->dtype), our_shape);
}

static const struct model_kind kind = {.noun = "accumulator",
                                       .plural = "accumulators",
                                       .count_max = ACCUMULATORS_MAX,
                                       .key = record_key_accumulator};

static enum err_code
create_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct create_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct model_record model;
    bool found = false;

    TRY(service_find_model(view, u->model, &model, err));
    TRY(record_get_accumulator(view, model.id, u->name, &found, u->out, err));
    TRY(service_check_conditions(u->options, "accumulator", u->name, found,
                                 found ? u->out->revision : 0, err));
    *u->created = !found;
    if (found)
        return confirm(u, u->out, err);
    TRY(model_kind_check_count(view, model.id, &kind, err));
    *u->out = (struct accumulator_record){
        .id = store_new_id(u->service->store),
        .revision = store_txn_revision(txn),
        .dtype = u->spec->dtype,
        .sparse = u->spec->sparse,
        .shape_known = u->spec->shape != NULL,
        .created_ms = clock_wall_ms(),
        .created_revision = store_txn_revision(txn),
    };
    if (u->spec->shape != NULL)
        u->out->shape = *u->spec->shape;
    u->out->updated_ms = u->out->created_ms;
    TRY(record_put_accumulator(txn, model.id, u->name, u->out, err));
    return service_change_usage(txn, model.id, &(struct usage_change){0}, err);
}

enum err_code
accumulator_create(struct service *service, const char *model, const char *name,
                   const struct accumulator_spec *spec, const struct write_options *options,
                   bool *created, struct accumulator_record *out, uint64_t *revision,
                   struct err *err)
{
    struct create_unit u = {.service = service,
                            .model = model,
                            .name = name,
                            .spec = spec,
                            .options = options,
                            .created = created,
                            .out = out};
    enum err_code code;

    TRY(name_check("accumulator", name, err));
    TRY(check_spec(spec, err));
    code = service_commit(service, create_unit, &u, options, NULL, revision, err);
    if (code != OK)
        err_about(err, "accumulator", name);
    return code;
}

/* --- deleting ------------------------------------------------------------------------------ */

static enum err_code
remove_accumulator(struct store_txn *txn, uint64_t model_id, const char *name,
                   const struct write_options *options, struct err *err)
{
    struct accumulator_record record;

    TRY(find(store_txn_view(txn), model_id, name, &record, err));
    TRY(service_check_conditions(options, "accumulator", name, true, record.revision, err));
    return accumulator_release(txn, &record, err);
}

enum err_code
accumulator_delete(struct service *service, const char *model, const char *name,
                   const struct write_options *options, uint64_t *revision, struct err *err)
{
    TRY(model_kind_delete(service, model, &kind, name, remove_accumulator, options, revision, err));
    service_wake_up(service, accumulator_topic(model, name));
    return OK;
}

/* --- looking ------------------------------------------------------------------------------- */

enum err_code
accumulator_get(struct service *service, const char *model, const char *name,
                struct accumulator_record *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;
    struct model_record record;

    TRY(name_check("accumulator", name, err));
    TRY(store_snapshot_open(service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(service_find_model(view, model, &record, err));
    return find(view, record.id, name, out, err);
}

struct listing {
    accumulator_visit *visit;
    void *context;
};

static enum err_code
visit_record(void *context, const char *name, struct bytes bytes, struct err *err)
{
    const struct listing *listing = context;
    struct accumulator_record record;

    TRY(record_decode_accumulator(bytes, &record, err));
    return listing->visit(listing->context, name, &record, err);
}

enum err_code
accumulator_list(struct service *service, const char *model, const char *after, size_t count_max,
                 accumulator_visit *visit, void *context, bool *more, uint64_t *revision,
                 struct err *err)
{
    struct listing listing = {visit, context};

    return model_kind_page(service, model, &kind, after, count_max, visit_record, &listing, more,
                           revision, err);
}

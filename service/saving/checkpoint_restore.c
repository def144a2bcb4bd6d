/* Restoring: first the whole plan, into the report; then, when nothing forbids it, all of it. */
#include "service/saving/checkpoint.h"

#include <stdio.h>

#include "service/commit.h"
#include "service/graph/graph_place.h"
#include "service/saving/restore_plan.h"
#include "service/saving/restore_report.h"
#include "service/saving/saver_keep.h"
#include "service/state.h"
#include "service/variable/variable.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

struct restore {
    struct service *service;
    const char *model;
    const struct checkpoint_restore_spec *asked;
    struct checkpoint_restore_spec spec; /* the same, with what a saver says */
    const struct write_options *options;
    struct restore_plan plan;
    struct restore_report *report;
    struct usage_change change;
    struct model_record target; /* set by each run of the unit */
};

static void
restore_drop(struct restore *r)
{
    restore_plan_drop(&r->plan);
}

/* --- through a saver ----------------------------------------------------------------------- */

struct picking {
    struct arena *arena;
    struct checkpoint_pick *picks;
    size_t count, room;
};

static enum err_code
add_pick(void *context, struct bytes tensor, const char *variable, struct err *err)
{
    struct picking *p = context;
    struct checkpoint_pick *pick = &p->picks[p->count];

    if (p->count == p->room)
        return err_set(err, ERR_DATA_LOSS, "a saver saves more than its record says");
    pick->tensor = arena_text(p->arena, tensor, err);
    pick->variable = arena_text(p->arena, bytes_of_text(variable), err);
    p->count++;
    return pick->tensor == NULL || pick->variable == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
find_latest(struct restore *r, const struct store_view *view, uint64_t model_id,
            const struct saver_record *saver, struct err *err)
{
    char latest[NAME_BYTES_MAX + 1];

    TRY(saver_latest(view, model_id, saver, latest, err));
    if (latest[0] == '\0') {
        err_about(err, "saver", r->asked->saver);
        return err_set(err, ERR_NOT_FOUND,
                       "saver '%s' has no checkpoint: Can't load save_path when it is None.",
                       r->asked->saver);
    }
    r->spec.name = arena_text(&r->report->arena, bytes_of_text(latest), err);
    return r->spec.name == NULL ? ERR_NO_MEMORY : OK;
}

/* What the saver says, as it is now. Lives as long as the report. */
static enum err_code
take_saver(struct restore *r, const struct store_view *view, uint64_t model_id, struct err *err)
{
    struct picking p = {.arena = &r->report->arena};
    struct saver_record saver;

    TRY(saver_find_built(view, model_id, r->asked->saver, &saver, err));
    r->spec.reshape = saver.settings.reshape;
    p.room = (size_t)saver.variables;
    p.picks = arena_array(p.arena, p.room + 1, sizeof *p.picks, err);
    if (p.picks == NULL)
        return ERR_NO_MEMORY;
    TRY(saver_each_variable(view, saver.id, add_pick, &p, err));
    r->spec.picks = p.picks;
    r->spec.pick_count = p.count;
    return r->asked->latest && p.count > 0 ? find_latest(r, view, model_id, &saver, err) : OK;
}

/* --- planning ------------------------------------------------------------------------------ */

static enum err_code
make_plan(struct restore *r, const struct store_view *view, struct err *err)
{
    struct model_record source;
    struct usage_record usage;
    struct checkpoint_record checkpoint;

    restore_plan_begin(&r->plan);
    r->spec = *r->asked;
    TRY(service_find_model(view, r->model, &r->target, err));
    TRY(record_get_usage(view, r->target.id, &usage, err));
    TRY(service_check_conditions(r->options, "model", r->model, true, usage.revision, err));
    if (r->spec.saver != NULL)
        TRY(take_saver(r, view, r->target.id, err));
    if (r->spec.saver != NULL && r->spec.pick_count == 0)
        return OK; /* TensorFlow's: no file is looked at */
    source = r->target;
    if (r->spec.source_model != NULL)
        TRY(service_find_model(view, r->spec.source_model, &source, err));
    TRY(service_open_checkpoint(view, source.id, r->spec.name, &checkpoint, err));
    r->report->checkpoint = arena_text(&r->report->arena, bytes_of_text(r->spec.name), err);
    if (r->report->checkpoint == NULL)
        return ERR_NO_MEMORY;
    return restore_plan_make(&r->plan, view, &r->target, source.id, checkpoint.id, err);
}

/* --- doing it ------------------------------------------------------------------------------ */

static enum err_code
new_variable(struct restore *r, struct store_txn *txn, const struct model_newcomer *newcomer,
             bool trainable, struct variable_record *out, struct err *err)
{
    *out = (struct variable_record){
        .id = store_new_id(r->service->store),
        .shape_known = true,
        .validate_shape = true,
        .trainable = trainable && !newcomer->kept,
        .created_ms = clock_wall_ms(),
        .created_revision = store_txn_revision(txn),
    };
    out->serial = out->id;
    TRY(model_newcomer_settle(newcomer, txn, out, err));
    r->change.variables += 1;
    TRY(graph_place(txn, r->target.id, newcomer->name, NULL, out, &r->change, err));
    TRY(record_texts_add(&out->collections, "collections",
                         bytes_of_text(VARIABLE_COLLECTION_GLOBAL), err));
    if (!out->trainable)
        return OK;
    return record_texts_add(&out->collections, "collections",
                            bytes_of_text(VARIABLE_COLLECTION_TRAINABLE), err);
}

/* `newcomer`: what a variable that is created is to be. */
static enum err_code
apply(struct restore *r, struct store_txn *txn, const struct restore_name *name,
      const struct model_newcomer *newcomer, struct err *err)
{
    const struct store_view *view = store_txn_view(txn);
    struct variable_record variable;
    struct tensor_record tensor;
    struct shape shape;
    bool found = false;

    TRY(record_get_tensor(view, r->plan.checkpoint_id, bytes_of_text(name->tensor), &found, &tensor,
                          err));
    if (name->created)
        TRY(new_variable(r, txn, newcomer, tensor.trainable, &variable, err));
    else
        TRY(record_get_variable(view, r->target.id, name->variable, &found, &variable, err));
    shape =
        variable.validate_shape && variable.shape_known ? variable.type.shape : tensor.type.shape;
    TRY(value_share(txn, &tensor.value, err));
    TRY(service_set_value(txn, &variable, &shape, &tensor.value, &r->change, err));
    return record_put_variable(txn, r->target.id, name->variable, &variable, err);
}

static enum err_code
restore_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct restore *r = context;
    const struct restore_list *restored = &r->report->restored;
    const struct model_newcomers *newcomers = &r->plan.newcomers;
    struct err refused = ERR_INIT;
    size_t created = 0;

    r->change = (struct usage_change){0};
    TRY(make_plan(r, store_txn_view(txn), err));
    TRY(restore_plan_judge(&r->plan, &refused, err));
    if (refused.code != OK) {
        *err = refused;
        return refused.code;
    }
    for (size_t i = 0; i < restored->count; i++) {
        TRY(apply(r, txn, &restored->names[i], &newcomers->each[created], err));
        created += restored->names[i].created;
    }
    if (restored->count == 0)
        return OK;
    TRY(model_newcomers_put(newcomers, txn, err));
    change_log_restored(&r->service->changes, r->target.id, r->report->checkpoint, restored->count);
    return service_change_usage(txn, r->target.id, &r->change, err);
}

/* --- only telling -------------------------------------------------------------------------- */

static enum err_code
rehearse(struct restore *r, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;

    TRY(store_snapshot_open(r->service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(make_plan(r, view, err));
    r->report->revision = store_view_revision(view);
    return restore_plan_judge(&r->plan, &r->report->refused, err);
}

enum err_code
checkpoint_restore(struct service *service, const char *model,
                   const struct checkpoint_restore_spec *spec, const struct write_options *options,
                   struct restore_report *out, struct err *err)
{
    AUTO(restore)
    r = {.service = service,
         .model = model,
         .asked = spec,
         .spec = *spec,
         .options = options,
         .report = out};

    *out = (struct restore_report){0};
    if (!spec->latest)
        TRY(name_check("checkpoint", spec->name, err));
    if (spec->source_model != NULL)
        TRY(name_check_model(spec->source_model, err));
    TRY(restore_plan_init(&r.plan, service, &r.spec, out, err));
    if (spec->dry_run)
        return rehearse(&r, err);
    return service_commit(service, restore_unit, &r, options, NULL, &out->revision, err);
}

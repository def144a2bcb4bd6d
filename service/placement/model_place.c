/* Worked out ahead of the commit, from a snapshot, which takes a while where there are many parts;
 * the commit writes what is different. */
#include "service/placement/model_place.h"

#include <stdio.h>

#include "service/commit.h"
#include "service/placement/model_place_plan.h"
#include "service/placement/partition_devices.h"
#include "service/state.h"
#include "store/base/clock.h"
#include "store/base/scope.h"

/* So often it is begun anew when others changed what it is made of; then it is made inside the
 * commit, where nobody can, and they wait. */
enum { TRIES_AHEAD_MAX = 3 };

struct place {
    const struct write_options *options;
    struct place_plan plan;
    bool ahead;
};

void
model_place_report_drop(struct model_place_report *report)
{
    arena_drop(&report->arena);
    *report = (struct model_place_report){.moved = 0};
}

static enum err_code
check_conditions(const struct place *p, const struct store_view *view, struct err *err)
{
    struct model_record model;
    struct usage_record usage;

    TRY(service_find_model(view, p->plan.model, &model, err));
    TRY(record_get_usage(view, model.id, &usage, err));
    return service_check_conditions(p->options, "model", p->plan.model, true, usage.revision, err);
}

static enum err_code
make_plan(struct place *p, const struct store_view *view, struct err *err)
{
    TRY(check_conditions(p, view, err));
    return model_place_plan_make(&p->plan, view, err);
}

static enum err_code
write_item(const struct place_plan *plan, struct store_txn *txn, const struct place_item *item,
           struct err *err)
{
    struct variable_record record;

    TRY(service_check_interrupt(plan->service, err));
    TRY(service_find_variable(store_txn_view(txn), plan->record.id, item->name, &record, err));
    if (record.id != item->id)
        return err_set(err, ERR_CONFLICT, "variable '%s' is another one now", item->name);
    TRY(value_release(txn, &record.part_devices, err));
    record.part_devices = (struct value_ref){.kind = VALUE_NONE};
    snprintf(record.device, sizeof record.device, "%s", item->device);
    record.placed = item->placed;
    if (item->parts != NULL)
        TRY(partition_devices_write(txn, item->parts, item->part_count, item->device,
                                    &record.part_devices, err));
    record.revision = store_txn_revision(txn);
    record.updated_ms = clock_wall_ms();
    return record_put_variable(txn, plan->record.id, item->name, &record, err);
}

static enum err_code
place_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct place *p = context;
    const struct place_plan *plan = &p->plan;

    if (p->ahead) {
        TRY(check_conditions(p, store_txn_view(txn), err));
        TRY(model_place_plan_check(plan, store_txn_view(txn), err));
    } else {
        TRY(make_plan(p, store_txn_view(txn), err));
    }
    for (size_t i = 0; i < plan->count; i++)
        if (plan->in_order[i]->changes)
            TRY(write_item(plan, txn, plan->in_order[i], err));
    if (plan->record.devices.has_placement)
        TRY(record_put_setter(txn, plan->record.id, &plan->setter.state, err));
    return service_change_usage(txn, plan->record.id, &(struct usage_change){0}, err);
}

static enum err_code
plan_ahead(struct place *p, bool dry_run, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    const struct store_view *view;

    TRY(store_snapshot_open(p->plan.service->store, &snapshot, err));
    view = store_snapshot_view(snapshot);
    TRY(make_plan(p, view, err));
    p->plan.report->revision = store_view_revision(view);
    return dry_run ? OK : model_place_plan_note(&p->plan, view, err);
}

enum err_code
model_place(struct service *service, const char *model, bool dry_run,
            const struct write_options *options, struct model_place_report *out, struct err *err)
{
    struct place p = {.options = options,
                      .plan = {.service = service, .model = model, .report = out}};
    enum err_code code = ERR_CONFLICT;

    if (dry_run)
        return plan_ahead(&p, true, err);
    for (int i = 0; code == ERR_CONFLICT && i <= TRIES_AHEAD_MAX; i++) {
        err_clear(err);
        p.ahead = i < TRIES_AHEAD_MAX;
        if (p.ahead)
            TRY(plan_ahead(&p, false, err));
        code = service_commit(service, place_unit, &p, options, NULL, &out->revision, err);
    }
    return code;
}

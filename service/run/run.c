/* From a request to a commit: where the run is made, its order, its guards. */
#include "service/run/run.h"

#include <inttypes.h>
#include <math.h>

#include "service/commit.h"
#include "service/run/draft.h"
#include "service/run/run_fetch.h"
#include "service/run/run_guard.h"
#include "service/run/run_locks.h"
#include "service/run/run_report.h"
#include "service/run/run_rows.h"
#include "service/run/verb.h"
#include "service/training/accumulation.h"
#include "service/training/accumulator.h"
#include "service/training/average_apply.h"
#include "service/training/optimizer_apply.h"
#include "store/base/scope.h"

/* An operation takes a commit about the time of so many bytes of work, however small it is. */
enum { RUN_OP_WORK_BYTES = 8 << 10 };

struct run_spec
run_spec_default(void)
{
    return (struct run_spec){.update_norm_max = INFINITY, .fetch_elements_max = UINT64_MAX};
}

/* --- one run on a draft -------------------------------------------------------------------- */

static enum err_code
require(struct run *run, size_t i, struct err *err)
{
    const struct run_requirement *need = &run->spec->requirements[i];
    struct draft_variable *variable = NULL;
    const char *what = need->has_version ? "version" : "revision";
    uint64_t wanted = need->has_version ? need->version : need->revision, actual;

    TRY(draft_find(run->draft, need->variable, &variable, err));
    variable->relied_on = true;
    variable->revision_relied_on |= need->has_revision;
    actual = need->has_version ? variable->version : variable->revision;
    if (actual == wanted && need->has_version && need->has_revision) {
        what = "revision";
        wanted = need->revision;
        actual = variable->revision;
    }
    if (actual == wanted)
        return OK;
    (void)err_set(err, ERR_PRECONDITION_FAILED,
                  "require[%zu]: variable '%s' has %s %" PRIu64 ", %" PRIu64 " is required", i,
                  variable->name, what, actual, wanted);
    err_about(err, "variable", variable->name);
    if (err != NULL)
        err->current_revision = variable->revision;
    return ERR_PRECONDITION_FAILED;
}

static enum err_code
check_conditions(struct run *run, struct err *err)
{
    struct draft_variable *variable = NULL;

    if (run->spec->conditional_model)
        TRY(draft_check_model(run->draft, run->options, err));
    if (run->spec->conditional_variable != NULL) {
        TRY(draft_find(run->draft, run->spec->conditional_variable, &variable, err));
        TRY(draft_check_conditions(variable, run->options, err));
    }
    for (size_t i = 0; i < run->spec->requirement_count; i++)
        TRY(require(run, i, err));
    return OK;
}

enum err_code
run_check_resource(const struct run *run, const char *kind, const char *name, uint64_t revision,
                   struct err *err)
{
    return service_check_conditions(run->spec->conditional_resource ? run->options : NULL, kind,
                                    name, true, revision, err);
}

static enum err_code
enter_scopes(const struct device_scope *scopes, size_t count, struct device_spec *asked,
             struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (scopes[i].resets)
            *asked = (struct device_spec){.has_job = false};
        else
            TRY(device_spec_merge(asked, &scopes[i].spec, err));
    }
    return OK;
}

/* *asked: what the model's scope and the request's come to, where the request has any. */
static enum err_code
begin_operation(struct run *run, const struct run_op *op, struct device_spec *asked,
                struct err *err)
{
    bool asks = run->spec->device_count + op->device_count > 0;

    if (asks) {
        TRY(device_spec_parse(run->draft->model.devices.device, asked, err));
        TRY(enter_scopes(run->spec->devices, run->spec->device_count, asked, err));
        TRY(enter_scopes(op->devices, op->device_count, asked, err));
    }
    draft_begin_operation(run->draft, op->verb->name,
                          asks && !device_spec_is_empty(asked) ? asked : NULL);
    return draft_work(run->draft, RUN_OP_WORK_BYTES, err);
}

static enum err_code
apply_operations(struct run *run, struct run_report *report, struct err *err)
{
    struct device_spec asked;

    for (size_t i = 0; i < run->spec->op_count; i++) {
        const struct run_op *op = &run->spec->ops[i];
        enum err_code code;

        report->results[i].verb = op->verb;
        report->result_count = i + 1;
        code = begin_operation(run, op, &asked, err);
        if (code == OK)
            code = op->verb->apply(run, op, &report->results[i], err);
        if (code == OK)
            continue;
        if (run->spec->numbered && err != NULL)
            err->failed_operation = (int64_t)i;
        return code;
    }
    return OK;
}

struct run_unit {
    struct service *service;
    const char *model;
    const struct run_spec *spec;
    const struct write_options *options;
    struct run_report *report;
    struct run_rows rows; /* owned */
    struct draft *draft;  /* made ahead */
};

/* Everything but the commit. */
static enum err_code
make(struct run_unit *u, struct draft *draft, struct err *err)
{
    struct run run = {.service = u->service,
                      .draft = draft,
                      .spec = u->spec,
                      .source = draft_source(draft),
                      .options = u->options,
                      .rows = &u->rows};
    struct run_report *report = u->report;

    TRY(run_report_begin(u->spec, report, err));
    TRY(check_conditions(&run, err));
    TRY(apply_operations(&run, report, err));
    TRY(run_report_conflicts(draft, report, err));
    TRY(run_guard(&run, report, err));
    return run_fetch_all(&run, report, err);
}

/* --- inside the commit --------------------------------------------------------------------- */

static enum err_code
publish(struct run_unit *u, struct draft *draft, struct store_txn *txn, struct err *err)
{
    bool changed = false, keeps = u->options != NULL && u->options->outcome != NULL;

    TRY(draft_publish(draft, txn, &changed, err));
    run_report_end(u->report, changed || keeps ? store_txn_revision(txn)
                                               : store_view_revision(store_txn_view(txn)));
    return OK;
}

static enum err_code
small_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct run_unit *u = context;
    AUTO(draft) draft = {0};
    enum err_code code;

    TRY(draft_open(&draft, u->service, u->model, store_txn_view(txn), false, err));
    code = make(u, &draft, err);
    if (code == OK)
        code = publish(u, &draft, txn, err);
    run_report_forget_draft(u->report);
    return code;
}

/* --- ahead of the commit ------------------------------------------------------------------- */

static enum err_code
publish_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct run_unit *u = context;

    return publish(u, u->draft, txn, err);
}

static enum err_code
try_ahead(struct run_unit *u, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO(draft) draft = {0};
    uint64_t revision = 0;
    enum err_code code;

    TRY(store_snapshot_open(u->service->store, &snapshot, err));
    TRY(draft_open(&draft, u->service, u->model, store_snapshot_view(snapshot), true, err));
    code = make(u, &draft, err);
    if (code == OK && u->spec->dry_run) {
        run_report_end(u->report, store_view_revision(draft.view));
    } else if (code == OK) {
        code = draft_settle(&draft, err);
        store_snapshot_drop(snapshot); /* not held over the wait: it would keep garbage */
        snapshot = NULL;
        u->draft = &draft;
        if (code == OK)
            code = service_commit(u->service, publish_unit, u, u->options, draft.stage, &revision,
                                  err);
        if (code == OK)
            draft.stage = NULL; /* taken */
    }
    run_report_forget_draft(u->report);
    return code;
}

/* Big updates of one variable go one after the other, and small ones do not make them start again
 * for ever. */
static enum err_code
run_ahead(struct run_unit *u, struct err *err)
{
    uint32_t locks = run_locks(u->model, u->spec), closed = 0;
    enum err_code code = ERR_CONFLICT;

    service_update_locks(u->service, locks, true);
    for (int i = 0; code == ERR_CONFLICT && i < SERVICE_UPDATE_TRIES_MAX; i++) {
        if (i == SERVICE_UPDATE_TRIES_OPEN) {
            closed = run_relies_on(u->model, u->spec);
            service_update_close(u->service, closed);
        }
        err_clear(err);
        code = try_ahead(u, err);
    }
    service_update_open(u->service, closed);
    service_update_locks(u->service, locks, false);
    if (code != ERR_CONFLICT)
        return code;
    err_clear(err);
    return err_set(err, ERR_ABORTED,
                   "what the request reads or changes changed %d times while it was computed: try "
                   "again",
                   SERVICE_UPDATE_TRIES_MAX);
}

/* --- choosing ------------------------------------------------------------------------------ */

static bool
is_light(const struct expr_tree *tree, uint64_t *bytes)
{
    *bytes += tree == NULL ? 0 : tree->literal_bytes;
    return *bytes <= SERVICE_COMMIT_BYTES_MAX;
}

/* Whether it is worth a try inside the commit: what came with the request is not too much already.
 */
static bool
may_be_small(const struct run_spec *spec)
{
    uint64_t bytes = 0;
    bool light = !spec->dry_run;

    for (size_t i = 0; light && i < spec->op_count; i++) {
        const struct run_op *op = &spec->ops[i];

        light = is_light(op->value, &bytes) && is_light(op->indices, &bytes) &&
                is_light(op->decay, &bytes);
        if (light && op->gradients != NULL)
            light = optimizer_gradients_bytes(op->gradients) + bytes <= SERVICE_COMMIT_BYTES_MAX;
        if (light && op->averages != NULL)
            light = average_selection_bytes(op->averages) + bytes <= SERVICE_COMMIT_BYTES_MAX;
    }
    for (size_t i = 0; light && i < spec->fetch_count; i++)
        light = is_light(spec->fetches[i].value, &bytes);
    return light;
}

static enum err_code
run_inside(struct run_unit *u, struct err *err)
{
    uint32_t changes = run_changes(u->model, u->spec);
    uint64_t revision = 0;
    enum err_code code;

    service_update_enter(u->service, changes);
    code = service_commit(u->service, small_unit, u, u->options, NULL, &revision, err);
    service_update_leave(u->service, changes);
    return code;
}

static enum err_code
execute_once(struct run_unit *u, struct err *err)
{
    enum err_code code = ERR_DEFER;

    if (may_be_small(u->spec))
        code = run_inside(u, err);
    if (code != ERR_DEFER || run_rows_asked(&u->rows))
        return code;
    err_clear(err);
    return run_ahead(u, err);
}

/* For operators, and for whoever waits for the step of an accumulation, or for gradients. */
static void
tell(const struct run_unit *u)
{
    for (size_t i = 0; i < u->report->result_count && !u->report->dry_run; i++) {
        const struct optimizer_applied *applied = u->report->results[i].applied;
        const struct accumulator_result *accumulator = u->report->results[i].accumulator;

        if (accumulator != NULL && accumulator->added)
            service_wake_up(u->service, accumulator_topic(u->model, accumulator->name));
        if (applied != NULL && optimizer_applied_is_step(applied))
            service_count_step(u->service, applied->type);
        if (applied != NULL && applied->contributed == OPTIMIZER_CONTRIBUTED_LAST)
            service_wake_up(u->service,
                            accumulation_topic(u->model, applied->optimizer, applied->key));
    }
}

enum err_code
run_execute(struct service *service, const char *model, const struct run_spec *spec,
            const struct write_options *options, struct run_report *out, struct err *err)
{
    struct run_unit u = {
        .service = service, .model = model, .spec = spec, .options = options, .report = out};
    enum err_code code;

    *out = (struct run_report){0};
    code = execute_once(&u, err);
    while (code == ERR_DEFER && run_rows_asked(&u.rows)) {
        err_clear(err);
        code = run_rows_lay(service, model, &u.rows, err);
        if (code == OK)
            code = execute_once(&u, err);
    }
    run_rows_drop(&u.rows);
    if (code == OK)
        tell(&u);
    else
        run_report_drop(out);
    return code;
}

#include "service/initialize.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/commit.h"
#include "service/initialize_plan.h"
#include "service/recipe.h"
#include "service/state.h"
#include "service/variable_info.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

void
initialize_report_drop(struct initialize_report *report)
{
    mem_free(report->initialized);
    mem_free(report->skipped);
    mem_free(report->draws);
    mem_free(report->draw_ends);
    *report = (struct initialize_report){0};
}

static enum err_code
keep_recipe(struct initialize_step *step, struct err *err)
{
    AUTO(buf) recipe;

    buf_init(&recipe, VALUE_RECIPE_BYTES_MAX);
    TRY(recipe_encode(&step->tree, &recipe, err));
    return value_builder_recipe(step->builder, buf_bytes(&recipe), err);
}

/* Computes one step's new value into its builder. */
static enum err_code
build_step(struct initialize_plan *plan, struct initialize_step *step, struct store_stage *stage,
           struct err *err)
{
    struct evaluator_options options = service_evaluator_options(plan->service);
    struct expr_source source = initialize_plan_source(plan);
    enum store_class class = step->row_updates ? STORE_CLASS_ROWS : STORE_CLASS_BULK;
    uint64_t size = 0;

    TRY(compute_size(&step->tree, &source, &options, &step->strings, &size, err));
    TRY(value_builder_open(plan->service->store, stage, size, class, &step->builder, err));
    if (step->is_virtual)
        return keep_recipe(step, err);
    if (step->tree.root->type.dtype == DTYPE_STRING)
        return value_builder_append(step->builder, step->strings.data, step->strings.size, err);
    return compute_build(&step->tree, &source, &options, step->builder, err);
}

static enum err_code
publish_step(struct store_txn *txn, struct initialize_plan *plan, struct initialize_step *step,
             struct usage_change *change, struct err *err)
{
    struct variable_record variable;
    struct value_ref value;
    bool found = false;
    AUTO(buf) draws;

    buf_init(&draws, STORE_RECORD_BYTES_MAX);
    TRY(record_get_variable(store_txn_view(txn), plan->model.id, step->name, &found, &variable,
                            err));
    if (found && step->selected)
        TRY(service_check_conditions(plan->options, "variable", step->name, true, variable.revision,
                                     err));
    if (!found || variable.id != step->id ||
        (variable.value.kind != VALUE_NONE) != step->was_initialized)
        return err_set(err, ERR_CONFLICT, "variable '%s' changed meanwhile", step->name);
    TRY(value_builder_publish(step->builder, txn, &value, err));
    TRY(service_set_value(txn, &variable, &step->tree.root->type.shape, &value, change, err));
    TRY(value_release(txn, &variable.initialized_with, err));
    variable.initialized_with = (struct value_ref){.kind = VALUE_NONE};
    TRY(variable_draws_encode(&step->tree, &draws, err));
    if (draws.size > 0)
        TRY(value_write(txn, buf_bytes(&draws), STORE_CLASS_ROWS, &variable.initialized_with, err));
    return record_put_variable(txn, plan->model.id, step->name, &variable, err);
}

/* Conditions on a run that names no variable are about the model. */
static enum err_code
check_model(struct store_txn *txn, const struct initialize_plan *plan, struct err *err)
{
    struct usage_record usage;

    if (plan->model_options == NULL)
        return OK;
    TRY(record_get_usage(store_txn_view(txn), plan->model.id, &usage, err));
    return service_check_conditions(plan->model_options, "model", plan->model_name, true,
                                    usage.revision, err);
}

static enum err_code
publish_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct initialize_plan *plan = context;
    struct usage_change change = {0};

    TRY(compute_check_reads(&plan->reads, txn, err));
    TRY(check_model(txn, plan, err));
    for (size_t i = 0; i < plan->order_count; i++)
        TRY(publish_step(txn, plan, plan->order[i], &change, err));
    if (plan->order_count == 0)
        return OK; /* nothing to do: no revision */
    return service_change_usage(txn, plan->model.id, &change, err);
}

/* The seeds of the run, so that it can be repeated. */
static enum err_code
fill_draws(const struct initialize_plan *plan, struct initialize_report *out, struct err *err)
{
    struct variable_draw draws[VARIABLE_DRAWS_MAX], *grown;
    size_t total = 0;

    out->draw_ends = mem_zeroed(plan->order_count, sizeof *out->draw_ends, err);
    if (out->draw_ends == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < plan->order_count; i++) {
        size_t count = variable_draws_of(&plan->order[i]->tree, draws);

        if (count > 0) {
            grown = mem_resize(out->draws, (total + count) * sizeof *draws, err);
            if (grown == NULL)
                return ERR_NO_MEMORY;
            out->draws = grown;
            memcpy(out->draws + total, draws, count * sizeof *draws);
            total += count;
        }
        out->draw_ends[i] = total;
    }
    return OK;
}

static enum err_code
fill_report(const struct initialize_plan *plan, struct initialize_report *out, struct err *err)
{
    size_t skipped = 0;

    out->initialized = mem_zeroed(plan->order_count, sizeof *out->initialized, err);
    out->skipped = mem_zeroed(plan->step_count, sizeof *out->skipped, err);
    if (out->initialized == NULL || out->skipped == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < plan->order_count; i++)
        memcpy(out->initialized[i], plan->order[i]->name, sizeof out->initialized[i]);
    out->initialized_count = plan->order_count;
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct initialize_step *step = plan->steps[i];

        if (!step->in_run && step->selected)
            memcpy(out->skipped[skipped++], step->name, sizeof out->skipped[0]);
    }
    out->skipped_count = skipped;
    return fill_draws(plan, out, err);
}

static enum err_code
try_initialize(struct service *service, const char *model, const struct initialize_spec *spec,
               const struct write_options *options, struct initialize_report *out, struct err *err)
{
    AUTO_SNAPSHOT snapshot = NULL;
    AUTO_STAGE stage = NULL;
    AUTO(initialize_plan) plan = {0};

    TRY(store_snapshot_open(service->store, &snapshot, err));
    TRY(initialize_plan_make(service, model, store_snapshot_view(snapshot), spec, options, &plan,
                             err));
    plan.model_name = model;
    plan.model_options = spec->names == NULL ? options : NULL;
    TRY(store_stage_open(service->store, &stage, err));
    for (size_t i = 0; i < plan.order_count; i++)
        TRY(build_step(&plan, plan.order[i], stage, err));
    TRY(fill_report(&plan, out, err));
    store_snapshot_drop(snapshot); /* not held over the wait: it would keep garbage */
    snapshot = NULL;
    TRY(service_commit(service, publish_unit, &plan, options, stage, &out->revision, err));
    stage = NULL; /* taken */
    return OK;
}

enum err_code
model_initialize(struct service *service, const char *model, const struct initialize_spec *spec,
                 const struct write_options *options, struct initialize_report *out,
                 struct err *err)
{
    enum err_code code = ERR_CONFLICT;

    *out = (struct initialize_report){0};
    for (int i = 0; code == ERR_CONFLICT && i < SERVICE_UPDATE_TRIES_MAX; i++) {
        err_clear(err);
        initialize_report_drop(out);
        code = try_initialize(service, model, spec, options, out, err);
    }
    if (code == OK)
        return OK;
    initialize_report_drop(out);
    if (code != ERR_CONFLICT)
        return code;
    err_clear(err);
    return err_set(err, ERR_ABORTED,
                   "what the initial values read changed %d times while they were computed: try "
                   "again",
                   SERVICE_UPDATE_TRIES_MAX);
}

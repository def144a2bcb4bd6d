/* initialize: initial values of all, some or the uninitialized variables become their values.
 *
 * Every initial value is computed from the state before the operation, so what is written takes
 * effect when all of it is there. */
#include "service/expr/compute.h"
#include "service/expr/recipe.h"
#include "service/run/verb.h"
#include "service/variable/initialize_plan.h"
#include "service/variable/variable_info.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

static enum err_code
keep_recipe(struct initialize_step *step, struct err *err)
{
    AUTO(buf) recipe;

    buf_init(&recipe, VALUE_RECIPE_BYTES_MAX);
    TRY(recipe_encode(&step->tree, &recipe, err));
    return draft_write_recipe(step->writer, buf_bytes(&recipe), err);
}

static enum err_code
write_step(struct initialize_plan *plan, struct initialize_step *step, struct err *err)
{
    struct expr_source source = initialize_plan_source(plan);
    uint64_t size = 0;

    TRY(draft_size_of(plan->draft, &step->tree, &source, &step->strings, &size, err));
    TRY(draft_write_open(plan->draft, step->variable, size, &step->writer, err));
    if (step->variable->is_virtual)
        return keep_recipe(step, err);
    if (step->tree.root->type.dtype == DTYPE_STRING)
        return draft_write_append(step->writer, step->strings.data, step->strings.size, err);
    return draft_write_expr(step->writer, &step->tree, &source, err);
}

static enum err_code
close_step(struct initialize_plan *plan, struct initialize_step *step, struct err *err)
{
    TRY(draft_write_close(TAKE(step->writer), &step->tree.root->type.shape, err));
    return draft_set_draws(plan->draft, step->variable, &step->tree, err);
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
        memcpy(out->initialized[i], plan->order[i]->variable->name, sizeof out->initialized[i]);
    out->initialized_count = plan->order_count;
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct initialize_step *step = plan->steps[i];

        if (!step->in_run && step->selected)
            memcpy(out->skipped[skipped++], step->variable->name, sizeof out->skipped[0]);
    }
    out->skipped_count = skipped;
    return fill_draws(plan, out, err);
}

static enum err_code
initialize_apply(struct run *run, const struct run_op *op, struct run_result *out, struct err *err)
{
    AUTO(initialize_plan) plan = {0};

    TRY(initialize_plan_make(run->draft, op->initialize, run->options, &plan, err));
    for (size_t i = 0; i < plan.order_count; i++)
        TRY(write_step(&plan, plan.order[i], err));
    TRY(fill_report(&plan, &out->initialized, err));
    for (size_t i = 0; i < plan.order_count; i++)
        TRY(close_step(&plan, plan.order[i], err));
    return OK;
}

const struct verb verb_initialize = {
    .name = "initialize",
    .summary = "Gives variables their initial values: all, those named, or those without a value.",
    .fields = VERB_INITIALIZE | VERB_DEVICE,
    .apply = initialize_apply,
};

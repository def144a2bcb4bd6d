/* From a request to a run: variables are selected, those they depend on by initialized_value are
 * followed and put before them, then types are inferred in that order and everything that can be
 * refused is, before anything is computed. */
#include "service/variable/initialize_plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/expr/compute.h"
#include "service/expr/recipe.h"
#include "service/graph/graph_walk.h"
#include "service/name.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* Chains of initialized_value are walked by recursion; longer ones are refused. */
enum { INITIALIZE_CHAIN_MAX = 256 };

/* Where `name` is among the steps, which are sorted by name, or would be. */
static size_t
place_of(const struct initialize_plan *plan, const char *name)
{
    size_t low = 0, high = plan->step_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(plan->steps[middle]->variable->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct initialize_step *
initialize_plan_find(const struct initialize_plan *plan, const char *name)
{
    size_t at = place_of(plan, name);

    return at < plan->step_count && strcmp(plan->steps[at]->variable->name, name) == 0
               ? plan->steps[at]
               : NULL;
}

static enum err_code
insert_step(struct initialize_plan *plan, struct initialize_step *step, struct err *err)
{
    uint32_t limit = plan->draft->service->limits.variables_per_request_max;
    size_t at = place_of(plan, step->variable->name);
    struct initialize_step **grown;

    if (plan->step_count >= limit)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "more than %" PRIu32
                       " variables in one initialization (variables_per_request_max): use prefix",
                       limit);
    grown = mem_grown(plan->steps, plan->step_count, &plan->step_capacity,
                      sizeof(struct initialize_step *), err);
    if (grown == NULL)
        return ERR_NO_MEMORY;
    plan->steps = grown;
    memmove(plan->steps + at + 1, plan->steps + at,
            (plan->step_count - at) * sizeof(struct initialize_step *));
    plan->steps[at] = step;
    plan->step_count++;
    return OK;
}

static enum err_code
add_step(struct initialize_plan *plan, struct draft_variable *variable, bool in_run,
         struct initialize_step **out, struct err *err)
{
    struct initialize_step *step;
    enum err_code code;

    TRY(draft_work(plan->draft, DRAFT_STEP_WORK_BYTES, err));
    step = mem_zeroed(1, sizeof *step, err);
    if (step == NULL)
        return ERR_NO_MEMORY;
    step->variable = variable;
    step->in_run = in_run;
    code = insert_step(plan, step, err);
    if (code != OK) {
        mem_free(step);
        return code;
    }
    variable->relied_on = true;
    buf_init(&step->strings, plan->draft->service->limits.expression_bytes_max);
    *out = step;
    return draft_initial_value(plan->draft, variable, &step->has_initial_value, &step->tree, err);
}

void
initialize_plan_drop(struct initialize_plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        struct initialize_step *step = plan->steps[i];

        if (step->has_initial_value)
            expr_tree_drop(&step->tree);
        buf_drop(&step->strings);
        draft_write_drop(step->writer);
        mem_free(step);
    }
    mem_free(plan->steps);
    mem_free(plan->order);
    *plan = (struct initialize_plan){0};
}

/* --- selecting --- */

static enum err_code
no_initial_value(const char *name, struct err *err)
{
    (void)err_set(err, ERR_FAILED_PRECONDITION,
                  "variable '%s' was created without an initial value: assign or restore it", name);
    err_about(err, "variable", name);
    return ERR_FAILED_PRECONDITION;
}

static bool
is_initialized(const struct initialize_step *step)
{
    return step->variable->value != NULL;
}

static enum err_code
select_named(struct initialize_plan *plan, const struct initialize_spec *spec, struct err *err)
{
    for (size_t i = 0; i < spec->name_count; i++) {
        struct initialize_step *step = initialize_plan_find(plan, spec->names[i]);
        struct draft_variable *variable = NULL;

        if (step != NULL)
            continue; /* named twice: once is enough */
        TRY(draft_find(plan->draft, spec->names[i], &variable, err));
        TRY(draft_check_conditions(variable, plan->options, err));
        TRY(add_step(plan, variable, true, &step, err));
        CHECK(step != NULL);
        step->selected = true;
        if (!step->has_initial_value && !(spec->only_uninitialized && is_initialized(step)))
            return no_initial_value(variable->name, err);
    }
    return OK;
}

static enum err_code
select_name(struct initialize_plan *plan, struct bytes name, struct err *err)
{
    struct initialize_step *step = NULL;
    struct draft_variable *variable = NULL;
    char text[NAME_BYTES_MAX + 1];

    snprintf(text, sizeof text, "%.*s", (int)name.size, (const char *)name.data);
    TRY(draft_find_listed(plan->draft, text, &variable, err));
    TRY(add_step(plan, variable, true, &step, err));
    CHECK(step != NULL);
    step->selected = true;
    return OK;
}

/* What earlier operations of the run have made: it is in no record yet. */
static enum err_code
select_made(struct initialize_plan *plan, const struct initialize_spec *spec,
            struct bytes collection, struct err *err)
{
    const char *prefix = spec->prefix != NULL ? spec->prefix : "";

    for (size_t i = 0; i < plan->draft->variable_count; i++) {
        const struct draft_variable *variable = plan->draft->variables[i];

        if (variable->made != NULL && draft_is_in(variable, collection) &&
            strncmp(variable->name, prefix, strlen(prefix)) == 0)
            TRY(select_name(plan, bytes_of_text(variable->name), err));
    }
    return OK;
}

static enum err_code
select_all(struct initialize_plan *plan, const struct initialize_spec *spec, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct bytes collection =
        bytes_of_text(spec->collection ? spec->collection : VARIABLE_COLLECTION_GLOBAL);
    struct record_key prefix;
    struct bytes key, value;
    bool found = true;

    TRY(name_check_start(spec->prefix, err));
    TRY(name_check_length("collection", spec->collection, RECORD_COLLECTIONS_BYTES_MAX, err));
    prefix = record_key_variable(plan->draft->model.id, spec->prefix ? spec->prefix : "");
    TRY(store_cursor_open(plan->draft->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor,
                          err));
    for (;;) {
        struct variable_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return select_made(plan, spec, collection, err);
        TRY(record_decode_variable(value, &record, err));
        if (record_texts_hold(&record.collections, collection))
            TRY(select_name(plan, record_key_name(key), err));
    }
}

/* --- ordering --- */

struct walk {
    struct initialize_plan *plan;
    const struct initialize_step *path[INITIALIZE_CHAIN_MAX]; /* open steps, for naming a cycle */
    size_t depth;
};

static enum err_code walk_step(struct walk *walk, struct initialize_step *step, struct err *err);

static enum err_code
name_cycle(const struct walk *walk, const struct initialize_step *again, struct err *err)
{
    char text[600] = "";
    size_t used = 0, from = walk->depth;

    while (from > 0 && walk->path[from - 1] != again)
        from--;
    for (size_t i = from ? from - 1 : 0; i < walk->depth && used < sizeof text - 1; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s -> ",
                                 walk->path[i]->variable->name);
    err_about(err, "variable", again->variable->name);
    return err_set(err, ERR_INVALID_ARGUMENT, "the initial values form a cycle: %s%s", text,
                   again->variable->name);
}

/* A variable that was not selected. It joins the run only when it has no value yet. */
static enum err_code
add_dependency(struct initialize_plan *plan, const char *name, struct initialize_step **out,
               struct err *err)
{
    struct draft_variable *variable = NULL;

    TRY(draft_find(plan->draft, name, &variable, err));
    return add_step(plan, variable, variable->value == NULL, out, err);
}

/* One name an initial value depends on by initialized_value. */
static enum err_code
visit_name(void *context, const char *name, bool initialized, struct err *err)
{
    struct walk *walk = context;
    struct initialize_step *step = initialize_plan_find(walk->plan, name);

    if (!initialized)
        return OK;
    if (step == NULL) {
        TRY(add_dependency(walk->plan, name, &step, err));
        CHECK(step != NULL);
    } else if (!is_initialized(step)) {
        step->in_run = true;
    }
    return step->in_run ? walk_step(walk, step, err) : OK;
}

static enum err_code
visit_names(struct walk *walk, const struct initialize_step *step, struct err *err)
{
    enum err_code code = expr_each_variable(&step->tree, visit_name, walk, err);

    if (code == ERR_NOT_FOUND)
        err_prefix(err, "initial value of '%s'", step->variable->name);
    return code;
}

static enum err_code
walk_step(struct walk *walk, struct initialize_step *step, struct err *err)
{
    struct initialize_plan *plan = walk->plan;

    if (step->state == INITIALIZE_DONE)
        return OK;
    if (step->state == INITIALIZE_OPEN)
        return name_cycle(walk, step, err);
    if (walk->depth == INITIALIZE_CHAIN_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "initial values depend on each other more than %d deep",
                       INITIALIZE_CHAIN_MAX);
    if (!step->has_initial_value)
        return no_initial_value(step->variable->name, err);
    step->state = INITIALIZE_OPEN;
    walk->path[walk->depth++] = step;
    TRY(visit_names(walk, step, err));
    walk->depth--;
    step->state = INITIALIZE_DONE;
    plan->order[plan->order_count++] = step;
    return OK;
}

/* Steps that drop out before the walk: nothing to run, or already initialized. */
static void
drop_out(struct initialize_plan *plan, const struct initialize_spec *spec)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        struct initialize_step *step = plan->steps[i];

        if (is_initialized(step) && (spec->only_uninitialized || !step->has_initial_value))
            step->in_run = false;
    }
}

static enum err_code
order_steps(struct initialize_plan *plan, struct err *err)
{
    struct walk walk = {.plan = plan};
    size_t selected = plan->step_count;
    AUTO_CALL(mem_free_scope) void *roots_memory = NULL;
    struct initialize_step **roots;

    /* The walk may add steps and move the array: go through a copy. Each selected step and each
     * added one is in the order once at most. */
    roots_memory = mem_zeroed(selected, sizeof *roots, err);
    if (roots_memory == NULL)
        return ERR_NO_MEMORY;
    roots = roots_memory;
    if (selected > 0)
        memcpy(roots, plan->steps, selected * sizeof *roots);
    plan->order = mem_zeroed(plan->draft->service->limits.variables_per_request_max,
                             sizeof(struct initialize_step *), err);
    if (plan->order == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < selected; i++) {
        /* Without initial value and without value: nothing to run, and no error when not named. */
        if (!roots[i]->in_run || !roots[i]->has_initial_value) {
            roots[i]->in_run = false;
            continue;
        }
        TRY(walk_step(&walk, roots[i], err));
    }
    return OK;
}

/* --- types --- */

static enum err_code
infer_step(struct initialize_plan *plan, struct initialize_step *step, struct err *err)
{
    const struct draft_variable *variable = step->variable;
    struct service *service = plan->draft->service;
    const struct evaluator_options options = service_evaluator_options(service);
    struct expr_source source = initialize_plan_source(plan);
    uint64_t stored, size;

    TRY(expr_infer(&step->tree, &source, variable->form.type.dtype, err));
    TRY(service_check_assignable(&variable->form, variable->name, "initialize",
                                 &step->tree.root->type, true, err));
    TRY(evaluator_check(&step->tree, &options, err));
    TRY(graph_draw(&plan->draft->model, variable->graph_position, variable->name, &step->tree,
                   err));
    if (variable->is_virtual)
        TRY(recipe_check(&step->tree, err));
    stored = variable->is_virtual ? 0 : compute_stored_bytes(&step->tree);
    size = tensor_type_bytes(&step->tree.root->type);
    TRY(service_check_room(service, variable->name, size, stored, err));
    if (size > draft_size(variable))
        TRY(model_quota_expect(plan->draft->view, plan->draft->model.id,
                               size - draft_size(variable), err));
    if (__builtin_add_overflow(plan->total_bytes, stored, &plan->total_bytes))
        plan->total_bytes = UINT64_MAX;
    return OK;
}

/* Before anything is inferred: TensorFlow places what it is about to run first. */
static enum err_code
check_devices(const struct initialize_plan *plan, struct err *err)
{
    for (size_t i = 0; i < plan->order_count; i++)
        TRY(draft_check_device(plan->draft, plan->order[i]->variable, err));
    return OK;
}

enum err_code
initialize_plan_make(struct draft *draft, const struct initialize_spec *spec,
                     const struct write_options *options, struct initialize_plan *out,
                     struct err *err)
{
    uint32_t limit = draft->service->limits.variables_per_request_max;

    *out =
        (struct initialize_plan){.draft = draft, .options = spec->names != NULL ? options : NULL};
    if (draft->initialized_count > limit)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "the initializations of the request before this one are of %zu variables, "
                       "the limit is %" PRIu32 " (variables_per_request_max)",
                       draft->initialized_count, limit);
    if (spec->names != NULL)
        TRY(select_named(out, spec, err));
    else
        TRY(select_all(out, spec, err));
    drop_out(out, spec);
    TRY(order_steps(out, err));
    TRY(check_devices(out, err));
    draft->initialized_count += out->step_count;
    for (size_t i = 0; i < out->order_count; i++) {
        enum err_code code = infer_step(out, out->order[i], err);

        if (code != OK && code != ERR_FULL)
            err_prefix(err, "initial value of '%s'", out->order[i]->variable->name);
        TRY(code);
    }
    return store_reserve_check(draft->service->store, out->total_bytes, err);
}

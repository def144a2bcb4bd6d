/* From a request to a run: variables are selected, those they depend on by initialized_value are
 * followed and put before them, then types are inferred in that order and everything that can be
 * refused is, before anything is computed. */
#include "service/initialize_plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "service/graph_walk.h"
#include "service/recipe.h"
#include "service/variable.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

/* Chains of initialized_value are walked by recursion; longer ones are refused. */
enum { INITIALIZE_CHAIN_MAX = 256 };

struct initialize_step *
initialize_plan_find(const struct initialize_plan *plan, const char *name)
{
    size_t low = 0, high = plan->step_count;

    /* steps are kept sorted by name */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(plan->steps[middle]->name, name);

        if (order == 0)
            return plan->steps[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static enum err_code
insert_step(struct initialize_plan *plan, struct initialize_step *step, struct err *err)
{
    size_t at = plan->step_count;

    if (plan->step_count == plan->step_capacity) {
        size_t capacity = plan->step_capacity ? plan->step_capacity * 2 : 16;
        struct initialize_step **grown =
            mem_resize(plan->steps, capacity * sizeof(struct initialize_step *), err);

        if (grown == NULL)
            return ERR_NO_MEMORY;
        plan->steps = grown;
        plan->step_capacity = capacity;
    }
    while (at > 0 && strcmp(plan->steps[at - 1]->name, step->name) > 0) {
        plan->steps[at] = plan->steps[at - 1];
        at--;
    }
    plan->steps[at] = step;
    plan->step_count++;
    return OK;
}

static enum err_code
add_step(struct initialize_plan *plan, const char *name, size_t name_size,
         const struct variable_record *record, bool in_run, struct initialize_step **out,
         struct err *err)
{
    struct initialize_step *step;
    enum err_code code;

    if (plan->step_count >= plan->service->limits.variables_per_request_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "more than %" PRIu32
                       " variables in one initialization (variables_per_request_max): use prefix",
                       plan->service->limits.variables_per_request_max);
    step = mem_zeroed(1, sizeof *step, err);
    if (step == NULL)
        return ERR_NO_MEMORY;
    snprintf(step->name, sizeof step->name, "%.*s", (int)name_size, name);
    step->id = record->id;
    step->was_initialized = record->value.kind != VALUE_NONE;
    step->row_updates = record->row_updates;
    step->is_virtual = record->is_virtual;
    step->in_run = in_run;
    code = insert_step(plan, step, err);
    if (code != OK) {
        mem_free(step);
        return code;
    }
    buf_init(&step->strings, plan->service->limits.expression_bytes_max);
    if (record->initial_value.kind != VALUE_NONE) {
        TRY(variable_initial_value(plan->view, record, &step->tree, err));
        step->has_initial_value = true;
    }
    *out = step;
    return OK;
}

void
initialize_plan_drop(struct initialize_plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        struct initialize_step *step = plan->steps[i];

        if (step->has_initial_value)
            expr_tree_drop(&step->tree);
        buf_drop(&step->strings);
        value_builder_drop(step->builder);
        mem_free(step);
    }
    mem_free(plan->steps);
    mem_free(plan->order);
    compute_source_drop(&plan->reads);
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

static enum err_code
select_named(struct initialize_plan *plan, const struct initialize_spec *spec, struct err *err)
{
    for (size_t i = 0; i < spec->name_count; i++) {
        struct initialize_step *step = initialize_plan_find(plan, spec->names[i]);
        struct variable_record record;

        if (step != NULL)
            continue; /* named twice: once is enough */
        TRY(name_check("variable", spec->names[i], err));
        TRY(service_find_variable(plan->view, plan->model.id, spec->names[i], &record, err));
        TRY(service_check_conditions(plan->options, "variable", spec->names[i], true,
                                     record.revision, err));
        TRY(add_step(plan, spec->names[i], strlen(spec->names[i]), &record, true, &step, err));
        CHECK(step != NULL);
        step->selected = true;
        if (!step->has_initial_value && !(spec->only_uninitialized && step->was_initialized))
            return no_initial_value(step->name, err);
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
    struct bytes key, value, name;
    bool found = true;

    if (spec->prefix != NULL && strlen(spec->prefix) > NAME_BYTES_MAX)
        return OK;
    prefix = record_key_variable(plan->model.id, spec->prefix ? spec->prefix : "");
    TRY(store_cursor_open(plan->view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct initialize_step *step = NULL;
        struct variable_record record;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_variable(value, &record, err));
        if (!record_texts_hold(&record.collections, collection))
            continue;
        name = record_key_name(key);
        TRY(add_step(plan, (const char *)name.data, name.size, &record, true, &step, err));
        CHECK(step != NULL);
        step->selected = true;
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
        used += (size_t)snprintf(text + used, sizeof text - used, "%s -> ", walk->path[i]->name);
    err_about(err, "variable", again->name);
    return err_set(err, ERR_INVALID_ARGUMENT, "the initial values form a cycle: %s%s", text,
                   again->name);
}

/* A variable that was not selected. It joins the run only when it has no value yet. Apart from
 * visit_name, and kept so, because its record is too large for frames of a recursion. */
static __attribute__((noinline)) enum err_code
add_dependency(struct initialize_plan *plan, const char *name, struct initialize_step **out,
               struct err *err)
{
    struct variable_record record;

    TRY(name_check("variable", name, err));
    TRY(service_find_variable(plan->view, plan->model.id, name, &record, err));
    return add_step(plan, name, strlen(name), &record, record.value.kind == VALUE_NONE, out, err);
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
    } else if (!step->was_initialized) {
        step->in_run = true;
    }
    return step->in_run ? walk_step(walk, step, err) : OK;
}

static enum err_code
visit_names(struct walk *walk, const struct initialize_step *step, struct err *err)
{
    enum err_code code = expr_each_variable(&step->tree, visit_name, walk, err);

    if (code == ERR_NOT_FOUND)
        err_prefix(err, "initial value of '%s'", step->name);
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
        return no_initial_value(step->name, err);
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

        if ((spec->only_uninitialized && step->was_initialized) ||
            (!step->has_initial_value && step->was_initialized))
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
    plan->order = mem_zeroed(plan->service->limits.variables_per_request_max,
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
source_type(void *context, const char *name, bool initialized, struct tensor_type *out,
            struct err *err)
{
    struct initialize_plan *plan = context;
    struct initialize_step *step = initialized ? initialize_plan_find(plan, name) : NULL;
    struct expr_source current = compute_expr_source(&plan->reads);

    if (step == NULL || !step->in_run)
        return current.type(current.context, name, initialized, out, err);
    *out = step->tree.root->type; /* inferred: dependencies come first */
    return OK;
}

static enum err_code
source_read(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            void *out, struct err *err)
{
    struct initialize_plan *plan = context;
    struct initialize_step *step = initialized ? initialize_plan_find(plan, name) : NULL;
    struct expr_source current = compute_expr_source(&plan->reads);

    if (step == NULL || !step->in_run)
        return current.read(current.context, name, initialized, offset, size, out, err);
    return value_builder_read(step->builder, offset, size, out, err);
}

static enum err_code
source_lend(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            struct bytes *out, struct err *err)
{
    struct initialize_plan *plan = context;
    struct initialize_step *step = initialized ? initialize_plan_find(plan, name) : NULL;
    struct expr_source current = compute_expr_source(&plan->reads);

    *out = (struct bytes){0}; /* what is being built is not lent */
    if (step == NULL || !step->in_run)
        return current.lend(current.context, name, initialized, offset, size, out, err);
    return OK;
}

static enum err_code
source_size(void *context, const char *name, bool initialized, uint64_t *out, struct err *err)
{
    struct initialize_plan *plan = context;
    struct initialize_step *step = initialized ? initialize_plan_find(plan, name) : NULL;
    struct expr_source current = compute_expr_source(&plan->reads);

    if (step == NULL || !step->in_run)
        return current.size(current.context, name, initialized, out, err);
    *out = step->strings.size; /* only asked of strings, which are kept whole */
    return OK;
}

struct expr_source
initialize_plan_source(struct initialize_plan *plan)
{
    return (struct expr_source){.context = plan,
                                .type = source_type,
                                .read = source_read,
                                .lend = source_lend,
                                .size = source_size};
}

static enum err_code
infer_step(struct initialize_plan *plan, struct initialize_step *step, struct err *err)
{
    const struct evaluator_options options = service_evaluator_options(plan->service);
    struct expr_source source = initialize_plan_source(plan);
    struct variable_record record;
    uint64_t stored;

    TRY(service_find_variable(plan->view, plan->model.id, step->name, &record, err));
    TRY(expr_infer(&step->tree, &source, record.type.dtype, err));
    TRY(service_check_assignable(&record, step->name, "initialize", &step->tree.root->type, true,
                                 err));
    TRY(evaluator_check(&step->tree, &options, err));
    TRY(graph_draw(&plan->model, record.graph_position, step->name, &step->tree, err));
    if (step->is_virtual)
        TRY(recipe_check(&step->tree, err));
    stored = step->is_virtual ? 0 : compute_stored_bytes(&step->tree);
    TRY(service_check_room(plan->service, step->name, tensor_type_bytes(&step->tree.root->type),
                           stored, err));
    if (__builtin_add_overflow(plan->total_bytes, stored, &plan->total_bytes))
        plan->total_bytes = UINT64_MAX;
    return OK;
}

enum err_code
initialize_plan_make(struct service *service, const char *model, const struct store_view *view,
                     const struct initialize_spec *spec, const struct write_options *options,
                     struct initialize_plan *out, struct err *err)
{
    *out = (struct initialize_plan){
        .service = service, .view = view, .options = spec->names != NULL ? options : NULL};
    TRY(service_find_model(view, model, &out->model, err));
    compute_source_init(&out->reads, view, out->model.id);
    if (spec->names != NULL)
        TRY(select_named(out, spec, err));
    else
        TRY(select_all(out, spec, err));
    drop_out(out, spec);
    TRY(order_steps(out, err));
    for (size_t i = 0; i < out->order_count; i++) {
        enum err_code code = infer_step(out, out->order[i], err);

        if (code != OK && code != ERR_FULL)
            err_prefix(err, "initial value of '%s'", out->order[i]->name);
        TRY(code);
    }
    return store_reserve_check(service->store, out->total_bytes, err);
}

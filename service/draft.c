/* The life of a draft, and its variables: each is looked up in the view once and remembered as it
 * was there, so that the unit that publishes can tell whether that still holds. */
#include "service/draft_parts.h"

#include <inttypes.h>

#include "service/compute.h"
#include "service/graph_walk.h"
#include "service/variable_info.h"
#include "store/base/alloc.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum err_code
draft_open(struct draft *draft, struct service *service, const char *model,
           const struct store_view *view, bool ahead, struct err *err)
{
    *draft = (struct draft){.service = service, .model_name = model, .view = view, .ahead = ahead};
    draft->saves_end = &draft->saves;
    draft->made_end = &draft->made;
    draft->records_end = &draft->records;
    arena_init(&draft->arena, service->limits.expression_bytes_max);
    return service_find_model(view, model, &draft->model, err);
}

void
draft_drop(struct draft *draft)
{
    for (size_t i = 0; i < draft->variable_count; i++)
        mem_free(draft->variables[i]);
    mem_free(draft->variables);
    while (draft->values != NULL) {
        struct draft_value *next = draft->values->next;

        draft_value_free(draft->values);
        draft->values = next;
    }
    for (struct draft_new *made = draft->made; made != NULL; made = made->next)
        if (made->has_tree)
            expr_tree_drop(&made->tree);
    store_stage_drop(draft->stage);
    arena_drop(&draft->arena);
    *draft = (struct draft){0};
}

enum err_code
draft_stage(struct draft *draft, struct err *err)
{
    CHECK(draft->ahead);
    return draft->stage != NULL ? OK : store_stage_open(draft->service->store, &draft->stage, err);
}

enum store_class
draft_class_of(const struct draft_variable *variable)
{
    return variable->row_updates ? STORE_CLASS_ROWS : STORE_CLASS_BULK;
}

/* --- variables ----------------------------------------------------------------------------- */

/* Where `name` is among the variables, or would be. */
static size_t
place_of(const struct draft *draft, const char *name)
{
    size_t low = 0, high = draft->variable_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(draft->variables[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct draft_variable *
draft_known(const struct draft *draft, const char *name)
{
    size_t at = place_of(draft, name);

    return at < draft->variable_count && strcmp(draft->variables[at]->name, name) == 0
               ? draft->variables[at]
               : NULL;
}

static enum err_code
reserve_variable(struct draft *draft, struct err *err)
{
    size_t capacity = draft->variable_capacity == 0 ? 8 : draft->variable_capacity * 2;
    struct draft_variable **grown;

    if (draft->variable_count < draft->variable_capacity)
        return OK;
    if (draft->variable_count >= draft->service->limits.variables_per_request_max)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "more than %" PRIu32 " variables in one request (variables_per_request_max)",
                       draft->service->limits.variables_per_request_max);
    if (capacity > draft->service->limits.variables_per_request_max)
        capacity = draft->service->limits.variables_per_request_max;
    grown = mem_resize(draft->variables, capacity * sizeof(struct draft_variable *), err);
    if (grown == NULL)
        return ERR_NO_MEMORY;
    draft->variables = grown;
    draft->variable_capacity = capacity;
    return OK;
}

enum err_code
draft_add_variable(struct draft *draft, const char *name, struct draft_variable **out,
                   struct err *err)
{
    size_t at = place_of(draft, name);
    struct draft_variable *variable;

    TRY(reserve_variable(draft, err));
    variable = mem_zeroed(1, sizeof *variable, err);
    if (variable == NULL)
        return ERR_NO_MEMORY;
    memcpy(variable->name, name, strlen(name) + 1);
    memmove(draft->variables + at + 1, draft->variables + at,
            (draft->variable_count - at) * sizeof(struct draft_variable *));
    draft->variables[at] = variable;
    draft->variable_count++;
    *out = variable;
    return OK;
}

static enum err_code
take_record(struct draft *draft, struct draft_variable *variable,
            const struct variable_record *record, struct err *err)
{
    variable->found = true;
    variable->id = record->id;
    variable->version = record->version;
    variable->revision = record->revision;
    variable->form = record_variable_form(record);
    variable->before_shape = record->type.shape;
    variable->trainable = record->trainable;
    variable->row_updates = record->row_updates;
    variable->is_virtual = record->is_virtual;
    variable->graph_position = record->graph_position;
    if (record->value.kind == VALUE_NONE)
        return OK;
    variable->before =
        draft_value_make(draft, DRAFT_STORED, record->value.size, draft_class_of(variable), err);
    if (variable->before == NULL)
        return ERR_NO_MEMORY;
    variable->before->owner = variable;
    variable->value = variable->before;
    return OK;
}

enum err_code
draft_look(struct draft *draft, const char *name, struct draft_variable **out, struct err *err)
{
    struct draft_variable *variable = draft_known(draft, name);
    struct variable_record record;
    bool found = false;

    *out = NULL;
    if (variable == NULL) {
        TRY(name_check("variable", name, err));
        TRY(record_get_variable(draft->view, draft->model.id, name, &found, &record, err));
        TRY(draft_add_variable(draft, name, &variable, err));
        if (found)
            TRY(take_record(draft, variable, &record, err));
    }
    if (variable->found || variable->made != NULL)
        *out = variable;
    return OK;
}

enum err_code
draft_find(struct draft *draft, const char *name, struct draft_variable **out, struct err *err)
{
    TRY(draft_look(draft, name, out, err));
    if (*out != NULL)
        return OK;
    (void)err_set(err, ERR_NOT_FOUND, "there is no variable '%s'", name);
    err_about(err, "variable", name);
    return ERR_NOT_FOUND;
}

enum err_code
draft_find_initialized(struct draft *draft, const char *name, struct draft_variable **out,
                       struct err *err)
{
    TRY(draft_find(draft, name, out, err));
    if ((*out)->value != NULL)
        return OK;
    (*out)->relied_on = true;
    return compute_uninitialized(name, err);
}

enum err_code
draft_make_variable(struct draft *draft, const struct draft_variable_spec *spec,
                    struct draft_variable **out, struct err *err)
{
    struct draft_variable *variable = NULL;
    struct draft_new *made;

    TRY(draft_look(draft, spec->name, &variable, err));
    if (variable != NULL) {
        err_about(err, "variable", spec->name);
        return err_set(err, ERR_ALREADY_EXISTS, "variable '%s' exists already", spec->name);
    }
    variable = draft_known(draft, spec->name);
    made = arena_alloc(&draft->arena, sizeof *made, err);
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->variable = variable;
    if (spec->collection != NULL) {
        made->collection = arena_text(&draft->arena, bytes_of_text(spec->collection), err);
        if (made->collection == NULL)
            return ERR_NO_MEMORY;
    }
    if (spec->initial_value != NULL) {
        made->tree = TAKE(*spec->initial_value);
        made->has_tree = true;
    }
    *draft->made_end = made;
    draft->made_end = &made->next;
    variable->made = made;
    variable->form =
        (struct variable_form){.type = spec->type, .shape_known = true, .validate_shape = true};
    variable->trainable = spec->trainable;
    variable->row_updates = spec->row_updates;
    *out = variable;
    return OK;
}

enum err_code
draft_check_conditions(struct draft_variable *variable, const struct write_options *options,
                       struct err *err)
{
    if (options == NULL || !(options->if_match || options->if_match_any || options->if_none_match))
        return OK;
    variable->revision_relied_on = true;
    return service_check_conditions(options, "variable", variable->name, variable->found,
                                    variable->revision, err);
}

enum err_code
draft_check_model(struct draft *draft, const struct write_options *options, struct err *err)
{
    struct usage_record usage;

    if (options == NULL || !(options->if_match || options->if_match_any || options->if_none_match))
        return OK;
    TRY(record_get_usage(draft->view, draft->model.id, &usage, err));
    draft->model_relied_on = true;
    draft->model_revision = usage.revision;
    return service_check_conditions(options, "model", draft->model_name, true, usage.revision, err);
}

/* --- as a source of expressions ------------------------------------------------------------ */

static enum err_code
source_type(void *context, const char *name, bool initialized, struct tensor_type *out,
            struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)initialized;
    TRY(draft_find(context, name, &variable, err));
    variable->relied_on = true;
    if (variable->value == NULL && !variable->form.shape_known)
        return compute_uninitialized(name, err);
    *out = variable->form.type;
    return OK;
}

static enum err_code
source_read(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            void *out, struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)initialized;
    TRY(draft_find_initialized(context, name, &variable, err));
    return draft_read(context, variable, offset, size, out, err);
}

static enum err_code
source_lend(void *context, const char *name, bool initialized, uint64_t offset, uint64_t size,
            struct bytes *out, struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)initialized;
    TRY(draft_find_initialized(context, name, &variable, err));
    return draft_lend(context, variable, offset, size, out, err);
}

static enum err_code
source_size(void *context, const char *name, bool initialized, uint64_t *out, struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)initialized;
    TRY(draft_find_initialized(context, name, &variable, err));
    *out = variable->value->size;
    return OK;
}

struct expr_source
draft_source(struct draft *draft)
{
    return (struct expr_source){.context = draft,
                                .type = source_type,
                                .read = source_read,
                                .lend = source_lend,
                                .size = source_size};
}

/* --- what operations share ----------------------------------------------------------------- */

enum err_code
draft_work(struct draft *draft, uint64_t bytes, struct err *err)
{
    if (draft->ahead)
        return OK;
    if (__builtin_add_overflow(draft->commit_work_bytes, bytes, &draft->commit_work_bytes) ||
        draft->commit_work_bytes > SERVICE_COMMIT_WORK_BYTES_MAX)
        return err_set(err, ERR_DEFER, "too much work for a commit");
    return OK;
}

/* An update whose op seeds are places in the graph takes its nodes' places there: its expression's
 * and the Assign (AssignAdd …) op. */
static enum err_code
take_places(struct draft *draft, const struct expr_tree *tree, uint64_t *position, struct err *err)
{
    struct usage_record usage;
    uint64_t nodes = 0;

    if (!draft->graph_relied_on) {
        TRY(record_get_usage(draft->view, draft->model.id, &usage, err));
        draft->graph_position = usage.graph_nodes;
        draft->graph_relied_on = true;
    }
    *position = draft->graph_position + draft->graph_nodes;
    TRY(graph_count(tree, &nodes, err));
    draft->graph_nodes += nodes + 1;
    return OK;
}

enum err_code
draft_draw(struct draft *draft, const char *name, struct expr_tree *tree, struct err *err)
{
    uint64_t position = 0;

    if (draft->model.seed_mode == MODEL_SEED_MODE_TF && graph_wants_seed(tree))
        TRY(take_places(draft, tree, &position, err));
    return graph_draw(&draft->model, position, name, tree, err);
}

enum err_code
draft_set_draws(struct draft *draft, struct draft_variable *variable, const struct expr_tree *tree,
                struct err *err)
{
    AUTO(buf) draws;
    uint8_t *copy;

    buf_init(&draws, STORE_RECORD_BYTES_MAX);
    TRY(variable_draws_encode(tree, &draws, err));
    variable->initialized_here = true;
    variable->draws = (struct bytes){0};
    if (draws.size == 0)
        return OK;
    copy = arena_alloc(&draft->arena, draws.size, err);
    if (copy == NULL)
        return ERR_NO_MEMORY;
    memcpy(copy, draws.data, draws.size);
    variable->draws = bytes_of(copy, draws.size);
    return OK;
}

/* --- checkpoints --------------------------------------------------------------------------- */

enum err_code
draft_save_open(struct draft *draft, const struct draft_save_spec *spec, struct draft_save **out,
                struct err *err)
{
    struct draft_save *save = arena_alloc(&draft->arena, sizeof *save, err);

    if (save == NULL)
        return ERR_NO_MEMORY;
    save->spec = *spec;
    save->spec.name = arena_text(&draft->arena, bytes_of_text(spec->name), err);
    if (save->spec.name == NULL)
        return ERR_NO_MEMORY;
    save->tensors_end = &save->tensors;
    *draft->saves_end = save;
    draft->saves_end = &save->next;
    *out = save;
    return OK;
}

enum err_code
draft_save_add(struct draft *draft, struct draft_save *save, struct bytes tensor,
               struct draft_variable *variable, struct err *err)
{
    struct draft_tensor *entry;
    const char *name;

    variable->relied_on = true;
    if (variable->value == NULL)
        return compute_uninitialized(variable->name, err);
    entry = arena_alloc(&draft->arena, sizeof *entry, err);
    name = arena_text(&draft->arena, tensor, err);
    if (entry == NULL || name == NULL)
        return ERR_NO_MEMORY;
    entry->name = bytes_of(name, tensor.size);
    entry->variable = variable;
    entry->value = variable->value;
    entry->value->holders++;
    entry->type = variable->form.type;
    *save->tensors_end = entry;
    save->tensors_end = &entry->next;
    return OK;
}

const struct checkpoint_record *
draft_saved(const struct draft_save *save, bool *replaced)
{
    *replaced = save->replaced;
    return &save->record;
}

/* The life of a draft, and its variables: each is looked up in the view once and remembered as it
 * was there, so that the unit that publishes can tell whether that still holds. */
#include "service/run/draft_parts.h"

#include <inttypes.h>

#include "service/expr/compute.h"
#include "service/graph/graph_walk.h"
#include "service/placement/partition_devices.h"
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

static struct draft_variable *
known(const struct draft *draft, const char *name)
{
    size_t at = place_of(draft, name);

    return at < draft->variable_count && strcmp(draft->variables[at]->name, name) == 0
               ? draft->variables[at]
               : NULL;
}

static enum err_code
reserve_variable(struct draft *draft, struct err *err)
{
    struct draft_variable **grown =
        mem_grown(draft->variables, draft->variable_count, &draft->variable_capacity,
                  sizeof(struct draft_variable *), err);

    if (grown == NULL)
        return ERR_NO_MEMORY;
    draft->variables = grown;
    return OK;
}

/* An entry of that name, empty, in its place. */
static enum err_code
add_variable(struct draft *draft, const char *name, struct draft_variable **out, struct err *err)
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
take_part_devices(struct draft *draft, struct draft_variable *variable,
                  const struct variable_record *record, struct err *err)
{
    AUTO(partition_devices) devices = {.count = 0};
    const char **each;

    TRY(partition_devices_of(draft->view, variable->name, record, &devices, err));
    if (devices.count == 0)
        return OK;
    each = arena_array(&draft->arena, devices.count, sizeof *each, err);
    if (each == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < devices.count; i++) {
        each[i] = arena_text(&draft->arena, bytes_of_text(devices.each[i]), err);
        if (each[i] == NULL)
            return ERR_NO_MEMORY;
    }
    variable->part_devices = each;
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
    variable->partition = record->partition;
    variable->placed = record->placed;
    if (record->device[0] != '\0') {
        variable->device = arena_text(&draft->arena, bytes_of_text(record->device), err);
        if (variable->device == NULL)
            return ERR_NO_MEMORY;
    }
    TRY(take_part_devices(draft, variable, record, err));
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

/* The variable's entry, made when it is not known yet, whether or not it exists. */
static enum err_code
look(struct draft *draft, const char *name, struct draft_variable **out, struct err *err)
{
    struct variable_record record;
    bool found = false;

    *out = known(draft, name);
    if (*out != NULL)
        return OK;
    TRY(draft_work(draft, DRAFT_STEP_WORK_BYTES, err));
    TRY(record_get_variable(draft->view, draft->model.id, name, &found, &record, err));
    TRY(add_variable(draft, name, out, err));
    return found ? take_record(draft, *out, &record, err) : OK;
}

static bool
exists(const struct draft_variable *variable)
{
    return variable->found || variable->made != NULL;
}

static enum err_code
not_found(const char *name, struct err *err)
{
    (void)err_set(err, ERR_NOT_FOUND, "there is no variable '%s'", name);
    err_about(err, "variable", name);
    return ERR_NOT_FOUND;
}

enum err_code
draft_look(struct draft *draft, const char *name, struct draft_variable **out, struct err *err)
{
    uint32_t limit = draft->service->limits.variables_per_request_max;
    struct draft_variable *variable = NULL;

    *out = NULL;
    if (known(draft, name) == NULL) {
        TRY(name_check("variable", name, err));
        if (draft->named_count == limit)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "more than %" PRIu32
                           " variables in one request (variables_per_request_max)",
                           limit);
        draft->named_count++;
    }
    TRY(look(draft, name, &variable, err));
    *out = exists(variable) ? variable : NULL;
    return OK;
}

enum err_code
draft_find(struct draft *draft, const char *name, struct draft_variable **out, struct err *err)
{
    TRY(draft_look(draft, name, out, err));
    return *out != NULL ? OK : not_found(name, err);
}

enum err_code
draft_find_listed(struct draft *draft, const char *name, struct draft_variable **out,
                  struct err *err)
{
    TRY(look(draft, name, out, err));
    return exists(*out) ? OK : not_found(name, err);
}

enum err_code
draft_find_initialized(struct draft *draft, const char *name, struct draft_variable **out,
                       struct err *err)
{
    TRY(draft_find(draft, name, out, err));
    if ((*out)->value != NULL)
        return OK;
    draft_rely(*out);
    return compute_uninitialized(name, err);
}

static void
take_after(struct draft_variable *variable, const struct draft_variable *like)
{
    variable->row_updates = like->row_updates;
    variable->device = like->device;
    variable->placed = like->placed;
    if (!shape_equal(&variable->form.type.shape, &like->form.type.shape))
        return;
    variable->partition = like->partition;
    variable->part_devices = like->part_devices;
}

enum err_code
draft_make_variable(struct draft *draft, const struct draft_variable_spec *spec,
                    struct draft_variable **out, struct err *err)
{
    struct draft_variable *variable = NULL;
    struct draft_new *made;
    uint64_t nodes = 0;

    TRY(draft_look(draft, spec->name, &variable, err));
    if (variable != NULL) {
        err_about(err, "variable", spec->name);
        return err_set(err, ERR_ALREADY_EXISTS, "variable '%s' exists already", spec->name);
    }
    variable = known(draft, spec->name);
    TRY(graph_count_variable(spec->initial_value, &nodes, err));
    made = arena_alloc(&draft->arena, sizeof *made, err);
    if (made == NULL)
        return ERR_NO_MEMORY;
    made->variable = variable;
    made->graph_nodes = draft->graph_nodes;
    if (spec->collection != NULL) {
        made->collection = arena_text(&draft->arena, bytes_of_text(spec->collection), err);
        if (made->collection == NULL)
            return ERR_NO_MEMORY;
    }
    variable->form =
        (struct variable_form){.type = spec->type, .shape_known = true, .validate_shape = true};
    variable->trainable = spec->trainable;
    variable->row_updates = spec->row_updates;
    if (spec->like != NULL)
        take_after(variable, spec->like);
    else if (spec->beside != NULL)
        draft_place_beside(variable, spec->beside);
    else
        TRY(draft_place(draft, variable, err));
    if (spec->initial_value != NULL) {
        made->tree = TAKE(*spec->initial_value);
        made->has_tree = true;
    }
    *draft->made_end = made;
    draft->made_end = &made->next;
    variable->made = made;
    draft->graph_nodes += nodes;
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

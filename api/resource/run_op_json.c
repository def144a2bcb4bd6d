/* Reading one operation of a run. Which fields it has is its verb's row; each field is read here
 * once, for every verb that has it. */
#include "api/resource/accumulator_json.h"
#include "api/resource/average_json.h"
#include "api/resource/describe.h"
#include "api/resource/device_json.h"
#include "api/resource/gradients_json.h"
#include "api/resource/run_json.h"
#include "api/resource/variable_names.h"
#include "api/tensors/picks.h"
#include "service/run/verb.h"
#include "service/variable/variable.h"
#include "store/base/scope.h"

/* --- one field each ------------------------------------------------------------------------ */

static enum err_code
take_expression(struct api_request *rq, struct api_object *object, const char *field,
                enum dtype hint, struct api_run *run, struct expr_tree **out, struct err *err)
{
    struct api_value value;

    TRY(api_object_value(object, field, &value, err));
    return api_run_take_tree(rq, run, &value, hint, out, err);
}

enum err_code
api_run_literal_dtype(struct api_request *rq, const char *variable, enum dtype *out,
                      struct err *err)
{
    struct tensor_type type;
    uint64_t revision = 0;
    struct err own = ERR_INIT;
    enum err_code code = variable_type(api_request_service(rq), api_request_model(rq), variable,
                                       &type, &revision, &own);

    *out = code == OK ? type.dtype : DTYPE_UNSET;
    if (code == OK || code == ERR_NOT_FOUND) /* told by the operation, in its place */
        return OK;
    return err_set(err, code, "%s", own.text);
}

static enum err_code
take_initialize(struct api_request *rq, struct api_object *object, struct initialize_spec *out,
                struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    const char **names = NULL;
    bool named = false, given = false, prefixed = false;

    TRY(api_object_variables(object, "variables", arena, &names, &out->name_count, &named, err));
    TRY(api_object_text(object, "collection", arena, &out->collection, &given, err));
    TRY(api_object_text(object, "prefix", arena, &out->prefix, &prefixed, err));
    if (named && (given || prefixed))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "give 'variables', or 'collection' and 'prefix', not both");
    TRY(api_object_bool(object, "only_uninitialized", &out->only_uninitialized, &given, err));
    out->names = named ? names : NULL;
    return OK;
}

/* 1000, or {"variable": "global_step"}. */
static enum err_code
take_step(struct api_request *rq, struct api_object *object, struct checkpoint_save_spec *spec,
          struct err *err)
{
    struct api_value value;
    struct api_object step;

    if (!api_object_has(object, "global_step", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    if (api_value_kind(&value) != API_OBJECT) {
        spec->has_global_step = true;
        return api_value_i64(&value, &spec->global_step, err);
    }
    TRY(api_object_of(&value, &step, err));
    TRY(api_object_variable(&step, "variable", api_request_arena(rq), &spec->global_step_variable,
                            NULL, err));
    return api_object_end(&step, err);
}

/* `saver`: the path's; NULL: the object may name one. */
static enum err_code
take_save(struct api_request *rq, struct api_object *object, const char *saver,
          struct checkpoint_save_spec *out, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct api_value picks;
    bool given = false;

    out->saver = saver;
    if (saver == NULL)
        TRY(api_object_text(object, "saver", arena, &out->saver, &given, err));
    TRY(api_object_text(object, "name", arena, &out->name, NULL, err));
    TRY(take_step(rq, object, out, err));
    if (api_object_has(object, "variables", &picks))
        TRY(api_picks_take(rq, &picks, &out->picks, &out->pick_count, err));
    TRY(api_object_text(object, "prefix", arena, &out->prefix, &given, err));
    if (given && out->picks != NULL)
        return err_set(err, ERR_INVALID_ARGUMENT, "give 'variables' or 'prefix', not both");
    TRY(api_object_bool(object, "overwrite", &out->overwrite, &given, err));
    return api_object_bool(object, "allow_empty", &out->allow_empty, &given, err);
}

/* --- one operation ------------------------------------------------------------------------- */

static enum err_code
take_trees(struct api_request *rq, struct api_object *object, struct api_run *run,
           struct run_op *op, struct err *err)
{
    unsigned fields = op->verb->fields;
    enum dtype dtype = DTYPE_UNSET;

    if (op->variable != NULL)
        TRY(api_run_literal_dtype(rq, op->variable, &dtype, err));
    if (fields & VERB_INDICES)
        TRY(take_expression(rq, object, "indices", DTYPE_INT64, run, &op->indices, err));
    if (fields & VERB_UPDATES)
        TRY(take_expression(rq, object, "updates", dtype, run, &op->value, err));
    if (fields & VERB_VALUE)
        TRY(take_expression(rq, object, "value", dtype, run, &op->value, err));
    if (fields & VERB_DECAY)
        TRY(take_expression(rq, object, "decay", DTYPE_UNSET, run, &op->decay, err));
    return OK;
}

/* Of an optimizer: its gradients, or variables alone. */
static enum err_code
take_gradients(struct api_request *rq, struct api_object *object, struct api_run *run,
               struct run_op *op, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct optimizer_gradients *gradients = arena_alloc(arena, sizeof *gradients, err);

    if (gradients == NULL)
        return ERR_NO_MEMORY;
    gradients->optimizer = op->resource;
    if (gradients->optimizer == NULL)
        TRY(api_object_text(object, "optimizer", arena, &gradients->optimizer, NULL, err));
    if (op->verb->fields & VERB_GRADIENTS)
        TRY(api_gradients_take(rq, object, run, gradients, err));
    if (op->verb->fields & VERB_VARIABLES)
        TRY(api_gradient_variables_take(rq, object, gradients, err));
    op->gradients = gradients;
    return OK;
}

static enum err_code
take_averages(struct api_request *rq, struct api_object *object, struct api_run *run,
              struct run_op *op, struct err *err)
{
    struct average_selection *selection =
        arena_alloc(api_request_arena(rq), sizeof *selection, err);

    if (selection == NULL)
        return ERR_NO_MEMORY;
    selection->averages = op->resource;
    op->averages = selection;
    return api_average_selection_take(rq, object, run, selection, err);
}

/* NULL: the path names nothing. */
static const char *
path_of(const struct run_op *op)
{
    return op->resource == NULL || op->resource[0] == '\0' ? NULL : op->resource;
}

static enum err_code
take_specs(struct api_request *rq, struct api_object *object, struct run_op *op, struct err *err)
{
    struct arena *arena = api_request_arena(rq);

    if (op->verb->fields & VERB_INITIALIZE) {
        struct initialize_spec *spec = arena_alloc(arena, sizeof *spec, err);

        if (spec == NULL)
            return ERR_NO_MEMORY;
        TRY(take_initialize(rq, object, spec, err));
        op->initialize = spec;
    }
    if (op->verb->fields & VERB_SAVE) {
        struct checkpoint_save_spec *spec = arena_alloc(arena, sizeof *spec, err);

        if (spec == NULL)
            return ERR_NO_MEMORY;
        TRY(take_save(rq, object, path_of(op), spec, err));
        op->save = spec;
    }
    return OK;
}

static enum err_code
take_accumulator(struct api_request *rq, struct api_object *object, struct api_run *run,
                 struct run_op *op, struct err *err)
{
    struct accumulator_request *request = arena_alloc(api_request_arena(rq), sizeof *request, err);

    if (request == NULL)
        return ERR_NO_MEMORY;
    op->accumulator = request;
    return api_accumulator_request_take(rq, object, run, op, request, err);
}

/* A field that no verb has, or not this one, is told before one that is missing: a typo is both. */
static enum err_code
check_fields(struct api_object *object, const struct run_op *op, struct err *err)
{
    struct api_value value;
    unsigned unnamed = 0;

    for (unsigned i = 0; i < VERB_FIELD_COUNT; i++) {
        unsigned field = 1U << i;
        const char *name = verb_field_name((enum verb_field)field);

        if (!(op->verb->fields & field) || (field == VERB_VARIABLE && op->variable != NULL))
            continue;
        if (name != NULL)
            (void)api_object_has(object, name, &value);
        else
            unnamed |= field; /* has fields of its own */
    }
    return unnamed != 0 ? OK : api_object_end(object, err);
}

enum err_code
api_run_decode_op(struct api_request *rq, struct api_object *object, struct api_run *run,
                  struct run_op *op, struct err *err)
{
    unsigned fields = op->verb->fields;
    bool given = false;

    op->validate_shape = true;
    op->zero_debias = true;
    TRY(check_fields(object, op, err));
    if ((fields & VERB_VARIABLE) && op->variable == NULL)
        TRY(api_object_variable(object, "variable", api_request_arena(rq), &op->variable, NULL,
                                err));
    TRY(take_trees(rq, object, run, op, err));
    if (fields & VERB_VALIDATE_SHAPE)
        TRY(api_object_bool(object, "validate_shape", &op->validate_shape, &given, err));
    if (fields & VERB_SLICE)
        TRY(api_object_text(object, "slice", api_request_arena(rq), &op->slice, &given, err));
    if (fields & VERB_ZERO_DEBIAS)
        TRY(api_object_bool(object, "zero_debias", &op->zero_debias, &given, err));
    if (fields & VERB_LIMIT)
        TRY(api_object_i64(object, "limit", &op->limit, NULL, err));
    if (fields & VERB_DEVICE)
        TRY(api_device_take(object, "device", api_request_arena(rq), &op->devices,
                            &op->device_count, err));
    TRY(take_specs(rq, object, op, err));
    if (fields & VERB_OPTIMIZER)
        TRY(take_gradients(rq, object, run, op, err));
    if (fields & VERB_AVERAGES)
        TRY(take_averages(rq, object, run, op, err));
    if (fields & VERB_ACCUMULATOR)
        TRY(take_accumulator(rq, object, run, op, err));
    return api_object_end(object, err);
}

/* --- the catalogue ------------------------------------------------------------------------- */

static enum err_code
describe_verb(const struct verb *verb, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *fields = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(verb->name), err));
    TRY(api_json_set(json, "summary", json_string(verb->summary), err));
    TRY(api_json_made(json_array(), &fields, err));
    TRY(api_json_set(json, "fields", fields, err));
    for (unsigned i = 0; i < VERB_FIELD_COUNT; i++) {
        const char *const *names = verb_field_names((enum verb_field)(1U << i));

        for (; (verb->fields & 1U << i) && *names != NULL; names++)
            TRY(api_json_push(fields, json_string(*names), err));
    }
    *out = TAKE(json);
    return OK;
}

enum err_code
api_verbs_json(json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *body = NULL;
    json_t *verbs = NULL, *verb = NULL;

    TRY(api_json_made(json_object(), &body, err));
    TRY(api_json_made(json_array(), &verbs, err));
    TRY(api_json_set(body, "verbs", verbs, err));
    for (size_t i = 0; verb_at(i) != NULL; i++) {
        TRY(describe_verb(verb_at(i), &verb, err));
        TRY(api_json_push(verbs, verb, err));
    }
    *out = TAKE(body);
    return OK;
}

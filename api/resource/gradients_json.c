#include "api/resource/gradients_json.h"

#include <inttypes.h>
#include <math.h>

#include "api/resource/describe.h"
#include "api/resource/variable_names.h"
#include "service/record/record.h"
#include "store/base/scope.h"

bool
api_gradient_is_sparse(const struct api_value *value, struct api_object *object)
{
    struct err err = ERR_INIT;
    struct api_value part;

    return api_value_kind(value) == API_OBJECT && api_object_of(value, object, &err) == OK &&
           !api_object_has(object, "op", &part) && api_object_has(object, "indices", &part);
}

static enum err_code
take_gradient(struct api_request *rq, const struct api_value *value, struct api_run *run,
              struct optimizer_gradient *out, struct err *err)
{
    enum dtype dtype = DTYPE_UNSET;
    struct api_object object;
    struct api_value part;

    if (api_value_kind(value) == API_NULL)
        return OK;
    TRY(api_run_literal_dtype(rq, out->variable, &dtype, err));
    if (!api_gradient_is_sparse(value, &object))
        return api_run_take_tree(rq, run, value, dtype, &out->dense, err);
    (void)api_object_has(&object, "indices", &part);
    TRY(api_run_take_tree(rq, run, &part, DTYPE_INT64, &out->indices, err));
    TRY(api_object_value(&object, "values", &part, err));
    TRY(api_run_take_tree(rq, run, &part, dtype, &out->values, err));
    return api_object_end(&object, err);
}

static enum err_code
take_map(struct api_request *rq, struct api_object *object, struct api_run *run,
         struct optimizer_gradients *out, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct optimizer_gradient *gradients;
    struct api_value map, *values = NULL;
    const char **names = NULL;

    TRY(api_object_value(object, "gradients", &map, err));
    TRY(api_value_fields(&map, arena, &names, &values, &out->count, err));
    gradients = arena_array(arena, out->count + 1, sizeof *gradients, err);
    if (gradients == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < out->count; i++) {
        TRY(api_variable_name(arena, names[i], &gradients[i].variable, err));
        TRY(take_gradient(rq, &values[i], run, &gradients[i], err));
    }
    out->gradients = gradients;
    return OK;
}

static enum err_code
take_count(struct api_object *object, const char *field, uint64_t *out, bool *given,
           struct err *err)
{
    int64_t number = 0;

    TRY(api_object_i64(object, field, &number, given, err));
    if (*given && number < 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field '%s' is %" PRId64 ", it cannot be negative", field, number);
    *out = (uint64_t)number;
    return OK;
}

/* {"replicas": 4, "key": "step-17", "worker": "w3"} */
static enum err_code
take_accumulate(struct api_request *rq, struct api_object *object, struct optimizer_gradients *out,
                struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct optimizer_accumulate *accumulate;
    struct api_object fields;
    struct api_value value;
    bool given = false;

    if (!api_object_has(object, "accumulate", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    accumulate = arena_alloc(arena, sizeof *accumulate, err);
    if (accumulate == NULL)
        return ERR_NO_MEMORY;
    TRY(api_object_of(&value, &fields, err));
    TRY(api_object_i64(&fields, "replicas", &accumulate->replicas, NULL, err));
    TRY(api_object_text(&fields, "key", arena, &accumulate->key, NULL, err));
    TRY(api_object_text(&fields, "worker", arena, &accumulate->worker, &given, err));
    TRY(api_object_end(&fields, err));
    out->accumulate = accumulate;
    return OK;
}

enum err_code
api_gradients_take(struct api_request *rq, struct api_object *object, struct api_run *run,
                   struct optimizer_gradients *out, struct err *err)
{
    struct api_value clip;
    bool given = false;

    TRY(take_map(rq, object, run, out, err));
    TRY(api_object_variable(object, "global_step", api_request_arena(rq), &out->global_step, &given,
                            err));
    out->has_clip_norm = api_object_has(object, "clip_by_global_norm", &clip);
    if (out->has_clip_norm) {
        TRY(api_value_f64(&clip, &out->clip_norm, err));
        if (!((float)out->clip_norm > 0) || isinf((float)out->clip_norm))
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "field 'clip_by_global_norm' must be a finite number above 0, in "
                           "float32");
    }
    TRY(take_count(object, "base_revision", &out->base_revision, &out->has_base_revision, err));
    TRY(take_count(object, "max_staleness", &out->max_staleness, &out->has_max_staleness, err));
    TRY(take_accumulate(rq, object, out, err));
    if (out->has_max_staleness && !out->has_base_revision)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'max_staleness' needs 'base_revision': the revision that the "
                       "gradients were computed at");
    if (out->has_max_staleness && out->max_staleness >= RECORD_APPLIES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "field 'max_staleness' is %" PRIu64 ", the last %d applies are remembered",
                       out->max_staleness, RECORD_APPLIES_MAX);
    return OK;
}

enum err_code
api_gradient_variables_take(struct api_request *rq, struct api_object *object,
                            struct optimizer_gradients *out, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct optimizer_gradient *gradients;
    const char **names = NULL;

    TRY(api_object_variables(object, "variables", arena, &names, &out->count, NULL, err));
    gradients = arena_array(arena, out->count + 1, sizeof *gradients, err);
    if (gradients == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < out->count; i++)
        gradients[i].variable = names[i];
    out->gradients = gradients;
    return OK;
}

static enum err_code
describe_contribution(const struct optimizer_applied *applied, json_t *json, struct err *err)
{
    if (applied->contributed == OPTIMIZER_CONTRIBUTED_NONE)
        return OK;
    TRY(api_json_set(json, "key", json_string(applied->key), err));
    TRY(api_json_set(json, "accumulated", json_integer(applied->accumulated), err));
    TRY(api_json_set(json, "replicas", json_integer(applied->replicas), err));
    TRY(api_json_set(json, "applied",
                     json_boolean(applied->contributed == OPTIMIZER_CONTRIBUTED_LAST ||
                                  applied->contributed == OPTIMIZER_CONTRIBUTED_LATE),
                     err));
    if (applied->contributed == OPTIMIZER_CONTRIBUTED_TWICE)
        return api_json_set(json, "repeated", json_true(), err);
    if (applied->contributed != OPTIMIZER_CONTRIBUTED_LATE)
        return OK;
    TRY(api_json_set(json, "dropped", json_true(), err));
    return api_json_set(json, "revision", json_integer((json_int_t)applied->late_revision), err);
}

/* What a step did, as against a contribution to one. */
static enum err_code
describe_step(const struct optimizer_applied *applied, json_t *json, struct err *err)
{
    json_t *versions = NULL;

    TRY(api_json_set(json, "learning_rate", api_json_real(applied->learning_rate), err));
    TRY(api_json_set(json, "gradient_norm", api_json_real(applied->gradient_norm), err));
    TRY(api_json_set(json, "clip_scale", api_json_real(applied->clip_scale), err));
    TRY(api_describe_versions(applied->variables, applied->variable_count, &versions, err));
    return api_json_set(json, "versions", versions, err);
}

enum err_code
api_describe_applied(const struct optimizer_applied *applied, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "optimizer", json_string(applied->optimizer), err));
    TRY(describe_contribution(applied, json, err));
    if (applied->has_global_step)
        TRY(api_json_set(json, "global_step", json_integer(applied->global_step), err));
    if (applied->has_staleness)
        TRY(api_json_set(json, "staleness", json_integer((json_int_t)applied->staleness), err));
    if (applied->contributed == OPTIMIZER_CONTRIBUTED_NONE ||
        applied->contributed == OPTIMIZER_CONTRIBUTED_LAST)
        TRY(describe_step(applied, json, err));
    *out = TAKE(json);
    return OK;
}

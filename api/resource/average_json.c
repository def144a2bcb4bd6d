#include "api/resource/average_json.h"

#include "api/resource/describe.h"
#include "api/resource/expr_json.h"
#include "api/resource/variable_names.h"
#include "service/variable/variable.h"
#include "store/base/scope.h"

void
api_average_drop(struct api_average *stated)
{
    expr_tree_drop(&stated->num_updates);
    *stated = (struct api_average){0};
}

/* null is as if it were not there. */
static enum err_code
take_num_updates(struct api_request *rq, struct api_object *body, struct api_average *out,
                 struct err *err)
{
    struct expr_limits limits = variable_expr_limits(service_limits_of(api_request_service(rq)));
    struct api_value value;

    if (!api_object_has(body, "num_updates", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    TRY(api_expr_decode(&value, DTYPE_UNSET, &limits, &out->num_updates, err));
    out->spec.num_updates = &out->num_updates;
    return OK;
}

enum err_code
api_average_decode(struct api_request *rq, const struct api_value *body, struct api_average *out,
                   struct err *err)
{
    struct api_object object;
    struct api_value decay;
    bool given = false;

    TRY(api_object_of(body, &object, err));
    (void)api_object_has(&object, "decay", &decay);
    TRY(take_num_updates(rq, &object, out, err));
    TRY(api_object_bool(&object, "zero_debias", &out->spec.zero_debias, &given, err));
    TRY(api_object_text(&object, "name", api_request_arena(rq), &out->spec.suffix, &given, err));
    TRY(api_object_end(&object, err));
    TRY(api_object_value(&object, "decay", &decay, err));
    return api_value_f64(&decay, &out->spec.decay, err);
}

enum err_code
api_describe_average(const struct average_config *config, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    char created[API_TIME_BYTES_MAX], updated[API_TIME_BYTES_MAX];
    json_t *num_updates = NULL;

    if (config->has_num_updates)
        TRY(api_expr_encode(&config->num_updates, &num_updates, err));
    else
        TRY(api_json_made(json_null(), &num_updates, err));
    TRY(api_json_made(json_pack("{s:s, s:s, s:f, s:o, s:b, s:s, s:s, s:I}", "moving_averages",
                                config->name, "name", config->suffix, "decay", config->decay,
                                "num_updates", num_updates, "zero_debias", config->zero_debias,
                                "created", api_describe_time(config->created_ms, created),
                                "updated", api_describe_time(config->updated_ms, updated),
                                "revision", (json_int_t)config->revision),
                      &json, err));
    *out = TAKE(json);
    return OK;
}

/* --- updates ------------------------------------------------------------------------------- */

static enum err_code
take_variables(struct api_request *rq, struct api_object *object, struct average_selection *out,
               struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    const char **names = NULL;
    bool given = false;

    TRY(api_object_variables(object, "variables", arena, &names, &out->variable_count, &given,
                             err));
    out->variables = names;
    out->named = out->named || given;
    return OK;
}

static enum err_code
take_tensors(struct api_request *rq, struct api_object *object, struct api_run *run,
             struct average_selection *out, struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    struct average_tensor *tensors;
    struct api_value map, *values = NULL;
    const char **names = NULL;

    if (!api_object_has(object, "tensors", &map))
        return OK;
    TRY(api_value_fields(&map, arena, &names, &values, &out->tensor_count, err));
    tensors = arena_array(arena, out->tensor_count + 1, sizeof *tensors, err);
    if (tensors == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < out->tensor_count; i++) {
        TRY(api_variable_name(arena, names[i], &tensors[i].name, err));
        TRY(api_run_take_tree(rq, run, &values[i], DTYPE_UNSET, &tensors[i].value, err));
    }
    out->tensors = tensors;
    out->named = true;
    return OK;
}

enum err_code
api_average_selection_take(struct api_request *rq, struct api_object *object, struct api_run *run,
                           struct average_selection *out, struct err *err)
{
    if (out->averages == NULL)
        TRY(api_object_text(object, "moving_averages", api_request_arena(rq), &out->averages, NULL,
                            err));
    TRY(take_variables(rq, object, out, err));
    return take_tensors(rq, object, run, out, err);
}

enum err_code
api_describe_averaged(const struct average_applied *applied, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *versions = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "moving_averages", json_string(applied->averages), err));
    if (applied->has_decay)
        TRY(api_json_set(json, "decay", api_json_real(applied->decay), err));
    TRY(api_describe_versions(applied->shadows, applied->shadow_count, &versions, err));
    TRY(api_json_set(json, "versions", versions, err));
    *out = TAKE(json);
    return OK;
}

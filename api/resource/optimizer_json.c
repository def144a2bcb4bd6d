/* Hyper-parameters come and go by the rows of the optimizer's table; only what all optimizers have
 * is spelled out here. */
#include "api/resource/optimizer_json.h"

#include "api/resource/attr_json.h"
#include "api/resource/attr_rows.h"
#include "api/resource/describe.h"
#include "api/resource/expr_json.h"
#include "api/resource/variable_names.h"
#include "service/variable/variable.h"
#include "store/base/scope.h"

/* --- in ------------------------------------------------------------------------------------ */

void
api_optimizer_drop(struct api_optimizer *stated)
{
    expr_tree_drop(&stated->learning_rate);
    *stated = (struct api_optimizer){0};
}

static enum err_code
take_type(struct api_request *rq, struct api_object *body, const struct optimizer **type,
          struct err *err)
{
    const char *name = NULL, *near = NULL;
    bool given = false;

    TRY(api_object_text(body, "type", api_request_arena(rq), &name, *type == NULL ? NULL : &given,
                        err));
    if (name == NULL)
        return OK;
    *type = optimizer_find(bytes_of_text(name));
    if (*type != NULL)
        return OK;
    near = optimizer_nearest(bytes_of_text(name));
    if (near == NULL)
        return err_set(
            err, ERR_INVALID_ARGUMENT,
            "field 'type': there is no optimizer '%.64s' (GET /v1/optimizers lists them)", name);
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "field 'type': there is no optimizer '%.64s': did you mean '%s'?", name, near);
}

/* A number, {"variable": …} or any other expression; null is as if it were not there. */
static enum err_code
take_learning_rate(struct api_request *rq, struct api_object *body, struct api_optimizer *out,
                   struct err *err)
{
    struct expr_limits limits = variable_expr_limits(service_limits_of(api_request_service(rq)));
    struct api_value value;

    if (!api_object_has(body, "learning_rate", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    TRY(api_expr_decode(&value, DTYPE_UNSET, &limits, &out->learning_rate, err));
    out->spec.learning_rate = &out->learning_rate;
    return OK;
}

/* "global_step", {"variable": "global_step"}: either way the variable's name. */
static enum err_code
take_global_step(struct api_request *rq, struct api_object *body, struct api_optimizer *out,
                 struct err *err)
{
    struct arena *arena = api_request_arena(rq);
    const char *name = NULL;
    struct api_object object;
    struct api_value value;

    if (!api_object_has(body, "global_step", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    if (api_value_kind(&value) == API_OBJECT) {
        TRY(api_object_of(&value, &object, err));
        TRY(api_object_text(&object, "variable", arena, &name, NULL, err));
        TRY(api_object_end(&object, err));
    } else {
        TRY(api_value_text(&value, arena, &name, err));
    }
    return api_variable_name(arena, name, &out->spec.global_step, err);
}

/* Texts that are read go to the request's memory: of the tree nothing is kept. */
static enum err_code
take_params(struct api_request *rq, struct api_object *body, struct api_optimizer *out,
            struct err *err)
{
    struct expr_limits limits = variable_expr_limits(service_limits_of(api_request_service(rq)));
    const struct optimizer *optimizer = out->spec.optimizer;
    struct api_attr_fields fields = {.op = optimizer->name, .object = body};
    AUTO(expr_tree) tree = {0};
    void *params = arena_alloc(api_request_arena(rq), optimizer->params_size + 1, err);
    bool *given =
        arena_array(api_request_arena(rq), attr_count(optimizer->attrs) + 1, sizeof *given, err);

    if (params == NULL || given == NULL)
        return ERR_NO_MEMORY;
    attr_defaults(optimizer->attrs, params);
    out->spec.params = params;
    out->spec.given = given;
    TRY(expr_tree_init(&tree, err));
    return api_attrs_decode(&fields, optimizer->attrs, &limits, &tree, params, given, err);
}

enum err_code
api_optimizer_decode(struct api_request *rq, const struct api_value *body,
                     const struct optimizer *optimizer, struct api_optimizer *out, struct err *err)
{
    struct api_object object;
    bool given = false;

    TRY(api_object_of(body, &object, err));
    TRY(take_type(rq, &object, &optimizer, err));
    out->spec.optimizer = optimizer;
    TRY(api_object_text(&object, "name", api_request_arena(rq), &out->spec.suffix, &given, err));
    TRY(take_learning_rate(rq, &object, out, err));
    TRY(take_global_step(rq, &object, out, err));
    TRY(take_params(rq, &object, out, err));
    return api_object_end(&object, err);
}

/* --- out ----------------------------------------------------------------------------------- */

static enum err_code
describe_slots(const struct optimizer_config *config, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *slots = NULL;
    char suffix[NAME_BYTES_MAX + 1];

    TRY(api_json_made(json_array(), &slots, err));
    for (uint32_t i = 0; i < optimizer_slot_count(config->optimizer); i++) {
        if (!optimizer_slot_wanted(config->optimizer, i, config->params))
            continue;
        optimizer_config_slot_suffix(config, i, suffix);
        TRY(api_json_push(slots,
                          json_pack("{s:s, s:s, s:f}", "name", config->optimizer->slots[i].name,
                                    "suffix", suffix, "initial",
                                    optimizer_slot_initial(config->optimizer, i, config->params)),
                          err));
    }
    *out = TAKE(slots);
    return OK;
}

static enum err_code
describe_powers(const struct optimizer_config *config, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *powers = NULL;
    char variable[NAME_BYTES_MAX + 1];

    TRY(api_json_made(json_array(), &powers, err));
    for (uint32_t i = 0; i < optimizer_power_count(config->optimizer); i++) {
        optimizer_config_power_name(config, i, variable);
        TRY(api_json_push(powers,
                          json_pack("{s:s, s:s, s:f}", "name", config->optimizer->powers[i].name,
                                    "variable", variable, "initial",
                                    optimizer_power_initial(config->optimizer, i, config->params)),
                          err));
    }
    *out = TAKE(powers);
    return OK;
}

static enum err_code
set_params(const struct optimizer_config *config, json_t *json, struct err *err)
{
    json_t *value = NULL;

    for (const struct attr_spec *spec = config->optimizer->attrs; spec->name != NULL; spec++) {
        TRY(api_attr_json(spec, config->params, &value, err));
        TRY(api_json_set(json, spec->name, value, err));
    }
    return OK;
}

enum err_code
api_describe_optimizer(const struct optimizer_config *config, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    char time[API_TIME_BYTES_MAX];
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "optimizer", json_string(config->name), err));
    TRY(api_json_set(json, "type", json_string(config->optimizer->name), err));
    TRY(api_json_set(json, "name", json_string(config->suffix), err));
    TRY(api_expr_encode(&config->learning_rate, &part, err));
    TRY(api_json_set(json, "learning_rate", part, err));
    TRY(set_params(config, json, err));
    if (config->global_step[0] != '\0')
        TRY(api_json_set(json, "global_step", json_string(config->global_step), err));
    TRY(describe_slots(config, &part, err));
    TRY(api_json_set(json, "slots", part, err));
    TRY(describe_powers(config, &part, err));
    TRY(api_json_set(json, "powers", part, err));
    TRY(api_json_set(json, "created", json_string(api_describe_time(config->created_ms, time)),
                     err));
    TRY(api_json_set(json, "updated", json_string(api_describe_time(config->updated_ms, time)),
                     err));
    TRY(api_json_set(json, "revision", json_integer((json_int_t)config->revision), err));
    *out = TAKE(json);
    return OK;
}

/* --- the catalogue ------------------------------------------------------------------------- */

static enum err_code
name_parts(const struct optimizer *optimizer, json_t *json, struct err *err)
{
    json_t *names = NULL;

    TRY(api_json_made(json_array(), &names, err));
    TRY(api_json_set(json, "slots", names, err));
    for (uint32_t i = 0; i < optimizer_slot_count(optimizer); i++)
        TRY(api_json_push(names, json_string(optimizer->slots[i].name), err));
    TRY(api_json_made(json_array(), &names, err));
    TRY(api_json_set(json, "powers", names, err));
    for (uint32_t i = 0; i < optimizer_power_count(optimizer); i++)
        TRY(api_json_push(names, json_string(optimizer->powers[i].name), err));
    return OK;
}

static enum err_code
describe_type(const struct optimizer *optimizer, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *part = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "type", json_string(optimizer->name), err));
    TRY(api_json_set(json, "name", json_string(optimizer->tf_name), err));
    TRY(api_json_set(json, "summary", json_string(optimizer->summary), err));
    part = json_pack("{s:b}", "required", optimizer->learning_rate_required);
    TRY(api_json_set(json, "learning_rate", part, err));
    if (!optimizer->learning_rate_required)
        TRY(api_json_set(part, "default", json_real(optimizer->learning_rate_default), err));
    TRY(api_attr_rows_json(optimizer->attrs, optimizer->params_size, &part, err));
    TRY(api_json_set(json, "attributes", part, err));
    TRY(name_parts(optimizer, json, err));
    TRY(api_dtypes_json(optimizer->dtypes, &part, err));
    TRY(api_json_set(json, "dtypes", part, err));
    TRY(api_json_set(json, "needs_global_step", json_boolean(optimizer->needs_global_step), err));
    TRY(api_json_set(json, "extension", json_boolean(optimizer->extension), err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_optimizers_json(json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *body = NULL;
    json_t *list = NULL, *row = NULL;

    TRY(api_json_made(json_object(), &body, err));
    TRY(api_json_made(json_array(), &list, err));
    TRY(api_json_set(body, "optimizers", list, err));
    for (size_t i = 0; optimizer_at(i) != NULL; i++) {
        TRY(describe_type(optimizer_at(i), &row, err));
        TRY(api_json_push(list, row, err));
    }
    *out = TAKE(body);
    return OK;
}

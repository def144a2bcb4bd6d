#include "api/resource/describe.h"

#include <math.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "api/json/text.h"
#include "api/resource/expr_json.h"
#include "api/resource/labels.h"
#include "api/resource/partition_json.h"
#include "api/resource/placement_json.h"
#include "api/wire/format.h"
#include "store/base/scope.h"

void
api_json_release(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

static enum err_code
no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory while writing the reply");
}

json_t *
api_json_real(double value)
{
    if (isnan(value))
        return json_string("NaN");
    if (isinf(value))
        return json_string(value > 0 ? "Infinity" : "-Infinity");
    return json_real(value);
}

enum err_code
api_json_made(json_t *json, json_t **out, struct err *err)
{
    if (json == NULL)
        return no_memory(err);
    *out = json;
    return OK;
}

enum err_code
api_json_set(json_t *object, const char *key, json_t *value, struct err *err)
{
    return json_object_set_new(object, key, value) == 0 ? OK : no_memory(err);
}

enum err_code
api_json_push(json_t *array, json_t *value, struct err *err)
{
    return json_array_append_new(array, value) == 0 ? OK : no_memory(err);
}

const char *
api_describe_time(uint64_t wall_ms, char out[static API_TIME_BYTES_MAX])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    size_t used;

    gmtime_r(&seconds, &parts);
    used = strftime(out, API_TIME_BYTES_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + used, API_TIME_BYTES_MAX - used, ".%03uZ", (unsigned)(wall_ms % 1000));
    return out;
}

enum err_code
api_describe_shape(const struct shape *shape, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    TRY(api_json_made(json_array(), &array, err));
    for (uint32_t i = 0; i < shape->rank; i++)
        TRY(api_json_push(array, json_integer((json_int_t)shape->dims[i]), err));
    *out = TAKE(array);
    return OK;
}

enum err_code
api_describe_names(const char *names, size_t stride, size_t count, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    TRY(api_json_made(json_array(), &array, err));
    for (size_t i = 0; i < count; i++)
        TRY(api_json_push(array, json_string(names + i * stride), err));
    *out = TAKE(array);
    return OK;
}

static json_t *
json_u64(uint64_t value)
{
    return json_integer((json_int_t)value);
}

static json_t *
json_limit(const struct model_limit *limit)
{
    return limit->set ? json_u64(limit->most) : json_null();
}

enum err_code
api_describe_model(const struct model_info *info, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *model = NULL;
    json_t *labels = json_object();
    const char *text = info->labels_text;
    char time[API_TIME_BYTES_MAX];

    TRY(api_json_made(json_object(), &model, err));
    TRY(api_json_set(model, "name", json_string(info->name), err));
    TRY(api_json_set(model, "seed", info->has_seed ? json_integer(info->seed) : json_null(), err));
    TRY(api_json_set(model, "seed_mode", json_string(model_seed_mode_name(info->seed_mode)), err));
    TRY(api_json_set(model, "profile", json_string(random_profile_name(info->profile)), err));
    TRY(api_json_set(model, "labels", labels, err));
    for (size_t i = 0; i < info->label_count; i++) {
        const char *value = text + strlen(text) + 1;

        TRY(api_json_set(labels, text, json_string(value), err));
        text = value + strlen(value) + 1;
    }
    TRY(api_json_set(model, "created", json_string(api_describe_time(info->created_ms, time)),
                     err));
    TRY(api_json_set(model, "revision", json_u64(info->revision), err));
    TRY(api_json_set(model, "variables", json_u64(info->variables), err));
    TRY(api_json_set(model, "initialized", json_u64(info->initialized), err));
    TRY(api_json_set(model, "bytes", json_u64(info->bytes), err));
    TRY(api_json_set(model, "checkpoints", json_u64(info->checkpoints), err));
    TRY(api_json_set(model, "checkpoint_bytes", json_u64(info->checkpoint_bytes), err));
    TRY(api_json_set(model, "quota",
                     json_pack("{s:o, s:o}", "bytes", json_limit(&info->quota.bytes), "variables",
                               json_limit(&info->quota.variables)),
                     err));
    TRY(api_placement_describe(info, model, err));
    *out = TAKE(model);
    return OK;
}

static enum err_code
describe_texts(const struct record_texts *texts, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;
    struct bytes text;
    uint32_t offset = 0;

    TRY(api_json_made(json_array(), &array, err));
    while (record_texts_next(texts, &offset, &text))
        TRY(api_json_push(array, json_stringn((const char *)text.data, text.size), err));
    *out = TAKE(array);
    return OK;
}

/* Seeds may be any 64-bit number: as JSON integers they stay exact in two's complement. */
enum err_code
api_describe_draws(const struct variable_draw *draws, size_t count, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    TRY(api_json_made(json_array(), &array, err));
    for (size_t i = 0; i < count; i++) {
        const struct variable_draw *draw = &draws[i];

        TRY(api_json_push(array,
                          json_pack("{s:s, s:I, s:I}", "path", draw->path, "seed",
                                    (json_int_t)draw->seed, "seed2", (json_int_t)draw->seed2),
                          err));
    }
    *out = TAKE(array);
    return OK;
}

/* Names of nodes in the model's graph (service/graph/graph.h). */
static enum err_code
describe_ops(const struct variable_info *info, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *ops = NULL;
    char name[NAME_BYTES_MAX + 24];
    json_t *initializer = NULL;

    snprintf(name, sizeof name, "%s", info->name);
    if (info->record.graph_number > 0)
        snprintf(name, sizeof name, "%s_%" PRIu64, info->name, info->record.graph_number);
    initializer = info->has_initial_value ? json_sprintf("%s/Assign", name) : json_null();
    TRY(api_json_made(json_object(), &ops, err));
    TRY(api_json_set(ops, "variable", json_string(name), err));
    TRY(api_json_set(ops, "initializer", initializer, err));
    TRY(api_json_set(ops, "read", json_sprintf("%s/read", name), err));
    *out = TAKE(ops);
    return OK;
}

enum err_code
api_describe_places(const struct variable_info *info, const char *device, json_t *object,
                    struct err *err)
{
    const struct device *assigned = device == NULL ? NULL : variable_info_assigned(info, device);

    TRY(api_json_set(object, "device", device == NULL ? json_null() : json_string(device), err));
    return api_json_set(object, "assigned_device",
                        assigned == NULL ? json_null() : json_string(assigned->name), err);
}

enum err_code
api_describe_variable(const struct variable_info *info, json_t **out, struct err *err)
{
    const struct variable_record *r = &info->record;
    AUTO_CALL(api_json_release) json_t *variable = NULL;
    json_t *part = NULL;
    char time[API_TIME_BYTES_MAX];

    TRY(api_json_made(json_object(), &variable, err));
    TRY(api_json_set(variable, "name", json_string(info->name), err));
    TRY(api_json_set(variable, "dtype", json_string(dtype_name(r->type.dtype)), err));
    if (r->shape_known)
        TRY(api_describe_shape(&r->type.shape, &part, err));
    else
        part = json_null();
    TRY(api_json_set(variable, "shape", part, err));
    TRY(api_json_set(variable, "size", r->shape_known ? json_u64(info->size) : json_null(), err));
    TRY(api_json_set(variable, "bytes", json_u64(info->bytes), err));
    TRY(api_json_set(variable, "initialized", json_boolean(info->initialized), err));
    TRY(api_json_set(variable, "revision", json_u64(r->revision), err));
    TRY(api_json_set(variable, "version", json_u64(r->version), err));
    TRY(api_json_set(variable, "trainable", json_boolean(r->trainable), err));
    TRY(api_json_set(variable, "validate_shape", json_boolean(r->validate_shape), err));
    TRY(api_json_set(variable, "row_updates", json_boolean(r->row_updates), err));
    if (r->is_virtual)
        TRY(api_json_set(variable, "virtual", json_true(), err));
    TRY(describe_texts(&r->collections, &part, err));
    TRY(api_json_set(variable, "collections", part, err));
    TRY(api_describe_places(info, r->device, variable, err));
    TRY(api_json_set(variable, "caching_device",
                     r->caching_device[0] == '\0' ? json_null() : json_string(r->caching_device),
                     err));
    TRY(api_partition_encode(r, &part, err));
    TRY(api_json_set(variable, "partitions", part, err));
    part = json_null();
    if (info->has_initial_value)
        TRY(api_expr_encode(&info->initial_value, &part, err));
    TRY(api_json_set(variable, "initial_value", part, err));
    TRY(api_describe_draws(info->draws, info->draw_count, &part, err));
    TRY(api_json_set(variable, "initialized_with", part, err));
    TRY(api_json_set(variable, "created", json_string(api_describe_time(r->created_ms, time)),
                     err));
    TRY(api_json_set(variable, "updated", json_string(api_describe_time(r->updated_ms, time)),
                     err));
    TRY(describe_ops(info, &part, err));
    TRY(api_json_set(variable, "ops", part, err));
    *out = TAKE(variable);
    return OK;
}

enum err_code
api_describe_change(const struct variable_change *change, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *shape = NULL;

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(change->name), err));
    TRY(api_json_set(json, "dtype", json_string(dtype_name(change->type.dtype)), err));
    TRY(api_describe_shape(&change->type.shape, &shape, err));
    TRY(api_json_set(json, "shape", shape, err));
    TRY(api_json_set(json, "version", json_u64(change->version), err));
    TRY(api_json_set(json, "revision", json_u64(change->revision), err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_describe_checkpoint(const struct checkpoint_info *info, json_t **out, struct err *err)
{
    const struct checkpoint_record *r = &info->record;
    AUTO_CALL(api_json_release) json_t *json = NULL;
    json_t *labels = NULL;
    char time[API_TIME_BYTES_MAX];

    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(info->name), err));
    TRY(api_json_set(json, "global_step",
                     r->has_global_step ? json_integer(r->global_step) : json_null(), err));
    TRY(api_json_set(json, "tensors", json_u64(r->tensors), err));
    TRY(api_json_set(json, "bytes", json_u64(r->bytes), err));
    TRY(api_json_set(json, "shards", json_integer(r->shards), err));
    TRY(api_json_set(json, "saver", r->saver[0] == '\0' ? json_null() : json_string(r->saver),
                     err));
    TRY(api_json_set(json, "pinned", json_boolean(r->pinned), err));
    TRY(api_describe_labels(&r->labels, &labels, err));
    TRY(api_json_set(json, "labels", labels, err));
    TRY(api_json_set(json, "created", json_string(api_describe_time(r->created_ms, time)), err));
    TRY(api_json_set(json, "created_revision", json_u64(r->revision), err));
    TRY(api_json_set(json, "revision", json_u64(r->changed_revision), err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_describe_metadata(struct bytes pairs, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;
    struct reader in = reader_of(pairs);

    TRY(api_json_made(json_object(), &json, err));
    while (in.left.size > 0 && !in.failed) {
        struct bytes name = reader_bytes(&in), value = reader_bytes(&in);

        if (json_object_setn_new(json, (const char *)name.data, name.size,
                                 json_stringn((const char *)value.data, value.size)) != 0)
            return no_memory(err);
    }
    *out = TAKE(json);
    return OK;
}

enum err_code
api_describe_skipped(const struct api_wire_refused *skipped, size_t count, json_t *object,
                     struct err *err)
{
    json_t *array = json_array();
    char name[API_SHOWN_BYTES_MAX + 1];

    TRY(api_json_set(object, "skipped", array, err));
    for (size_t i = 0; i < count; i++)
        TRY(api_json_push(array,
                          json_pack("{s:s, s:s}", "name", api_text_shown(skipped[i].name, name),
                                    "reason", skipped[i].reason),
                          err));
    return OK;
}

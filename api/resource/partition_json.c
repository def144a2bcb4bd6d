/* "partitioner" and "slicing" of a request, "partitions" of a reply. */
#include "api/resource/partition_json.h"

#include "api/resource/describe.h"
#include "store/base/scope.h"

static const struct {
    const char *name;
    enum partition_kind kind;
} kinds[] = {
    {"fixed_size", PARTITION_FIXED_SIZE},
    {"variable_axis_size", PARTITION_VARIABLE_AXIS_SIZE},
    {"min_max_variable", PARTITION_MIN_MAX},
    {"min_max", PARTITION_MIN_MAX}, /* its name here at first, which clients may have kept */
};

static enum err_code
decode_kind(struct api_object *o, struct arena *arena, struct partition_spec *out, struct err *err)
{
    const char *type = NULL;

    TRY(api_object_text(o, "type", arena, &type, NULL, err));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(type, kinds[i].name) != 0)
            continue;
        *out = partition_spec_default(kinds[i].kind);
        return OK;
    }
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "field 'partitioner.type': there is no partitioner '%.100s'; fixed_size, "
                   "variable_axis_size and min_max_variable are known",
                   type);
}

/* null is Python's None: no limit. */
static enum err_code
decode_max_shards(struct api_object *o, struct partition_spec *out, struct err *err)
{
    struct api_value value;

    if (!api_object_has(o, "max_shards", &value) || api_value_kind(&value) == API_NULL)
        return OK;
    return api_value_i64(&value, &out->max_shards, err);
}

static enum err_code
decode_partitioner(const struct api_value *value, struct arena *arena, struct partition_spec *out,
                   struct err *err)
{
    struct api_object o;
    bool given = false;

    TRY(api_object_of(value, &o, err));
    TRY(decode_kind(&o, arena, out, err));
    TRY(api_object_i64(&o, "axis", &out->axis, &given, err));
    if (out->kind == PARTITION_FIXED_SIZE)
        TRY(api_object_i64(&o, "num_shards", &out->num_shards, NULL, err));
    if (out->kind == PARTITION_VARIABLE_AXIS_SIZE) {
        TRY(api_object_i64(&o, "max_shard_bytes", &out->max_shard_bytes, NULL, err));
        TRY(decode_max_shards(&o, out, err));
    }
    if (out->kind == PARTITION_MIN_MAX) {
        TRY(api_object_i64(&o, "max_partitions", &out->max_partitions, &given, err));
        TRY(api_object_i64(&o, "min_slice_size", &out->min_slice_size, &given, err));
    }
    if (out->kind != PARTITION_FIXED_SIZE)
        TRY(api_object_i64(&o, "bytes_per_string_element", &out->bytes_per_string_element, &given,
                           err));
    return api_object_end(&o, err);
}

enum err_code
api_partition_decode(struct api_object *body, struct arena *arena, struct partition_spec *out,
                     struct err *err)
{
    struct api_value partitioner;
    bool given = false, has_partitioner = api_object_has(body, "partitioner", &partitioner);

    *out = partition_spec_default(PARTITION_NONE);
    TRY(api_object_shape(body, "slicing", &out->slicing, &given, err));
    if (given)
        out->kind = PARTITION_SLICING;
    if (!has_partitioner)
        return OK;
    if (given)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "give 'slicing' or 'partitioner', not both: each says how to divide the "
                       "variable");
    return decode_partitioner(&partitioner, arena, out, err);
}

enum err_code
api_partition_encode(const struct variable_record *record, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *partitions = NULL;
    struct shape slicing = partition_slicing_of(&record->partition, &record->type.shape);
    json_t *part = NULL;

    if (record->partition.count == 0)
        return api_json_made(json_null(), out, err);
    TRY(api_json_made(json_object(), &partitions, err));
    TRY(api_describe_shape(&slicing, &part, err));
    TRY(api_json_set(partitions, "slicing", part, err));
    *out = TAKE(partitions);
    return OK;
}

/* NULL: that is not known. */
static const char *
device_of_part(const struct variable_info *info, uint32_t index)
{
    if (info->part_devices.damaged)
        return NULL;
    return partition_devices_at(&info->part_devices, &info->record, index);
}

static enum err_code
encode_part(const struct variable_info *info, uint32_t index, json_t **out, struct err *err)
{
    const struct shape *shape = &info->record.type.shape;
    struct partition_part part = partition_part_of(&info->record.partition, shape, index);
    struct shape offset = {.rank = shape->rank};
    AUTO_CALL(api_json_release) json_t *json = NULL;
    char name[PARTITION_NAME_BYTES_MAX], text[PARTITION_TEXT_BYTES_MAX];
    json_t *list = NULL;

    memcpy(offset.dims, part.offset, sizeof offset.dims);
    TRY(api_json_made(json_object(), &json, err));
    TRY(api_json_set(json, "name", json_string(partition_part_name(info->name, index, name)), err));
    TRY(api_describe_shape(&part.shape, &list, err));
    TRY(api_json_set(json, "shape", list, err));
    TRY(api_describe_shape(&offset, &list, err));
    TRY(api_json_set(json, "offset", list, err));
    TRY(api_json_set(json, "slice", json_string(partition_part_slice(&part, text)), err));
    TRY(api_describe_places(info, device_of_part(info, index), json, err));
    TRY(api_json_set(json, "save_spec", json_string(partition_part_save_spec(&part, shape, text)),
                     err));
    *out = TAKE(json);
    return OK;
}

enum err_code
api_partition_add_parts(const struct variable_info *info, json_t *variable, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *parts = NULL;

    if (info->record.partition.count == 0)
        return OK;
    TRY(api_json_made(json_array(), &parts, err));
    for (uint32_t i = 0; i < info->record.partition.count; i++) {
        json_t *part = NULL;

        TRY(encode_part(info, i, &part, err));
        TRY(api_json_push(parts, part, err));
    }
    return api_json_set(json_object_get(variable, "partitions"), "parts", TAKE(parts), err);
}

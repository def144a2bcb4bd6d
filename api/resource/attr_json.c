/* Attributes as JSON, by their rows. */
#include "api/resource/attr_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "api/resource/describe.h"
#include "store/base/check.h"
#include "store/base/scope.h"

enum { CHOICES_TEXT_BYTES_MAX = 200 };

/* --- in --------------------------------------------------------------------------------------- */

static enum err_code
decode_dims(const struct api_value *value, struct arena *arena, struct attr_dims *out,
            struct err *err)
{
    struct api_value *elements = NULL;
    char where[API_WHERE_BYTES_MAX];
    size_t count = 0;

    TRY(api_value_elements(value, arena, &elements, &count, err));
    if (count > SHAPE_RANK_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has %zu dimensions, the limit is %d",
                       api_value_where(value, where), count, SHAPE_RANK_MAX);
    *out = (struct attr_dims){.given = true, .rank = (uint32_t)count};
    for (size_t i = 0; i < count; i++)
        TRY(api_value_i64(&elements[i], &out->dims[i], err));
    return OK;
}

static enum err_code
decode_shape(const struct api_value *value, struct attr_shape *out, struct err *err)
{
    out->given = true;
    return api_value_shape(value, &out->shape, err);
}

static enum err_code
decode_seed(const struct api_value *value, struct attr_seed *out, struct err *err)
{
    out->given = true;
    return api_value_i64(value, &out->value, err);
}

/* A number, or a list of them. */
static enum err_code
decode_ints(const struct api_value *value, struct arena *arena, struct attr_ints *out,
            struct err *err)
{
    struct api_value *elements = NULL;
    char where[API_WHERE_BYTES_MAX];
    size_t count = 0;

    *out = (struct attr_ints){.given = true};
    if (api_value_kind(value) != API_ARRAY) {
        out->single = true;
        out->count = 1;
        return api_value_i64(value, &out->values[0], err);
    }
    TRY(api_value_elements(value, arena, &elements, &count, err));
    if (count > ATTR_INTS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "%s has %zu numbers, the limit is %d",
                       api_value_where(value, where), count, ATTR_INTS_MAX);
    for (size_t i = 0; i < count; i++)
        TRY(api_value_i64(&elements[i], &out->values[i], err));
    out->count = (uint32_t)count;
    return OK;
}

/* A number is the name that is written like it: norm's ord 2. */
static enum err_code
choice_text(const struct api_value *value, struct arena *arena, const char **out, struct err *err)
{
    char digits[24];
    int64_t number = 0;

    if (api_value_kind(value) != API_NUMBER)
        return api_value_text(value, arena, out, err);
    TRY(api_value_i64(value, &number, err));
    snprintf(digits, sizeof digits, "%" PRId64, number);
    *out = arena_text(arena, bytes_of_text(digits), err);
    return *out == NULL ? ERR_NO_MEMORY : OK;
}

/* One of the row's names. */
static enum err_code
decode_choice(const struct api_value *value, const struct attr_spec *spec, struct arena *arena,
              int64_t *out, struct err *err)
{
    char where[API_WHERE_BYTES_MAX], known[CHOICES_TEXT_BYTES_MAX] = "";
    const char *text = NULL;
    size_t used = 0;

    TRY(choice_text(value, arena, &text, err));
    for (*out = 0; spec->choices[*out] != NULL; ++*out) {
        if (strcmp(spec->choices[*out], text) == 0)
            return OK;
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s",
                                     used == 0 ? "" : ", ", spec->choices[*out]);
    }
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "Invalid `%s` argument: %s is '%s', it must be one of %s", spec->name,
                   api_value_where(value, where), text, known);
}

/* Everything but tensors. */
static enum err_code
decode_plain(const struct api_value *value, const struct attr_spec *spec, struct expr_tree *tree,
             void *at, struct err *err)
{
    switch (spec->kind) {
    case ATTR_KIND_F64:
        return api_value_f64(value, at, err);
    case ATTR_KIND_I64:
        return api_value_i64(value, at, err);
    case ATTR_KIND_BOOL:
        return api_value_bool(value, at, err);
    case ATTR_KIND_DTYPE:
        return api_value_dtype(value, at, err);
    case ATTR_KIND_SHAPE:
        return decode_shape(value, at, err);
    case ATTR_KIND_SEED:
        return decode_seed(value, at, err);
    case ATTR_KIND_DIMS:
        return decode_dims(value, &tree->arena, at, err);
    case ATTR_KIND_INTS:
        return decode_ints(value, &tree->arena, at, err);
    case ATTR_KIND_CHOICE:
        return decode_choice(value, spec, &tree->arena, at, err);
    case ATTR_KIND_TENSOR:
    case ATTR_KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "attribute '%s' has no kind", spec->name);
}

/* The dtype beside a tensor says how to read it where no weak number could become it. */
static enum dtype
tensor_hint(const struct attr_spec *specs, const void *params)
{
    const struct attr_spec *spec = attr_find(specs, bytes_of_text("dtype"));
    enum dtype dtype;

    if (spec == NULL || spec->kind != ATTR_KIND_DTYPE)
        return DTYPE_UNSET;
    dtype = *(const enum dtype *)attr_in(spec, params);
    if (dtype == DTYPE_UINT64)
        return dtype;
    return dtype != DTYPE_UNSET && dtype_info(dtype)->kind == DTYPE_KIND_OPAQUE ? dtype
                                                                                : DTYPE_UNSET;
}

/* The value of row `index`; *present false when nothing was written. */
static enum err_code
find_value(const struct api_attr_fields *fields, const struct attr_spec *spec, size_t index,
           struct api_value *out, bool *present, struct err *err)
{
    struct api_value other;
    bool listed = index < fields->list_count;

    *present = api_object_has(fields->object, spec->name, out);
    if (spec->alias != NULL && api_object_has(fields->object, spec->alias, &other)) {
        if (*present)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s: '%s' and '%s' are one attribute: give one", fields->op, spec->name,
                           spec->alias);
        *present = true;
        *out = other;
    }
    if (*present && listed)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: attribute '%s' is given twice: as a field and in args", fields->op,
                       spec->name);
    if (listed)
        *out = fields->list[index];
    *present = *present || listed;
    return OK;
}

/* {"tensor": key}, and nothing beside it. */
static enum err_code
take_from_table(const struct api_value *value, struct api_tensor_table *table, struct arena *arena,
                struct tensor_view *out, struct err *err)
{
    struct api_object object;

    TRY(api_object_of(value, &object, err));
    TRY(api_tensor_table_take(table, &object, arena, out, err));
    return api_object_end(&object, err);
}

static enum err_code
decode_tensor(const struct api_value *value, const struct attr_spec *specs, size_t index,
              struct api_tensor_table *table, const struct expr_limits *limits,
              struct expr_tree *tree, void *params, bool *given, struct err *err)
{
    struct attr_tensor *tensor = attr_at(&specs[index], params);

    if (api_value_kind(value) == API_NULL && !specs[index].required)
        return OK;
    tensor->given = given[index] = true;
    if (api_tensor_table_is_meant(value))
        return take_from_table(value, table, &tree->arena, &tensor->value, err);
    return api_literal_decode(value, tensor_hint(specs, params), limits, tree, &tensor->value,
                              &tensor->weak, err);
}

enum err_code
api_attrs_decode(const struct api_attr_fields *fields, const struct attr_spec *specs,
                 const struct expr_limits *limits, struct expr_tree *tree, void *params,
                 bool *given, struct err *err)
{
    struct api_value value;
    bool present = false;

    for (size_t i = 0; specs[i].name != NULL; i++) {
        TRY(find_value(fields, &specs[i], i, &value, &present, err));
        if (specs[i].kind == ATTR_KIND_TENSOR || !present || api_value_kind(&value) == API_NULL)
            continue;
        TRY(decode_plain(&value, &specs[i], tree, attr_at(&specs[i], params), err));
        given[i] = true;
    }
    /* Tensors last: the dtype beside them says how they are read. */
    for (size_t i = 0; specs[i].name != NULL; i++) {
        TRY(find_value(fields, &specs[i], i, &value, &present, err));
        if (specs[i].kind == ATTR_KIND_TENSOR && present)
            TRY(decode_tensor(&value, specs, i, fields->tensors, limits, tree, params, given, err));
    }
    return OK;
}

/* --- out -------------------------------------------------------------------------------------- */

static enum err_code
list_json(const int64_t *values, uint32_t count, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *array = NULL;

    TRY(api_json_made(json_array(), &array, err));
    for (uint32_t i = 0; i < count; i++)
        TRY(api_json_push(array, json_integer(values[i]), err));
    *out = TAKE(array);
    return OK;
}

static enum err_code
ints_json(const struct attr_ints *ints, json_t **out, struct err *err)
{
    if (ints->single)
        return api_json_made(json_integer(ints->values[0]), out, err);
    return list_json(ints->values, ints->count, out, err);
}

enum err_code
api_attr_json(const struct attr_spec *spec, const void *params, json_t **out, struct err *err)
{
    const void *at = attr_in(spec, params);

    *out = NULL;
    switch (spec->kind) {
    case ATTR_KIND_F64:
        return api_json_made(json_real(*(const double *)at), out, err);
    case ATTR_KIND_I64:
        return api_json_made(json_integer(*(const int64_t *)at), out, err);
    case ATTR_KIND_BOOL:
        return api_json_made(json_boolean(*(const bool *)at), out, err);
    case ATTR_KIND_DTYPE:
        if (*(const enum dtype *)at == DTYPE_UNSET)
            return OK;
        return api_json_made(json_string(dtype_name(*(const enum dtype *)at)), out, err);
    case ATTR_KIND_SHAPE:
        if (!((const struct attr_shape *)at)->given)
            return OK;
        return api_describe_shape(&((const struct attr_shape *)at)->shape, out, err);
    case ATTR_KIND_SEED:
        if (!((const struct attr_seed *)at)->given)
            return OK;
        return api_json_made(json_integer(((const struct attr_seed *)at)->value), out, err);
    case ATTR_KIND_TENSOR:
        if (!((const struct attr_tensor *)at)->given)
            return OK;
        return api_literal_json(&((const struct attr_tensor *)at)->value,
                                ((const struct attr_tensor *)at)->weak, out, err);
    case ATTR_KIND_DIMS:
        if (!((const struct attr_dims *)at)->given)
            return OK;
        return list_json(((const struct attr_dims *)at)->dims, ((const struct attr_dims *)at)->rank,
                         out, err);
    case ATTR_KIND_INTS:
        if (!((const struct attr_ints *)at)->given)
            return OK;
        return ints_json(at, out, err);
    case ATTR_KIND_CHOICE:
        return api_json_made(json_string(spec->choices[*(const int64_t *)at]), out, err);
    case ATTR_KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "attribute '%s' has no kind", spec->name);
}

enum err_code
api_attrs_json(const struct attr_spec *specs, const void *params, const bool *given, json_t *object,
               struct err *err)
{
    for (size_t i = 0; specs[i].name != NULL; i++) {
        json_t *value = NULL;

        if (!(given != NULL && given[i]) && attr_is_default(&specs[i], params))
            continue;
        TRY(api_attr_json(&specs[i], params, &value, err));
        if (value != NULL)
            TRY(api_json_set(object, specs[i].name, value, err));
    }
    return OK;
}

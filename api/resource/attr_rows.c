/* Rows of attributes as the catalogues show them. Nothing is said here that the rows do not say. */
#include "api/resource/attr_rows.h"

#include <float.h>
#include <stddef.h>

#include "api/resource/attr_json.h"
#include "api/resource/describe.h"
#include "store/base/scope.h"

enum { PARAMS_BYTES_MAX = 4096 };

static enum err_code
set_bounds(json_t *row, const struct attr_spec *spec, struct err *err)
{
    double f64_min = 0, f64_max = 0;
    int64_t i64_min = 0, i64_max = 0;

    if (spec->kind == ATTR_KIND_F64) {
        attr_f64_bounds(spec, &f64_min, &f64_max);
        if (f64_min > -DBL_MAX)
            TRY(api_json_set(row, "min", json_real(f64_min), err));
        if (f64_max < DBL_MAX)
            TRY(api_json_set(row, "max", json_real(f64_max), err));
    }
    if (spec->kind == ATTR_KIND_I64 || spec->kind == ATTR_KIND_INTS) {
        attr_i64_bounds(spec, &i64_min, &i64_max);
        if (i64_min > INT64_MIN)
            TRY(api_json_set(row, "min", json_integer(i64_min), err));
        if (i64_max < INT64_MAX)
            TRY(api_json_set(row, "max", json_integer(i64_max), err));
    }
    return OK;
}

static enum err_code
set_choices(json_t *row, const struct attr_spec *spec, struct err *err)
{
    json_t *names = NULL;

    if (spec->kind != ATTR_KIND_CHOICE)
        return OK;
    TRY(api_json_made(json_array(), &names, err));
    TRY(api_json_set(row, "choices", names, err));
    for (size_t i = 0; spec->choices[i] != NULL; i++)
        TRY(api_json_push(names, json_string(spec->choices[i]), err));
    return OK;
}

/* What an attribute is when it is not given; null where that is None. */
static enum err_code
default_json(const struct attr_spec *spec, const void *defaults, json_t **out, struct err *err)
{
    json_t *value = NULL;

    if (spec->kind == ATTR_KIND_TENSOR && spec->number_default)
        return api_json_made(json_integer(spec->i64_default), out, err);
    if (!(spec->kind == ATTR_KIND_I64 && spec->none_default))
        TRY(api_attr_json(spec, defaults, &value, err));
    return value != NULL ? api_json_made(value, out, err) : api_json_made(json_null(), out, err);
}

static enum err_code
describe_attr(const struct attr_spec *spec, const void *defaults, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *row = NULL;
    json_t *value = NULL;

    TRY(api_json_made(json_object(), &row, err));
    TRY(api_json_set(row, "name", json_string(spec->name), err));
    TRY(api_json_set(row, "kind", json_string(attr_kind_name(spec->kind)), err));
    TRY(api_json_set(row, "required", json_boolean(spec->required), err));
    if (!spec->required) {
        TRY(default_json(spec, defaults, &value, err));
        TRY(api_json_set(row, "default", value, err));
    }
    TRY(set_bounds(row, spec, err));
    TRY(set_choices(row, spec, err));
    if (spec->alias != NULL)
        TRY(api_json_set(row, "alias", json_string(spec->alias), err));
    TRY(api_json_set(row, "summary", json_string(spec->help == NULL ? "" : spec->help), err));
    *out = TAKE(row);
    return OK;
}

enum err_code
api_attr_rows_json(const struct attr_spec *specs, size_t params_size, json_t **out, struct err *err)
{
    _Alignas(max_align_t) uint8_t defaults[PARAMS_BYTES_MAX] = {0};
    AUTO_CALL(api_json_release) json_t *rows = NULL;
    json_t *row = NULL;

    if (params_size > sizeof defaults)
        return err_set(err, ERR_INTERNAL, "parameters of %zu bytes are not described", params_size);
    TRY(api_json_made(json_array(), &rows, err));
    attr_defaults(specs, defaults);
    for (const struct attr_spec *spec = specs; spec->name != NULL; spec++) {
        TRY(describe_attr(spec, defaults, &row, err));
        TRY(api_json_push(rows, row, err));
    }
    *out = TAKE(rows);
    return OK;
}

enum err_code
api_dtypes_json(uint32_t dtypes, json_t **out, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *names = NULL;

    TRY(api_json_made(json_array(), &names, err));
    for (uint32_t i = 0; i < DTYPE_COUNT; i++)
        if ((dtypes >> i & 1) != 0)
            TRY(api_json_push(names, json_string(dtype_name((enum dtype)i)), err));
    *out = TAKE(names);
    return OK;
}

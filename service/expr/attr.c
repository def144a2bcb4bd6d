/* Rows of attributes: defaults, bounds, look-up. What a row says is all there is to know of an
 * attribute; nothing here knows an op. A params struct is reached only through attr_at and attr_in.
 */
#include "service/expr/attr.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

const char *
attr_kind_name(enum attr_kind kind)
{
    static const char *const names[ATTR_KIND_COUNT] = {
        [ATTR_KIND_F64] = "float",     [ATTR_KIND_I64] = "int",       [ATTR_KIND_BOOL] = "bool",
        [ATTR_KIND_DTYPE] = "dtype",   [ATTR_KIND_SHAPE] = "shape",   [ATTR_KIND_SEED] = "seed",
        [ATTR_KIND_DIMS] = "dims",     [ATTR_KIND_TENSOR] = "tensor", [ATTR_KIND_INTS] = "ints",
        [ATTR_KIND_CHOICE] = "choice",
    };

    return kind < ATTR_KIND_COUNT ? names[kind] : "unknown";
}

size_t
attr_count(const struct attr_spec *specs)
{
    size_t count = 0;

    while (specs[count].name != NULL)
        count++;
    return count;
}

const struct attr_spec *
attr_find(const struct attr_spec *specs, struct bytes name)
{
    for (const struct attr_spec *spec = specs; spec->name != NULL; spec++)
        if (bytes_equal(bytes_of_text(spec->name), name) ||
            (spec->alias != NULL && bytes_equal(bytes_of_text(spec->alias), name)))
            return spec;
    return NULL;
}

void *
attr_at(const struct attr_spec *spec, void *params)
{
    return (uint8_t *)params + spec->offset;
}

const void *
attr_in(const struct attr_spec *spec, const void *params)
{
    return (const uint8_t *)params + spec->offset;
}

static void
set_default(const struct attr_spec *spec, void *at)
{
    switch (spec->kind) {
    case ATTR_KIND_F64:
        *(double *)at = spec->f64_default;
        return;
    case ATTR_KIND_I64:
    case ATTR_KIND_CHOICE:
        *(int64_t *)at = spec->i64_default;
        return;
    case ATTR_KIND_BOOL:
        *(bool *)at = spec->i64_default != 0;
        return;
    case ATTR_KIND_DTYPE:
        *(enum dtype *)at = spec->dtype_default;
        return;
    case ATTR_KIND_SHAPE:
        *(struct attr_shape *)at = (struct attr_shape){0};
        return;
    case ATTR_KIND_SEED:
        *(struct attr_seed *)at = (struct attr_seed){0};
        return;
    case ATTR_KIND_TENSOR:
        *(struct attr_tensor *)at = (struct attr_tensor){0};
        return;
    case ATTR_KIND_DIMS:
        *(struct attr_dims *)at = (struct attr_dims){0};
        return;
    case ATTR_KIND_INTS:
        *(struct attr_ints *)at = (struct attr_ints){0};
        return;
    case ATTR_KIND_COUNT:
        return;
    }
}

void
attr_defaults(const struct attr_spec *specs, void *params)
{
    for (const struct attr_spec *spec = specs; spec->name != NULL; spec++)
        set_default(spec, attr_at(spec, params));
}

static size_t
size_of(enum attr_kind kind)
{
    static const size_t sizes[ATTR_KIND_COUNT] = {
        [ATTR_KIND_F64] = sizeof(double),
        [ATTR_KIND_I64] = sizeof(int64_t),
        [ATTR_KIND_BOOL] = sizeof(bool),
        [ATTR_KIND_DTYPE] = sizeof(enum dtype),
        [ATTR_KIND_SHAPE] = sizeof(struct attr_shape),
        [ATTR_KIND_SEED] = sizeof(struct attr_seed),
        [ATTR_KIND_TENSOR] = sizeof(struct attr_tensor),
        [ATTR_KIND_DIMS] = sizeof(struct attr_dims),
        [ATTR_KIND_INTS] = sizeof(struct attr_ints),
        [ATTR_KIND_CHOICE] = sizeof(int64_t),
    };

    return sizes[kind];
}

void
attr_copy(const struct attr_spec *spec, const void *from, void *to)
{
    memcpy(attr_at(spec, to), attr_in(spec, from), size_of(spec->kind));
}

bool
attr_is_default(const struct attr_spec *spec, const void *params)
{
    const void *at = attr_in(spec, params);

    switch (spec->kind) {
    case ATTR_KIND_F64:
        return memcmp(at, &spec->f64_default, sizeof spec->f64_default) == 0;
    case ATTR_KIND_I64:
    case ATTR_KIND_CHOICE:
        return *(const int64_t *)at == spec->i64_default;
    case ATTR_KIND_BOOL:
        return *(const bool *)at == (spec->i64_default != 0);
    case ATTR_KIND_DTYPE:
        return *(const enum dtype *)at == spec->dtype_default;
    case ATTR_KIND_SHAPE:
        return !((const struct attr_shape *)at)->given;
    case ATTR_KIND_SEED:
        return !((const struct attr_seed *)at)->given;
    case ATTR_KIND_TENSOR:
        return !((const struct attr_tensor *)at)->given;
    case ATTR_KIND_DIMS:
        return !((const struct attr_dims *)at)->given;
    case ATTR_KIND_INTS:
        return !((const struct attr_ints *)at)->given;
    case ATTR_KIND_COUNT:
        break;
    }
    return true;
}

void
attr_f64_bounds(const struct attr_spec *spec, double *min, double *max)
{
    bool bounded = spec->f64_min < spec->f64_max;

    *min = bounded ? spec->f64_min : -DBL_MAX;
    *max = bounded ? spec->f64_max : DBL_MAX;
}

void
attr_i64_bounds(const struct attr_spec *spec, int64_t *min, int64_t *max)
{
    bool bounded = spec->i64_min < spec->i64_max;

    *min = bounded ? spec->i64_min : INT64_MIN;
    *max = bounded ? spec->i64_max : INT64_MAX;
}

static enum err_code
check_f64(const char *op, const struct attr_spec *spec, double value, struct err *err)
{
    double min = 0, max = 0;

    attr_f64_bounds(spec, &min, &max);
    if (!isfinite(value))
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: attribute '%s' must be a finite number", op,
                       spec->name);
    if (!spec->own_words && (value < min || value > max))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: attribute '%s' is %.17g, it must be from %.17g to %.17g", op,
                       spec->name, value, min, max);
    return OK;
}

static enum err_code
check_i64(const char *op, const struct attr_spec *spec, int64_t value, struct err *err)
{
    int64_t min = 0, max = 0;

    attr_i64_bounds(spec, &min, &max);
    if (!spec->own_words && (value < min || value > max))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: attribute '%s' is %" PRId64 ", it must be from %" PRId64 " to %" PRId64,
                       op, spec->name, value, min, max);
    return OK;
}

static enum err_code
check_shape(const char *op, const struct attr_spec *spec, const struct shape *shape,
            struct err *err)
{
    struct err inner = ERR_INIT;
    enum err_code code = shape_check(shape, &inner);

    if (code != OK)
        return err_set(err, code, "%s: attribute '%s': %s", op, spec->name, inner.text);
    return OK;
}

static enum err_code
check_dims(const char *op, const struct attr_spec *spec, const struct attr_dims *dims,
           struct err *err)
{
    uint32_t unknown = UINT32_MAX;

    if (dims->rank > SHAPE_RANK_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: attribute '%s' has %" PRIu32 " dimensions, the limit is %d", op,
                       spec->name, dims->rank, SHAPE_RANK_MAX);
    for (uint32_t i = 0; i < dims->rank; i++) {
        if (dims->dims[i] < -1)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s: attribute '%s': Size %" PRIu32
                           " must be non-negative, not %" PRId64,
                           op, spec->name, i, dims->dims[i]);
        if (dims->dims[i] != -1)
            continue;
        if (unknown != UINT32_MAX)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "%s: attribute '%s': Only one input size may be -1, not both %" PRIu32
                           " and %" PRIu32,
                           op, spec->name, unknown, i);
        unknown = i;
    }
    return OK;
}

static enum err_code
check_ints(const char *op, const struct attr_spec *spec, const struct attr_ints *ints,
           struct err *err)
{
    if (ints->count > ATTR_INTS_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "%s: attribute '%s' has %" PRIu32 " numbers, the limit is %d", op,
                       spec->name, ints->count, ATTR_INTS_MAX);
    for (uint32_t i = 0; i < ints->count; i++)
        TRY(check_i64(op, spec, ints->values[i], err));
    return OK;
}

static enum err_code
check_choice(const char *op, const struct attr_spec *spec, int64_t value, struct err *err)
{
    int64_t count = 0;

    while (spec->choices[count] != NULL)
        count++;
    if (value >= 0 && value < count)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "%s: attribute '%s' is none of its %" PRId64 " choices", op, spec->name, count);
}

static enum err_code
check_one(const char *op, const struct attr_spec *spec, const void *at, struct err *err)
{
    switch (spec->kind) {
    case ATTR_KIND_F64:
        return check_f64(op, spec, *(const double *)at, err);
    case ATTR_KIND_I64:
        return check_i64(op, spec, *(const int64_t *)at, err);
    case ATTR_KIND_DTYPE:
        if (*(const enum dtype *)at < DTYPE_COUNT || spec->dtype_default == DTYPE_UNSET)
            return OK;
        return err_set(err, ERR_INVALID_ARGUMENT, "%s: attribute '%s' is no dtype", op, spec->name);
    case ATTR_KIND_SHAPE:
        return check_shape(op, spec, &((const struct attr_shape *)at)->shape, err);
    case ATTR_KIND_DIMS:
        return check_dims(op, spec, at, err);
    case ATTR_KIND_INTS:
        return check_ints(op, spec, at, err);
    case ATTR_KIND_CHOICE:
        return check_choice(op, spec, *(const int64_t *)at, err);
    case ATTR_KIND_BOOL:
    case ATTR_KIND_SEED:
    case ATTR_KIND_TENSOR:
    case ATTR_KIND_COUNT:
        break;
    }
    return OK;
}

enum err_code
attr_check(const char *op, const struct attr_spec *specs, const bool *given, const void *params,
           struct err *err)
{
    for (size_t i = 0; specs[i].name != NULL; i++) {
        if (specs[i].required && !given[i])
            return err_set(err, ERR_INVALID_ARGUMENT, "%s: attribute '%s' is required", op,
                           specs[i].name);
        TRY(check_one(op, &specs[i], attr_in(&specs[i], params), err));
    }
    return OK;
}

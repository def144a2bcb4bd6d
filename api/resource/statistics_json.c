#include "api/resource/statistics_json.h"

#include <stdio.h>

#include "api/json/json_write.h"
#include "api/resource/describe.h"
#include "store/base/scope.h"

/* An integer where all values are, every digit of it. */
static json_t *
json_bound(enum dtype dtype, double value, uint64_t key)
{
    uint64_t bits = kernel_statistics_key(dtype, key);

    if (dtype == DTYPE_INT64)
        return json_integer((json_int_t)bits);
    if (dtype == DTYPE_UINT64)
        return api_json_u64(bits);
    if (dtype_is_integer(dtype) || dtype == DTYPE_BOOL)
        return json_integer((json_int_t)value);
    return api_json_real(value);
}

static enum err_code
set_counts(json_t *object, const struct kernel_statistics *e, struct err *err)
{
    const uint64_t finite = kernel_statistics_finite(e);

    TRY(api_json_set(object, "count", api_json_u64(e->count), err));
    TRY(api_json_set(object, "finite", api_json_u64(finite), err));
    TRY(api_json_set(object, "nan", api_json_u64(e->nan), err));
    TRY(api_json_set(object, "pos_inf", api_json_u64(e->pos_inf), err));
    TRY(api_json_set(object, "neg_inf", api_json_u64(e->neg_inf), err));
    TRY(api_json_set(object, "zero", api_json_u64(e->zero), err));
    TRY(api_json_set(object, "negative", api_json_u64(e->negative), err));
    return api_json_set(object, "positive", api_json_u64(finite - e->zero - e->negative), err);
}

enum err_code
api_statistics_set_elements(json_t *object, enum dtype dtype, const struct kernel_statistics *e,
                            struct err *err)
{
    static const char *const names[] = {"min", "max", "mean", "stddev", "l1", "l2"};

    TRY(set_counts(object, e, err));
    if (kernel_statistics_finite(e) == 0) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            TRY(api_json_set(object, names[i], json_null(), err));
        return OK;
    }
    TRY(api_json_set(object, "min", json_bound(dtype, e->min, e->min_key), err));
    TRY(api_json_set(object, "max", json_bound(dtype, e->max, e->max_key), err));
    TRY(api_json_set(object, "mean", api_json_real(kernel_statistics_mean(e)), err));
    TRY(api_json_set(object, "stddev", api_json_real(kernel_statistics_stddev(e)), err));
    TRY(api_json_set(object, "l1", api_json_real(e->absolute), err));
    return api_json_set(object, "l2", api_json_real(kernel_statistics_l2(e)), err);
}

static enum err_code
set_percentiles(json_t *object, const struct statistics *statistics, struct err *err)
{
    AUTO_CALL(api_json_release) json_t *json = NULL;

    if (statistics->sampled == 0)
        return api_json_set(object, "percentiles", json_null(), err);
    TRY(api_json_made(json_object(), &json, err));
    for (int i = 0; i < STATISTICS_PERCENTILES; i++) {
        char name[8];

        snprintf(name, sizeof name, "%d", statistics_percents[i]);
        TRY(api_json_set(json, name, api_json_real(statistics->percentiles[i]), err));
    }
    return api_json_set(object, "percentiles", TAKE(json), err);
}

enum err_code
api_statistics_set(json_t *object, enum dtype dtype, const struct statistics *statistics,
                   struct err *err)
{
    if (dtype_is_complex(dtype))
        TRY(api_json_set(object, "of", json_string("magnitude"), err));
    TRY(api_statistics_set_elements(object, dtype, &statistics->elements, err));
    TRY(set_percentiles(object, statistics, err));
    return api_json_set(object, "exact", json_boolean(statistics->exact), err);
}

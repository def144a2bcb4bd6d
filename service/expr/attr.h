/* Parameters of an op, one row each: the only description of them. From
 * these rows requests are decoded, bounds checked, the catalogue is published, records are written
 * and read. */
#ifndef SERVICE_EXPR_ATTR_H
#define SERVICE_EXPR_ATTR_H

#include <stddef.h>

#include "service/tensor/tensor.h"

enum attr_kind {
    ATTR_KIND_F64,    /* double */
    ATTR_KIND_I64,    /* int64_t */
    ATTR_KIND_BOOL,   /* bool */
    ATTR_KIND_DTYPE,  /* enum dtype; DTYPE_UNSET when not given and without a default */
    ATTR_KIND_SHAPE,  /* struct attr_shape */
    ATTR_KIND_SEED,   /* struct attr_seed */
    ATTR_KIND_TENSOR, /* struct attr_tensor: a literal */
    ATTR_KIND_DIMS,   /* struct attr_dims: a shape in which one dimension may be -1 */
    ATTR_KIND_INTS,   /* struct attr_ints: integers, or one alone */
    ATTR_KIND_CHOICE, /* int64_t: place of a name among the row's choices */
    ATTR_KIND_COUNT
};

struct attr_shape {
    bool given;
    struct shape shape;
};

struct attr_seed {
    bool given;
    int64_t value;
};

struct attr_tensor {
    bool given;
    bool weak; /* dtype not given: int64 or float64 here, adopts its context's dtype (see expr.h) */
    struct tensor_view value;   /* as written; borrows from the expression tree */
    struct tensor_view settled; /* in the dtype it adopted; set by expr_infer, likewise borrowed */
};

struct attr_dims {
    bool given;
    uint32_t rank;
    int64_t dims[SHAPE_RANK_MAX];
};

/* axis: 1, axis: [0, 2]. */
enum { ATTR_INTS_MAX = SHAPE_RANK_MAX };
struct attr_ints {
    bool given;
    bool single; /* written as a number, not as a list */
    uint32_t count;
    int64_t values[ATTR_INTS_MAX];
};

struct attr_spec {
    const char *name;
    const char *alias; /* an older name of TensorFlow's for the same thing; NULL: none */
    enum attr_kind kind;
    size_t offset; /* in the params struct */
    bool required;
    double f64_default, f64_min, f64_max;  /* F64: bounds inclusive; both 0 = any finite number */
    int64_t i64_default, i64_min, i64_max; /* I64 likewise; BOOL and CHOICE use i64_default */
    bool none_default;   /* I64: None when not given, whatever number the field holds then */
    bool number_default; /* TENSOR: i64_default when not given, as the op reads it */
    bool own_words;      /* bounds: told here, refused by the op itself in TensorFlow's words */
    const char *const *choices; /* CHOICE: names, ends with NULL */
    enum dtype dtype_default;   /* always to be stated: 0 is float16 */
    const char *help;
};

#define ATTR_F64(type, field, ...)                                                                 \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_F64, .offset = offsetof(type, field), __VA_ARGS__        \
    }
#define ATTR_I64(type, field, ...)                                                                 \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_I64, .offset = offsetof(type, field), __VA_ARGS__        \
    }
#define ATTR_BOOL(type, field, ...)                                                                \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_BOOL, .offset = offsetof(type, field), __VA_ARGS__       \
    }
#define ATTR_DTYPE(type, field, ...)                                                               \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_DTYPE, .offset = offsetof(type, field), __VA_ARGS__      \
    }
#define ATTR_SHAPE(type, field, ...)                                                               \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_SHAPE, .offset = offsetof(type, field), __VA_ARGS__      \
    }
#define ATTR_SEED(type, field, ...)                                                                \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_SEED, .offset = offsetof(type, field), __VA_ARGS__       \
    }
#define ATTR_TENSOR(type, field, ...)                                                              \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_TENSOR, .offset = offsetof(type, field), __VA_ARGS__     \
    }
#define ATTR_DIMS(type, field, ...)                                                                \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_DIMS, .offset = offsetof(type, field), __VA_ARGS__       \
    }
#define ATTR_INTS(type, field, ...)                                                                \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_INTS, .offset = offsetof(type, field), __VA_ARGS__       \
    }
#define ATTR_CHOICE(type, field, ...)                                                              \
    {                                                                                              \
        .name = #field, .kind = ATTR_KIND_CHOICE, .offset = offsetof(type, field), __VA_ARGS__     \
    }
#define ATTR_END                                                                                   \
    {                                                                                              \
        .name = NULL                                                                               \
    }

const char *attr_kind_name(enum attr_kind kind);
/* By name or alias; NULL when there is none. */
const struct attr_spec *attr_find(const struct attr_spec *specs, struct bytes name);
/* Where the row's value stands in a params struct. */
void *attr_at(const struct attr_spec *spec, void *params);
const void *attr_in(const struct attr_spec *spec, const void *params);
/* The params struct as it is when nothing was given. */
void attr_defaults(const struct attr_spec *specs, void *params);
/* The row's value from one params struct to another; what it borrows it goes on borrowing. */
void attr_copy(const struct attr_spec *spec, const void *from, void *to);
/* Whether the row's value is the one attr_defaults gives. */
bool attr_is_default(const struct attr_spec *spec, const void *params);
/* The bounds of a number as they apply: -DBL_MAX, DBL_MAX (INT64_MIN, INT64_MAX) when none are set.
 */
void attr_f64_bounds(const struct attr_spec *spec, double *min, double *max);
void attr_i64_bounds(const struct attr_spec *spec, int64_t *min, int64_t *max);
/* Bounds and required attributes; `given` tells by row whether a request had it. Names op and
 * attribute. */
ERR_MUST_CHECK enum err_code attr_check(const char *op, const struct attr_spec *specs,
                                        const bool *given, const void *params, struct err *err);
size_t attr_count(const struct attr_spec *specs);

#endif

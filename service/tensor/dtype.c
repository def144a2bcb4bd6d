/* The table of element types and every lookup by name. dtype.def is the only list: a row added
 * there needs nothing here. Names are compared as they are, case and all. */
#include "service/tensor/dtype.h"

#include "store/base/check.h"

static const struct dtype_info infos[DTYPE_COUNT] = {
#define DTYPE(id, name, size, kind, safetensors, npy, oip, tf, tf_short)                           \
    [DTYPE_##id] = {name, size, DTYPE_KIND_##kind, safetensors, npy, oip, tf, tf_short},
#include "service/tensor/dtype.def"
#undef DTYPE
};

/* C's names, which NumPy and TensorFlow accept as well. */
static const struct {
    const char *name;
    enum dtype dtype;
} aliases[] = {
    {"half", DTYPE_FLOAT16},
    {"float", DTYPE_FLOAT32},
    {"double", DTYPE_FLOAT64},
};

const struct dtype_info *
dtype_info(enum dtype dtype)
{
    CHECK((unsigned)dtype < DTYPE_COUNT);
    return &infos[dtype];
}

const char *
dtype_name(enum dtype dtype)
{
    return dtype_info(dtype)->name;
}

uint32_t
dtype_size(enum dtype dtype)
{
    return dtype_info(dtype)->size;
}

bool
dtype_is_float(enum dtype dtype)
{
    return dtype_info(dtype)->kind == DTYPE_KIND_FLOAT;
}

bool
dtype_is_integer(enum dtype dtype)
{
    enum dtype_kind kind = dtype_info(dtype)->kind;

    return kind == DTYPE_KIND_SIGNED || kind == DTYPE_KIND_UNSIGNED;
}

bool
dtype_is_complex(enum dtype dtype)
{
    return dtype_info(dtype)->kind == DTYPE_KIND_COMPLEX;
}

bool
dtype_is_number(enum dtype dtype)
{
    return dtype_is_integer(dtype) || dtype_is_float(dtype) || dtype_is_complex(dtype);
}

enum dtype
dtype_real(enum dtype dtype)
{
    if (dtype == DTYPE_COMPLEX64)
        return DTYPE_FLOAT32;
    return dtype == DTYPE_COMPLEX128 ? DTYPE_FLOAT64 : dtype;
}

static bool
is_name(struct bytes name, const char *candidate)
{
    return candidate != NULL && bytes_equal(name, bytes_of_text(candidate));
}

bool
dtype_of_name(struct bytes name, enum dtype *out)
{
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        if (!is_name(name, infos[i].name) && !is_name(name, infos[i].oip_name))
            continue;
        *out = (enum dtype)i;
        return true;
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (!is_name(name, aliases[i].name))
            continue;
        *out = aliases[i].dtype;
        return true;
    }
    return false;
}

bool
dtype_of_safetensors(struct bytes name, enum dtype *out)
{
    for (unsigned i = 0; i < DTYPE_COUNT; i++) {
        if (!is_name(name, infos[i].safetensors_name))
            continue;
        *out = (enum dtype)i;
        return true;
    }
    return false;
}

/* Attributes and literals in an expression's record. Every attribute stands there by name and kind:
 * rows may be added and reordered without touching what is stored. Little-endian throughout. */
#include "service/expr/expr_attr.h"

#include <inttypes.h>

#include "store/base/scope.h"

enum { NAME_BYTES_SHOWN_MAX = 64 };

static enum err_code
damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_DATA_LOSS, "the record of an expression is damaged: %s", what);
}

/* --- literals ------------------------------------------------------------------------------ */

enum err_code
expr_literal_encode(const struct tensor_view *literal, bool weak, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, weak, err));
    TRY(buf_append_byte(out, (uint8_t)literal->type.dtype, err));
    TRY(shape_encode(&literal->type.shape, out, err));
    TRY(buf_append_u64(out, literal->size, err));
    return buf_append(out, literal->data, (size_t)literal->size, err);
}

static enum err_code
check_literal(const struct tensor_type *type, bool weak, struct bytes bytes, struct err *err)
{
    if (shape_check(&type->shape, NULL) != OK)
        return damaged(err, "a literal's shape");
    if (weak && type->dtype != DTYPE_INT64 && type->dtype != DTYPE_FLOAT64)
        return damaged(err, "a literal's dtype");
    if (type->dtype != DTYPE_STRING)
        return bytes.size == tensor_type_bytes(type) ? OK : damaged(err, "a literal's size");
    if (tensor_strings_check(bytes, shape_count(&type->shape), NULL) != OK)
        return damaged(err, "a literal's strings");
    return OK;
}

enum err_code
expr_literal_decode(struct reader *in, const struct expr_limits *limits, struct expr_tree *tree,
                    struct tensor_view *out, bool *weak, struct err *err)
{
    struct tensor_type type = {.dtype = DTYPE_UNSET};
    AUTO(tensor) literal = {0};
    uint8_t weak_byte = reader_u8(in), dtype = reader_u8(in);
    uint64_t size;
    struct bytes bytes;

    shape_decode(in, &type.shape);
    size = reader_u64(in);
    if (in->failed || size > in->left.size || weak_byte > 1 || dtype >= DTYPE_COUNT)
        return damaged(err, "a literal");
    bytes = reader_take(in, (size_t)size);
    type.dtype = (enum dtype)dtype;
    TRY(check_literal(&type, weak_byte != 0, bytes, err));
    TRY(expr_tree_reserve_literal(tree, limits, size, err));
    TRY(tensor_init(&literal, &type, size, err));
    if (size > 0)
        memcpy(literal.data, bytes.data, (size_t)size);
    *weak = weak_byte != 0;
    return expr_tree_literal(tree, &literal, out, err);
}

/* --- one attribute ------------------------------------------------------------------------- */

static enum err_code
encode_f64(double value, struct buf *out, struct err *err)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return buf_append_u64(out, bits, err);
}

static enum err_code
encode_dtype(enum dtype dtype, struct buf *out, struct err *err)
{
    return buf_append_byte(out, dtype == DTYPE_UNSET ? UINT8_MAX : (uint8_t)dtype, err);
}

static enum err_code
encode_dims(const struct attr_dims *dims, struct buf *out, struct err *err)
{
    TRY(buf_append_u32(out, dims->rank, err));
    for (uint32_t i = 0; i < dims->rank; i++)
        TRY(buf_append_u64(out, (uint64_t)dims->dims[i], err));
    return OK;
}

static enum err_code
encode_ints(const struct attr_ints *ints, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, ints->single, err));
    TRY(buf_append_u32(out, ints->count, err));
    for (uint32_t i = 0; i < ints->count; i++)
        TRY(buf_append_u64(out, (uint64_t)ints->values[i], err));
    return OK;
}

/* By name, so that rows may get more choices in any order. */
static enum err_code
encode_choice(const struct attr_spec *spec, int64_t value, struct buf *out, struct err *err)
{
    return buf_append_bytes(out, bytes_of_text(spec->choices[value]), err);
}

static enum err_code
encode_tensor(const struct attr_tensor *tensor, struct buf *out, struct err *err)
{
    TRY(buf_append_byte(out, tensor->given, err));
    if (!tensor->given)
        return OK;
    return expr_literal_encode(&tensor->value, tensor->weak, out, err);
}

static enum err_code
encode_value(const struct attr_spec *spec, const void *at, struct buf *out, struct err *err)
{
    switch (spec->kind) {
    case ATTR_KIND_F64:
        return encode_f64(*(const double *)at, out, err);
    case ATTR_KIND_I64:
        return buf_append_u64(out, (uint64_t) * (const int64_t *)at, err);
    case ATTR_KIND_BOOL:
        return buf_append_byte(out, *(const bool *)at, err);
    case ATTR_KIND_DTYPE:
        return encode_dtype(*(const enum dtype *)at, out, err);
    case ATTR_KIND_SHAPE:
        return shape_encode(&((const struct attr_shape *)at)->shape, out, err);
    case ATTR_KIND_SEED:
        return buf_append_u64(out, (uint64_t)((const struct attr_seed *)at)->value, err);
    case ATTR_KIND_TENSOR:
        return encode_tensor(at, out, err);
    case ATTR_KIND_DIMS:
        return encode_dims(at, out, err);
    case ATTR_KIND_INTS:
        return encode_ints(at, out, err);
    case ATTR_KIND_CHOICE:
        return encode_choice(spec, *(const int64_t *)at, out, err);
    case ATTR_KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "attribute '%s' has no kind", spec->name);
}

static double
decode_f64(struct reader *in)
{
    uint64_t bits = reader_u64(in);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool
decode_bool(struct reader *in)
{
    uint8_t byte = reader_u8(in);

    if (byte > 1)
        in->failed = true;
    return byte == 1;
}

static enum dtype
decode_dtype(struct reader *in)
{
    uint8_t byte = reader_u8(in);

    if (byte < DTYPE_COUNT)
        return (enum dtype)byte;
    if (byte != UINT8_MAX)
        in->failed = true;
    return DTYPE_UNSET;
}

static void
decode_dims(struct reader *in, struct attr_dims *dims)
{
    uint32_t rank = reader_u32(in);

    if (rank > SHAPE_RANK_MAX) {
        in->failed = true;
        return;
    }
    dims->rank = rank;
    for (uint32_t i = 0; i < rank; i++)
        dims->dims[i] = (int64_t)reader_u64(in);
}

static void
decode_ints(struct reader *in, bool given, struct attr_ints *ints)
{
    uint32_t count;

    ints->given = given;
    ints->single = decode_bool(in);
    count = reader_u32(in);
    if (count > ATTR_INTS_MAX || (ints->single && count != 1)) {
        in->failed = true;
        return;
    }
    ints->count = count;
    for (uint32_t i = 0; i < count; i++)
        ints->values[i] = (int64_t)reader_u64(in);
}

static void
decode_choice(struct reader *in, const struct attr_spec *spec, int64_t *value)
{
    struct bytes name = reader_bytes(in);

    for (*value = 0; spec->choices[*value] != NULL; ++*value)
        if (bytes_equal(bytes_of_text(spec->choices[*value]), name))
            return;
    *value = 0;
    in->failed = true;
}

static enum err_code
decode_tensor(struct reader *in, const struct expr_limits *limits, struct expr_tree *tree,
              struct attr_tensor *tensor, struct err *err)
{
    tensor->given = decode_bool(in);
    if (in->failed || !tensor->given)
        return OK;
    return expr_literal_decode(in, limits, tree, &tensor->value, &tensor->weak, err);
}

static enum err_code
decode_value(struct reader *in, const struct expr_limits *limits, struct expr_tree *tree,
             const struct attr_spec *spec, bool given, void *at, struct err *err)
{
    switch (spec->kind) {
    case ATTR_KIND_F64:
        *(double *)at = decode_f64(in);
        return OK;
    case ATTR_KIND_I64:
        *(int64_t *)at = (int64_t)reader_u64(in);
        return OK;
    case ATTR_KIND_BOOL:
        *(bool *)at = decode_bool(in);
        return OK;
    case ATTR_KIND_DTYPE:
        *(enum dtype *)at = decode_dtype(in);
        return OK;
    case ATTR_KIND_SHAPE:
        ((struct attr_shape *)at)->given = given;
        shape_decode(in, &((struct attr_shape *)at)->shape);
        return OK;
    case ATTR_KIND_SEED:
        *(struct attr_seed *)at =
            (struct attr_seed){.given = given, .value = (int64_t)reader_u64(in)};
        return OK;
    case ATTR_KIND_TENSOR:
        return decode_tensor(in, limits, tree, at, err);
    case ATTR_KIND_DIMS:
        ((struct attr_dims *)at)->given = given;
        decode_dims(in, at);
        return OK;
    case ATTR_KIND_INTS:
        decode_ints(in, given, at);
        return OK;
    case ATTR_KIND_CHOICE:
        decode_choice(in, spec, at);
        return OK;
    case ATTR_KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INTERNAL, "attribute '%s' has no kind", spec->name);
}

/* --- all of an owner ----------------------------------------------------------------------- */

enum err_code
expr_attrs_encode(const struct expr_attrs *attrs, struct buf *out, struct err *err)
{
    const struct attr_spec *specs = attrs->specs;

    TRY(buf_append_u32(out, (uint32_t)attr_count(specs), err));
    for (size_t i = 0; specs[i].name != NULL; i++) {
        TRY(buf_append_bytes(out, bytes_of_text(specs[i].name), err));
        TRY(buf_append_byte(out, (uint8_t)specs[i].kind, err));
        TRY(buf_append_byte(out, attrs->given[i], err));
        TRY(encode_value(&specs[i], attr_in(&specs[i], attrs->params), out, err));
    }
    return OK;
}

static enum err_code
decode_one(struct reader *in, const struct expr_limits *limits, struct expr_tree *tree,
           const struct expr_attrs *attrs, struct err *err)
{
    struct bytes name = reader_bytes(in);
    uint8_t kind = reader_u8(in);
    bool given = decode_bool(in);
    const struct attr_spec *spec = in->failed ? NULL : attr_find(attrs->specs, name);

    if (in->failed)
        return damaged(err, "an attribute");
    if (spec == NULL || (uint8_t)spec->kind != kind)
        return err_set(err, ERR_DATA_LOSS, "a record gives %s an attribute '%.*s' it has not",
                       attrs->owner,
                       name.size < NAME_BYTES_SHOWN_MAX ? (int)name.size : NAME_BYTES_SHOWN_MAX,
                       (const char *)name.data);
    attrs->given[spec - attrs->specs] = given;
    return decode_value(in, limits, tree, spec, given, attr_at(spec, attrs->params), err);
}

enum err_code
expr_attrs_decode(struct reader *in, const struct expr_limits *limits, struct expr_tree *tree,
                  const struct expr_attrs *attrs, struct err *err)
{
    uint32_t count = reader_u32(in);

    for (uint32_t i = 0; i < count && !in->failed; i++)
        TRY(decode_one(in, limits, tree, attrs, err));
    return in->failed ? damaged(err, "an attribute") : OK;
}

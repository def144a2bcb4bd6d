/* Partitioners, and how parts divide a shape.
 *
 * r1.0 computes partitioners in doubles. Sizes of tensors are below 2^51 bytes, and quotients of
 * integers below 2^53 round the same way in both, so integers serve; only estimates for strings can
 * be larger, and there integers are the exact ones. */
#include "service/variable/partition.h"

#include <inttypes.h>
#include <stdio.h>

struct partition_spec
partition_spec_default(enum partition_kind kind)
{
    return (struct partition_spec){
        .kind = kind,
        .max_partitions = 1,
        .min_slice_size = PARTITION_SLICE_BYTES_DEFAULT,
        .bytes_per_string_element = PARTITION_STRING_BYTES_DEFAULT,
    };
}

static const char *
numbers_text(const struct shape *list, const char *begin, const char *end,
             char out[static PARTITION_TEXT_BYTES_MAX])
{
    int used = snprintf(out, PARTITION_TEXT_BYTES_MAX, "%s", begin);

    for (uint32_t i = 0; i < list->rank; i++)
        used += snprintf(out + used, (size_t)(PARTITION_TEXT_BYTES_MAX - used), "%s%" PRId64,
                         i == 0 ? "" : ", ", (int64_t)list->dims[i]);
    snprintf(out + used, (size_t)(PARTITION_TEXT_BYTES_MAX - used), "%s", end);
    return out;
}

/* "[4, 4]", as Python prints a list. */
static const char *
list_text(const struct shape *list, char out[static PARTITION_TEXT_BYTES_MAX])
{
    return numbers_text(list, "[", "]", out);
}

/* "(4, 4)", and "(4,)", as r1.0 prints a TensorShape. */
static const char *
tuple_text(const struct shape *shape, char out[static PARTITION_TEXT_BYTES_MAX])
{
    return numbers_text(shape, "(", shape->rank == 1 ? ",)" : ")", out);
}

/* "<what>. shape: [2, 4], slicing: [3, 1]" */
static enum err_code
refuse(const struct shape *shape, const struct shape *slicing, const char *what, struct err *err)
{
    char ours[PARTITION_TEXT_BYTES_MAX], theirs[PARTITION_TEXT_BYTES_MAX];

    return err_set(err, ERR_INVALID_ARGUMENT, "%s shape: %s, slicing: %s", what,
                   list_text(shape, ours), list_text(slicing, theirs));
}

/* What a partitioner returns, a number below 0 among it, is looked at before its numbers are
 * compared with the shape. */
static enum err_code
check_parts(const struct shape *shape, const struct shape *slicing, struct err *err)
{
    char ours[PARTITION_TEXT_BYTES_MAX], theirs[PARTITION_TEXT_BYTES_MAX];

    for (uint32_t i = 0; i < slicing->rank; i++)
        if ((int64_t)slicing->dims[i] < 1)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "Partitioner returned zero partitions for some axes: %s. Cannot create "
                           "%" PRId64 " slices for size %" PRIu64 ". shape: %s, slicing: %s",
                           list_text(slicing, theirs), (int64_t)slicing->dims[i], shape->dims[i],
                           list_text(shape, ours), theirs);
    return OK;
}

enum err_code
partition_of_slicing(const struct shape *shape, const struct shape *slicing, struct partition *out,
                     struct err *err)
{
    struct partition found = {.count = 1};
    char text[160];

    if (shape->rank != slicing->rank)
        return refuse(
            shape, slicing,
            "The 'shape' and 'slicing' of a partitioned Variable must have the length:", err);
    if (shape->rank == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "A partitioned Variable must have rank at least 1: shape: []");
    TRY(check_parts(shape, slicing, err));
    for (uint32_t i = 0; i < shape->rank; i++) {
        uint64_t parts = slicing->dims[i];

        if (parts > shape->dims[i]) {
            snprintf(text, sizeof text, "Cannot create %" PRIu64 " slices for size %" PRIu64 ".",
                     parts, shape->dims[i]);
            return refuse(shape, slicing, text, err);
        }
        if (parts == 1)
            continue;
        if (found.count > 1)
            return refuse(shape, slicing, "Can only slice a variable along one dimension:", err);
        if (parts > PARTITION_PARTS_MAX) {
            snprintf(text, sizeof text,
                     "%" PRIu64 " parts of one variable are over the limit of %d.", parts,
                     PARTITION_PARTS_MAX);
            return refuse(shape, slicing, text, err);
        }
        found = (struct partition){.axis = i, .count = (uint32_t)parts};
    }
    *out = found;
    return OK;
}

/* What r1.0 looks at when a partitioner is made, before there is a shape. */
static enum err_code
check_spec(const struct partition_spec *spec, struct err *err)
{
    if (spec->kind == PARTITION_VARIABLE_AXIS_SIZE) {
        if (spec->max_shard_bytes < 1 || spec->bytes_per_string_element < 1)
            return err_set(err, ERR_INVALID_ARGUMENT,
                           "Both max_shard_bytes and bytes_per_string_element must be positive. "
                           "They are %" PRId64 " and %" PRId64,
                           spec->max_shard_bytes, spec->bytes_per_string_element);
        if (spec->max_shards < 0)
            return err_set(err, ERR_INVALID_ARGUMENT, "max_shards must be positive. It is %" PRId64,
                           spec->max_shards);
    }
    return OK;
}

static enum err_code
find_axis(const struct partition_spec *spec, const struct shape *shape, uint32_t *out,
          struct err *err)
{
    char text[PARTITION_TEXT_BYTES_MAX];
    int64_t rank = (int64_t)shape->rank, axis = spec->axis < 0 ? spec->axis + rank : spec->axis;

    if (axis < 0 || axis >= rank)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "Can not partition variable along axis %" PRId64 " when shape is only %s",
                       spec->axis, tuple_text(shape, text));
    *out = (uint32_t)axis;
    return OK;
}

static uint64_t
magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

/* Of a string it is an estimate, which may be below 0 for all that min_max cares. */
static enum err_code
find_element_bytes(const struct partition_spec *spec, enum dtype dtype, int64_t *out,
                   struct err *err)
{
    *out = (int64_t)dtype_size(dtype);
    if (dtype != DTYPE_STRING)
        return OK;
    *out = spec->bytes_per_string_element;
    if (magnitude(*out) > PARTITION_STRING_BYTES_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "bytes_per_string_element is %" PRId64 ", the limit is %d", *out,
                       PARTITION_STRING_BYTES_MAX);
    return OK;
}

/* In r1.0 a division by zero. */
static enum err_code
check_slice_size(const struct partition_spec *spec, struct err *err)
{
    if (spec->kind != PARTITION_MIN_MAX || spec->min_slice_size != 0)
        return OK;
    return err_set(err, ERR_INVALID_ARGUMENT,
                   "min_slice_size is 0, and the bytes of the variable are divided by it");
}

static uint64_t
smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t
quotient_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* Below 1 as it was given: that is refused by what it says. */
static uint64_t
fixed_size(const struct partition_spec *spec, uint64_t dim)
{
    return spec->num_shards < 1 ? (uint64_t)spec->num_shards
                                : smaller((uint64_t)spec->num_shards, dim);
}

/* As many slices of the axis to a part as max_shard_bytes has room for, at least one. */
static uint64_t
variable_axis_size(const struct partition_spec *spec, uint64_t dim, uint64_t total_bytes)
{
    uint64_t slices_each = (uint64_t)spec->max_shard_bytes / (total_bytes / dim);
    uint64_t parts = quotient_up(dim, slices_each > 0 ? slices_each : 1);

    return spec->max_shards > 0 ? smaller(parts, (uint64_t)spec->max_shards) : parts;
}

/* One part at least, whatever the arguments: r1.0 looks at none of them. */
static uint64_t
min_max(const struct partition_spec *spec, uint64_t dim, uint64_t total_bytes, bool negative)
{
    uint64_t parts = quotient_up(total_bytes, magnitude(spec->min_slice_size));

    if (spec->max_partitions < 1 || negative != (spec->min_slice_size < 0))
        return 1;
    parts = smaller(smaller(dim, (uint64_t)spec->max_partitions), parts);
    return parts > 0 ? parts : 1;
}

/* The parts along dim. */
static uint64_t
count_parts(const struct partition_spec *spec, const struct shape *shape, uint64_t dim,
            int64_t element_bytes)
{
    uint64_t total_bytes = shape_count(shape) * magnitude(element_bytes); /* 2^47 * 2^16 at most */

    if (spec->kind == PARTITION_FIXED_SIZE)
        return fixed_size(spec, dim);
    if (spec->kind == PARTITION_MIN_MAX)
        return min_max(spec, dim, total_bytes, element_bytes < 0);
    /* Of no bytes r1.0 divides by zero; one part is refused for the dimension that has no elements.
     */
    return total_bytes == 0 ? 1 : variable_axis_size(spec, dim, total_bytes);
}

enum err_code
partition_slicing(const struct partition_spec *spec, const struct tensor_type *type,
                  struct shape *slicing, struct err *err)
{
    struct shape chosen = {.rank = type->shape.rank};
    int64_t element_bytes = 0;
    uint32_t axis = 0;

    if (spec->kind == PARTITION_SLICING) {
        *slicing = spec->slicing;
        return OK;
    }
    TRY(check_spec(spec, err));
    if (type->shape.rank == 0)
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "A partitioned Variable must have rank at least 1, shape: ()");
    TRY(find_axis(spec, &type->shape, &axis, err));
    TRY(find_element_bytes(spec, type->dtype, &element_bytes, err));
    TRY(check_slice_size(spec, err));
    for (uint32_t i = 0; i < chosen.rank; i++)
        chosen.dims[i] = 1;
    chosen.dims[axis] = count_parts(spec, &type->shape, type->shape.dims[axis], element_bytes);
    *slicing = chosen;
    return OK;
}

enum err_code
partition_choose(const struct partition_spec *spec, const struct tensor_type *type,
                 struct partition *out, struct err *err)
{
    struct shape slicing;

    *out = (struct partition){0};
    if (spec->kind == PARTITION_NONE)
        return OK;
    TRY(partition_slicing(spec, type, &slicing, err));
    return partition_of_slicing(&type->shape, &slicing, out, err);
}

bool
partition_fits(const struct partition *partition, const struct shape *shape)
{
    if (partition->count == 0)
        return partition->axis == 0;
    return partition->count <= PARTITION_PARTS_MAX && partition->axis < shape->rank &&
           partition->count <= shape->dims[partition->axis];
}

struct shape
partition_slicing_of(const struct partition *partition, const struct shape *shape)
{
    struct shape slicing = {.rank = shape->rank};

    for (uint32_t i = 0; i < slicing.rank; i++)
        slicing.dims[i] = i == partition->axis ? partition->count : 1;
    return slicing;
}

uint32_t
partition_larger_parts(const struct partition *partition, const struct shape *shape)
{
    return (uint32_t)(shape->dims[partition->axis] % partition->count);
}

struct partition_part
partition_part_of(const struct partition *partition, const struct shape *shape, uint32_t index)
{
    struct partition_part part = {.shape = *shape};
    uint64_t each = shape->dims[partition->axis] / partition->count;
    uint64_t remainder = partition_larger_parts(partition, shape);

    part.shape.dims[partition->axis] = each + (index < remainder);
    part.offset[partition->axis] = index * each + smaller(index, remainder);
    return part;
}

uint32_t
partition_part_at(const struct partition *partition, const struct shape *shape,
                  const uint64_t *offset, const struct shape *part)
{
    uint64_t each = shape->dims[partition->axis] / partition->count;
    uint64_t remainder = partition_larger_parts(partition, shape);
    uint64_t at = offset[partition->axis];
    /* Parts that have one element more come first. */
    uint64_t index = at < remainder * (each + 1) ? at / (each + 1) : (at - remainder) / each;
    struct partition_part found;

    if (index >= partition->count)
        return partition->count;
    found = partition_part_of(partition, shape, (uint32_t)index);
    if (!shape_equal(&found.shape, part) ||
        memcmp(found.offset, offset, shape->rank * sizeof *offset) != 0)
        return partition->count;
    return (uint32_t)index;
}

uint32_t
partition_part_shard(struct bytes shards, uint32_t index, uint32_t otherwise)
{
    const uint8_t *at = shards.data + (size_t)index * PARTITION_SHARD_BYTES;

    if (shards.size == 0)
        return otherwise;
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

void
partition_put_shard(uint8_t *shards, uint32_t index, uint32_t shard)
{
    uint8_t *at = shards + (size_t)index * PARTITION_SHARD_BYTES;

    at[0] = (uint8_t)shard;
    at[1] = (uint8_t)(shard >> 8);
    at[2] = (uint8_t)(shard >> 16);
}

const char *
partition_part_name(const char *name, uint32_t index, char out[static PARTITION_NAME_BYTES_MAX])
{
    snprintf(out, PARTITION_NAME_BYTES_MAX, "%s/part_%" PRIu32, name, index);
    return out;
}

const char *
partition_part_slice(const struct partition_part *part, char out[static PARTITION_TEXT_BYTES_MAX])
{
    int used = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < part->shape.rank; i++)
        used += snprintf(out + used, (size_t)(PARTITION_TEXT_BYTES_MAX - used),
                         "%s%" PRIu64 ":%" PRIu64, i == 0 ? "" : ",", part->offset[i],
                         part->offset[i] + part->shape.dims[i]);
    return out;
}

const char *
partition_part_save_spec(const struct partition_part *part, const struct shape *shape,
                         char out[static PARTITION_TEXT_BYTES_MAX])
{
    int used = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < shape->rank; i++)
        used += snprintf(out + used, (size_t)(PARTITION_TEXT_BYTES_MAX - used), "%" PRIu64 " ",
                         shape->dims[i]);
    for (uint32_t i = 0; i < part->shape.rank; i++)
        used += snprintf(out + used, (size_t)(PARTITION_TEXT_BYTES_MAX - used),
                         "%s%" PRIu64 ",%" PRIu64, i == 0 ? "" : ":", part->offset[i],
                         part->shape.dims[i]);
    return out;
}

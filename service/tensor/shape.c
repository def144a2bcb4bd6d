/* Shapes: limits, equality, broadcasting, text and record form.
 *
 * A shape that passed shape_check has at most SHAPE_COUNT_MAX elements even with its zero
 * dimensions taken as ones, so no later product of its dimensions, or of some of them, can
 * overflow. */
#include "service/tensor/shape.h"

#include <inttypes.h>
#include <stdio.h>

/* "[", 32 dimensions of 20 digits, 31 commas, "]", NUL. */
_Static_assert(SHAPE_TEXT_BYTES_MAX >= 1 + SHAPE_RANK_MAX * 21 + 1, "room for any shape");

/* False past SHAPE_COUNT_MAX. */
static bool
count_without_zeros(const struct shape *shape, uint64_t *out)
{
    uint64_t count = 1;

    for (uint32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] == 0)
            continue;
        if (__builtin_mul_overflow(count, shape->dims[i], &count) || count > SHAPE_COUNT_MAX)
            return false;
    }
    *out = count;
    return true;
}

enum err_code
shape_check(const struct shape *shape, struct err *err)
{
    char text[SHAPE_TEXT_BYTES_MAX];
    uint64_t count = 0;

    if (shape->rank > SHAPE_RANK_MAX)
        return err_set(err, ERR_INVALID_ARGUMENT, "a shape has rank %" PRIu32 ", the limit is %d",
                       shape->rank, SHAPE_RANK_MAX);
    if (!count_without_zeros(shape, &count))
        return err_set(err, ERR_INVALID_ARGUMENT,
                       "shape %s has more elements than the limit of %" PRIu64,
                       shape_text(shape, text), SHAPE_COUNT_MAX);
    return OK;
}

uint64_t
shape_count(const struct shape *shape)
{
    uint64_t count = 1;

    for (uint32_t i = 0; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

bool
shape_equal(const struct shape *a, const struct shape *b)
{
    return a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0);
}

/* The dimension at `position` counted from the last; missing ones are 1. */
static uint64_t
dim_from_end(const struct shape *shape, uint32_t position)
{
    return position < shape->rank ? shape->dims[shape->rank - 1 - position] : 1;
}

enum err_code
shape_broadcast(const struct shape *a, const struct shape *b, struct shape *out, struct err *err)
{
    struct shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};
    char a_text[SHAPE_TEXT_BYTES_MAX], b_text[SHAPE_TEXT_BYTES_MAX];

    for (uint32_t i = 0; i < result.rank; i++) {
        uint64_t x = dim_from_end(a, i), y = dim_from_end(b, i);

        if (x != y && x != 1 && y != 1)
            return err_set(err, ERR_INVALID_ARGUMENT, "incompatible shapes: %s vs. %s",
                           shape_text(a, a_text), shape_text(b, b_text));
        result.dims[result.rank - 1 - i] = x == 1 ? y : x;
    }
    TRY(shape_check(&result, err));
    *out = result;
    return OK;
}

const char *
shape_text(const struct shape *shape, char out[static SHAPE_TEXT_BYTES_MAX])
{
    uint32_t rank = shape->rank < SHAPE_RANK_MAX ? shape->rank : SHAPE_RANK_MAX;
    int used = snprintf(out, SHAPE_TEXT_BYTES_MAX, "[");

    for (uint32_t i = 0; i < rank; i++)
        used += snprintf(out + used, (size_t)(SHAPE_TEXT_BYTES_MAX - used), "%s%" PRIu64,
                         i == 0 ? "" : ",", shape->dims[i]);
    snprintf(out + used, (size_t)(SHAPE_TEXT_BYTES_MAX - used), "]");
    return out;
}

/* u32 rank, then u64 per dimension, little-endian. */
enum err_code
shape_encode(const struct shape *shape, struct buf *out, struct err *err)
{
    TRY(buf_append_u32(out, shape->rank, err));
    for (uint32_t i = 0; i < shape->rank; i++)
        TRY(buf_append_u64(out, shape->dims[i], err));
    return OK;
}

void
shape_decode(struct reader *in, struct shape *out)
{
    struct shape shape = {.rank = reader_u32(in)};

    *out = (struct shape){0};
    if (shape.rank > SHAPE_RANK_MAX)
        in->failed = true;
    for (uint32_t i = 0; i < shape.rank && !in->failed; i++)
        shape.dims[i] = reader_u64(in);
    if (!in->failed && shape_check(&shape, NULL) != OK)
        in->failed = true;
    if (!in->failed)
        *out = shape;
}

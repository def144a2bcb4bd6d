/* Joining: long parts are read straight into the result; of short ones, as the columns of a table
 * are, all that a tile needs of one argument is read at once and spread. */
#include "service/expr/op_join.h"

#include <inttypes.h>

#include "service/expr/op_helpers.h"

enum { LONG_PART_ELEMENTS = 64, PIECE_BYTES = 4096 };

/* --- inference ----------------------------------------------------------------------------- */

static enum err_code
check_shapes(const struct expr *node, const struct shape *a, const struct shape *b, uint32_t but,
             struct err *err)
{
    char a_text[SHAPE_TEXT_BYTES_MAX], b_text[SHAPE_TEXT_BYTES_MAX];

    if (a->rank != b->rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Shapes must be equal rank, but are %" PRIu32 " and %" PRIu32 ": %s and %s",
                       a->rank, b->rank, shape_text(a, a_text), shape_text(b, b_text));
    for (uint32_t i = 0; i < a->rank; i++)
        if (i != but && a->dims[i] != b->dims[i])
            return op_fail(node, ERR_INVALID_ARGUMENT, err,
                           "Dimension %" PRIu32 " in both shapes must be equal, but are %" PRIu64
                           " and %" PRIu64 ": %s and %s",
                           i, a->dims[i], b->dims[i], shape_text(a, a_text), shape_text(b, b_text));
    return OK;
}

enum err_code
op_join_check(struct expr_tree *tree, struct expr *node, uint32_t but, struct err *err)
{
    TRY(op_settle_together(tree, node, err));
    TRY(op_check_dtype(node, node->args[0]->type.dtype, err));
    for (uint32_t i = 1; i < node->arg_count; i++)
        TRY(check_shapes(node, &node->args[0]->type.shape, &node->args[i]->type.shape, but, err));
    return OK;
}

/* --- evaluation ---------------------------------------------------------------------------- */

struct join {
    struct evaluator *e;
    const struct expr *node;
    uint64_t rows, row;    /* row: elements of the result */
    uint64_t first, count; /* what is asked for */
    uint8_t *out;
};

static uint64_t
part_of(const struct join *join, uint32_t arg)
{
    return shape_count(&join->node->args[arg]->type.shape) / join->rows;
}

/* Part after part, each into its place. */
static enum err_code
join_parts(const struct join *join, struct err *err)
{
    uint32_t size = dtype_size(join->node->type.dtype), arg = 0;
    uint64_t row = join->first / join->row, inside = join->first % join->row;

    for (; inside >= part_of(join, arg); arg++)
        inside -= part_of(join, arg);
    for (uint64_t done = 0; done < join->count;) {
        uint64_t part = part_of(join, arg), left = join->count - done;
        uint64_t run = part - inside < left ? part - inside : left;

        if (run > 0)
            TRY(op_arg_read(join->e, join->node, arg, row * part + inside, run,
                            join->out + done * size, err));
        done += run;
        inside = 0;
        if (++arg == join->node->arg_count) {
            arg = 0;
            row++;
        }
    }
    return OK;
}

/* How many elements of an argument stand before element `at` of the result; before: where its part
 * begins in a row. */
static uint64_t
elements_before(const struct join *join, uint64_t at, uint64_t before, uint64_t part)
{
    uint64_t inside = at % join->row;

    inside = inside < before ? 0 : inside - before;
    return at / join->row * part + (inside < part ? inside : part);
}

static enum err_code
spread(const struct join *join, uint32_t arg, uint64_t before, uint64_t part, struct err *err)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t piece[PIECE_BYTES];
    uint32_t size = dtype_size(join->node->type.dtype);
    uint64_t from = elements_before(join, join->first, before, part);
    uint64_t to = elements_before(join, join->first + join->count, before, part);

    while (from < to) {
        uint64_t run = to - from < PIECE_BYTES / size ? to - from : PIECE_BYTES / size;
        uint64_t row = from / part, inside = from % part;

        TRY(op_arg_read(join->e, join->node, arg, from, run, piece, err));
        for (uint64_t i = 0; i < run; i++) {
            uint64_t at = row * join->row + before + inside - join->first;

            memcpy(join->out + at * size, piece + i * size, size);
            if (++inside == part) {
                inside = 0;
                row++;
            }
        }
        from += run;
    }
    return OK;
}

/* Argument after argument, each over all rows that are asked for. */
static enum err_code
join_columns(const struct join *join, struct err *err)
{
    uint64_t before = 0;

    for (uint32_t i = 0; i < join->node->arg_count; i++) {
        uint64_t part = part_of(join, i);

        if (part > 0)
            TRY(spread(join, i, before, part, err));
        before += part;
    }
    return OK;
}

enum err_code
op_join_eval(struct evaluator *e, const struct expr *node, uint64_t rows, uint64_t first,
             uint64_t count, void *out, struct err *err)
{
    struct join join = {.e = e,
                        .node = node,
                        .rows = rows,
                        .row = shape_count(&node->type.shape) / rows,
                        .first = first,
                        .count = count,
                        .out = out};

    if (join.row / node->arg_count >= LONG_PART_ELEMENTS || rows == 1)
        return join_parts(&join, err);
    return join_columns(&join, err);
}

bool
op_join_constant(const struct expr *node, void *element)
{
    _Alignas(OP_ELEMENT_BYTES_MAX) uint8_t other[OP_ELEMENT_BYTES_MAX];
    uint32_t size = dtype_size(node->type.dtype);

    for (uint32_t i = 0; i < node->arg_count; i++) {
        if (!op_node_constant(node->args[i], i == 0 ? element : other))
            return false;
        if (i > 0 && memcmp(element, other, size) != 0)
            return false;
    }
    return true;
}

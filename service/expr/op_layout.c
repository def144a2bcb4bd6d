/* Walking loops over a source, and copying along them. */
#include "service/expr/op_layout.h"

#include "service/expr/evaluation.h"
#include "store/base/check.h"

/* A run with steps up to this is read whole and thinned out; beyond, element by element. The same
 * holds for the product of all steps from the root down: each layout on the way would have the next
 * one read so many times more, else. */
enum { THINNED_STEP_MAX = 64 };
/* Rows and columns turned over at a time: what fits the nearest cache. */
enum { BLOCK = 64 };

void
op_layout_add(struct op_layout *layout, uint64_t size, uint64_t stride)
{
    uint32_t inner = layout->rank - 1;

    if (size == 1)
        return;
    if (layout->rank > 0 && stride == layout->strides[inner] * layout->sizes[inner]) {
        layout->sizes[inner] *= size;
        return;
    }
    /* Without elements nothing is walked, and any number of loops may have come together. */
    if (layout->rank == OP_LAYOUT_RANK_MAX)
        return;
    layout->sizes[layout->rank] = size;
    layout->strides[layout->rank++] = stride;
}

void
op_layout_broadcast(struct op_layout *layout, const struct shape *from, const struct shape *to)
{
    uint64_t stride = 1;

    *layout = (struct op_layout){0};
    for (uint32_t i = 0; i < to->rank; i++) {
        uint64_t own = i < from->rank ? from->dims[from->rank - 1 - i] : 1;

        op_layout_add(layout, to->dims[to->rank - 1 - i], own == 1 ? 0 : stride);
        stride *= own;
    }
}

void
op_layout_start(const struct op_layout *layout, uint64_t first, struct op_layout_walk *walk)
{
    *walk = (struct op_layout_walk){.layout = layout, .source = layout->base};
    for (uint32_t i = 0; i < layout->rank && first > 0; i++) {
        walk->at[i] = first % layout->sizes[i];
        walk->source += walk->at[i] * layout->strides[i];
        first /= layout->sizes[i];
    }
}

/* The innermost loop is done: back to its start, one step outwards. */
static void
carry(struct op_layout_walk *walk)
{
    const struct op_layout *layout = walk->layout;

    for (uint32_t i = 0; i < layout->rank && walk->at[i] == layout->sizes[i]; i++) {
        walk->at[i] = 0;
        walk->source -= layout->sizes[i] * layout->strides[i];
        if (i + 1 == layout->rank)
            return;
        walk->at[i + 1]++;
        walk->source += layout->strides[i + 1];
    }
}

struct op_layout_run
op_layout_next(struct op_layout_walk *walk, uint64_t count_max)
{
    const struct op_layout *layout = walk->layout;
    struct op_layout_run run = {.source = walk->source, .count = 1, .step = 1};
    uint64_t left;

    if (layout->rank == 0)
        return run;
    left = layout->sizes[0] - walk->at[0];
    run.count = left < count_max ? left : count_max;
    run.step = layout->strides[0];
    walk->at[0] += run.count;
    walk->source += run.count * run.step;
    if (walk->at[0] == layout->sizes[0])
        carry(walk);
    return run;
}

/* --- copying ------------------------------------------------------------------------------- */

/* Every step-th element; out may be `from` itself. Written out by size, so that each is one move
 * and not a call. */
static void
pick(uint32_t size, const uint8_t *from, uint64_t step, uint64_t count, uint8_t *out)
{
#define PICK(bytes)                                                                                \
    for (uint64_t i = 0; i < count; i++)                                                           \
    memmove(out + i * (bytes), from + i * step * (bytes), bytes)
    switch (size) {
    case 1:
        PICK(1);
        return;
    case 2:
        PICK(2);
        return;
    case 4:
        PICK(4);
        return;
    case 8:
        PICK(8);
        return;
    default:
        PICK(16);
        return;
    }
#undef PICK
}

struct block {
    const uint8_t *from;
    uint8_t *out;
    uint64_t rows, columns; /* of the result */
    uint64_t step;          /* of a column in the source, where rows are beside each other */
};

/* out[row][column] = from[column][row] */
static void
turn_block(uint32_t size, const struct block *b, uint64_t width)
{
#define TURN(bytes)                                                                                \
    for (uint64_t column = 0; column < b->columns; column++)                                       \
        for (uint64_t row = 0; row < b->rows; row++)                                               \
    memcpy(b->out + (row * width + column) * (bytes),                                              \
           b->from + (column * b->step + row) * (bytes), bytes)
    switch (size) {
    case 1:
        TURN(1);
        return;
    case 2:
        TURN(2);
        return;
    case 4:
        TURN(4);
        return;
    case 8:
        TURN(8);
        return;
    default:
        TURN(16);
        return;
    }
#undef TURN
}

static void
turn(uint32_t size, const struct block *whole)
{
    for (uint64_t row = 0; row < whole->rows; row += BLOCK) {
        for (uint64_t column = 0; column < whole->columns; column += BLOCK) {
            uint64_t rows = whole->rows - row, columns = whole->columns - column;
            struct block b = {.from = whole->from + (column * whole->step + row) * size,
                              .out = whole->out + (row * whole->columns + column) * size,
                              .rows = rows < BLOCK ? rows : BLOCK,
                              .columns = columns < BLOCK ? columns : BLOCK,
                              .step = whole->step};

            turn_block(size, &b, whole->columns);
        }
    }
}

/* From here as many whole inner loops as are turned over together: a matrix whose rows stand beside
 * each other in the source. 0: it is not so. */
static uint64_t
rows_to_turn(const struct op_layout_walk *walk, uint64_t count)
{
    const struct op_layout *layout = walk->layout;
    uint64_t rows, left;

    if (layout->rank < 2 || layout->strides[0] < 2 || layout->strides[1] != 1 || walk->at[0] != 0)
        return 0;
    rows = count / layout->sizes[0];
    left = layout->sizes[1] - walk->at[1];
    rows = rows < left ? rows : left;
    return rows < 2 ? 0 : rows;
}

/* A run of elements, or many turned over; moves past them and tells how many they were. */
static uint64_t
copy_some(struct op_layout_walk *walk, const uint8_t *source, uint32_t size, uint64_t first,
          uint64_t count, uint8_t *out)
{
    uint64_t rows = rows_to_turn(walk, count);
    const uint8_t *from = source + walk->source * size;
    struct op_layout_run run;

    if (rows > 0) {
        struct block whole = {.from = from,
                              .out = out,
                              .rows = rows,
                              .columns = walk->layout->sizes[0],
                              .step = walk->layout->strides[0]};

        turn(size, &whole);
        op_layout_start(walk->layout, first + rows * whole.columns, walk);
        return rows * whole.columns;
    }
    run = op_layout_next(walk, count);
    if (run.step == 1)
        memcpy(out, from, (size_t)(run.count * size));
    else if (run.step == 0)
        kernel_fill(size, from, out, run.count);
    else
        pick(size, from, run.step, run.count, out);
    return run.count;
}

void
op_layout_copy(const struct op_layout *layout, const void *source, uint32_t element_size,
               uint64_t first, uint64_t count, void *out)
{
    struct op_layout_walk walk;
    uint8_t *to = out;

    op_layout_start(layout, first, &walk);
    while (count > 0) {
        uint64_t done = copy_some(&walk, source, element_size, first, count, to);

        to += done * element_size;
        first += done;
        count -= done;
    }
}

/* A run with gaps, into `room` (at least run->count) elements: pieces with their gaps go where
 * their elements end up, and are drawn together there. */
static enum err_code
read_thinned(struct evaluator *e, const struct expr *node, uint32_t index,
             const struct op_layout_run *run, uint64_t room, uint8_t *out, struct err *err)
{
    uint32_t size = dtype_size(node->args[index]->type.dtype);
    uint64_t source = run->source, left = run->count;
    uint64_t outer = e->thinned, before = outer == 0 ? 1 : outer;
    bool whole = run->step <= THINNED_STEP_MAX / before;

    while (left > 0) {
        uint64_t turns = whole ? (room - 1) / run->step + 1 : 1;
        enum err_code code;

        turns = turns < left ? turns : left;
        e->thinned = turns > 1 && run->step > 1 ? before * run->step : outer;
        code = op_arg_read(e, node, index, source, (turns - 1) * run->step + 1, out, err);
        e->thinned = outer;
        if (code != OK)
            return code;
        pick(size, out, run->step, turns, out);
        out += turns * size;
        room -= turns;
        left -= turns;
        source += turns * run->step;
    }
    return OK;
}

enum err_code
op_layout_read(const struct op_layout *layout, struct evaluator *e, const struct expr *node,
               uint32_t index, uint64_t first, uint64_t count, void *out, struct err *err)
{
    uint32_t size = dtype_size(node->args[index]->type.dtype);
    struct op_layout_walk walk;
    uint8_t *to = out;

    op_layout_start(layout, first, &walk);
    while (count > 0) {
        struct op_layout_run run = op_layout_next(&walk, count);

        if (run.step == 1)
            TRY(op_arg_read(e, node, index, run.source, run.count, to, err));
        else
            TRY(read_thinned(e, node, index, &run, count, to, err));
        to += run.count * size;
        count -= run.count;
    }
    return OK;
}

void
op_layout_strides(const struct shape *shape, uint64_t strides[static SHAPE_RANK_MAX])
{
    uint64_t stride = 1;

    for (uint32_t dim = shape->rank; dim-- > 0;) {
        strides[dim] = stride;
        stride *= shape->dims[dim];
    }
}

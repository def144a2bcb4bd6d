/* random_crop(value, size, seed): a box of that size somewhere in the argument. The corner is
 * random_uniform([rank], maxval=int32.max, dtype=int32) % (shape - size + 1), as TensorFlow's
 * Python writes it. */
#include "service/expr/op_random.h"

struct random_crop_params {
    struct attr_shape size;
    struct attr_seed seed;
    int64_t run;
};

static const struct attr_spec attrs[] = {
    ATTR_SHAPE(struct random_crop_params, size, .required = true, .help = "shape of the result"),
    ATTR_SEED(struct random_crop_params, seed, .help = "op seed"),
    OP_RANDOM_RUN(struct random_crop_params),
    ATTR_END,
};

static const char *const arg_names[] = {"value"};

/* "[2 3]", as TensorFlow prints a vector. */
static const char *
vector_text(const struct shape *shape, char out[static SHAPE_TEXT_BYTES_MAX])
{
    (void)shape_text(shape, out);
    for (char *at = out; *at != '\0'; at++)
        if (*at == ',')
            *at = ' ';
    return out;
}

static bool
is_inside(const struct shape *size, const struct shape *value)
{
    for (uint32_t i = 0; i < size->rank; i++)
        if (size->dims[i] > value->dims[i])
            return false;
    return true;
}

static enum err_code
random_crop_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct random_crop_params *params = node->params;
    const struct shape *size = &params->size.shape, *value = &node->args[0]->type.shape;
    char have[SHAPE_TEXT_BYTES_MAX], want[SHAPE_TEXT_BYTES_MAX];

    (void)tree;
    TRY(op_check_dtype(node, node->args[0]->type.dtype, err));
    if (size->rank != value->rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "size must have one number for each dimension of value: value.shape is %s, "
                       "size is %s",
                       shape_text(value, have), shape_text(size, want));
    if (!is_inside(size, value))
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "assertion failed: [Need value.shape >= size, got ] %s %s",
                       vector_text(value, have), vector_text(size, want));
    TRY(op_random_check_run(node, params->run, value->rank, err));
    node->type = (struct tensor_type){.dtype = node->args[0]->type.dtype, .shape = *size};
    return OK;
}

static void
draw_corner(const struct expr *node, uint64_t corner[static SHAPE_RANK_MAX])
{
    const struct random_crop_params *params = node->params;
    const struct shape *size = &node->type.shape, *value = &node->args[0]->type.shape;
    struct random_stream stream = {.kind = RANDOM_UNIFORM,
                                   .dtype = DTYPE_INT32,
                                   .seeds = node->seeds,
                                   .base_block = op_random_base(params->run, value->rank),
                                   .high = INT32_MAX};
    int32_t draws[SHAPE_RANK_MAX];

    random_fill(&stream, 0, value->rank, draws);
    for (uint32_t i = 0; i < value->rank; i++)
        corner[i] = (uint64_t)draws[i] % (value->dims[i] - size->dims[i] + 1);
}

/* How many of the last dimensions are whole, or, of the last that is not, in one piece: elements
 * that stand beside each other in both. */
static uint64_t
run_of(const struct shape *size, const struct shape *value)
{
    uint64_t run = 1;

    for (uint32_t i = size->rank; i > 0; i--) {
        run *= size->dims[i - 1];
        if (size->dims[i - 1] != value->dims[i - 1])
            break;
    }
    return run;
}

/* Where an element of the result stands in the argument. */
static uint64_t
place_of(uint64_t index, const struct shape *size, const struct shape *value,
         const uint64_t corner[static SHAPE_RANK_MAX])
{
    uint64_t place = 0, stride = 1;

    for (uint32_t i = size->rank; i > 0; i--) {
        place += (index % size->dims[i - 1] + corner[i - 1]) * stride;
        index /= size->dims[i - 1];
        stride *= value->dims[i - 1];
    }
    return place;
}

static enum err_code
random_crop_eval(struct evaluator *e, const struct expr *node, uint64_t first, uint64_t count,
                 void *out, struct err *err)
{
    const struct shape *size = &node->type.shape, *value = &node->args[0]->type.shape;
    const uint64_t run = run_of(size, value);
    uint64_t corner[SHAPE_RANK_MAX];
    uint8_t *target = out;

    draw_corner(node, corner);
    for (uint64_t n; count > 0;
         first += n, count -= n, target += n * dtype_size(node->type.dtype)) {
        n = run - first % run;
        n = n < count ? n : count;
        TRY(op_arg_read(e, node, 0, place_of(first, size, value, corner), n, target, err));
    }
    return OK;
}

static const struct op_graph_node graph_nodes[] = {
    {.name = "size", .type = "Const"},
    {.name = "Shape", .type = "Const"},
    {.name = "GreaterEqual", .type = "GreaterEqual", .inputs = "Shape size"},
    {.name = "Const", .type = "Const"},
    {.name = "All", .type = "All", .inputs = "GreaterEqual Const"},
    {.name = "Assert/Const", .type = "Const"},
    {.name = "Assert/Assert/data_0", .type = "Const"},
    {.name = "Assert/Assert", .type = "Assert", .inputs = "All Assert/Assert/data_0 Shape size"},
    {.name = "control_dependency", .type = "Identity", .inputs = "Shape ^Assert/Assert"},
    {.name = "sub", .type = "Sub", .inputs = "control_dependency size"},
    {.name = "add/y", .type = "Const"},
    {.name = "add", .type = "Add", .inputs = "sub add/y"},
    {.name = "Shape_1", .type = "Const"},
    {.name = "random_uniform/min", .type = "Const"},
    {.name = "random_uniform/max", .type = "Const"},
    {.name = "random_uniform",
     .type = "RandomUniformInt",
     .inputs = "Shape_1 random_uniform/min random_uniform/max",
     .seeded = true},
    {.name = "mod", .type = "FloorMod", .inputs = "random_uniform add"},
    {.name = "", .type = "Slice", .inputs = "$0 mod size"},
    {.name = NULL},
};

const struct op op_random_crop = {
    .name = "random_crop",
    .summary = "A part of the given size, from a random place of the argument.",
    .attrs = attrs,
    .params_size = sizeof(struct random_crop_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FIXED,
    .access = OP_ACCESS_RUNS,
    .random = true,
    .graph_nodes = graph_nodes,
    .infer = random_crop_infer,
    .eval = random_crop_eval,
};

/* multinomial(logits, num_samples, seed): for each row of logits, classes drawn with probabilities
 * proportional to exp(logit), as r1.0's kernel draws them on one thread (on several its numbers
 * depend on how many): a float32 running sum of exp over the finite logits; a sample is the first
 * class whose sum is greater than u * total. Where a total is 0 or infinite there may be none, and
 * the sample is the number of classes, as in TensorFlow. */
#include "service/expr/op_random.h"

#include <inttypes.h>
#include <math.h>

#include "service/tensor/convert.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct multinomial_params {
    int64_t num_samples;
    struct attr_seed seed;
    int64_t run;
};

enum { UNIFORMS_AT_ONCE = 256 };

static const struct attr_spec attrs[] = {
    ATTR_I64(struct multinomial_params, num_samples, .required = true, .i64_min = 0,
             .i64_max = INT64_MAX, .own_words = true, .help = "how many are drawn for each row"),
    ATTR_SEED(struct multinomial_params, seed, .help = "op seed"),
    OP_RANDOM_RUN(struct multinomial_params),
    ATTR_END,
};

static const char *const arg_names[] = {"logits"};

/* What the kernel sets blocks aside for: samples in whole fours. */
static bool
outputs_of(uint64_t rows, uint64_t samples, uint64_t *out)
{
    return !__builtin_mul_overflow(rows, (samples + 3) / 4 * 4, out);
}

static enum err_code
check_arguments(const struct expr *node, struct err *err)
{
    const struct multinomial_params *params = node->params;
    const struct shape *logits = &node->args[0]->type.shape;
    char text[SHAPE_TEXT_BYTES_MAX], dtypes[OP_DTYPES_TEXT_BYTES_MAX];

    if (!dtype_is_float(node->args[0]->type.dtype))
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "logits of dtype %s, possible are %s",
                       dtype_name(node->args[0]->type.dtype),
                       op_dtypes_text(OP_DTYPES_FLOAT, dtypes));
    if (logits->rank != 2)
        return op_fail(node, ERR_INVALID_ARGUMENT, err, "logits should be a matrix, got shape %s",
                       shape_text(logits, text));
    if (params->num_samples < 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "num_samples should be nonnegative, got %" PRId64, params->num_samples);
    if (logits->dims[1] == 0)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "num_classes should be positive, got 0: logits have shape %s",
                       shape_text(logits, text));
    return OK;
}

static enum err_code
multinomial_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct multinomial_params *params = node->params;
    struct err inner = ERR_INIT;
    struct shape shape;
    uint64_t outputs;

    if (op_settle(tree, node->args[0], DTYPE_FLOAT32, &inner) != OK)
        return op_fail(node, inner.code, err, "logits: %s", inner.text);
    TRY(check_arguments(node, err));
    shape = (struct shape){
        .rank = 2, .dims = {node->args[0]->type.shape.dims[0], (uint64_t)params->num_samples}};
    if (shape_check(&shape, &inner) != OK)
        return op_wrap(node, &inner, err);
    if (!outputs_of(shape.dims[0], shape.dims[1], &outputs))
        outputs = UINT64_MAX;
    TRY(op_random_check_run(node, params->run, outputs, err));
    node->type = (struct tensor_type){.dtype = DTYPE_INT64, .shape = shape};
    return OK;
}

static uint64_t
multinomial_scratch_bytes(const struct expr *node)
{
    const struct tensor_type *logits = &node->args[0]->type;

    return logits->shape.dims[1] * (sizeof(float) + dtype_size(logits->dtype));
}

static uint64_t
multinomial_operations(const struct expr *node)
{
    const uint64_t rows = node->type.shape.dims[0], samples = node->type.shape.dims[1];
    uint64_t each, all;

    if (__builtin_mul_overflow(samples, 64, &each) ||
        __builtin_add_overflow(each, 16 * node->args[0]->type.shape.dims[1], &each) ||
        __builtin_mul_overflow(each, rows, &all))
        return UINT64_MAX;
    return all;
}

/* A row of logits as it is, and the running sum. */
struct row {
    uint64_t classes;
    uint8_t *logits;
    float *sums;
};

static void
drop_row(struct row *row)
{
    mem_free(row->logits);
    mem_free(row->sums);
}

static void
sum_row(enum dtype dtype, struct row *row)
{
    float total = 0;

    for (uint64_t i = 0; i < row->classes; i++) {
        const float logit =
            (float)tensor_element_as_double(dtype, row->logits + i * dtype_size(dtype));

        if (isfinite(logit))
            total += (float)exp((double)logit);
        row->sums[i] = total;
    }
}

/* The first class whose sum is greater. */
static int64_t
class_of(const struct row *row, float sought)
{
    uint64_t low = 0, high = row->classes;

    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;

        if (sought < row->sums[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return (int64_t)low;
}

static void
draw_row(const struct random_stream *stream, const struct row *row, uint64_t first, uint64_t count,
         int64_t *out)
{
    const float total = row->sums[row->classes - 1];
    float uniforms[UNIFORMS_AT_ONCE];

    for (uint64_t i = 0; i < count; i++) {
        const uint64_t left = count - i;

        if (i % UNIFORMS_AT_ONCE == 0)
            random_fill(stream, first + i, left < UNIFORMS_AT_ONCE ? left : UNIFORMS_AT_ONCE,
                        uniforms);
        out[i] = class_of(row, uniforms[i % UNIFORMS_AT_ONCE] * total);
    }
}

static enum err_code
multinomial_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    const struct multinomial_params *params = node->params;
    const struct tensor_type *logits = &node->args[0]->type;
    const uint64_t rows = node->type.shape.dims[0], samples = node->type.shape.dims[1];
    struct random_stream stream = {
        .kind = RANDOM_UNIFORM, .dtype = DTYPE_FLOAT32, .seeds = node->seeds};
    AUTO_CALL(drop_row) struct row row = {.classes = logits->shape.dims[1]};
    uint64_t outputs = 0;

    if (outputs_of(rows, samples, &outputs))
        stream.base_block = op_random_base(params->run, outputs);
    row.logits = mem_alloc((size_t)(row.classes * dtype_size(logits->dtype)), err);
    row.sums = row.logits == NULL ? NULL : mem_alloc((size_t)row.classes * sizeof(float), err);
    if (row.sums == NULL)
        return ERR_NO_MEMORY;
    for (uint64_t i = 0; i < rows; i++) {
        TRY(op_arg_read(e, node, 0, i * row.classes, row.classes, row.logits, err));
        sum_row(logits->dtype, &row);
        draw_row(&stream, &row, i * samples, samples, (int64_t *)out + i * samples);
    }
    return OK;
}

/* The seed is asked for before the number of samples becomes a Const. */
static const struct op_graph_node graph_nodes[] = {
    {.name = "Multinomial/num_samples", .type = "Const"},
    {.name = "Multinomial",
     .type = "Multinomial",
     .inputs = "$0 Multinomial/num_samples",
     .result = OP_GRAPH_TYPE_RESULT,
     .seeded = true,
     .seed_ahead = 1},
    {.name = NULL},
};

const struct op op_multinomial = {
    .name = "multinomial",
    .summary = "Classes drawn with the probabilities that each row of logits gives.",
    .attrs = attrs,
    .params_size = sizeof(struct multinomial_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_DTYPE(INT64),
    .arg_dtypes = OP_DTYPES_FLOAT,
    .access = OP_ACCESS_RUNS,
    .random = true,
    .graph_nodes = graph_nodes,
    .infer = multinomial_infer,
    .compute = multinomial_compute,
    .scratch_bytes = multinomial_scratch_bytes,
    .operations = multinomial_operations,
};

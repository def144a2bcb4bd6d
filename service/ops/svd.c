/* svd(tensor, full_matrices, compute_uv, output): a = u diag(s) v^H, s falling; `output` says which
 * of the three results is meant. */
#include "service/expr/op_linear.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct svd_params {
    bool full_matrices, compute_uv;
    int64_t output;
};

enum output { OUTPUT_S, OUTPUT_U, OUTPUT_V };
static const char *const outputs[] = {"s", "u", "v", NULL};

static const struct attr_spec attrs[] = {
    ATTR_BOOL(struct svd_params, full_matrices, .help = "whether u and v are square"),
    ATTR_BOOL(struct svd_params, compute_uv, .i64_default = true,
              .help = "false: there is no result but s"),
    ATTR_CHOICE(struct svd_params, output, .choices = outputs, .help = "which result: s, u or v"),
    ATTR_END,
};

static const char *const arg_names[] = {"tensor"};

static uint64_t
least(const struct op_matrices *m)
{
    return m->rows < m->columns ? m->rows : m->columns;
}

static enum err_code
svd_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct svd_params *params = node->params;
    const struct tensor_type *from = &node->args[0]->type;
    struct op_matrices m;
    uint64_t rows;

    (void)tree;
    TRY(op_linear_check(node, 0, err));
    if (params->output != OUTPUT_S && !params->compute_uv)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "output '%s' is not there when compute_uv is false",
                       outputs[params->output]);
    m = op_linear_matrices(node, 0);
    node->type = *from;
    if (params->output == OUTPUT_S) {
        node->type.dtype = dtype_real(from->dtype);
        node->type.shape = op_linear_shape(&from->shape, least(&m), UINT64_MAX);
        return OK;
    }
    rows = params->output == OUTPUT_U ? m.rows : m.columns;
    node->type.shape =
        op_linear_shape(&from->shape, rows, params->full_matrices ? rows : least(&m));
    return OK;
}

/* What one decomposition gives beside what is wanted. */
static struct op_matrices
side_of(const struct expr *node, const struct op_matrices *m, bool left)
{
    const struct svd_params *params = node->params;
    uint64_t rows = left ? m->rows : m->columns;

    return (struct op_matrices){.batch = 1,
                                .rows = rows,
                                .columns = params->full_matrices ? rows : least(m),
                                .dtype = m->dtype};
}

struct sides {
    void *s, *u, *vh;
};

static void
sides_drop(struct sides *sides)
{
    mem_free(sides->s);
    mem_free(sides->u);
    mem_free(sides->vh);
}

static uint64_t
side_bytes(const struct op_matrices *m)
{
    uint64_t bytes = op_linear_matrix_bytes(m);

    return bytes < 1 ? 1 : bytes;
}

static enum err_code
sides_init(struct sides *sides, const struct expr *node, const struct op_matrices *m,
           struct err *err)
{
    struct op_matrices u = side_of(node, m, true), v = side_of(node, m, false);

    sides->s = mem_aligned((size_t)(least(m) * sizeof(double)), err);
    if (sides->s == NULL)
        return ERR_NO_MEMORY;
    sides->u = mem_aligned((size_t)side_bytes(&u), err);
    if (sides->u == NULL)
        return ERR_NO_MEMORY;
    sides->vh = mem_aligned((size_t)side_bytes(&v), err);
    return sides->vh == NULL ? ERR_NO_MEMORY : OK;
}

static enum err_code
each_values(const struct op_linear_step *step, struct err *err)
{
    const struct op_matrices *m = &step->matrices;
    uint32_t size = dtype_size(dtype_real(m->dtype));

    return blas_svd(m->dtype, m->rows, m->columns, false, step->copy,
                    step->out + step->index * least(m) * size, NULL, NULL, err);
}

static enum err_code
each_side(const struct op_linear_step *step, struct err *err)
{
    const struct svd_params *params = step->node->params;
    const struct op_matrices *m = &step->matrices;
    struct op_matrices side = side_of(step->node, m, params->output == OUTPUT_U);
    uint64_t bytes = op_linear_matrix_bytes(&side);
    AUTO(sides) sides = {0};

    TRY(sides_init(&sides, step->node, m, err));
    TRY(blas_svd(m->dtype, m->rows, m->columns, params->full_matrices, step->copy, sides.s, sides.u,
                 sides.vh, err));
    if (params->output == OUTPUT_U)
        memcpy(step->out + step->index * bytes, sides.u, (size_t)bytes);
    else
        op_linear_adjoint_to(m->dtype, side.columns, side.rows, sides.vh,
                             step->out + step->index * bytes);
    return OK;
}

static enum err_code
svd_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    const struct svd_params *params = node->params;
    struct op_matrices m = op_linear_matrices(node, 0);

    if (params->output != OUTPUT_S)
        op_linear_identities(&node->type, out);
    TRY(op_linear_check_finite(node, 0, op_arg_whole(e, node, 0), err));
    if (m.rows * m.columns == 0)
        return OK;
    return op_linear_run(e, node, true, params->output == OUTPUT_S ? each_values : each_side, out,
                         err);
}

static uint64_t
svd_scratch(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    const struct svd_params *params = node->params;
    struct op_matrices u = side_of(node, &m, true), v = side_of(node, &m, false);
    uint64_t bytes =
        op_linear_add(op_linear_matrix_bytes(&m), blas_svd_bytes(m.dtype, m.rows, m.columns));

    if (params->output == OUTPUT_S)
        return bytes;
    bytes = op_linear_add(bytes, op_linear_multiply(least(&m), sizeof(double)));
    return op_linear_add(bytes,
                         op_linear_add(op_linear_matrix_bytes(&u), op_linear_matrix_bytes(&v)));
}

static uint64_t
svd_operations(const struct expr *node)
{
    const struct svd_params *params = node->params;
    struct op_matrices m = op_linear_matrices(node, 0);
    struct op_matrices u = side_of(node, &m, true), v = side_of(node, &m, false);

    u.batch = v.batch = m.batch;
    return op_linear_add(op_linear_cubic(&m, params->output == OUTPUT_S ? 4 : 14),
                         op_linear_add(op_linear_cubic(&u, 1), op_linear_cubic(&v, 1)));
}

const struct op op_svd = {
    .name = "svd",
    .summary = "The singular values of a matrix, or one of the orthogonal matrices beside them.",
    .attrs = attrs,
    .params_size = sizeof(struct svd_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_LINEAR_DTYPES,
    .arg_dtypes = OP_LINEAR_DTYPES,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "Svd",
    .infer = svd_infer,
    .compute = svd_compute,
    .scratch_bytes = svd_scratch,
    .operations = svd_operations,
};

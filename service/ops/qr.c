/* qr(input, full_matrices, output): by Householder reflections; `output` says which of the two
 * results is meant. */
#include "service/expr/op_linear.h"

struct qr_params {
    bool full_matrices;
    int64_t output;
};

enum output { OUTPUT_Q, OUTPUT_R };
static const char *const outputs[] = {"q", "r", NULL};

static const struct attr_spec attrs[] = {
    ATTR_BOOL(struct qr_params, full_matrices,
              .help = "whether q is square and r as large as the argument"),
    ATTR_CHOICE(struct qr_params, output, .choices = outputs, .help = "which result: q or r"),
    ATTR_END,
};

static const char *const arg_names[] = {"input"};

/* Columns of q, rows of r. */
static uint64_t
inner_size(const struct expr *node, const struct op_matrices *m)
{
    const struct qr_params *params = node->params;

    return params->full_matrices || m->rows < m->columns ? m->rows : m->columns;
}

static enum err_code
qr_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    const struct qr_params *params = node->params;
    struct op_matrices m;
    uint64_t inner;

    (void)tree;
    TRY(op_linear_check(node, 0, err));
    m = op_linear_matrices(node, 0);
    inner = inner_size(node, &m);
    node->type = node->args[0]->type;
    node->type.shape = params->output == OUTPUT_Q
                           ? op_linear_shape(&node->type.shape, m.rows, inner)
                           : op_linear_shape(&node->type.shape, inner, m.columns);
    return OK;
}

static enum err_code
each(const struct op_linear_step *step, struct err *err)
{
    const struct qr_params *params = step->node->params;
    const struct op_matrices *m = &step->matrices;
    uint64_t inner = inner_size(step->node, m);
    bool is_q = params->output == OUTPUT_Q;
    uint64_t elements = is_q ? m->rows * inner : inner * m->columns;
    uint8_t *to = step->out + step->index * elements * dtype_size(m->dtype);

    return blas_qr(m->dtype, m->rows, m->columns, params->full_matrices, step->copy,
                   is_q ? to : NULL, is_q ? NULL : to, err);
}

static enum err_code
qr_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    op_linear_identities(&node->type, out);
    TRY(op_linear_check_finite(node, 0, op_arg_whole(e, node, 0), err));
    return m.rows * m.columns == 0 ? OK : op_linear_run(e, node, true, each, out, err);
}

static uint64_t
qr_scratch(const struct expr *node)
{
    struct op_matrices m = op_linear_matrices(node, 0);

    const struct qr_params *params = node->params;

    return op_linear_add(op_linear_matrix_bytes(&m),
                         blas_qr_bytes(m.dtype, m.rows, m.columns, params->full_matrices));
}

static uint64_t
qr_operations(const struct expr *node)
{
    const struct qr_params *params = node->params;
    struct op_matrices m = op_linear_matrices(node, 0);
    struct op_matrices full = {.batch = m.batch, .rows = m.rows, .columns = m.rows};

    return op_linear_add(op_linear_cubic(&m, 2),
                         params->full_matrices ? op_linear_cubic(&full, 1) : 0);
}

const struct op op_qr = {
    .name = "qr",
    .summary = "The orthogonal or the triangular factor of a matrix.",
    .attrs = attrs,
    .params_size = sizeof(struct qr_params),
    .args_min = 1,
    .args_max = 1,
    .arg_names = arg_names,
    .dtypes = OP_LINEAR_DTYPES,
    .access = OP_ACCESS_WHOLE,
    .graph_type = "Qr",
    .infer = qr_infer,
    .compute = qr_compute,
    .scratch_bytes = qr_scratch,
    .operations = qr_operations,
};

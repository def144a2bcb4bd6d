/* matmul(a, b, transpose_a, transpose_b, adjoint_a, adjoint_b): a product of matrices, or of each
 * two in batches of them. float16 and bfloat16 are multiplied as float32 and rounded once; int32
 * wraps. */
#include "service/expr/op_linear.h"
#include "service/tensor/convert.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"

struct matmul_params {
    bool transpose_a, transpose_b, adjoint_a, adjoint_b, a_is_sparse, b_is_sparse;
};

static const struct attr_spec attrs[] = {
    ATTR_BOOL(struct matmul_params, transpose_a, .help = "whether a is transposed first"),
    ATTR_BOOL(struct matmul_params, transpose_b, .help = "whether b is transposed first"),
    ATTR_BOOL(struct matmul_params, adjoint_a, .help = "whether a is conjugated and transposed"),
    ATTR_BOOL(struct matmul_params, adjoint_b, .help = "whether b is conjugated and transposed"),
    ATTR_BOOL(struct matmul_params, a_is_sparse, .help = "a hint, without effect"),
    ATTR_BOOL(struct matmul_params, b_is_sparse, .help = "a hint, without effect"),
    ATTR_END,
};

/* A strip takes a second or so; fewer rows would spend it on packing b. */
#define STRIP_OPERATIONS ((uint64_t)50 * 1000 * 1000 * 1000)
enum { STRIP_ROWS_MIN = 256 };

static const char *const arg_names[] = {"a", "b"};

static struct blas_product
product_of(const struct expr *node)
{
    const struct matmul_params *params = node->params;
    struct op_matrices a = op_linear_matrices(node, 0), b = op_linear_matrices(node, 1);
    struct blas_product product = {
        .m = a.rows,
        .n = b.columns,
        .k = a.columns,
        .a = params->adjoint_a     ? BLAS_ADJOINT
             : params->transpose_a ? BLAS_TRANSPOSED
                                   : BLAS_AS_IS,
        .b = params->adjoint_b     ? BLAS_ADJOINT
             : params->transpose_b ? BLAS_TRANSPOSED
                                   : BLAS_AS_IS,
    };

    if (product.a != BLAS_AS_IS) {
        product.m = a.columns;
        product.k = a.rows;
    }
    if (product.b != BLAS_AS_IS)
        product.n = b.rows;
    return product;
}

static enum err_code
check_forms(const struct expr *node, struct err *err)
{
    const struct matmul_params *params = node->params;

    if (params->transpose_a && params->adjoint_a)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Only one of transpose_a and adjoint_a can be True.");
    if (params->transpose_b && params->adjoint_b)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Only one of transpose_b and adjoint_b can be True.");
    return OK;
}

/* As many dimensions, and the ones before the last two equal. */
static enum err_code
check_batches(const struct expr *node, struct err *err)
{
    const struct shape *a = &node->args[0]->type.shape, *b = &node->args[1]->type.shape;
    char first[SHAPE_TEXT_BYTES_MAX], second[SHAPE_TEXT_BYTES_MAX];

    if (a->rank != b->rank)
        return op_fail(node, ERR_INVALID_ARGUMENT, err,
                       "Shapes must be of equal rank, but are %u and %u (a is %s, b is %s)",
                       (unsigned)a->rank, (unsigned)b->rank, shape_text(a, first),
                       shape_text(b, second));
    for (uint32_t i = 0; i + 2 < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return op_linear_unequal(node, a->dims[i], b->dims[i], err);
    return OK;
}

static enum err_code
matmul_infer(struct expr_tree *tree, struct expr *node, struct err *err)
{
    struct op_matrices a, b;
    struct blas_product product;

    TRY(op_settle_together(tree, node, err));
    TRY(op_linear_check(node, 0, err));
    TRY(op_linear_check(node, 1, err));
    TRY(check_forms(node, err));
    TRY(check_batches(node, err));
    a = op_linear_matrices(node, 0);
    b = op_linear_matrices(node, 1);
    product = product_of(node);
    if (product.k != (product.b == BLAS_AS_IS ? b.rows : b.columns))
        return op_linear_unequal(node, product.k, product.b == BLAS_AS_IS ? b.rows : b.columns,
                                 err);
    node->type = (struct tensor_type){
        .dtype = a.dtype,
        .shape = op_linear_shape(&node->args[0]->type.shape, product.m, product.n)};
    return OK;
}

/* --- evaluation ---------------------------------------------------------------------------- */

static bool
is_half(enum dtype dtype)
{
    return dtype == DTYPE_FLOAT16 || dtype == DTYPE_BFLOAT16;
}

static uint64_t
matmul_scratch(const struct expr *node)
{
    struct blas_product p = product_of(node);
    uint64_t ab = op_linear_add(op_linear_multiply(p.m, p.k), op_linear_multiply(p.k, p.n));

    if (node->type.dtype == DTYPE_INT32)
        return p.b == BLAS_AS_IS ? 0 : op_linear_multiply(p.k * p.n, sizeof(int32_t));
    if (is_half(node->type.dtype))
        return op_linear_multiply(op_linear_add(ab, op_linear_multiply(p.m, p.n)), sizeof(float));
    return 0;
}

static enum err_code
multiply_halves(enum dtype dtype, const struct blas_product *p, const void *a, const void *b,
                void *c, float *scratch, struct err *err)
{
    float *wide_b = scratch + p->m * p->k, *wide_c = wide_b + p->k * p->n;

    tensor_cast(dtype, a, DTYPE_FLOAT32, scratch, p->m * p->k);
    tensor_cast(dtype, b, DTYPE_FLOAT32, wide_b, p->k * p->n);
    TRY(blas_gemm(DTYPE_FLOAT32, p, scratch, wide_b, wide_c, err));
    tensor_cast(DTYPE_FLOAT32, wide_c, dtype, c, p->m * p->n);
    return OK;
}

static enum err_code
multiply(enum dtype dtype, const struct blas_product *p, const void *a, const void *b, void *c,
         void *scratch, struct err *err)
{
    if (is_half(dtype))
        return multiply_halves(dtype, p, a, b, c, scratch, err);
    if (dtype != DTYPE_INT32)
        return blas_gemm(dtype, p, a, b, c, err);
    blas_gemm_int32(p, a, b, c, scratch);
    return OK;
}

/* One matrix: in strips of its rows, cut by shape alone, so that a large product can be given up.
 */
static enum err_code
multiply_strips(struct evaluator *e, enum dtype dtype, const struct blas_product *whole,
                const uint8_t *a, const uint8_t *b, uint8_t *c, void *scratch, struct err *err)
{
    uint64_t each = op_linear_multiply(whole->n, whole->k), size = dtype_size(dtype);
    uint64_t rows = STRIP_OPERATIONS / (each == 0 ? 1 : each);
    struct blas_product strip = *whole;

    if (is_half(dtype) || rows >= whole->m) /* halves are widened whole */
        return multiply(dtype, whole, a, b, c, scratch, err);
    rows = rows < STRIP_ROWS_MIN ? STRIP_ROWS_MIN : rows;
    strip.a_step = blas_a_step(whole);
    for (uint64_t row = 0; row < whole->m; row += strip.m) {
        uint64_t skip = whole->a == BLAS_AS_IS ? row * whole->k : row;

        strip.m = whole->m - row < rows ? whole->m - row : rows;
        TRY(op_check_interrupt(e, err));
        TRY(multiply(dtype, &strip, a + skip * size, b, c + row * whole->n * size, scratch, err));
    }
    return OK;
}

static enum err_code
matmul_compute(struct evaluator *e, const struct expr *node, void *out, struct err *err)
{
    struct blas_product p = product_of(node);
    const uint8_t *a = op_arg_whole(e, node, 0), *b = op_arg_whole(e, node, 1);
    uint64_t batch = op_linear_matrices(node, 0).batch, scratch_bytes = matmul_scratch(node);
    uint32_t size = dtype_size(node->type.dtype);
    AUTO_CALL(mem_free_scope) void *scratch = NULL;
    struct err inner = ERR_INIT;

    if (shape_count(&node->type.shape) == 0)
        return OK;
    if (scratch_bytes > 0) {
        scratch = mem_aligned((size_t)scratch_bytes, err);
        if (scratch == NULL)
            return ERR_NO_MEMORY;
    }
    for (uint64_t i = 0; i < batch; i++) {
        TRY(op_check_interrupt(e, err));
        if (multiply_strips(e, node->type.dtype, &p, a + i * p.m * p.k * size,
                            b + i * p.k * p.n * size, (uint8_t *)out + i * p.m * p.n * size,
                            scratch, &inner) != OK)
            return op_wrap(node, &inner, err);
    }
    return OK;
}

static uint64_t
matmul_operations(const struct expr *node)
{
    struct blas_product p = product_of(node);
    uint64_t each = op_linear_multiply(op_linear_multiply(p.m, p.n), p.k);

    return op_linear_multiply(each, op_linear_matrices(node, 0).batch);
}

const struct op op_matmul = {
    .name = "matmul",
    .summary = "The product of two matrices, or of each two of a batch.",
    .attrs = attrs,
    .params_size = sizeof(struct matmul_params),
    .args_min = 2,
    .args_max = 2,
    .arg_names = arg_names,
    .dtypes = OP_DTYPES_FLOAT | OP_DTYPE(INT32) | OP_DTYPE(COMPLEX64) | OP_DTYPE(COMPLEX128),
    .access = OP_ACCESS_WHOLE,
    .graph_type = "MatMul",
    .infer = matmul_infer,
    .compute = matmul_compute,
    .scratch_bytes = matmul_scratch,
    .operations = matmul_operations,
};

/* Products of int32 matrices, which BLAS does not have. Rows of b are added to rows of the result,
 * a block of them at a time, so that the block stays in the second-level cache. */
#include <string.h>

#include "service/tensor/blas.h"
#include "service/tensor/vector.h"

VECTOR_FILE

enum { BLOCK_DEPTH = 64, BLOCK_COLUMNS = 1024 };

VECTOR_CLONES static void
add_scaled(uint32_t factor, const uint32_t *row, uint32_t *out, uint64_t count)
{
    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++)
        out[i] += factor * row[i];
}

static void
multiply_block(const struct blas_product *p, const uint32_t *a, const uint32_t *b, uint32_t *c,
               uint64_t depth, uint64_t column)
{
    uint64_t depth_end = p->k - depth < BLOCK_DEPTH ? p->k : depth + BLOCK_DEPTH;
    uint64_t count = p->n - column < BLOCK_COLUMNS ? p->n - column : BLOCK_COLUMNS;
    uint64_t step = blas_a_step(p);

    for (uint64_t i = 0; i < p->m; i++)
        for (uint64_t l = depth; l < depth_end; l++)
            add_scaled(a[p->a == BLAS_AS_IS ? i * step + l : l * step + i], b + l * p->n + column,
                       c + i * p->n + column, count);
}

void
blas_gemm_int32(const struct blas_product *product, const int32_t *a, const int32_t *b, int32_t *c,
                int32_t *scratch)
{
    const struct blas_product *p = product;

    memset(c, 0, (size_t)(p->m * p->n) * sizeof *c);
    if (p->b != BLAS_AS_IS) {
        for (uint64_t i = 0; i < p->n; i++)
            for (uint64_t l = 0; l < p->k; l++)
                scratch[l * p->n + i] = b[i * p->k + l];
        b = scratch;
    }
    for (uint64_t column = 0; column < p->n; column += BLOCK_COLUMNS)
        for (uint64_t depth = 0; depth < p->k; depth += BLOCK_DEPTH)
            multiply_block(p, (const uint32_t *)a, (const uint32_t *)b, (uint32_t *)c, depth,
                           column);
}

void
blas_gemm_int32_plain(const struct blas_product *product, const int32_t *a, const int32_t *b,
                      int32_t *c)
{
    const struct blas_product *p = product;
    uint64_t step = blas_a_step(p);

    for (uint64_t i = 0; i < p->m; i++)
        for (uint64_t j = 0; j < p->n; j++) {
            uint32_t sum = 0;

            for (uint64_t l = 0; l < p->k; l++)
                sum += (uint32_t)a[p->a == BLAS_AS_IS ? i * step + l : l * step + i] *
                       (uint32_t)b[p->b == BLAS_AS_IS ? l * p->n + j : j * p->k + l];
            c[i * p->n + j] = (int32_t)sum;
        }
}

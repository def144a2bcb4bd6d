/* Half precision: blocks are widened to float32, computed there and rounded once. */
#include "service/tensor/half.h"
#include "service/tensor/kernels_run.h"

enum { HALF_BLOCK = 512 };

static void
widen(enum dtype dtype, const uint16_t *in, float *out, uint64_t count)
{
    if (dtype == DTYPE_FLOAT16)
        half_to_floats(in, out, count);
    else
        bfloat16_to_floats(in, out, count);
}

static void
narrow(enum dtype dtype, const float *in, uint16_t *out, uint64_t count)
{
    if (dtype == DTYPE_FLOAT16)
        half_of_floats(in, out, count);
    else
        bfloat16_of_floats(in, out, count);
}

static uint64_t
block_of(uint64_t done, uint64_t count)
{
    return count - done < HALF_BLOCK ? count - done : HALF_BLOCK;
}

void
kernel_half_binary(enum dtype dtype, kernel_binary_run *run, struct kernel_operand a,
                   struct kernel_operand b, void *out, uint64_t count)
{
    const uint16_t *x = a.data, *y = b.data;
    uint16_t *z = out;
    _Alignas(64) float wide_a[HALF_BLOCK], wide_b[HALF_BLOCK], wide_out[HALF_BLOCK];
    const struct kernel_operand from_a = {wide_a, a.step}, from_b = {wide_b, b.step};

    widen(dtype, x, wide_a, 1);
    widen(dtype, y, wide_b, 1);
    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = block_of(done, count);
        if (a.step != 0)
            widen(dtype, x + done, wide_a, n);
        if (b.step != 0)
            widen(dtype, y + done, wide_b, n);
        run(from_a, from_b, wide_out, n);
        narrow(dtype, wide_out, z + done, n);
    }
}

void
kernel_half_compare(enum dtype dtype, kernel_binary_run *run, struct kernel_operand a,
                    struct kernel_operand b, uint8_t *out, uint64_t count)
{
    const uint16_t *x = a.data, *y = b.data;
    _Alignas(64) float wide_a[HALF_BLOCK], wide_b[HALF_BLOCK];
    const struct kernel_operand from_a = {wide_a, a.step}, from_b = {wide_b, b.step};

    widen(dtype, x, wide_a, 1);
    widen(dtype, y, wide_b, 1);
    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = block_of(done, count);
        if (a.step != 0)
            widen(dtype, x + done, wide_a, n);
        if (b.step != 0)
            widen(dtype, y + done, wide_b, n);
        run(from_a, from_b, out + done, n);
    }
}

void
kernel_half_unary(enum dtype dtype, kernel_unary_run *run, const void *in, void *out,
                  uint64_t count)
{
    const uint16_t *x = in;
    uint16_t *z = out;
    _Alignas(64) float wide[HALF_BLOCK];

    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = block_of(done, count);
        widen(dtype, x + done, wide, n);
        run(wide, wide, n);
        narrow(dtype, wide, z + done, n);
    }
}

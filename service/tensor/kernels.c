/* The fast elementwise kernels: one vectorised loop per operation and type, from kernels.inc.
 * kernels_plain.c holds the twins that say in the plainest way what these must compute. */
#include "service/tensor/kernels.h"

#include "service/tensor/half.h"
#include "service/tensor/kernels_complex.h"
#include "service/tensor/vector.h"
#include "store/base/check.h"

VECTOR_FILE

/* Integers wrap: computed unsigned, in a type the compiler does not promote to int. */
#define INTEGER_ADD(a, b)      ((KERNEL_TYPE)((KERNEL_UNSIGNED)(a) + (KERNEL_UNSIGNED)(b)))
#define INTEGER_SUBTRACT(a, b) ((KERNEL_TYPE)((KERNEL_UNSIGNED)(a) - (KERNEL_UNSIGNED)(b)))
#define INTEGER_MULTIPLY(a, b) ((KERNEL_TYPE)((KERNEL_UNSIGNED)(a) * (KERNEL_UNSIGNED)(b)))
#define INTEGER_NEGATIVE(a)    ((KERNEL_TYPE)(0 - (KERNEL_UNSIGNED)(a)))
#define UNSIGNED_DIVIDE(a, b)  ((KERNEL_TYPE)((a) / (b)))
/* The minimum divided by -1 wraps to itself; the instruction would trap. */
#define SIGNED_DIVIDE(a, b) ((KERNEL_TYPE)((b) == -1 ? INTEGER_NEGATIVE(a) : (a) / (b)))

#define KERNEL_TYPE     int8_t
#define KERNEL_UNSIGNED unsigned
#define KERNEL_NAME(op) int8_##op
#define KERNEL_ADD      INTEGER_ADD
#define KERNEL_SUBTRACT INTEGER_SUBTRACT
#define KERNEL_MULTIPLY INTEGER_MULTIPLY
#define KERNEL_DIVIDE   SIGNED_DIVIDE
#define KERNEL_NEGATIVE INTEGER_NEGATIVE
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     int16_t
#define KERNEL_NAME(op) int16_##op
#define KERNEL_ADD      INTEGER_ADD
#define KERNEL_SUBTRACT INTEGER_SUBTRACT
#define KERNEL_MULTIPLY INTEGER_MULTIPLY
#define KERNEL_DIVIDE   SIGNED_DIVIDE
#define KERNEL_NEGATIVE INTEGER_NEGATIVE
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     int32_t
#define KERNEL_NAME(op) int32_##op
#define KERNEL_ADD      INTEGER_ADD
#define KERNEL_SUBTRACT INTEGER_SUBTRACT
#define KERNEL_MULTIPLY INTEGER_MULTIPLY
#define KERNEL_DIVIDE   SIGNED_DIVIDE
#define KERNEL_NEGATIVE INTEGER_NEGATIVE
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     uint8_t
#define KERNEL_NAME(op) uint8_##op
#define KERNEL_ADD      INTEGER_ADD
#define KERNEL_SUBTRACT INTEGER_SUBTRACT
#define KERNEL_MULTIPLY INTEGER_MULTIPLY
#define KERNEL_DIVIDE   UNSIGNED_DIVIDE
#define KERNEL_NEGATIVE INTEGER_NEGATIVE
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     uint16_t
#define KERNEL_NAME(op) uint16_##op
#define KERNEL_ADD      INTEGER_ADD
#define KERNEL_SUBTRACT INTEGER_SUBTRACT
#define KERNEL_MULTIPLY INTEGER_MULTIPLY
#define KERNEL_DIVIDE   UNSIGNED_DIVIDE
#define KERNEL_NEGATIVE INTEGER_NEGATIVE
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     uint32_t
#define KERNEL_NAME(op) uint32_##op
#define KERNEL_ADD      INTEGER_ADD
#define KERNEL_SUBTRACT INTEGER_SUBTRACT
#define KERNEL_MULTIPLY INTEGER_MULTIPLY
#define KERNEL_DIVIDE   UNSIGNED_DIVIDE
#define KERNEL_NEGATIVE INTEGER_NEGATIVE
#include "service/tensor/kernels.inc"

#undef KERNEL_UNSIGNED
#define KERNEL_UNSIGNED uint64_t

#define KERNEL_TYPE     int64_t
#define KERNEL_NAME(op) int64_##op
#define KERNEL_ADD      INTEGER_ADD
#define KERNEL_SUBTRACT INTEGER_SUBTRACT
#define KERNEL_MULTIPLY INTEGER_MULTIPLY
#define KERNEL_DIVIDE   SIGNED_DIVIDE
#define KERNEL_NEGATIVE INTEGER_NEGATIVE
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     uint64_t
#define KERNEL_NAME(op) uint64_##op
#define KERNEL_ADD      INTEGER_ADD
#define KERNEL_SUBTRACT INTEGER_SUBTRACT
#define KERNEL_MULTIPLY INTEGER_MULTIPLY
#define KERNEL_DIVIDE   UNSIGNED_DIVIDE
#define KERNEL_NEGATIVE INTEGER_NEGATIVE
#include "service/tensor/kernels.inc"

#define FLOAT_ADD(a, b)      ((a) + (b))
#define FLOAT_SUBTRACT(a, b) ((a) - (b))
#define FLOAT_MULTIPLY(a, b) ((a) * (b))
#define FLOAT_DIVIDE(a, b)   ((a) / (b))
#define FLOAT_NEGATIVE(a)    (-(a))

#define KERNEL_TYPE     float
#define KERNEL_NAME(op) float32_##op
#define KERNEL_ADD      FLOAT_ADD
#define KERNEL_SUBTRACT FLOAT_SUBTRACT
#define KERNEL_MULTIPLY FLOAT_MULTIPLY
#define KERNEL_DIVIDE   FLOAT_DIVIDE
#define KERNEL_NEGATIVE FLOAT_NEGATIVE
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     double
#define KERNEL_NAME(op) float64_##op
#define KERNEL_ADD      FLOAT_ADD
#define KERNEL_SUBTRACT FLOAT_SUBTRACT
#define KERNEL_MULTIPLY FLOAT_MULTIPLY
#define KERNEL_DIVIDE   FLOAT_DIVIDE
#define KERNEL_NEGATIVE FLOAT_NEGATIVE
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     struct kernel_complex64
#define KERNEL_NAME(op) complex64_##op
#define KERNEL_ADD      kernel_complex64_add
#define KERNEL_SUBTRACT kernel_complex64_subtract
#define KERNEL_MULTIPLY kernel_complex64_multiply
#define KERNEL_DIVIDE   kernel_complex64_divide
#define KERNEL_NEGATIVE kernel_complex64_negative
#include "service/tensor/kernels.inc"

#define KERNEL_TYPE     struct kernel_complex128
#define KERNEL_NAME(op) complex128_##op
#define KERNEL_ADD      kernel_complex128_add
#define KERNEL_SUBTRACT kernel_complex128_subtract
#define KERNEL_MULTIPLY kernel_complex128_multiply
#define KERNEL_DIVIDE   kernel_complex128_divide
#define KERNEL_NEGATIVE kernel_complex128_negative
#include "service/tensor/kernels.inc"

typedef void binary_run(struct kernel_operand a, struct kernel_operand b, void *out,
                        uint64_t count);
typedef void unary_run(const void *in, void *out, uint64_t count);

/* --- half precision: blocks of float32
 * -------------------------------------------------------------- */

enum { HALF_BLOCK = 512 };

typedef void widen_run(const uint16_t *in, float *out, uint64_t count);
typedef void narrow_run(const float *in, uint16_t *out, uint64_t count);

static void
half_binary(widen_run *widen, narrow_run *narrow, binary_run *run, struct kernel_operand a,
            struct kernel_operand b, void *out, uint64_t count)
{
    const uint16_t *x = a.data, *y = b.data;
    uint16_t *z = out;
    _Alignas(64) float wide_a[HALF_BLOCK], wide_b[HALF_BLOCK], wide_out[HALF_BLOCK];
    const struct kernel_operand from_a = {wide_a, a.step}, from_b = {wide_b, b.step};

    widen(x, wide_a, 1);
    widen(y, wide_b, 1);
    for (uint64_t done = 0, n = 0; done < count; done += n) {
        n = count - done < HALF_BLOCK ? count - done : HALF_BLOCK;
        if (a.step != 0)
            widen(x + done, wide_a, n);
        if (b.step != 0)
            widen(y + done, wide_b, n);
        run(from_a, from_b, wide_out, n);
        narrow(wide_out, z + done, n);
    }
}

#define HALF_RUN(type, op, widen, narrow)                                                          \
    static void type##_##op(struct kernel_operand a, struct kernel_operand b, void *out,           \
                            uint64_t count)                                                        \
    {                                                                                              \
        half_binary(widen, narrow, float32_##op, a, b, out, count);                                \
    }

HALF_RUN(float16, add, half_to_floats, half_of_floats)
HALF_RUN(float16, subtract, half_to_floats, half_of_floats)
HALF_RUN(float16, multiply, half_to_floats, half_of_floats)
HALF_RUN(float16, divide, half_to_floats, half_of_floats)
HALF_RUN(bfloat16, add, bfloat16_to_floats, bfloat16_of_floats)
HALF_RUN(bfloat16, subtract, bfloat16_to_floats, bfloat16_of_floats)
HALF_RUN(bfloat16, multiply, bfloat16_to_floats, bfloat16_of_floats)
HALF_RUN(bfloat16, divide, bfloat16_to_floats, bfloat16_of_floats)

/* Both 16-bit formats keep the sign in the top bit; nothing to round. */
VECTOR_CLONES static void
half_negative(const void *in, void *out, uint64_t count)
{
    const uint16_t *x = in;
    uint16_t *z = out;

    VECTOR_LOOP
    for (uint64_t i = 0; i < count; i++)
        z[i] = x[i] ^ 0x8000;
}

/* --- tables
 * ----------------------------------------------------------------------------------------- */

#define BINARY_ROW(type)                                                                           \
    {                                                                                              \
        [KERNEL_ADD] = type##_add, [KERNEL_SUBTRACT] = type##_subtract,                            \
        [KERNEL_MULTIPLY] = type##_multiply, [KERNEL_DIVIDE] = type##_divide,                      \
    }

static binary_run *const binary_runs[DTYPE_COUNT][KERNEL_BINARY_COUNT] = {
    [DTYPE_FLOAT16] = BINARY_ROW(float16),     [DTYPE_BFLOAT16] = BINARY_ROW(bfloat16),
    [DTYPE_FLOAT32] = BINARY_ROW(float32),     [DTYPE_FLOAT64] = BINARY_ROW(float64),
    [DTYPE_INT8] = BINARY_ROW(int8),           [DTYPE_INT16] = BINARY_ROW(int16),
    [DTYPE_INT32] = BINARY_ROW(int32),         [DTYPE_INT64] = BINARY_ROW(int64),
    [DTYPE_UINT8] = BINARY_ROW(uint8),         [DTYPE_UINT16] = BINARY_ROW(uint16),
    [DTYPE_UINT32] = BINARY_ROW(uint32),       [DTYPE_UINT64] = BINARY_ROW(uint64),
    [DTYPE_COMPLEX64] = BINARY_ROW(complex64), [DTYPE_COMPLEX128] = BINARY_ROW(complex128),
};

static unary_run *const unary_runs[DTYPE_COUNT][KERNEL_UNARY_COUNT] = {
    [DTYPE_FLOAT16] = {half_negative},        [DTYPE_BFLOAT16] = {half_negative},
    [DTYPE_FLOAT32] = {float32_negative},     [DTYPE_FLOAT64] = {float64_negative},
    [DTYPE_INT8] = {int8_negative},           [DTYPE_INT16] = {int16_negative},
    [DTYPE_INT32] = {int32_negative},         [DTYPE_INT64] = {int64_negative},
    [DTYPE_UINT8] = {uint8_negative},         [DTYPE_UINT16] = {uint16_negative},
    [DTYPE_UINT32] = {uint32_negative},       [DTYPE_UINT64] = {uint64_negative},
    [DTYPE_COMPLEX64] = {complex64_negative}, [DTYPE_COMPLEX128] = {complex128_negative},
};

bool
kernel_binary_known(enum kernel_binary op, enum dtype dtype)
{
    return (unsigned)op < KERNEL_BINARY_COUNT && (unsigned)dtype < DTYPE_COUNT &&
           binary_runs[dtype][op] != NULL;
}

bool
kernel_unary_known(enum kernel_unary op, enum dtype dtype)
{
    return (unsigned)op < KERNEL_UNARY_COUNT && (unsigned)dtype < DTYPE_COUNT &&
           unary_runs[dtype][op] != NULL;
}

/* All bytes of one of the elements are zero. */
static bool
has_zero(uint32_t size, struct kernel_operand operand, uint64_t count)
{
    uint64_t looked_at = operand.step == 0 ? 1 : count;
    const uint8_t *bytes = operand.data;

    for (uint64_t i = 0; i < looked_at; i++) {
        uint64_t element = 0;

        memcpy(&element, bytes + i * size, size);
        if (element == 0)
            return true;
    }
    return false;
}

enum err_code
kernel_binary(enum kernel_binary op, enum dtype dtype, struct kernel_operand a,
              struct kernel_operand b, void *out, uint64_t count, struct err *err)
{
    CHECK(kernel_binary_known(op, dtype));
    if (count == 0)
        return OK;
    /* Before anything is written, so that a failure leaves an operand that is also `out` as it was.
     */
    if (op == KERNEL_DIVIDE && dtype_is_integer(dtype) && has_zero(dtype_size(dtype), b, count))
        return err_set(err, ERR_INVALID_ARGUMENT, "integer division by zero");
    binary_runs[dtype][op](a, b, out, count);
    return OK;
}

void
kernel_unary(enum kernel_unary op, enum dtype dtype, const void *in, void *out, uint64_t count)
{
    CHECK(kernel_unary_known(op, dtype));
    unary_runs[dtype][op](in, out, count);
}

void
kernel_fill(uint32_t element_size, const void *element, void *out, uint64_t count)
{
    enum { PATTERN_BYTES = 4096 };
    uint8_t pattern[PATTERN_BYTES], *target = out;
    uint64_t left = count * element_size, filled = 0, whole;

    if (left == 0)
        return;
    CHECK(element_size <= PATTERN_BYTES);
    whole = PATTERN_BYTES - PATTERN_BYTES % element_size;
    whole = whole < left ? whole : left;
    for (; filled < whole; filled += element_size)
        memcpy(pattern + filled, element, element_size);
    for (; left > 0; left -= whole, target += whole) {
        whole = whole < left ? whole : left;
        memcpy(target, pattern, whole);
    }
}

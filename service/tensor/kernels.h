/* Elementwise kernels: one loop per operation and dtype.
 *
 * Rules (TensorFlow's CPU kernels): integers wrap; floordiv and mod round towards minus infinity,
 * so that mod has the divisor's sign; an integer zero divisor and a negative integer exponent fail;
 * float16 and bfloat16 compute in float32 and round each result once; complex products and
 * quotients as in C99 without infinities' special cases. minimum is x < y ? x : y and maximum
 * x > y ? x : y: where one is NaN, the second is the result (relu is the maximum with 0). No fused
 * multiply-add anywhere. in/out are at least element-aligned.
 *
 * Accuracy against the exact result: + - * / square sqrt abs, floordiv of floats (floor of the
 * rounded quotient) and what has integers are correctly rounded or exact; the functions are within
 * 2 units in the last place, complex ones within 4 of the larger part's. The same bits on every
 * processor and for every split of the elements.
 *
 * Every kernel has a plain twin, one element at a time, which says what the fast one must compute.
 */
#ifndef SERVICE_TENSOR_KERNELS_H
#define SERVICE_TENSOR_KERNELS_H

#include "service/tensor/tensor.h"

enum kernel_binary {
    KERNEL_ADD,
    KERNEL_SUBTRACT,
    KERNEL_MULTIPLY,
    KERNEL_DIVIDE, /* float and complex types */
    KERNEL_FLOORDIV,
    KERNEL_MOD,
    KERNEL_MINIMUM,
    KERNEL_MAXIMUM,
    KERNEL_POW,
    KERNEL_AND, /* bool, these three */
    KERNEL_OR,
    KERNEL_XOR,
    KERNEL_BINARY_COUNT
};
enum kernel_unary {
    KERNEL_NEGATIVE,
    KERNEL_ABS, /* of a complex type: its parts' type */
    KERNEL_SIGN,
    KERNEL_SQUARE,
    KERNEL_SQRT,
    KERNEL_RSQRT,
    KERNEL_EXP,
    KERNEL_LOG,
    KERNEL_LOG1P,
    KERNEL_TANH,
    KERNEL_SIGMOID,
    KERNEL_RELU,
    KERNEL_SOFTPLUS,
    KERNEL_NOT, /* bool */
    KERNEL_UNARY_COUNT
};
enum kernel_compare {
    KERNEL_EQUAL, /* types of one size */
    KERNEL_NOT_EQUAL,
    KERNEL_LESS, /* integers and floats, from here on */
    KERNEL_LESS_EQUAL,
    KERNEL_GREATER,
    KERNEL_GREATER_EQUAL,
    KERNEL_COMPARE_COUNT
};

/* How an operand runs along the result: step 1 = element by element, step 0 = the same one
 * repeated. */
struct kernel_operand {
    const void *data;
    uint32_t step; /* 0 or 1 */
};

bool kernel_binary_known(enum kernel_binary op, enum dtype dtype);
bool kernel_unary_known(enum kernel_unary op, enum dtype dtype);
bool kernel_compare_known(enum kernel_compare op, enum dtype dtype);
/* The dtype of the result: the operand's, but for abs of complex numbers. */
enum dtype kernel_unary_result(enum kernel_unary op, enum dtype dtype);

/* out[i] = a[i*a.step] op b[i*b.step]; out may be a.data or b.data. ERR_INVALID_ARGUMENT "integer
 * division by zero" and "Integers to negative integer powers are not allowed" only; the fast path
 * then has written nothing. */
ERR_MUST_CHECK enum err_code kernel_binary(enum kernel_binary op, enum dtype dtype,
                                           struct kernel_operand a, struct kernel_operand b,
                                           void *out, uint64_t count, struct err *err);
ERR_MUST_CHECK enum err_code kernel_binary_plain(enum kernel_binary op, enum dtype dtype,
                                                 struct kernel_operand a, struct kernel_operand b,
                                                 void *out, uint64_t count, struct err *err);
/* out may be in where the result has the operand's dtype. */
void kernel_unary(enum kernel_unary op, enum dtype dtype, const void *in, void *out,
                  uint64_t count);
void kernel_unary_plain(enum kernel_unary op, enum dtype dtype, const void *in, void *out,
                        uint64_t count);
/* out: bools, not in the operands' memory. NaN is unequal to everything. */
void kernel_compare(enum kernel_compare op, enum dtype dtype, struct kernel_operand a,
                    struct kernel_operand b, uint8_t *out, uint64_t count);
void kernel_compare_plain(enum kernel_compare op, enum dtype dtype, struct kernel_operand a,
                          struct kernel_operand b, uint8_t *out, uint64_t count);
/* out[i] = condition[i] ? a[i] : b[i], elements of 1, 2, 4, 8 or 16 bytes; out may be a.data or
 * b.data. */
void kernel_select(uint32_t element_size, struct kernel_operand condition, struct kernel_operand a,
                   struct kernel_operand b, void *out, uint64_t count);
void kernel_select_plain(uint32_t element_size, struct kernel_operand condition,
                         struct kernel_operand a, struct kernel_operand b, void *out,
                         uint64_t count);
/* Repeat one element `count` times. */
void kernel_fill(uint32_t element_size, const void *element, void *out, uint64_t count);

#endif

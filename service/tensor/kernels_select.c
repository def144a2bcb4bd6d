/* Selection between two operands: elements are bits of a size, whatever their dtype. */
#include "service/tensor/kernels_run.h"
#include "store/base/check.h"

VECTOR_FILE

struct select_16 {
    uint64_t low, high;
};

typedef void select_run(const uint8_t *condition, struct kernel_operand a, struct kernel_operand b,
                        void *out, uint64_t count);

/* As KERNEL_BINARY_RUN, with a condition. */
#define SELECT_RUN(name, type)                                                                     \
    VECTOR_CLONES static void name(const uint8_t *condition, struct kernel_operand a,              \
                                   struct kernel_operand b, void *out, uint64_t count)             \
    {                                                                                              \
        const type *x = a.data, *y = b.data;                                                       \
        const type x0 = *x, y0 = *y;                                                               \
        type *z = out;                                                                             \
                                                                                                   \
        if (a.step != 0 && b.step != 0) {                                                          \
            VECTOR_LOOP                                                                            \
            for (uint64_t i = 0; i < count; i++)                                                   \
                z[i] = condition[i] != 0 ? x[i] : y[i];                                            \
        } else if (a.step != 0) {                                                                  \
            VECTOR_LOOP                                                                            \
            for (uint64_t i = 0; i < count; i++)                                                   \
                z[i] = condition[i] != 0 ? x[i] : y0;                                              \
        } else if (b.step != 0) {                                                                  \
            VECTOR_LOOP                                                                            \
            for (uint64_t i = 0; i < count; i++)                                                   \
                z[i] = condition[i] != 0 ? x0 : y[i];                                              \
        } else {                                                                                   \
            VECTOR_LOOP                                                                            \
            for (uint64_t i = 0; i < count; i++)                                                   \
                z[i] = condition[i] != 0 ? x0 : y0;                                                \
        }                                                                                          \
    }

SELECT_RUN(select_1, uint8_t)
SELECT_RUN(select_2, uint16_t)
SELECT_RUN(select_4, uint32_t)
SELECT_RUN(select_8, uint64_t)
SELECT_RUN(select_16, struct select_16)

static select_run *
run_of(uint32_t element_size)
{
    switch (element_size) {
    case 1:
        return select_1;
    case 2:
        return select_2;
    case 4:
        return select_4;
    case 8:
        return select_8;
    case 16:
        return select_16;
    }
    CHECK(false);
}

void
kernel_select(uint32_t element_size, struct kernel_operand condition, struct kernel_operand a,
              struct kernel_operand b, void *out, uint64_t count)
{
    const struct kernel_operand *all = &a;

    if (count == 0)
        return;
    if (condition.step != 0) {
        run_of(element_size)(condition.data, a, b, out, count);
        return;
    }
    if (*(const uint8_t *)condition.data == 0)
        all = &b;
    if (all->step == 0)
        kernel_fill(element_size, all->data, out, count);
    else if (all->data != out)
        memmove(out, all->data, (size_t)(count * element_size));
}

/* Sums of squares over elements, for optimizers that need norms of whole variables. Private to
 * service/optimizers. */
#ifndef SERVICE_TRAINING_OPTIMIZER_SUMS_H
#define SERVICE_TRAINING_OPTIMIZER_SUMS_H

#include "service/training/optimizer_element.h"

/* Of `count` elements of a float dtype, computed in float64: the same bits on every processor. */
double optimizer_squares(enum dtype dtype, const void *elements, uint64_t count);

/* Adds the squares of what the formula leaves in e->variable and in e->slots[0], element after
 * element, to sums[0] and sums[1]. In a function that is VECTOR_CLONES; formula and slots are
 * constants, slots as of optimizer_loop and with bit 0. */
OPTIMIZER_INLINE void
optimizer_sum_squares(optimizer_formula *formula, uint32_t slots, const void *factors,
                      enum dtype dtype, const struct optimizer_tile *tile,
                      double sums[static OPTIMIZER_SUMS_MAX])
{
    _Alignas(64) double outs[1 + OPTIMIZER_SLOTS_MAX][OPTIMIZER_BLOCK];
    uint32_t size = dtype_size(dtype);
    struct optimizer_tile block = *tile;

    block.variable_out = outs[0];
    for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++)
        block.slots_out[i] = outs[1 + i];
    for (uint64_t done = 0; done < tile->count; done += block.count) {
        uint64_t left = tile->count - done, skip = done * size;

        block.count = left < OPTIMIZER_BLOCK ? left : OPTIMIZER_BLOCK;
        block.variable = (const uint8_t *)tile->variable + skip;
        if (tile->gradient != NULL)
            block.gradient = (const uint8_t *)tile->gradient + skip;
        for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++)
            if (has(slots, i))
                block.slots[i] = (const uint8_t *)tile->slots[i] + skip;
        optimizer_loop(formula, slots, factors, dtype, &block);
        sums[0] += optimizer_squares(dtype, block.variable_out, block.count);
        sums[1] += optimizer_squares(dtype, block.slots_out[0], block.count);
    }
}

#endif

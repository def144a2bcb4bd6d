/* A sparse gradient over a range of a variable: runs of rows it lists and of rows it does not,
 * front to back. A range may begin and end within a row. */
#include "service/device/engine.h"

struct walk {
    const struct optimizer *optimizer;
    const struct optimizer_step *step;
    const struct optimizer_tile *tile;
    double *sums; /* NULL: apply */
    const struct device *device;
};

/* The part of the tile from element `from` on; gradient: its own, NULL for rows not listed. */
static enum err_code
do_run(const struct walk *walk, uint64_t from, uint64_t count, const uint8_t *gradient,
       struct err *err)
{
    const struct optimizer_tile *tile = walk->tile;
    uint64_t skip = from * dtype_size(walk->step->dtype);
    struct optimizer_tile part = {
        .count = count,
        .variable = (const uint8_t *)tile->variable + skip,
        .gradient = gradient,
    };

    if (count == 0)
        return OK;
    if (tile->variable_out != NULL)
        part.variable_out = (uint8_t *)tile->variable_out + skip;
    for (uint32_t i = 0; i < OPTIMIZER_SLOTS_MAX; i++) {
        if (tile->slots[i] != NULL)
            part.slots[i] = (const uint8_t *)tile->slots[i] + skip;
        if (tile->slots_out[i] != NULL)
            part.slots_out[i] = (uint8_t *)tile->slots_out[i] + skip;
    }
    if (walk->sums == NULL)
        return device_step(walk->device, walk->optimizer, walk->step, &part, err);
    walk->optimizer->measure(walk->step, &part, walk->sums);
    return OK;
}

/* The first position in rows->order of a row that ends after element `first`. */
static uint64_t
first_after(const struct optimizer_rows *rows, uint64_t first)
{
    uint64_t low = 0, high = rows->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (rows->rows[rows->order[middle]] < first / rows->width)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum err_code
walk_rows(const struct walk *walk, const struct optimizer_rows *rows, uint64_t first,
          struct err *err)
{
    uint64_t count = walk->tile->count, done = 0;
    uint32_t size = dtype_size(walk->step->dtype);

    if (count == 0 || rows->width == 0)
        return OK;
    for (uint64_t i = first_after(rows, first); i < rows->count && done < count; i++) {
        uint64_t at = rows->order[i], begin = rows->rows[at] * rows->width, skipped, end;

        if (begin >= first + count)
            break;
        skipped = begin < first ? first - begin : 0;
        end = begin + rows->width - first;
        end = end < count ? end : count;
        begin = begin + skipped - first;
        TRY(do_run(walk, done, begin - done, NULL, err));
        TRY(do_run(walk, begin, end - begin,
                   (const uint8_t *)rows->gradient + (at * rows->width + skipped) * size, err));
        done = end;
    }
    return do_run(walk, done, count - done, NULL, err);
}

void
optimizer_measure_rows(const struct optimizer *optimizer, const struct optimizer_step *step,
                       const struct optimizer_rows *rows, uint64_t first,
                       const struct optimizer_tile *tile, double sums[static OPTIMIZER_SUMS_MAX])
{
    const struct walk walk = {.optimizer = optimizer, .step = step, .tile = tile, .sums = sums};

    (void)walk_rows(&walk, rows, first, NULL); /* measuring fails nowhere */
}

enum err_code
optimizer_apply_rows(const struct device *device, const struct optimizer *optimizer,
                     const struct optimizer_step *step, const struct optimizer_rows *rows,
                     uint64_t first, const struct optimizer_tile *tile, struct err *err)
{
    const struct walk walk = {.device = device, .optimizer = optimizer, .step = step, .tile = tile};

    return walk_rows(&walk, rows, first, err);
}

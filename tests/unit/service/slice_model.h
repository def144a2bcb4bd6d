/* Slices drawn at random, and which elements they select, worked out the slow and plain way. */
#ifndef TESTS_UNIT_SERVICE_SLICE_MODEL_H
#define TESTS_UNIT_SERVICE_SLICE_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/tensor/shape.h"

struct slice_model {
    char text[256];
    struct shape result;
    uint64_t *sources; /* by result element: the source element; owned */
    size_t count;
};

static inline uint32_t
slice_model_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* One dimension's positions, in order, and its text. Returns how many; *keeps: the dimension stays.
 */
static inline size_t
slice_model_dim(uint32_t *random, int64_t dim, int64_t *out, char *text, size_t size, bool *keeps)
{
    static const int64_t steps[] = {1, 1, 1, 2, 3, -1, -2, 7};
    int64_t step = steps[slice_model_random(random) % 8], start, stop;
    size_t count = 0;

    *keeps = true;
    if (dim > 0 && slice_model_random(random) % 5 == 0) {
        start = (int64_t)slice_model_random(random) % dim;
        *keeps = false;
        snprintf(text, size, "%lld",
                 (long long)(slice_model_random(random) % 2 == 0 ? start : start - dim));
        out[0] = start;
        return 1;
    }
    if (dim == 0 || slice_model_random(random) % 4 == 0) {
        start = step > 0 ? 0 : dim - 1;
        stop = step > 0 ? dim : -1;
        snprintf(text, size, "::%lld", (long long)step);
    } else {
        start = (int64_t)slice_model_random(random) % dim;
        stop = (int64_t)slice_model_random(random) % (dim + 1);
        snprintf(text, size, "%lld:%lld:%lld",
                 (long long)(slice_model_random(random) % 2 == 0 ? start : start - dim),
                 (long long)stop, (long long)step);
    }
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step)
        out[count++] = i;
    return count;
}

/* A slice of a shape whose dimensions are all under 4096. Owns: free(sources). */
static inline void
slice_model_draw(uint32_t *random, const struct shape *shape, struct slice_model *out)
{
    static _Thread_local int64_t positions[SHAPE_RANK_MAX][4096];
    size_t counts[SHAPE_RANK_MAX], total = 1;

    *out = (struct slice_model){.count = 0};
    for (uint32_t d = 0; d < shape->rank; d++) {
        char text[80];
        bool keeps = true;

        counts[d] = slice_model_dim(random, (int64_t)shape->dims[d], positions[d], text,
                                    sizeof text, &keeps);
        if (keeps)
            out->result.dims[out->result.rank++] = counts[d];
        total *= counts[d];
        snprintf(out->text + strlen(out->text), sizeof out->text - strlen(out->text), "%s%s",
                 d > 0 ? "," : "", text);
    }
    out->sources = calloc(total + 1, sizeof *out->sources);
    for (out->count = 0; out->count < total; out->count++) {
        uint64_t source = 0;
        size_t rest = out->count, below = total;

        for (uint32_t d = 0; d < shape->rank; d++) {
            below /= counts[d];
            source = source * shape->dims[d] + (uint64_t)positions[d][rest / below];
            rest %= below;
        }
        out->sources[out->count] = source;
    }
}

#endif

/* How fast optimizers step over 10 million float32 in memory, in place and into other memory, on
 * one thread and on two, beside a copy of as many numbers. Prints seconds as JSON, of the best of a
 * few turns. tests/bench/optimizers.py sets them beside PyTorch. Usage: optimizers [turns] */
#include <inttypes.h>
#include <string.h>

#include "service/parallel.h"
#include "service/training/optimizer.h"
#include "store/base/alloc.h"
#include "tests/bench/bench.h"

enum { COUNT = 10 * 1000 * 1000, PART = 1 << 16, THREADS_MAX = 2, ARRAYS = 2 * 4 };

static const char *const names[] = {"gradient_descent", "momentum", "adam"};

struct bench {
    const struct optimizer *optimizer;
    struct optimizer_step step;
    struct optimizer_tile tile; /* of all elements */
};

static enum err_code
step_part(void *context, uint32_t lane, uint64_t part, struct err *err)
{
    const struct bench *b = context;
    const uint64_t first = part * PART;
    struct optimizer_tile tile = b->tile;

    (void)lane;
    (void)err;
    tile.count = COUNT - first < PART ? COUNT - first : PART;
    tile.variable = (const float *)tile.variable + first;
    tile.gradient = (const float *)tile.gradient + first;
    tile.variable_out = (float *)tile.variable_out + first;
    for (uint32_t k = 0; k < optimizer_slot_count(b->optimizer); k++) {
        tile.slots[k] = (const float *)tile.slots[k] + first;
        tile.slots_out[k] = (float *)tile.slots_out[k] + first;
    }
    b->optimizer->apply(&b->step, &tile);
    return OK;
}

static double
best_step(struct bench *b, uint32_t threads, int turns)
{
    struct parallel *parallel = NULL;
    struct err err = ERR_INIT;
    double best = 0;

    must(parallel_open(threads, &parallel, &err), &err);
    for (int i = 0; i < turns; i++) {
        const double began = seconds_of(CLOCK_MONOTONIC);
        double seconds;

        must(parallel_do(parallel, (COUNT + PART - 1) / PART, step_part, b, &err), &err);
        seconds = seconds_of(CLOCK_MONOTONIC) - began;
        best = i == 0 || seconds < best ? seconds : best;
    }
    parallel_close(parallel);
    return best;
}

/* arrays: the variable, the gradient, slots; then as many to write to. */
static void
bench_one(const char *name, float *arrays[static ARRAYS], int turns)
{
    struct bench b = {.optimizer = optimizer_find(bytes_of_text(name))};
    _Alignas(16) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
    const struct attr_spec *momentum = attr_find(b.optimizer->attrs, bytes_of_text("momentum"));

    attr_defaults(b.optimizer->attrs, params);
    if (momentum != NULL)
        *(double *)attr_at(momentum, params) = 0.9;
    b.step = (struct optimizer_step){
        .params = params, .dtype = DTYPE_FLOAT32, .learning_rate = 0.001, .powers = {0.9, 0.999}};
    printf("  \"%s\": {", name);
    for (int in_place = 1; in_place >= 0; in_place--) {
        float **out = in_place ? arrays : arrays + ARRAYS / 2;

        b.tile = (struct optimizer_tile){.count = COUNT,
                                         .variable = arrays[0],
                                         .gradient = arrays[1],
                                         .slots = {arrays[2], arrays[3]},
                                         .variable_out = out[0],
                                         .slots_out = {out[2], out[3]}};
        for (uint32_t threads = 1; threads <= THREADS_MAX; threads++)
            printf("%s\"%s, %" PRIu32 " thread%s\": %.6f", in_place && threads == 1 ? "" : ", ",
                   in_place ? "in place" : "into other memory", threads, threads == 1 ? "" : "s",
                   best_step(&b, threads, turns));
    }
    printf("},\n");
}

static double
best_copy(const float *from, float *to, int turns)
{
    double best = 0;

    for (int i = 0; i < turns; i++) {
        const double began = seconds_of(CLOCK_MONOTONIC);
        double seconds;

        memcpy(to, from, COUNT * sizeof(float));
        seconds = seconds_of(CLOCK_MONOTONIC) - began;
        best = i == 0 || seconds < best ? seconds : best;
    }
    return best;
}

int
main(int count, char **arguments)
{
    int turns = count > 1 ? (int)strtol(arguments[1], NULL, 10) : 5;
    float *arrays[ARRAYS];
    uint32_t word = 1;

    turns = turns < 1 || turns > 10000 ? 5 : turns;
    for (int k = 0; k < ARRAYS; k++) {
        arrays[k] = mem_aligned(COUNT * sizeof(float), NULL);
        if (arrays[k] == NULL)
            return 1;
        for (int i = 0; i < COUNT; i++) {
            word = word * 1664525u + 1013904223u;
            arrays[k][i] = (float)(word >> 8) * 0x1p-24f;
        }
    }
    printf("{\n");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        bench_one(names[i], arrays, turns);
    printf("  \"copy\": %.6f\n}\n", best_copy(arrays[0], arrays[ARRAYS / 2], turns));
    for (int k = 0; k < ARRAYS; k++)
        mem_free(arrays[k]);
    return 0;
}

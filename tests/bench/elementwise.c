/* Elementwise expressions over 64 MiB against the memory: the time of a copy of as many bytes, and
 * of the same loop written out, in the same run. Prints a table; decides nothing. Usage:
 * elementwise [rounds] */
#include <inttypes.h>
#include <string.h>

#include "service/parallel.h"
#include "store/base/alloc.h"
#include "tests/bench/bench.h"
#include "tests/support/exprs.h"

enum { COUNT = 16 << 20, THREADS_MAX = 2 };

/* out = in * 2 + 1, as the expression says: two roundings. */
static __attribute__((noinline)) void
loop(const float *restrict in, float *restrict out)
{
    for (size_t i = 0; i < COUNT; i++) {
        float doubled = in[i] * 2.0f;

        out[i] = doubled + 1.0f;
    }
}

/* v * 2 + 1, or v * v + v with v read once. */
static void
build(struct expr_tree *tree, bool shared)
{
    struct expr *v;

    must(expr_tree_init(tree, NULL), NULL);
    v = exprs_variable(tree, "v", false);
    if (shared) {
        v = exprs_op(tree, "identity", 1, v);
        exprs_op(tree, "add", 2, exprs_op(tree, "multiply", 2, v, v), v);
        return;
    }
    exprs_op(tree, "add", 2, exprs_op(tree, "multiply", 2, v, exprs_weak_int(tree, 2)),
             exprs_weak_int(tree, 1));
}

static double
evaluate(const float *in, float *out, bool shared, struct parallel *parallel, int rounds,
         double *times)
{
    struct exprs_value value = {"v",
                                {.type = {DTYPE_FLOAT32, exprs_shape(1, COUNT)},
                                 .data = (const uint8_t *)in,
                                 .size = (uint64_t)COUNT * sizeof(float)}};
    struct exprs_values values = {.values = &value, .count = 1, .lends = true};
    struct expr_source source = exprs_source(&values);
    struct evaluator_options options = exprs_options;
    struct expr_tree tree = {0};
    struct err err = ERR_INIT;

    options.parallel = parallel;
    build(&tree, shared);
    must(expr_infer(&tree, &source, DTYPE_UNSET, &err), &err);
    for (int i = 0; i < rounds; i++) {
        struct evaluator *e = NULL;
        double start = seconds_of(CLOCK_MONOTONIC);

        must(evaluator_open(&tree, &source, &options, &e, &err), &err);
        must(evaluator_read(e, 0, COUNT, out, &err), &err);
        evaluator_drop(e);
        times[i] = seconds_of(CLOCK_MONOTONIC) - start;
    }
    expr_tree_drop(&tree);
    return median(times, rounds);
}

int
main(int count, char **arguments)
{
    int rounds = count > 1 ? (int)strtol(arguments[1], NULL, 10) : 9;
    float *in = mem_aligned((size_t)COUNT * sizeof(float), NULL);
    float *out = mem_aligned((size_t)COUNT * sizeof(float), NULL);
    double *times, copy, plain;
    struct err err = ERR_INIT;

    if (rounds < 1 || rounds > 10000)
        rounds = 9;
    times = mem_zeroed((size_t)rounds, sizeof *times, NULL);
    if (in == NULL || out == NULL || times == NULL)
        return 1;
    for (size_t i = 0; i < COUNT; i++)
        in[i] = (float)(i % 1000);
    memset(out, 0, (size_t)COUNT * sizeof(float));
    for (int i = 0; i < rounds; i++) {
        double start = seconds_of(CLOCK_MONOTONIC);

        memcpy(out, in, (size_t)COUNT * sizeof(float));
        times[i] = seconds_of(CLOCK_MONOTONIC) - start;
    }
    copy = median(times, rounds);
    for (int i = 0; i < rounds; i++) {
        double start = seconds_of(CLOCK_MONOTONIC);

        loop(in, out);
        times[i] = seconds_of(CLOCK_MONOTONIC) - start;
    }
    plain = median(times, rounds);
    printf("64 MiB float32, median of %d\n", rounds);
    printf("%-34s %7.2f ms  %6.2f GB/s\n", "copy", copy * 1e3, 2.0 * COUNT * 4 / copy * 1e-9);
    printf("%-34s %7.2f ms  %6.2f of a copy\n", "loop written out", plain * 1e3, plain / copy);
    for (uint32_t threads = 1; threads <= THREADS_MAX; threads++) {
        struct parallel *parallel = NULL;

        must(parallel_open(threads, &parallel, &err), &err);
        for (int shared = 0; shared < 2; shared++) {
            double time = evaluate(in, out, shared != 0, parallel, rounds, times);

            printf("%-24s %" PRIu32 " thread%s %7.2f ms  %6.2f of a copy, %5.2f of the loop\n",
                   shared ? "v * v + v" : "v * 2 + 1", threads, threads == 1 ? " " : "s",
                   time * 1e3, time / copy, time / plain);
        }
        parallel_close(parallel);
    }
    mem_free(times);
    mem_free(in);
    mem_free(out);
    return 0;
}

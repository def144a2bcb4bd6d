/* How fast random numbers are drawn: random_fill by itself, and the ops through the evaluator on
 * one thread and on two. Prints elements per second as JSON, of the best of a few rounds, each into
 * memory that is there already. tests/bench/draws.py sets them beside peers. Usage: draws [rounds]
 */
#include "service/parallel.h"
#include "store/base/alloc.h"
#include "store/base/scope.h"
#include "tests/bench/bench.h"
#include "tests/support/exprs.h"

enum { COUNT = 10 * 1000 * 1000, THREADS_MAX = 2 };

static const struct {
    const char *op;
    enum random_kind kind;
} draws[] = {
    {"random_uniform", RANDOM_UNIFORM},
    {"random_normal", RANDOM_NORMAL},
    {"truncated_normal", RANDOM_TRUNCATED_NORMAL},
};

static double
fill(enum random_kind kind, enum random_profile profile, int rounds, float *out)
{
    const struct random_stream stream = {
        .kind = kind, .dtype = DTYPE_FLOAT32, .profile = profile, .seeds = {1, 2}};
    double best = 0;

    for (int i = 0; i < rounds; i++) {
        const double began = seconds_of(CLOCK_MONOTONIC);
        double rate;

        random_fill(&stream, 0, COUNT, out);
        rate = COUNT / (seconds_of(CLOCK_MONOTONIC) - began);
        best = rate > best ? rate : best;
    }
    return best;
}

static double
evaluate(const char *op, struct parallel *parallel, int rounds, float *out)
{
    struct evaluator_options options = exprs_options;
    struct expr_draw draw = {.variable_name = "w"};
    AUTO(expr_tree) tree = {0};
    struct evaluator *e = NULL;
    struct err err = ERR_INIT;
    double best = 0;

    options.parallel = parallel;
    must(expr_tree_init(&tree, &err), &err);
    exprs_set_seed(exprs_set_shape(exprs_op(&tree, op, 0), "shape", exprs_shape(1, COUNT)), "seed",
                   1);
    must(expr_infer(&tree, NULL, DTYPE_UNSET, &err), &err);
    must(expr_draw(&tree, &draw, &err), &err);
    for (int i = 0; i < rounds; i++) {
        const double began = seconds_of(CLOCK_MONOTONIC);
        double rate;

        must(evaluator_open(&tree, NULL, &options, &e, &err), &err);
        must(evaluator_read(e, 0, COUNT, out, &err), &err);
        evaluator_drop(e);
        rate = COUNT / (seconds_of(CLOCK_MONOTONIC) - began);
        best = rate > best ? rate : best;
    }
    return best;
}

int
main(int argc, char **argv)
{
    const long wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
    const int rounds = wanted < 1 || wanted > 1000 ? 5 : (int)wanted;
    struct parallel *parallel = NULL;
    struct err err = ERR_INIT;
    float *out = mem_aligned((size_t)COUNT * sizeof *out, &err);

    must(out == NULL ? ERR_NO_MEMORY : OK, &err);
    must(parallel_open(THREADS_MAX, &parallel, &err), &err);
    memset(out, 1, (size_t)COUNT * sizeof *out);
    printf("{");
    for (size_t i = 0; i < sizeof draws / sizeof draws[0]; i++)
        printf(
            "%s\"%s\": {\"random_fill\": %.6g, \"late-glibc-2.26\": %.6g, \"evaluator 1\": %.6g, "
            "\"evaluator 2\": %.6g}",
            i == 0 ? "" : ", ", draws[i].op,
            fill(draws[i].kind, RANDOM_PROFILE_R1_LINUX, rounds, out),
            fill(draws[i].kind, RANDOM_PROFILE_LATE_GLIBC_2_26, rounds, out),
            evaluate(draws[i].op, NULL, rounds, out), evaluate(draws[i].op, parallel, rounds, out));
    printf("}\n");
    parallel_close(parallel);
    mem_free(out);
    return 0;
}

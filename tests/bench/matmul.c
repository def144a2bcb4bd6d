/* Products of 1024 x 1024 matrices as expressions against BLAS called directly, turn about in the
 * same run on as many threads. Where others use the machine too, the ratio of the processor times
 * is the one to look at. Prints a table; decides nothing. Usage: matmul [rounds] */
#include <inttypes.h>
#include <string.h>

#include <cblas.h>

#include "service/tensor/blas.h"
#include "store/base/alloc.h"
#include "tests/bench/bench.h"
#include "tests/support/exprs.h"

enum { SIDE = 1024, ELEMENTS = SIDE * SIDE, THREADS_MAX = 2, ROUNDS_MAX = 1000 };

struct times {
    double wall, processor; /* seconds */
};

static struct times
now(void)
{
    return (struct times){seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct times
since(struct times start)
{
    struct times end = now();

    return (struct times){end.wall - start.wall, end.processor - start.processor};
}

static void *
memory(size_t size)
{
    void *memory = mem_aligned(size, NULL);

    if (memory == NULL)
        exit(1);
    memset(memory, 0, size);
    return memory;
}

/* One dtype: the expression and what it is held against. */
struct bench {
    enum dtype dtype;
    void *a, *b, *direct, *out;
    struct expr_tree tree;
    struct exprs_value named[2];
    struct exprs_values values;
    struct expr_source source;
};

static void
fill(enum dtype dtype, void *out, uint32_t seed)
{
    for (size_t i = 0; i < ELEMENTS; i++) {
        seed = seed * 1664525 + 1013904223;
        if (dtype == DTYPE_FLOAT32)
            ((float *)out)[i] = (float)(seed >> 8) * 0x1p-24f - 0.5f;
        else
            ((double *)out)[i] = (double)(seed >> 8) * 0x1p-24 - 0.5;
    }
}

static void
bench_open(struct bench *bench, enum dtype dtype, bool literals)
{
    struct tensor_type type = {dtype, {.rank = 2, .dims = {SIDE, SIDE}}};
    size_t size = (size_t)tensor_type_bytes(&type);
    struct expr *a, *b;
    struct err err = ERR_INIT;

    *bench = (struct bench){.dtype = dtype,
                            .a = memory(size),
                            .b = memory(size),
                            .direct = memory(size),
                            .out = memory(size)};
    fill(dtype, bench->a, 1);
    fill(dtype, bench->b, 2);
    bench->named[0] = (struct exprs_value){"a", {type, bench->a, size}};
    bench->named[1] = (struct exprs_value){"b", {type, bench->b, size}};
    bench->values = (struct exprs_values){.values = bench->named, .count = 2};
    bench->source = exprs_source(&bench->values);
    must(expr_tree_init(&bench->tree, &err), &err);
    a = literals ? exprs_literal(&bench->tree, dtype, type.shape, bench->a)
                 : exprs_variable(&bench->tree, "a", false);
    b = literals ? exprs_literal(&bench->tree, dtype, type.shape, bench->b)
                 : exprs_variable(&bench->tree, "b", false);
    exprs_op(&bench->tree, "matmul", 2, a, b);
    must(expr_infer(&bench->tree, &bench->source, DTYPE_UNSET, &err), &err);
}

static void
bench_close(struct bench *bench)
{
    expr_tree_drop(&bench->tree);
    mem_free(bench->a);
    mem_free(bench->b);
    mem_free(bench->direct);
    mem_free(bench->out);
}

static struct times
time_direct(struct bench *b)
{
    struct times start = now();

    if (b->dtype == DTYPE_FLOAT32)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1, b->a, SIDE,
                    b->b, SIDE, 0, b->direct, SIDE);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1, b->a, SIDE,
                    b->b, SIDE, 0, b->direct, SIDE);
    return since(start);
}

static struct times
time_expression(struct bench *b)
{
    struct evaluator_options options = {.bytes_max = 1 << 30, .operations_max = UINT64_MAX};
    struct evaluator *e = NULL;
    struct err err = ERR_INIT;
    struct times start = now();

    must(evaluator_open(&b->tree, &b->source, &options, &e, &err), &err);
    must(evaluator_read(e, 0, ELEMENTS, b->out, &err), &err);
    evaluator_drop(e);
    return since(start);
}

static void
run(enum dtype dtype, bool literals, uint32_t threads, int rounds)
{
    static double direct[ROUNDS_MAX], ours[ROUNDS_MAX], walls[ROUNDS_MAX], processors[ROUNDS_MAX];
    struct bench bench;

    bench_open(&bench, dtype, literals);
    blas_set_threads(threads);
    (void)time_direct(&bench);
    (void)time_expression(&bench);
    if (memcmp(bench.direct, bench.out, ELEMENTS * dtype_size(dtype)) != 0)
        printf("the results differ\n");
    for (int i = 0; i < rounds; i++) {
        struct times theirs = time_direct(&bench), own = time_expression(&bench);

        direct[i] = theirs.wall;
        ours[i] = own.wall;
        walls[i] = own.wall / theirs.wall;
        processors[i] = own.processor / theirs.processor;
    }
    printf("%s of %-9s %" PRIu32 " thread%s  BLAS %7.2f ms  expression %7.2f ms  ratio %5.3f, "
           "of processor time %5.3f\n",
           dtype_name(dtype), literals ? "literals" : "variables", threads,
           threads == 1 ? " " : "s", median(direct, rounds) * 1e3, median(ours, rounds) * 1e3,
           median(walls, rounds), median(processors, rounds));
    bench_close(&bench);
}

int
main(int count, char **arguments)
{
    long asked = count > 1 ? strtol(arguments[1], NULL, 10) : 21;
    int rounds = asked < 1 || asked > ROUNDS_MAX ? 21 : (int)asked;

    printf("1024 x 1024 x 1024, median of %d\n", rounds);
    for (uint32_t threads = 1; threads <= THREADS_MAX; threads++)
        for (int literals = 1; literals >= 0; literals--) {
            run(DTYPE_FLOAT32, literals == 1, threads, rounds);
            run(DTYPE_FLOAT64, literals == 1, threads, rounds);
        }
    return 0;
}

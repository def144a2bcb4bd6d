/* Comparing checkpoints: whatever the number of threads, whatever goes on meanwhile, and whatever
 * fails. What the numbers must be is judged from outside (tests/http/h08). */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "service/saving/checkpoint_diff.h"
#include "tests/unit/service/service_fixture.h"

enum { BIG = 900001 };

/* "w" of random bits, with a few elements changed from save to save; "v" stays; "s" is small. */
static void
make_two(struct domain *d)
{
    float *data = malloc(BIG * sizeof *data);
    uint32_t state = 1;

    assert_non_null(data);
    for (size_t i = 0; i < BIG; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (float)(int32_t)state * 0x1p-20F;
    }
    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, BIG));
    declare(d, "v", DTYPE_FLOAT32, exprs_shape(1, BIG));
    declare(d, "s", DTYPE_FLOAT32, exprs_shape(1, 3));
    assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    assign(d, "s", DTYPE_FLOAT32, exprs_shape(1, 3), data);
    (void)save(d, "old");
    for (size_t i = 0; i < BIG; i += 7)
        data[i] *= 1.0009765625F;
    assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    assign(d, "s", DTYPE_FLOAT32, exprs_shape(1, 3), data + 10);
    (void)save(d, "new");
    free(data);
}

static struct checkpoint_diff_spec
spec_of(const char *name, const char *against)
{
    return (struct checkpoint_diff_spec){
        .name = name, .against = against, .measures = CHECKPOINT_MEASURE_ALL};
}

static struct checkpoint_diff
compare(struct domain *d, struct checkpoint_diff_spec spec)
{
    struct checkpoint_diff diff = {.revision = 0};

    WORKS(checkpoint_diff_open(d->service, MODEL, &spec, &diff, &d->f->err), &d->f->err);
    WORKS(checkpoint_diff_run(&diff, &d->f->err), &d->f->err);
    return diff;
}

static const struct checkpoint_tensor_diff *
tensor_of(const struct checkpoint_diff *diff, const char *name)
{
    for (size_t i = 0; i < diff->tensor_count; i++)
        if (bytes_equal(diff->tensors[i].name, bytes_of_text(name)))
            return &diff->tensors[i];
    fail_msg("there is no '%s'", name);
    return NULL;
}

static void
the_same_bits_whatever_the_number_of_threads(void **state)
{
    static const uint32_t threads[] = {2, 3, 8};
    struct domain *d = *state;
    struct checkpoint_diff one, other;

    make_two(d);
    one = compare(d, spec_of("new", "old"));
    assert_int_equal(one.totals.tensors[CHECKPOINT_TENSOR_CHANGED], 2);
    assert_int_equal(one.totals.tensors[CHECKPOINT_TENSOR_SAME], 1);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        d->limits.compute_threads = threads[i];
        domain_restart(d);
        other = compare(d, spec_of("new", "old"));
        for (size_t t = 0; t < one.tensor_count; t++)
            assert_memory_equal(&one.tensors[t].sums, &other.tensors[t].sums,
                                sizeof one.tensors[t].sums);
        checkpoint_diff_drop(&other);
    }
    checkpoint_diff_drop(&one);
}

/* Both sides belong to the moment in which the diff was opened. */
static void
what_is_deleted_and_overwritten_meanwhile_is_still_compared(void **state)
{
    struct domain *d = *state;
    struct checkpoint_diff_spec spec = spec_of("new", "old");
    struct checkpoint_diff before, diff = {.revision = 0};
    uint64_t revision;

    make_two(d);
    before = compare(d, spec);
    WORKS(checkpoint_diff_open(d->service, MODEL, &spec, &diff, &d->f->err), &d->f->err);
    WORKS(checkpoint_delete(d->service, MODEL, "old", NULL, &revision, &d->f->err), &d->f->err);
    WORKS(checkpoint_delete(d->service, MODEL, "new", NULL, &revision, &d->f->err), &d->f->err);
    delete_variable(d, "w");
    WORKS(checkpoint_diff_run(&diff, &d->f->err), &d->f->err);
    assert_memory_equal(&before.totals, &diff.totals, sizeof diff.totals);
    checkpoint_diff_drop(&before);
    checkpoint_diff_drop(&diff);
    REFUSES(checkpoint_diff_open(d->service, MODEL, &spec, &diff, &d->f->err), ERR_NOT_FOUND,
            "'new'", &d->f->err);
}

/* --- beside writers --- */

enum { STEPS = 30, MOVING = 200001 };

struct writer {
    struct domain *d;
    _Atomic int done; /* steps */
    enum err_code code;
};

/* All elements are the number of the step. */
static enum err_code
take_step(struct writer *w, int step, float *data)
{
    struct tensor_type type = type_of(DTYPE_FLOAT32, exprs_shape(1, MOVING));
    struct memory_source from = memory_of(data, MOVING * sizeof *data);
    struct tensor_source source = source_of(&from);
    struct variable_assign_options how = {.slice = bytes_of(NULL, 0)};
    struct variable_change change;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < MOVING; i++)
        data[i] = (float)step;
    return variable_assign(w->d->service, MODEL, "w", &type, MOVING * sizeof *data, &source, &how,
                           NULL, &change, &err);
}

static void *
keep_writing(void *context)
{
    struct writer *w = context;
    float *data = malloc(MOVING * sizeof *data);

    for (int step = 1; step <= STEPS && w->code == OK && data != NULL; step++) {
        w->code = take_step(w, step, data);
        atomic_store(&w->done, step);
    }
    free(data);
    atomic_store(&w->done, STEPS);
    return NULL;
}

static void
a_comparison_beside_a_writer_is_of_one_moment(void **state)
{
    struct domain *d = *state;
    struct writer w = {.d = d};
    float *zeros = calloc(MOVING, sizeof *zeros);
    pthread_t thread;

    assert_non_null(zeros);
    d->limits.compute_threads = 2;
    domain_restart(d);
    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, MOVING));
    assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, MOVING), zeros);
    (void)save(d, "old");
    assert_int_equal(pthread_create(&thread, NULL, keep_writing, &w), 0);
    while (atomic_load(&w.done) < STEPS) {
        struct checkpoint_diff diff = compare(d, spec_of("old", NULL));
        const struct kernel_difference *sums = &tensor_of(&diff, "w")->sums;
        double step = sums->max_abs;

        assert_true(step == floor(step) && step <= STEPS);
        assert_int_equal(sums->changed, step > 0 ? MOVING : 0);
        assert_true(sums->squares == step * step * MOVING);
        checkpoint_diff_drop(&diff);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(w.code, OK);
    free(zeros);
}

static void
nothing_is_held_when_it_is_over(void **state)
{
    struct domain *d = *state;
    struct store_stats stats;
    struct checkpoint_diff diff;

    make_two(d);
    diff = compare(d, spec_of("new", "old"));
    WORKS(store_stats_read(d->f->store, &stats, &d->f->err), &d->f->err);
    assert_int_equal(stats.leases_open, 0);
    assert_int_equal(stats.snapshots_open, 0);
    checkpoint_diff_drop(&diff);
}

static void
measures_say_what_is_read(void **state)
{
    struct domain *d = *state;
    struct checkpoint_diff_spec spec = spec_of("new", "old");
    const struct checkpoint_tensor_diff *w;
    struct checkpoint_diff diff;

    make_two(d);
    diff = compare(d, spec);
    w = tensor_of(&diff, "w");
    assert_true(w->counted && w->measured && w->sums.b_squares > 0);
    assert_int_equal(w->compared_bytes + w->norm_bytes, BIG * sizeof(float));
    assert_int_equal(tensor_of(&diff, "v")->compared_bytes, 0);
    checkpoint_diff_drop(&diff);
    spec.measures = CHECKPOINT_MEASURE_NONE;
    diff = compare(d, spec);
    w = tensor_of(&diff, "w");
    assert_int_equal(w->status, CHECKPOINT_TENSOR_CHANGED);
    assert_false(w->counted || w->measured || diff.totals.measured);
    assert_int_equal(w->compared_bytes, 0); /* checksums have told */
    checkpoint_diff_drop(&diff);
}

static void
an_interrupted_service_gives_up(void **state)
{
    struct domain *d = *state;
    struct checkpoint_diff_spec spec = spec_of("new", "old");
    struct checkpoint_diff diff = {.revision = 0};

    make_two(d);
    WORKS(checkpoint_diff_open(d->service, MODEL, &spec, &diff, &d->f->err), &d->f->err);
    service_interrupt(d->service);
    REFUSES(checkpoint_diff_run(&diff, &d->f->err), ERR_UNAVAILABLE, "stopping", &d->f->err);
    checkpoint_diff_drop(&diff);
    domain_reopen(d);
}

static void
memory_that_is_short_is_an_error_and_leaks_nothing(void **state)
{
    struct domain *d = *state;
    struct checkpoint_diff_spec spec = spec_of("new", "old");
    enum err_code code = ERR_NO_MEMORY;

    make_two(d);
    for (uint64_t nth = 1; code != OK; nth++) {
        struct checkpoint_diff diff = {.revision = 0};

        assert_in_range(nth, 1, 1000);
        (void)mem_fail_at(nth, 0);
        code = checkpoint_diff_open(d->service, MODEL, &spec, &diff, &d->f->err);
        if (code == OK)
            code = checkpoint_diff_run(&diff, &d->f->err);
        (void)mem_fail_at(0, 0);
        if (code != OK)
            assert_int_equal(code, ERR_NO_MEMORY);
        err_clear(&d->f->err);
        checkpoint_diff_drop(&diff);
    }
}

static void
directions_and_relations_at_their_edges(void **state)
{
    struct kernel_difference sums = {.squares = 4, .a_squares = 9, .b_squares = 16, .products = 12};
    double cosine = 7;

    (void)state;
    assert_true(checkpoint_diff_l2(&sums) == 2 && checkpoint_diff_relative_l2(&sums) == 0.5);
    assert_true(checkpoint_diff_cosine(&sums, &cosine) && cosine == 1);
    sums.products = -12.0000000001;
    assert_true(checkpoint_diff_cosine(&sums, &cosine) && cosine == -1);
    sums.b_squares = 0;
    assert_false(checkpoint_diff_cosine(&sums, &cosine));
    assert_true(checkpoint_diff_relative_l2(&sums) > 1e308);
    sums.squares = 0;
    assert_true(checkpoint_diff_relative_l2(&sums) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(the_same_bits_whatever_the_number_of_threads),
        DOMAIN_TEST(what_is_deleted_and_overwritten_meanwhile_is_still_compared),
        DOMAIN_TEST(a_comparison_beside_a_writer_is_of_one_moment),
        DOMAIN_TEST(nothing_is_held_when_it_is_over),
        DOMAIN_TEST(measures_say_what_is_read),
        DOMAIN_TEST(an_interrupted_service_gives_up),
        DOMAIN_TEST(memory_that_is_short_is_an_error_and_leaks_nothing),
        cmocka_unit_test(directions_and_relations_at_their_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Updates of one variable from many threads, big and small. */
#include <pthread.h>

#include "tests/unit/service/service_fixture.h"

enum { BIG = 500001 }; /* float32: about 2 MB, staged */

enum { THREADS = 8 };

struct worker {
    struct domain *d;
    const char *name;
    int rounds, size;
    const _Atomic bool *until; /* NULL, or instead of rounds */
    float value;
    int done, aborted, failed;
};

static void *
add_rounds(void *context)
{
    struct worker *w = context;

    for (int i = 0; w->until != NULL ? !*w->until : i < w->rounds; i++) {
        struct expr_tree tree = filled(w->value, w->size);
        struct run_report report;
        struct err err = ERR_INIT;
        enum err_code code = variable_update(w->d->service, MODEL, w->name, VARIABLE_ASSIGN_ADD,
                                             &tree, true, NULL, &report, &err);

        run_report_drop(&report);
        expr_tree_drop(&tree);
        w->done += code == OK;
        w->aborted += code == ERR_ABORTED;
        w->failed += code != OK && code != ERR_ABORTED;
    }
    return NULL;
}

static void
run_workers(struct worker *workers, size_t count)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_rounds, &workers[i]), 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void
eight_threads_add_to_one_variable_and_lose_nothing(void **state)
{
    enum { ROUNDS = 50 };
    struct domain *d = *state;
    struct worker workers[THREADS];
    struct expr_tree tree = filled(0.0f, 5);

    create(d, "v", &tree);
    initialize_all(d);
    for (size_t i = 0; i < THREADS; i++)
        workers[i] =
            (struct worker){.d = d, .name = "v", .rounds = ROUNDS, .size = 5, .value = 1.0f};
    run_workers(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(workers[i].done, ROUNDS);
    must_be_filled(d, "v", (float)(THREADS * ROUNDS), 5);
    assert_int_equal(info_of_variable(d, "v").record.version, 1 + THREADS * ROUNDS);
}

static void
big_updates_race_small_ones_and_each_other(void **state)
{
    enum { ROUNDS = 3 };
    struct domain *d = *state;
    struct worker workers[THREADS];
    struct expr_tree tree = filled(0.0f, BIG);
    int big = 0, small = 0;

    create(d, "big", &tree);
    tree = filled(0.0f, 4);
    create(d, "small", &tree);
    initialize_all(d);
    for (size_t i = 0; i < THREADS; i++) {
        bool is_big = i % 2 == 0;

        workers[i] = (struct worker){.d = d,
                                     .name = is_big ? "big" : "small",
                                     .rounds = is_big ? ROUNDS : 40,
                                     .size = is_big ? BIG : 4,
                                     .value = 1.0f};
    }
    run_workers(workers, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(workers[i].failed + workers[i].aborted, 0);
        *(i % 2 == 0 ? &big : &small) += workers[i].done;
    }
    must_be_filled(d, "big", (float)big, BIG);
    must_be_filled(d, "small", (float)small, 4);
}

/* Big updates that read what small ones keep changing. */
static void *
copy_rounds(void *context)
{
    struct worker *w = context;

    for (int i = 0; i < w->rounds; i++) {
        struct expr_tree tree = tree_new(), zeros = filled(0.0f, BIG);
        struct run_report report;
        struct err err = ERR_INIT;
        struct expr *fill =
            exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(1, BIG));
        enum err_code code;

        (void)exprs_op(&tree, "add", 2, fill, exprs_variable(&tree, "x", false));
        code = variable_update(w->d->service, MODEL, "big", VARIABLE_ASSIGN, &tree, true, NULL,
                               &report, &err);
        run_report_drop(&report);
        expr_tree_drop(&tree);
        expr_tree_drop(&zeros);
        w->done += code == OK;
        w->aborted += code == ERR_ABORTED;
        w->failed += code != OK && code != ERR_ABORTED;
    }
    return NULL;
}

static void
a_big_update_sees_one_state_of_what_it_reads(void **state)
{
    struct domain *d = *state;
    _Atomic bool copied = false;
    struct worker adder = {.d = d, .name = "x", .until = &copied, .size = 1, .value = 1.0f};
    struct worker copier = {.d = d, .rounds = 12};
    struct expr_tree tree = filled(0.0f, 1);
    pthread_t threads[2];
    size_t size = 0;
    float *got;

    create(d, "x", &tree);
    tree = filled(0.0f, BIG);
    create(d, "big", &tree);
    initialize_all(d);
    assert_int_equal(pthread_create(&threads[0], NULL, add_rounds, &adder), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, copy_rounds, &copier), 0);
    assert_int_equal(pthread_join(threads[1], NULL), 0);
    copied = true;
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_int_equal(adder.failed + adder.aborted + copier.failed, 0);
    assert_int_equal(copier.aborted, 0); /* the small ones let it pass */
    assert_int_equal(copier.done, copier.rounds);
    got = value_of(d, "big", &size);
    must_be_filled(d, "big", got[0], BIG);
    free(got);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(eight_threads_add_to_one_variable_and_lose_nothing),
        DOMAIN_TEST(big_updates_race_small_ones_and_each_other),
        DOMAIN_TEST(a_big_update_sees_one_state_of_what_it_reads),
    };

    return cmocka_run_group_tests_name("variable_update_threads", tests, NULL, NULL);
}

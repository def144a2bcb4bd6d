/* Statistics and previews of values: whatever the number of threads, however a value is kept,
 * whatever goes on meanwhile, and whatever fails. What the numbers must be is judged from outside
 * (tests/http/q01, q02). */
#include <math.h>

#include "service/watch/preview.h"
#include "service/watch/statistics.h"
#include "tests/unit/service/service_fixture.h"

enum { BIG = 900001 };

static float *
numbers(uint32_t state)
{
    float *data = malloc(BIG * sizeof *data);

    assert_non_null(data);
    for (size_t i = 0; i < BIG; i++) {
        state = state * 1664525u + 1013904223u;
        data[i] = (float)(int32_t)state * 0x1p-20F;
    }
    data[77] = NAN;
    data[BIG - 1] = INFINITY;
    return data;
}

static void
make(struct domain *d, const char *name, uint32_t seed)
{
    float *data = numbers(seed);

    declare(d, name, DTYPE_FLOAT32, exprs_shape(1, BIG));
    assign(d, name, DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    free(data);
}

static enum err_code
try_statistics(struct domain *d, const char *name, struct statistics *out)
{
    const struct look_spec what = {.model = MODEL, .name = name};
    AUTO(look) look = {.snapshot = NULL};

    TRY(look_open(d->service, &what, &look, &d->f->err));
    return statistics_take(&look, out, &d->f->err);
}

static void
take(struct domain *d, const char *name, struct statistics *out)
{
    memset(out, 0, sizeof *out);
    WORKS(try_statistics(d, name, out), &d->f->err);
}

static struct look
look_at(struct domain *d, const char *name)
{
    const struct look_spec spec = {.model = MODEL, .name = name};
    struct look look = {.snapshot = NULL};

    WORKS(look_open(d->service, &spec, &look, &d->f->err), &d->f->err);
    return look;
}

static struct preview
picture(struct domain *d, const char *name)
{
    const struct preview_spec spec = {
        .rows = bytes_of_text("0:1"), .height = 3, .width = 1000, .reduce = PREVIEW_MEAN};
    struct look look = look_at(d, name);
    struct preview preview = {.view_rows = 0};

    WORKS(preview_make(&look, &spec, &preview, &d->f->err), &d->f->err);
    look_drop(&look);
    return preview;
}

static void
the_same_bits_whatever_the_number_of_threads(void **state)
{
    static const uint32_t threads[] = {2, 3, 8};
    struct domain *d = *state;
    struct statistics one, other;
    struct preview first, second;

    make(d, "w", 1);
    take(d, "w", &one);
    first = picture(d, "w");
    assert_true(one.elements.nan == 1 && one.elements.pos_inf == 1 && !one.exact);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        d->limits.compute_threads = threads[i];
        domain_restart(d);
        take(d, "w", &other);
        assert_memory_equal(&one, &other, sizeof one);
        second = picture(d, "w");
        assert_int_equal(first.tile.size, second.tile.size);
        assert_memory_equal(first.tile.data, second.tile.data, first.tile.size);
        preview_drop(&second);
    }
    preview_drop(&first);
}

/* In chunks of 262080 bytes, or, because rows are written, of 16320; or made by a recipe. */
static void
the_same_bits_however_a_value_is_kept(void **state)
{
    struct domain *d = *state;
    struct variable_spec spec = spec_named("rows");
    const struct shape shape = exprs_shape(1, BIG);
    struct statistics one, other;
    float *data = numbers(5);

    make(d, "bulk", 5);
    spec.row_updates = true;
    spec.dtype = DTYPE_FLOAT32;
    spec.shape = &shape;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    assign(d, "rows", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    take(d, "bulk", &one);
    take(d, "rows", &other);
    assert_memory_equal(&one, &other, sizeof one);
    free(data);
}

static void
what_is_overwritten_and_deleted_meanwhile_is_still_measured(void **state)
{
    struct domain *d = *state;
    struct statistics before, after;
    struct look look;

    make(d, "w", 1);
    make(d, "other", 2);
    take(d, "w", &before);
    domain_restart(d); /* nothing is remembered */
    look = look_at(d, "w");
    delete_variable(d, "w");
    make(d, "w", 3);
    memset(&after, 0, sizeof after);
    WORKS(statistics_take(&look, &after, &d->f->err), &d->f->err);
    assert_memory_equal(&before, &after, sizeof before);
    look_drop(&look);
    take(d, "w", &after);
    assert_true(after.elements.sum != before.elements.sum);
}

static void
nothing_is_held_when_it_is_over(void **state)
{
    struct domain *d = *state;
    struct store_stats stats;
    struct statistics found;
    struct preview preview;

    make(d, "w", 1);
    take(d, "w", &found);
    preview = picture(d, "w");
    WORKS(store_stats_read(d->f->store, &stats, &d->f->err), &d->f->err);
    assert_int_equal(stats.leases_open, 0);
    assert_int_equal(stats.snapshots_open, 0);
    preview_drop(&preview);
}

static void
an_interrupted_service_gives_up(void **state)
{
    const struct preview_spec spec = {.height = 3, .width = 3, .reduce = PREVIEW_MEAN};
    struct domain *d = *state;
    struct statistics found;
    struct preview preview;
    struct look look;

    make(d, "w", 1);
    look = look_at(d, "w");
    service_interrupt(d->service);
    REFUSES(preview_make(&look, &spec, &preview, &d->f->err), ERR_UNAVAILABLE, "stopping",
            &d->f->err);
    look_drop(&look);
    REFUSES(try_statistics(d, "w", &found), ERR_UNAVAILABLE, "stopping", &d->f->err);
    domain_reopen(d);
}

static enum err_code
try_both(struct domain *d)
{
    const struct preview_spec spec = {.height = 3, .width = 3, .reduce = PREVIEW_ABSMAX};
    const struct look_spec what = {.model = MODEL, .name = "w"};
    AUTO(look) look = {.snapshot = NULL};
    AUTO(preview) preview = {.view_rows = 0};
    struct statistics found;

    TRY(try_statistics(d, "w", &found));
    TRY(look_open(d->service, &what, &look, &d->f->err));
    return preview_make(&look, &spec, &preview, &d->f->err);
}

static void
memory_that_is_short_is_an_error_and_leaks_nothing(void **state)
{
    struct domain *d = *state;
    enum err_code code = ERR_NO_MEMORY;

    make(d, "w", 1);
    for (uint64_t nth = 1; code != OK; nth++) {
        domain_restart(d); /* nothing is remembered */
        assert_in_range(nth, 1, 1000);
        (void)mem_fail_at(nth, 0);
        code = try_both(d);
        (void)mem_fail_at(0, 0);
        if (code != OK)
            assert_int_equal(code, ERR_NO_MEMORY);
        err_clear(&d->f->err);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(the_same_bits_whatever_the_number_of_threads),
        DOMAIN_TEST(the_same_bits_however_a_value_is_kept),
        DOMAIN_TEST(what_is_overwritten_and_deleted_meanwhile_is_still_measured),
        DOMAIN_TEST(nothing_is_held_when_it_is_over),
        DOMAIN_TEST(an_interrupted_service_gives_up),
        DOMAIN_TEST(memory_that_is_short_is_an_error_and_leaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

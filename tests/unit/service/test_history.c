/* What is kept of variables' values: records, thinning, bins, and a thread that may be stopped,
 * that leaves nothing behind, and that costs no revision. */
#include <math.h>
#include <unistd.h>

#include "service/watch/history.h"
#include "service/watch/history_bins.h"
#include "service/watch/history_keep.h"
#include "store/base/clock.h"
#include "tests/unit/service/service_fixture.h"

enum { WAIT_MS = 30000, ELEMENTS = 1000 };

static void
assign_all(struct domain *d, const char *name, float value)
{
    static float data[ELEMENTS];

    for (size_t i = 0; i < ELEMENTS; i++)
        data[i] = value;
    assign(d, name, DTYPE_FLOAT32, exprs_shape(1, ELEMENTS), data);
}

static struct history
read_history(struct domain *d, const char *name)
{
    const struct look_spec spec = {.model = MODEL, .name = name};
    struct look look = {.snapshot = NULL};
    struct history history = {.count = 0};

    WORKS(look_open(d->service, &spec, &look, &d->f->err), &d->f->err);
    WORKS(history_read(&look, &history, &d->f->err), &d->f->err);
    look_drop(&look);
    return history;
}

/* A snapshot of a version, as the thread would keep it. */
static void
keep_version(struct domain *d, const char *name, uint64_t version, uint32_t snapshots_max)
{
    const struct look_spec spec = {.model = MODEL, .name = name};
    struct history_batch *batch = calloc(1, sizeof *batch);
    struct history_candidate *c = &batch->candidates[0];
    struct statistics statistics;
    struct look look = {.snapshot = NULL};

    WORKS(look_open(d->service, &spec, &look, &d->f->err), &d->f->err);
    batch->count = 1;
    snprintf(c->model, sizeof c->model, "%s", MODEL);
    snprintf(c->name, sizeof c->name, "%s", name);
    c->model_id = look.model_id;
    c->variable_id = look.value.variable_id;
    c->snapshots_max = snapshots_max;
    c->taken = true;
    c->snapshot.version = version;
    WORKS(statistics_take(&look, &statistics, &d->f->err), &d->f->err);
    history_fill(&c->snapshot, &statistics);
    WORKS(history_keep(d->f->store, batch, &d->f->err), &d->f->err);
    look_drop(&look);
    free(batch);
}

/* --- thinning ------------------------------------------------------------------------------ */

static void
every_second_one_goes_and_the_spacing_doubles(void **state)
{
    struct domain *d = *state;
    const uint64_t revision = store_revision(d->f->store) + 202;
    struct history history;

    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, ELEMENTS));
    for (uint64_t version = 1; version <= 200; version++) {
        assign_all(d, "w", (float)version);
        keep_version(d, "w", version, RECORD_SNAPSHOTS_MAX);
    }
    declare(d, "v", DTYPE_FLOAT32, exprs_shape(1, 1));
    assert_int_equal(store_revision(d->f->store), revision); /* none for what was kept */
    history = read_history(d, "w");
    assert_in_range(history.count, RECORD_SNAPSHOTS_MAX / 2, RECORD_SNAPSHOTS_MAX);
    assert_true(history.spacing > 1 && (history.spacing & (history.spacing - 1)) == 0);
    assert_int_equal(history.snapshots[0].version, 1);
    assert_int_equal(history.snapshots[history.count - 1].version, 200);
    for (size_t i = 0; i < history.count; i++)
        assert_true(history.snapshots[i].elements.max == (double)history.snapshots[i].version);
    for (size_t i = 2; i < history.count; i++)
        assert_true(history.snapshots[i].version - history.snapshots[i - 1].version <=
                    2 * history.spacing);
    history_drop(&history);
}

static void
shares_that_became_smaller_are_kept_to(void **state)
{
    struct domain *d = *state;
    struct history history;

    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, ELEMENTS));
    for (uint64_t version = 1; version <= 60; version++) {
        assign_all(d, "w", (float)version);
        keep_version(d, "w", version, version < 50 ? RECORD_SNAPSHOTS_MAX : 9);
        history = read_history(d, "w");
        assert_true(version < 50 || history.count <= 9);
        history_drop(&history);
    }
    assert_int_equal(findings(d), 0);
}

static void
nothing_is_kept_of_what_is_gone_or_told_already(void **state)
{
    struct domain *d = *state;
    struct history_batch *batch = calloc(1, sizeof *batch);
    struct history history;

    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, ELEMENTS));
    assign_all(d, "w", 1);
    keep_version(d, "w", 1, 64);
    keep_version(d, "w", 1, 64);
    history = read_history(d, "w");
    assert_int_equal(history.count, 1);
    history_drop(&history);
    batch->count = 1;
    batch->candidates[0].taken = true;
    snprintf(batch->candidates[0].model, 2, "%s", MODEL);
    snprintf(batch->candidates[0].name, 2, "w");
    batch->candidates[0].model_id = 77; /* another one of this name */
    WORKS(history_keep(d->f->store, batch, &d->f->err), &d->f->err);
    assert_int_equal(batch->snapshots, 0);
    free(batch);
}

/* --- records ------------------------------------------------------------------------------- */

static void
damage_is_noticed(void **state)
{
    struct domain *d = *state;
    struct snapshot_record decoded;
    struct history_record head;
    uint8_t bytes[RECORD_SNAPSHOT_BYTES_MAX] = {0};

    for (size_t size = 0; size < sizeof bytes; size += 13) {
        REFUSES(record_decode_snapshot(bytes_of(bytes, size), &decoded, &d->f->err), ERR_DATA_LOSS,
                "snapshot", &d->f->err);
        REFUSES(record_decode_history(bytes_of(bytes, size), &head, &d->f->err), ERR_DATA_LOSS,
                "history", &d->f->err);
    }
}

/* --- bins ---------------------------------------------------------------------------------- */

static void
bins_hold_slopes_and_spikes(void **state)
{
    /* Quantiles of 80 elements: a half is 0, the others are spread from 0 to 4. */
    const struct snapshot_record snapshot = {
        .elements.count = 80, .point_count = 9, .points = {0, 0, 0, 0, 0, 1, 2, 3, 4}};
    const struct snapshot_record *const list[] = {&snapshot};
    struct history_range range = {0, 4};
    double counts[4], below, above;

    (void)state;
    history_bins(&snapshot, &range, 4, counts, &below, &above);
    assert_true(counts[0] == 50 && counts[1] == 10 && counts[2] == 10 && counts[3] == 10);
    assert_true(below == 0 && above == 0);
    range = (struct history_range){0.5, 2.5};
    history_bins(&snapshot, &range, 2, counts, &below, &above);
    assert_true(below == 45 && counts[0] == 10 && counts[1] == 10 && above == 15);
    range = (struct history_range){-2, 0}; /* the last bin holds its end */
    history_bins(&snapshot, &range, 2, counts, &below, &above);
    assert_true(counts[0] == 0 && counts[1] == 40 && above == 40);
    assert_true(history_range_of(list, 1, false, &range) && range.low == 0 && range.high == 4);
    assert_true(history_quantile(&snapshot, 0.5) == 0 && history_quantile(&snapshot, 0.75) == 2);
}

static void
a_range_of_one_value_is_widened(void **state)
{
    struct snapshot_record snapshot = {.elements.count = 1, .point_count = 1, .points = {3}};
    const struct snapshot_record *const list[] = {&snapshot};
    struct history_range range;

    (void)state;
    assert_true(history_range_of(list, 1, false, &range) && range.low == 2.5 && range.high == 3.5);
    snapshot.points[0] = 3e38F;
    assert_true(history_range_of(list, 1, true, &range) && range.low < range.high);
    snapshot.point_count = 0;
    assert_false(history_range_of(list, 1, true, &range));
}

/* --- the thread ---------------------------------------------------------------------------- */

static void
with_thread(struct domain *d)
{
    d->limits.history_bytes_max = 1 << 20;
    d->limits.history_interval_ms = 0;
    d->limits.history_cpu_percent = 100;
    domain_restart(d);
}

static void
wait_for(struct domain *d, const char *name, uint64_t version)
{
    const uint64_t end_ms = clock_monotonic_ms() + WAIT_MS;
    uint64_t newest = 0;

    while (newest < version) {
        struct history history = read_history(d, name);

        newest = history.count > 0 ? history.snapshots[history.count - 1].version : 0;
        history_drop(&history);
        assert_true(clock_monotonic_ms() < end_ms);
        (void)usleep(1000);
    }
}

static void
the_thread_keeps_what_changes_and_spends_no_revision(void **state)
{
    struct domain *d = *state;
    uint64_t revision;

    with_thread(d);
    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, ELEMENTS));
    assign_all(d, "w", 1);
    revision = store_revision(d->f->store);
    wait_for(d, "w", 1);
    assert_int_equal(store_revision(d->f->store), revision);
    assign_all(d, "w", 2);
    assert_int_equal(store_revision(d->f->store), revision + 1);
    wait_for(d, "w", 2);
    assert_int_equal(findings(d), 0);
    domain_reopen(d);
    wait_for(d, "w", 2); /* still there */
    delete_variable(d, "w");
    assert_int_equal(findings(d), 0);
}

/* 8 snapshots each of 170 variables are what fits. */
static void
all_together_keep_to_their_room(void **state)
{
    enum { VARIABLES = 200, ROOM = 1 << 20, EACH = 768 };
    struct domain *d = *state;
    struct store_stats stats;
    size_t kept = 0, with = 0;
    char name[16];

    with_thread(d);
    for (int i = 0; i < VARIABLES; i++) {
        snprintf(name, sizeof name, "w%d", i);
        declare(d, name, DTYPE_FLOAT32, exprs_shape(1, ELEMENTS));
    }
    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < VARIABLES; i++) {
            snprintf(name, sizeof name, "w%d", i);
            assign_all(d, name, (float)round);
        }
        (void)usleep(20000);
    }
    wait_for(d, "w0", 9);
    for (int i = 0; i < VARIABLES; i++) {
        struct history history;

        snprintf(name, sizeof name, "w%d", i);
        history = read_history(d, name);
        kept += history.count;
        with += history.count > 0;
        history_drop(&history);
    }
    assert_in_range(kept, 1, ROOM / EACH);
    assert_in_range(with, 1, ROOM / EACH / HISTORY_SNAPSHOTS_MIN);
    WORKS(store_stats_read(d->f->store, &stats, &d->f->err), &d->f->err);
    assert_int_equal(findings(d), 0);
}

static void
the_thread_ends_when_it_is_told_to(void **state)
{
    struct domain *d = *state;

    for (int i = 0; i < 20; i++) {
        with_thread(d);
        if (i == 0)
            declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, ELEMENTS));
        assign_all(d, "w", (float)i);
        (void)usleep((useconds_t)(i * 700));
        service_interrupt(d->service);
        domain_reopen(d);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(every_second_one_goes_and_the_spacing_doubles),
        DOMAIN_TEST(shares_that_became_smaller_are_kept_to),
        DOMAIN_TEST(nothing_is_kept_of_what_is_gone_or_told_already),
        DOMAIN_TEST(damage_is_noticed),
        cmocka_unit_test(bins_hold_slopes_and_spikes),
        cmocka_unit_test(a_range_of_one_value_is_widened),
        DOMAIN_TEST(the_thread_keeps_what_changes_and_spends_no_revision),
        DOMAIN_TEST(all_together_keep_to_their_room),
        DOMAIN_TEST(the_thread_ends_when_it_is_told_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

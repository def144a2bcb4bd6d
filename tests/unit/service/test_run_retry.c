/* Runs beside others, under short memory, on a full store, of a server that stops: made again when
 * what they read has changed, given up as a whole otherwise. */
#include "service/run/outcome.h"
#include "tests/unit/service/run_fixture.h"

enum { LARGE = 500001 };

/* --- what changes meanwhile ----------------------------------------------------------------- */

/* Between making a run and its commit the outcome is sealed: that is when others come. The first
 * time is the try inside a commit, which large runs give up at once. */
struct others {
    struct write_outcome outcome;
    struct domain *d;
    void (*come)(struct domain *d, int time);
    int times, seals, renders; /* how often they come */
};

static enum err_code
others_come(void *context, uint8_t fingerprint[static OUTCOME_FINGERPRINT_BYTES], struct err *err)
{
    struct others *others = context;

    (void)err;
    memset(fingerprint, 1, OUTCOME_FINGERPRINT_BYTES);
    if (others->seals++ > 0 && others->seals - 2 < others->times)
        others->come(others->d, others->seals - 2);
    return OK;
}

static enum err_code
render_nothing(void *context, uint64_t revision, struct buf *reply, struct err *err)
{
    struct others *others = context;

    others->renders++;
    return buf_append_u64(reply, revision, err);
}

static struct others
others_of(struct domain *d, void (*come)(struct domain *d, int time), int times)
{
    return (struct others){
        .outcome = {.key = bytes_of_text("k"), .seal = others_come, .render = render_nothing},
        .d = d,
        .come = come,
        .times = times};
}

static enum err_code
try_beside(struct script *s, struct others *others)
{
    struct write_options options = {.outcome = &others->outcome};

    others->outcome.context = others;
    return script_try(s, &options);
}

/* By an upload: small runs would wait for a large one that has lost three times. */
static void
x_changes(struct domain *d, int time)
{
    const struct variable_assign_options how = {.keep_shape = true};
    struct tensor_type type = {.dtype = DTYPE_FLOAT32, .shape = exprs_shape(1, 1)};
    float value = (float)(time + 1);
    struct memory_source from = memory_of(&value, sizeof value);
    struct tensor_source source = source_of(&from);
    struct variable_change change;

    WORKS(variable_assign(d->service, MODEL, "x", &type, sizeof value, &source, &how, NULL, &change,
                          &d->f->err),
          &d->f->err);
}

static void
variables_are_made(struct domain *d, int time)
{
    char name[16];

    snprintf(name, sizeof name, "new%d", time);
    make_filled(d, name, 1.0f, 1);
}

static void
model_is_made_again(struct domain *d, int time)
{
    (void)time;
    delete_model(d);
    model_make(d, MODEL);
    make_filled(d, "x", 5.0f, 1);
    make_filled(d, "a", 2.0f, LARGE);
}

static void
model_goes(struct domain *d, int time)
{
    (void)time;
    delete_model(d);
}

/* a += x, in every element. */
static struct script *
reading_run(struct domain *d)
{
    struct script *s = script_new(d);
    struct expr_tree tree = tree_new();
    struct expr *zeros =
        exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(1, LARGE));

    (void)exprs_op(&tree, "add", 2, zeros, exprs_variable(&tree, "x", false));
    make_filled(d, "x", 1.0f, 1);
    make_filled(d, "a", 2.0f, LARGE);
    then_update(s, &verb_assign_add, "a", tree);
    return s;
}

static void
a_run_is_made_again_until_what_it_read_stands(void **state)
{
    struct domain *d = *state;
    struct script *s = reading_run(d);
    struct others others = others_of(d, x_changes, 7);

    WORKS(try_beside(s, &others), &d->f->err);
    assert_int_equal(others.seals, 1 + 8);
    assert_int_equal(others.renders, 1);
    assert_true(others.outcome.kept);
    must_be_filled(d, "a", 2.0f + 7.0f, LARGE); /* of the last x */
    assert_int_equal(s->report.results[0].change.version, 2);
    assert_int_equal(info_of_variable(d, "a").record.version, 2);
    script_drop(s);
}

static void
after_eight_times_a_run_is_given_up(void **state)
{
    struct domain *d = *state;
    struct script *s = reading_run(d);
    struct others others = others_of(d, x_changes, 100);
    uint64_t before = chunks(d);

    REFUSES(try_beside(s, &others), ERR_ABORTED, "changed 8 times while it was computed",
            &d->f->err);
    assert_int_equal(others.seals, 1 + 8);
    assert_int_equal(others.renders, 0);
    assert_null(s->report.results);
    must_be_filled(d, "a", 2.0f, LARGE);
    assert_int_equal(chunks(d), before);
    script_drop(s);
}

static void
a_model_that_is_another_is_met_anew(void **state)
{
    struct domain *d = *state;
    struct script *s = reading_run(d);
    struct others others = others_of(d, model_is_made_again, 1);

    WORKS(try_beside(s, &others), &d->f->err);
    must_be_filled(d, "a", 7.0f, LARGE);
    others = others_of(d, model_goes, 1);
    REFUSES(try_beside(s, &others), ERR_NOT_FOUND, "'m'", &d->f->err);
    assert_int_equal(others.seals, 1 + 1);
    model_make(d, MODEL);
    script_drop(s);
}

/* A condition that held when the run was made does not when it is made again. */
static void
conditions_are_checked_again(void **state)
{
    struct domain *d = *state;
    struct script *s = reading_run(d);
    struct others others = others_of(d, x_changes, 1);
    uint64_t revision = info_of_variable(d, "x").record.revision;
    struct run_requirement *need = require_of(s, "x");

    need->has_revision = true;
    need->revision = revision;
    REFUSES(try_beside(s, &others), ERR_PRECONDITION_FAILED, "require[0]: variable 'x'",
            &d->f->err);
    must_be_filled(d, "a", 2.0f, LARGE);
    script_drop(s);
}

static void
a_checkpoint_of_all_has_all_there_are(void **state)
{
    struct domain *d = *state;
    struct script *s = reading_run(d);
    struct others others = others_of(d, variables_are_made, 2);
    struct checkpoint_save_spec all = {.name = "all"};

    then_save(s, &all);
    WORKS(try_beside(s, &others), &d->f->err);
    assert_int_equal(others.seals, 1 + 3);
    assert_int_equal(s->report.results[1].saved.record.tensors, 4);
    assert_int_equal(s->report.results[1].saved.record.revision, s->report.revision);
    script_drop(s);
}

/* --- memory --------------------------------------------------------------------------------- */

static void
make_few(struct domain *d, int count)
{
    make_filled(d, "a", 1.0f, count);
    make_filled(d, "b", 2.0f, count);
    make_int(d, "step", 0);
    (void)save(d, "before");
}

/* Every kind of operation that leaves something behind. */
static struct script *
rich_run(struct domain *d, int count)
{
    static const struct checkpoint_save_spec mid = {.name = "mid"};
    static const int32_t rows[] = {1, 2};
    struct script *s = script_new(d);

    then_update(s, &verb_assign_add, "a", filled(3.0f, count));
    then_scatter(s, "a", rows, 1, 10.0f);
    then_save(s, &mid);
    then_scatter(s, "a", rows, 1, -10.0f);
    then_update(s, &verb_assign, "b", scaled_tree("a", 2));
    then_count(s, "step", 100);
    then_fetch(s, "b", variable_tree("b"));
    s->spec.finite = true;
    s->spec.update_norm_max = 1e9;
    return s;
}

static void
every_allocation_fails_once(struct domain *d, int count)
{
    struct script *s = rich_run(d, count);
    uint64_t nth = 1, before, records_before;
    enum err_code code = ERR_NO_MEMORY;

    before = chunks(d);
    records_before = records(d);
    for (; nth < 3000 && code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = script_try(s, NULL);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        assert_null(s->report.results);
        assert_true(float_of(d, "a") == 1.0f && float_of(d, "b") == 2.0f);
        assert_int_equal(usage_of_model(d).checkpoints, 1);
        assert_int_equal(records(d), records_before);
        assert_int_equal(chunks(d), before);
    }
    assert_in_range(nth, 20, 2999);
    must_be_filled(d, "a", 4.0f, (size_t)count);
    must_be_filled(d, "b", 8.0f, (size_t)count);
    assert_int_equal(usage_of_model(d).checkpoints, 2);
    script_drop(s);
}

static void
a_small_run_that_runs_out_of_memory_changes_nothing(void **state)
{
    make_few(*state, 6000);
    every_allocation_fails_once(*state, 6000);
}

static void
a_staged_run_that_runs_out_of_memory_changes_nothing(void **state)
{
    make_few(*state, LARGE);
    every_allocation_fails_once(*state, LARGE);
}

/* --- a full store ---------------------------------------------------------------------------- */

enum { MAP_BYTES = 6 << 20 };

static int
full_open(void **state)
{
    struct domain *d;

    if (domain_open(state) != 0)
        return -1;
    d = *state;
    domain_renew(d, MAP_BYTES);
    return 0;
}

/* The same run until the store is full; then it changes nothing, and after a deletion it goes on.
 */
static void
fill_with_runs(struct domain *d, int count)
{
    enum err_code code = OK;
    struct model_info before, after;
    int done = 0;

    make_few(d, count);
    for (; code == OK; done++) {
        struct script *s = rich_run(d, count);
        struct checkpoint_save_spec own = {.name = "own", .has_global_step = true};

        own.global_step = done;
        s->ops[2].save = &own;
        before = usage_of_model(d);
        code = script_try(s, NULL);
        script_drop(s);
        assert_in_range(done, 0, 5000);
    }
    assert_in_range(done, 2, 5000);
    after = usage_of_model(d);
    FAILS(code, ERR_FULL, &d->f->err);
    usage_is(&after, &before);
    assert_true(float_of(d, "a") == 1.0f + 3.0f * (float)(done - 1));
    assert_int_equal(findings(d), 0);
    delete_model(d);
    assert_int_equal(chunks(d), 0);
    model_make(d, MODEL);
}

static void
runs_fill_the_store_and_stop_whole(void **state)
{
    fill_with_runs(*state, 20000); /* inside the commit */
    fill_with_runs(*state, 150000);
    fill_with_runs(*state, 300000); /* staged */
}

/* --- a server that stops ---------------------------------------------------------------------- */

static void
a_server_that_stops_gives_up_large_runs_only(void **state)
{
    struct domain *d = *state;
    struct script *large = reading_run(d), *small = script_new(d);

    make_int(d, "step", 0);
    then_count(small, "step", 9);
    service_interrupt(d->service);
    REFUSES(script_try(large, NULL), ERR_UNAVAILABLE, "the server is stopping", &d->f->err);
    assert_null(large->report.results);
    script_works(small);
    domain_reopen(d);
    must_be_filled(d, "a", 2.0f, LARGE);
    script_works(large);
    must_be_filled(d, "a", 3.0f, LARGE);
    script_drop(large);
    script_drop(small);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_run_is_made_again_until_what_it_read_stands),
        DOMAIN_TEST(after_eight_times_a_run_is_given_up),
        DOMAIN_TEST(a_model_that_is_another_is_met_anew),
        DOMAIN_TEST(conditions_are_checked_again),
        DOMAIN_TEST(a_checkpoint_of_all_has_all_there_are),
        DOMAIN_TEST(a_small_run_that_runs_out_of_memory_changes_nothing),
        DOMAIN_TEST(a_staged_run_that_runs_out_of_memory_changes_nothing),
        cmocka_unit_test_setup_teardown(runs_fill_the_store_and_stop_whole, full_open,
                                        domain_close),
        DOMAIN_TEST(a_server_that_stops_gives_up_large_runs_only),
    };

    return cmocka_run_group_tests_name("run_retry", tests, NULL, NULL);
}

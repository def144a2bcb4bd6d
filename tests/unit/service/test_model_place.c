/* Where variables of a model go, and go anew: what is drawn, by what, and when nothing is. */
#include "service/placement/model_place.h"
#include "service/placement/model_setter.h"
#include "service/run/outcome.h"
#include "tests/unit/service/service_fixture.h"

static void
patch(struct domain *d, const struct device_setter_args *placement, const char *device)
{
    struct model_spec spec = {
        .has_placement = true, .placement = placement, .has_device = true, .device = device};
    struct model_info info;
    uint64_t revision;

    WORKS(model_patch(d->service, MODEL, &spec, NULL, &info, &revision, &d->f->err), &d->f->err);
}

static struct device_setter_args
round_of(uint32_t tasks)
{
    struct device_setter_args args = device_setter_args_default();

    args.has_ps_tasks = true;
    args.ps_tasks = tasks;
    return args;
}

static void
is_on(struct domain *d, const char *name, const char *device, uint8_t placed)
{
    struct variable_info info = info_of_variable(d, name);

    assert_string_equal(info.record.device, device);
    assert_int_equal(info.record.placed, placed);
}

static uint32_t
next_task(struct domain *d)
{
    return usage_of_model(d).drawn.state.next;
}

static void
declare_scalar(struct domain *d, const char *name)
{
    declare(d, name, DTYPE_FLOAT32, (struct shape){.rank = 0});
}

static void
each_variable_draws_and_a_refused_one_does_not(void **state)
{
    struct domain *d = *state;
    const struct device_setter_args three = round_of(3);
    struct variable_spec again = spec_named("a");
    uint64_t before = records(d);

    patch(d, &three, "/replica:1");
    declare_scalar(d, "a");
    declare_scalar(d, "b");
    again.dtype = DTYPE_INT8;
    again.shape = &(struct shape){.rank = 0};
    FAILS(try_create(d, again, NULL), ERR_ALREADY_EXISTS, &d->f->err);
    is_on(d, "a", "/job:ps/replica:1/task:0",
          RECORD_PLACED_JOB | RECORD_PLACED_REPLICA | RECORD_PLACED_TASK);
    is_on(d, "b", "/job:ps/replica:1/task:1",
          RECORD_PLACED_JOB | RECORD_PLACED_REPLICA | RECORD_PLACED_TASK);
    assert_int_equal(next_task(d), 2);
    domain_reopen(d);
    declare_scalar(d, "c");
    is_on(d, "c", "/job:ps/replica:1/task:2",
          RECORD_PLACED_JOB | RECORD_PLACED_REPLICA | RECORD_PLACED_TASK);
    patch(d, NULL, "");
    assert_int_equal(usage_of_model(d).drawn.tasks, 0);
    declare_scalar(d, "d");
    is_on(d, "d", "", 0);
    delete_model(d);
    model_make(d, MODEL);
    assert_int_equal(records(d), before); /* what was drawn went with the model */
}

static enum err_code
place(struct domain *d, bool dry_run, struct model_place_report *report)
{
    *report = (struct model_place_report){.moved = 0};
    return model_place(d->service, MODEL, dry_run, NULL, report, &d->f->err);
}

static void
placing_anew_goes_in_the_order_they_were_made_in(void **state)
{
    struct domain *d = *state;
    const struct device_setter_args two = round_of(2);
    struct model_place_report report;

    declare_scalar(d, "z");
    declare_scalar(d, "y");
    declare_scalar(d, "x");
    patch(d, &two, "");
    WORKS(place(d, true, &report), &d->f->err);
    assert_int_equal(report.moved, 3);
    assert_string_equal(report.moves[0].name, "z");
    assert_string_equal(report.moves[1].to, "/job:ps/task:1");
    assert_int_equal(report.drawn.state.next, 1);
    model_place_report_drop(&report);
    is_on(d, "z", "", 0);
    WORKS(place(d, false, &report), &d->f->err);
    assert_int_equal(report.variables, 3);
    assert_int_equal(report.revision, usage_of_model(d).revision);
    model_place_report_drop(&report);
    is_on(d, "z", "/job:ps/task:0", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    is_on(d, "x", "/job:ps/task:0", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    assert_int_equal(next_task(d), 1);
    WORKS(place(d, false, &report), &d->f->err);
    assert_int_equal(report.moved, 0);
    model_place_report_drop(&report);
    patch(d, NULL, "");
    WORKS(place(d, false, &report), &d->f->err);
    assert_int_equal(report.moved, 3);
    model_place_report_drop(&report);
    is_on(d, "z", "", 0);
}

static void
a_model_without_variables_is_placed_too(void **state)
{
    struct domain *d = *state;
    struct model_place_report report;

    WORKS(place(d, false, &report), &d->f->err);
    assert_int_equal(report.variables, 0);
    model_place_report_drop(&report);
    delete_model(d);
    FAILS(place(d, false, &report), ERR_NOT_FOUND, &d->f->err);
    model_place_report_drop(&report);
    FAILS(place(d, true, &report), ERR_NOT_FOUND, &d->f->err);
    model_place_report_drop(&report);
    model_make(d, MODEL);
}

static enum err_code
create_in_parts(struct domain *d, const char *name)
{
    struct variable_spec spec = spec_named(name);

    spec.dtype = DTYPE_FLOAT32;
    spec.shape = &(struct shape){.rank = 1, .dims = {6}};
    spec.partition = partition_spec_default(PARTITION_SLICING);
    spec.partition.slicing = (struct shape){.rank = 1, .dims = {3}};
    return try_create(d, spec, NULL);
}

/* Whatever allocation fails, all of it is as it was. */
static void
without_memory_nothing_is_drawn_or_moved(void **state)
{
    struct domain *d = *state;
    const struct device_setter_args four = round_of(4), two = round_of(2);
    struct model_place_report report;
    enum err_code code = ERR_NO_MEMORY;

    patch(d, &four, "");
    for (unsigned nth = 1; code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = create_in_parts(d, "p");
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        assert_int_equal(next_task(d), code == OK ? 3 : 0);
        err_clear(&d->f->err);
    }
    is_on(d, "p", "/job:ps", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    patch(d, &two, "");
    code = ERR_NO_MEMORY;
    for (unsigned nth = 1; code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = place(d, false, &report);
        (void)mem_fail_at(0, 0);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        assert_int_equal(next_task(d), code == OK ? 1 : 0);
        assert_true(code != OK || report.moved == 1);
        model_place_report_drop(&report);
        err_clear(&d->f->err);
    }
}

static void
a_service_that_stops_gives_it_up(void **state)
{
    struct domain *d = *state;
    const struct device_setter_args two = round_of(2);
    struct model_place_report report;

    declare_scalar(d, "a");
    patch(d, &two, "");
    service_interrupt(d->service);
    FAILS(place(d, true, &report), ERR_UNAVAILABLE, &d->f->err);
    model_place_report_drop(&report);
    FAILS(place(d, false, &report), ERR_UNAVAILABLE, &d->f->err);
    model_place_report_drop(&report);
    is_on(d, "a", "", 0);
    domain_reopen(d);
}

/* Between the plan and its commit the outcome is sealed: that is when others come. */
struct others {
    struct write_outcome outcome;
    struct domain *d;
    void (*come)(struct domain *d, unsigned time);
    unsigned times, seals;
};

static enum err_code
others_come(void *context, uint8_t fingerprint[static OUTCOME_FINGERPRINT_BYTES], struct err *err)
{
    struct others *others = context;

    (void)err;
    memset(fingerprint, 1, OUTCOME_FINGERPRINT_BYTES);
    if (others->seals++ < others->times)
        others->come(others->d, others->seals - 1);
    return OK;
}

static enum err_code
render_revision(void *context, uint64_t revision, struct buf *reply, struct err *err)
{
    (void)context;
    return buf_append_u64(reply, revision, err);
}

/* How often it was tried. */
static unsigned
place_beside(struct domain *d, const char *key, void (*come)(struct domain *d, unsigned time),
             unsigned times, enum err_code expected, struct model_place_report *report)
{
    struct others others = {
        .outcome = {.key = bytes_of_text(key), .seal = others_come, .render = render_revision},
        .d = d,
        .come = come,
        .times = times};
    struct write_options options = {.outcome = &others.outcome};
    enum err_code code;

    others.outcome.context = &others;
    *report = (struct model_place_report){.moved = 0};
    code = model_place(d->service, MODEL, false, &options, report, &d->f->err);
    assert_int_equal(code, expected);
    err_clear(&d->f->err);
    return others.seals;
}

static void
one_is_made(struct domain *d, unsigned time)
{
    char name[16];

    (void)snprintf(name, sizeof name, "new%u", time);
    declare_scalar(d, name);
}

static void
a_value_is_given(struct domain *d, unsigned time)
{
    float value = (float)time;

    assign(d, "a", DTYPE_FLOAT32, (struct shape){.rank = 0}, &value);
}

static void
one_is_another(struct domain *d, unsigned time)
{
    (void)time;
    delete_variable(d, "a");
    declare_scalar(d, "a");
}

static void
the_placement_is_another(struct domain *d, unsigned time)
{
    const struct device_setter_args five = round_of(5);

    (void)time;
    patch(d, &five, "");
}

static void
the_model_goes(struct domain *d, unsigned time)
{
    (void)time;
    delete_model(d);
}

static void
a_plan_is_made_again_when_others_changed_what_it_is_made_of(void **state)
{
    struct domain *d = *state;
    const struct device_setter_args two = round_of(2);
    struct model_place_report report;

    declare_scalar(d, "a");
    declare_scalar(d, "b");
    patch(d, &two, "");
    assert_int_equal(place_beside(d, "1", one_is_made, 1, OK, &report), 2);
    assert_int_equal(report.variables, 3);
    assert_int_equal(report.moved, 2);
    model_place_report_drop(&report);
    is_on(d, "a", "/job:ps/task:0", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    is_on(d, "new0", "/job:ps/task:0", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    assert_int_equal(next_task(d), 1);
    assert_int_equal(place_beside(d, "2", one_is_another, 1, OK, &report), 2);
    model_place_report_drop(&report);
    is_on(d, "b", "/job:ps/task:0", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    is_on(d, "a", "/job:ps/task:0", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    assert_int_equal(place_beside(d, "3", the_placement_is_another, 1, OK, &report), 2);
    model_place_report_drop(&report);
    is_on(d, "a", "/job:ps/task:2", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    assert_int_equal(next_task(d), 3);
}

static void
values_change_no_plan(void **state)
{
    struct domain *d = *state;
    const struct device_setter_args two = round_of(2);
    struct model_place_report report;

    declare_scalar(d, "b");
    declare_scalar(d, "a");
    a_value_is_given(d, 1);
    patch(d, &two, "");
    assert_int_equal(place_beside(d, "4", a_value_is_given, 1, OK, &report), 1);
    assert_int_equal(report.moved, 2);
    model_place_report_drop(&report);
    is_on(d, "a", "/job:ps/task:1", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
}

static void
whoever_loses_too_often_has_them_wait(void **state)
{
    struct domain *d = *state;
    const struct device_setter_args two = round_of(2);
    struct model_place_report report;

    declare_scalar(d, "a");
    patch(d, &two, "");
    assert_int_equal(place_beside(d, "5", one_is_made, 100, OK, &report), 4);
    assert_int_equal(report.variables, 5); /* what came last came before the commit, too */
    assert_int_equal(report.moved, 5);
    model_place_report_drop(&report);
    is_on(d, "new3", "/job:ps/task:0", RECORD_PLACED_JOB | RECORD_PLACED_TASK);
    assert_int_equal(next_task(d), 1);
    assert_int_equal(place_beside(d, "6", the_model_goes, 1, ERR_NOT_FOUND, &report), 1);
    model_place_report_drop(&report);
    model_make(d, MODEL);
}

/* tf.device(None) among the scopes of a request. */
static void
what_hides_the_model_is_not_placed(void **state)
{
    static struct device_scope scopes[] = {
        {.spec = {.has_job = true, .job = "a"}}, {.resets = true}, {.resets = false}};
    struct domain *d = *state;
    const struct device_setter_args two = round_of(2);
    struct variable_record record = {.shape_known = true};
    const struct variable_form form = record_variable_form(&record);
    struct store_snapshot *snapshot = NULL;
    struct variable_places places;
    struct model_setter setter;
    struct model_record model;
    struct device_spec own;
    bool found = false, hides = false;

    patch(d, &two, "/replica:1");
    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_model(store_snapshot_view(snapshot), MODEL, &found, &model, &d->f->err),
          &d->f->err);
    WORKS(model_setter_open(&setter, d->service, store_snapshot_view(snapshot), &model, &d->f->err),
          &d->f->err);
    WORKS(device_spec_parse("/task:1", &scopes[2].spec, &d->f->err), &d->f->err);
    WORKS(model_setter_scopes(scopes, 3, &own, &hides, &d->f->err), &d->f->err);
    assert_true(hides);
    WORKS(model_setter_place(&setter, &form, &own, hides, &places, &d->f->err), &d->f->err);
    assert_string_equal(places.device, "/task:1");
    assert_int_equal(places.placed, RECORD_PLACED_NEVER);
    assert_false(setter.changed);
    WORKS(model_setter_scopes(scopes, 1, &own, &hides, &d->f->err), &d->f->err);
    assert_false(hides);
    WORKS(model_setter_place(&setter, &form, &own, hides, &places, &d->f->err), &d->f->err);
    assert_string_equal(places.device, "/job:a/replica:1/task:0");
    assert_int_equal(places.placed, RECORD_PLACED_REPLICA | RECORD_PLACED_TASK);
    assert_true(setter.changed);
    store_snapshot_drop(snapshot);
}

static void
what_is_its_own_is_known_from_what_was_given(void **state)
{
    struct device_spec own;
    struct err err = ERR_INIT;
    char text[DEVICE_TEXT_BYTES_MAX + 1];

    (void)state;
    WORKS(model_setter_own("/job:ps/replica:1/task:2/device:CPU:3",
                           RECORD_PLACED_JOB | RECORD_PLACED_TASK | RECORD_PLACED_INDEX, &own,
                           &err),
          &err);
    assert_string_equal(device_spec_print(&own, text), "/replica:1/device:CPU:*");
    FAILS(model_setter_own("here", 0, &own, &err), ERR_INVALID_ARGUMENT, &err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(each_variable_draws_and_a_refused_one_does_not),
        DOMAIN_TEST(placing_anew_goes_in_the_order_they_were_made_in),
        DOMAIN_TEST(a_model_without_variables_is_placed_too),
        DOMAIN_TEST(what_hides_the_model_is_not_placed),
        DOMAIN_TEST(a_plan_is_made_again_when_others_changed_what_it_is_made_of),
        DOMAIN_TEST(values_change_no_plan),
        DOMAIN_TEST(whoever_loses_too_often_has_them_wait),
        DOMAIN_TEST(without_memory_nothing_is_drawn_or_moved),
        DOMAIN_TEST(a_service_that_stops_gives_it_up),
        cmocka_unit_test(what_is_its_own_is_known_from_what_was_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

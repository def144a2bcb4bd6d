/* Runs: operations in order, each seeing what came before; all of them or none; in the commit when
 * they are small, ahead of it when they are not. */
#include "tests/unit/service/run_fixture.h"

enum { SMALL = 3, LARGE = 500001 }; /* float32; large: about 2 MB, staged */

static const int counts[] = {SMALL, LARGE};

static void
make_some(struct domain *d, int count)
{
    make_filled(d, "a", 1.0f, count);
    make_filled(d, "b", 0.0f, count);
    make_int(d, "step", 6);
}

static void
drop_some(struct domain *d)
{
    uint64_t revision;

    delete_variable(d, "a");
    delete_variable(d, "b");
    delete_variable(d, "step");
    if (usage_of_model(d).checkpoints > 0)
        WORKS(checkpoint_delete(d->service, MODEL, "mid-7", NULL, &revision, &d->f->err),
              &d->f->err);
    assert_int_equal(findings(d), 0);
    assert_int_equal(chunks(d), 0);
}

/* --- order --------------------------------------------------------------------------------- */

static void
check_changes(const struct script *s, uint64_t revision)
{
    static const struct {
        size_t op;
        const char *name;
        uint64_t version;
    } changes[] = {{0, "a", 2}, {1, "a", 3}, {2, "b", 2}, {3, "step", 2}, {5, "a", 4}, {6, "b", 3}};

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const struct run_result *result = &s->report.results[changes[i].op];

        assert_true(result->has_change);
        assert_string_equal(result->change.name, changes[i].name);
        assert_int_equal(result->change.version, changes[i].version);
        assert_int_equal(result->change.revision, revision);
    }
    assert_false(s->report.results[4].has_change);
    assert_true(s->report.results[3].has_before);
    assert_int_equal(s->report.results[3].before, 6);
}

static void
operations_see_what_came_before_them(void **state)
{
    struct checkpoint_save_spec mid = {.name = "mid", .global_step_variable = "step"};
    struct domain *d = *state;

    for (size_t i = 0; i < 2; i++) {
        struct script *s = script_new(d);
        int count = counts[i];
        float fetched = 0;

        make_some(d, count);
        then_update(s, &verb_assign, "a", filled(2.0f, count));
        then_update(s, &verb_assign_add, "a", filled(3.0f, count)); /* 5 */
        then_update(s, &verb_assign, "b", scaled_tree("a", 10));    /* 50 */
        then_count(s, "step", 100);                                 /* 7 */
        then_save(s, &mid);
        then_update(s, &verb_assign_sub, "a", scaled_tree("b", 1)); /* -45 */
        then_update(s, &verb_assign, "b", variable_tree("a"));
        then_fetch(s, "a", variable_tree("a"));
        then_fetch(s, "steps", variable_tree("step"));
        script_works(s);
        assert_int_equal(s->report.revision, service_revision(d->service));
        check_changes(s, s->report.revision);
        must_be_filled(d, "a", -45.0f, (size_t)count);
        must_be_filled(d, "b", -45.0f, (size_t)count);
        assert_int_equal(info_of_variable(d, "a").record.version, 4);
        assert_true(s->report.results[4].has_saved);
        assert_string_equal(s->report.results[4].saved.name, "mid-7");
        assert_int_equal(s->report.results[4].saved.record.revision, s->report.revision);
        assert_int_equal(s->report.results[4].saved.record.global_step, 7);
        assert_int_equal(s->report.results[4].saved.record.tensors, 3);
        saved_must_be_filled(d, "mid-7", "a", 5.0f, (size_t)count);
        saved_must_be_filled(d, "mid-7", "b", 50.0f, (size_t)count);
        assert_int_equal(s->report.fetches[0].size, (size_t)count * 4);
        memcpy(&fetched, s->report.fetches[0].data + s->report.fetches[0].size - 4, 4);
        assert_true(fetched == -45.0f);
        assert_int_equal(*(const int64_t *)(const void *)s->report.fetches[1].data, 7);
        script_drop(s);
        drop_some(d);
    }
}

static void
an_empty_run_changes_nothing(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);
    uint64_t revision = service_revision(d->service);

    script_works(s);
    assert_int_equal(s->report.revision, revision);
    make_int(d, "step", 6);
    revision = service_revision(d->service);
    then_fetch(s, "step", variable_tree("step"));
    script_works(s);
    assert_int_equal(s->report.revision, revision);
    assert_int_equal(service_revision(d->service), revision);
    run_report_drop(&s->report);
    REFUSES(run_execute(d->service, "absent", &s->spec, NULL, &s->report, &d->f->err),
            ERR_NOT_FOUND, "'absent'", &d->f->err);
    script_drop(s);
}

/* --- all or none --------------------------------------------------------------------------- */

/* What fails in the middle of a run, and what is said. */
static void
add_failing(struct script *s, int kind)
{
    static const struct checkpoint_pick twins[] = {{"x", "a"}, {"x", "b"}};
    static const struct checkpoint_save_spec there = {.name = "there"},
                                             same = {.name = "t", .picks = twins, .pick_count = 2};
    static const int32_t past[] = {0, LARGE};

    if (kind == 0)
        then_update(s, &verb_assign, "absent", filled(1.0f, 1));
    else if (kind == 1)
        then_update(s, &verb_assign_add, "a", filled(1.0f, 2));
    else if (kind == 2)
        then_count(s, "step", 6);
    else if (kind == 3)
        then_save(s, &there);
    else if (kind == 4)
        then_save(s, &same);
    else
        then_scatter(s, "a", past, 2, 1.0f);
}

static const struct {
    enum err_code code;
    const char *words;
} failing[] = {
    {ERR_NOT_FOUND, "'absent'"},
    {ERR_INVALID_ARGUMENT, "do not broadcast"},
    {ERR_OUT_OF_RANGE, "Reached limit of 6"},
    {ERR_ALREADY_EXISTS, "'there' exists already"},
    {ERR_INVALID_ARGUMENT, "same name"},
    {ERR_INVALID_ARGUMENT, "500001"},
};

static void
fail_at(struct domain *d, int kind, int place)
{
    struct script *s = script_new(d);
    struct checkpoint_save_spec own = {.name = "own"};

    for (int i = 0; i < 4; i++) {
        if (i == place)
            add_failing(s, kind);
        else if (i == 2)
            then_save(s, &own);
        else
            then_update(s, &verb_assign, i == 0 ? "a" : "b", scaled_tree("a", 3));
    }
    SCRIPT_REFUSES(s, NULL, failing[kind].code, place, failing[kind].words);
    s->spec.numbered = false;
    SCRIPT_REFUSES(s, NULL, failing[kind].code, -1, failing[kind].words);
    s->spec.numbered = true;
    s->spec.dry_run = true;
    SCRIPT_REFUSES(s, NULL, failing[kind].code, place, failing[kind].words);
    script_drop(s);
}

static void
nothing_is_left_of_a_run_of_which_one_operation_fails(void **state)
{
    struct domain *d = *state;
    uint64_t before;

    for (size_t i = 0; i < 2; i++) {
        make_some(d, counts[i]);
        (void)save(d, "there");
        before = records(d);
        for (int kind = 0; kind < 6; kind++)
            for (int place = 0; place < 4; place++)
                fail_at(d, kind, place);
        must_be_filled(d, "a", 1.0f, (size_t)counts[i]);
        must_be_filled(d, "b", 0.0f, (size_t)counts[i]);
        assert_int_equal(usage_of_model(d).checkpoints, 1);
        assert_int_equal(records(d), before);
        assert_int_equal(findings(d), 0);
        delete_model(d);
        model_make(d, MODEL);
    }
}

static void
the_five_hundredth_operation_may_fail(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);

    make_some(d, SMALL);
    for (int i = 0; i < 500; i++)
        then_update(s, i % 2 == 0 ? &verb_assign_add : &verb_assign_sub, "a", filled(1.0f, SMALL));
    s->ops[499].variable = "absent";
    SCRIPT_REFUSES(s, NULL, ERR_NOT_FOUND, 499, "'absent'");
    must_be_filled(d, "a", 1.0f, SMALL);
    s->ops[499].variable = "a";
    script_works(s);
    must_be_filled(d, "a", 1.0f, SMALL);
    assert_int_equal(info_of_variable(d, "a").record.version, 501);
    assert_int_equal(s->report.results[250].change.version, 252);
    script_drop(s);
}

/* A commit is not held up by them: they are made ahead of it. */
static void
a_thousand_operations_are_one_commit(void **state)
{
    enum { MANY = 1200 };
    struct domain *d = *state;
    struct script *s = script_new(d);
    uint64_t revision;

    make_int(d, "step", 0);
    revision = service_revision(d->service);
    for (int i = 0; i < MANY; i++)
        then_count(s, "step", MANY);
    script_works(s);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(s->report.results[i].before, i);
    assert_int_equal(service_revision(d->service), revision + 1);
    SCRIPT_REFUSES(s, NULL, ERR_OUT_OF_RANGE, 0, "Reached limit of 1200");
    script_drop(s);
}

/* --- requirements and conditions ----------------------------------------------------------- */

static void
requirements_hold_before_the_first_operation(void **state)
{
    struct domain *d = *state;

    for (size_t i = 0; i < 2; i++) {
        struct script *s = script_new(d);
        struct run_requirement *first, *second;
        uint64_t revision;

        make_some(d, counts[i]);
        revision = info_of_variable(d, "a").record.revision;
        then_update(s, &verb_assign_add, "b", variable_tree("a"));
        first = require_of(s, "step");
        first->has_version = true;
        first->version = 1;
        second = require_of(s, "a");
        second->has_version = true;
        second->version = 2;
        SCRIPT_REFUSES(s, NULL, ERR_PRECONDITION_FAILED, -1,
                       "require[1]: variable 'a' has version 1, 2 is required");
        second->has_version = false;
        second->has_revision = true;
        second->revision = revision + 1;
        SCRIPT_REFUSES(s, NULL, ERR_PRECONDITION_FAILED, -1, "require[1]: variable 'a' has rev");
        second->has_version = true;
        second->version = 1;
        SCRIPT_REFUSES(s, NULL, ERR_PRECONDITION_FAILED, -1, "require[1]: variable 'a' has rev");
        second->version = 3;
        second->revision = revision;
        SCRIPT_REFUSES(s, NULL, ERR_PRECONDITION_FAILED, -1, "require[1]: variable 'a' has ver");
        second->version = 1;
        script_works(s);
        must_be_filled(d, "b", 1.0f, (size_t)counts[i]);
        second->variable = "absent";
        SCRIPT_REFUSES(s, NULL, ERR_NOT_FOUND, -1, "'absent'");
        script_drop(s);
        drop_some(d);
    }
}

static void
a_failed_requirement_tells_the_revision_there_is(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);

    make_some(d, SMALL);
    require_of(s, "a")->has_version = true;
    assert_int_equal(script_try(s, NULL), ERR_PRECONDITION_FAILED);
    assert_int_equal(d->f->err.current_revision, info_of_variable(d, "a").record.revision);
    assert_string_equal(d->f->err.about, "a");
    err_clear(&d->f->err);
    script_drop(s);
}

static void
if_match_is_about_what_the_run_says(void **state)
{
    struct domain *d = *state;
    struct checkpoint_save_spec there = {.name = "there", .overwrite = true};

    for (size_t i = 0; i < 2; i++) {
        uint64_t revision = 1;
        struct write_options match = {.if_match = true,
                                      .revisions = &revision,
                                      .revision_count = 1},
                             none = {.if_none_match = true}, any = {.if_match_any = true};
        struct script *s = script_new(d);
        struct checkpoint_info info;

        make_some(d, counts[i]);
        info = save(d, "there");
        then_update(s, &verb_assign_add, "b", variable_tree("a"));
        script_works(s); /* about nothing */
        WORKS(script_try(s, &match), &d->f->err);
        s->spec.conditional_variable = "a";
        SCRIPT_REFUSES(s, &match, ERR_PRECONDITION_FAILED, -1, "variable 'a'");
        SCRIPT_REFUSES(s, &none, ERR_PRECONDITION_FAILED, -1, "'a'");
        revision = info_of_variable(d, "a").record.revision;
        WORKS(script_try(s, &match), &d->f->err);
        WORKS(script_try(s, &any), &d->f->err);
        s->spec.conditional_variable = NULL;
        s->spec.conditional_model = true;
        SCRIPT_REFUSES(s, &match, ERR_PRECONDITION_FAILED, -1, "model 'm'");
        revision = usage_of_model(d).revision;
        WORKS(script_try(s, &match), &d->f->err);
        SCRIPT_REFUSES(s, &match, ERR_PRECONDITION_FAILED, -1, "model 'm'");
        s->spec.conditional_model = false;
        s->spec.conditional_save = true;
        then_save(s, &there);
        SCRIPT_REFUSES(s, &match, ERR_PRECONDITION_FAILED, 1, "checkpoint 'there'");
        revision = info.record.revision;
        WORKS(script_try(s, &match), &d->f->err);
        assert_true(s->report.results[1].saved.replaced);
        script_drop(s);
        delete_model(d);
        model_make(d, MODEL);
    }
}

/* --- dry runs ------------------------------------------------------------------------------ */

static void
a_dry_run_tells_everything_and_keeps_nothing(void **state)
{
    struct domain *d = *state;
    struct checkpoint_save_spec mid = {.name = "mid", .global_step_variable = "step"};

    for (size_t i = 0; i < 2; i++) {
        struct script *s = script_new(d);
        uint64_t revision, before;
        float fetched = 0;

        make_some(d, counts[i]);
        revision = service_revision(d->service);
        before = records(d);
        then_update(s, &verb_assign, "a", filled(2.0f, counts[i]));
        then_update(s, &verb_assign_add, "a", scaled_tree("a", 1.5));
        then_count(s, "step", 100);
        then_save(s, &mid);
        then_fetch(s, "a", variable_tree("a"));
        s->spec.dry_run = true;
        s->spec.finite = true;
        s->spec.update_norm_max = 1e9;
        script_works(s);
        assert_true(s->report.dry_run && s->report.has_update_norm);
        assert_int_equal(s->report.revision, revision);
        assert_int_equal(s->report.results[1].change.version, 3);
        assert_int_equal(s->report.results[2].before, 6);
        assert_string_equal(s->report.results[3].saved.name, "mid-7");
        memcpy(&fetched, s->report.fetches[0].data, 4);
        assert_true(fetched == 5.0f);
        assert_int_equal(service_revision(d->service), revision);
        assert_int_equal(records(d), before);
        assert_int_equal(chunks(d), 0);
        must_be_filled(d, "a", 1.0f, (size_t)counts[i]);
        s->spec.dry_run = false;
        script_works(s);
        assert_int_equal(s->report.results[1].change.version, 3);
        script_drop(s);
        drop_some(d);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(operations_see_what_came_before_them),
        DOMAIN_TEST(an_empty_run_changes_nothing),
        DOMAIN_TEST(nothing_is_left_of_a_run_of_which_one_operation_fails),
        DOMAIN_TEST(the_five_hundredth_operation_may_fail),
        DOMAIN_TEST(a_thousand_operations_are_one_commit),
        DOMAIN_TEST(requirements_hold_before_the_first_operation),
        DOMAIN_TEST(a_failed_requirement_tells_the_revision_there_is),
        DOMAIN_TEST(if_match_is_about_what_the_run_says),
        DOMAIN_TEST(a_dry_run_tells_everything_and_keeps_nothing),
    };

    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}

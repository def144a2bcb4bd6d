/* What commits say they changed: all of it, once, in order, and again after a restart. */
#include <stdio.h>

#include "service/record/record_change.h"
#include "tests/unit/service/service_fixture.h"

enum { TEXT_BYTES = 64 * 1024 };

/* One word for each change: event, name, version or count, op. */
struct told {
    struct change_range range;
    size_t count, used;
    size_t stop_after; /* 0: never */
    uint64_t last;
    enum change_kind only; /* in the text; the first kind: all */
    char text[TEXT_BYTES];
};

static enum err_code
tell(void *context, const struct change *change, bool *enough, struct err *err)
{
    struct told *t = context;

    (void)err;
    assert_true(change->revision >= t->last);
    assert_true(change->time_ms > 0);
    t->last = change->revision;
    t->count++;
    *enough = t->stop_after > 0 && t->count >= t->stop_after;
    if ((t->only == 0 || change->kind == t->only) && t->used + 400 < sizeof t->text)
        t->used += (size_t)snprintf(
            t->text + t->used, sizeof t->text - t->used, "%s%s:%.*s:%llu%s%.*s",
            t->used > 0 ? " " : "", change_event(change->kind), (int)change->name.size,
            (const char *)change->name.data, (unsigned long long)(change->version + change->count),
            change->op.size > 0 ? ":" : "", (int)change->op.size, (const char *)change->op.data);
    return OK;
}

static struct told *
told_since(struct domain *d, uint64_t since)
{
    struct told *t = calloc(1, sizeof *t);

    assert_non_null(t);
    WORKS(change_read(d->service, since, tell, t, &t->range, &d->f->err), &d->f->err);
    return t;
}

static void
must_tell(struct domain *d, uint64_t since, const char *text)
{
    struct told *t = told_since(d, since);

    assert_string_equal(t->text, text);
    assert_int_equal(t->range.read, t->range.newest);
    assert_int_equal(t->range.newest, service_revision(d->service));
    free(t);
}

static void
every_kind_is_told(struct domain *d)
{
    static const float one[] = {1};
    struct checkpoint_restore_spec spec = {.name = "c"};
    struct restore_report report = {.revision = 0};
    uint64_t since = service_revision(d->service), revision;

    must_tell(d, 0, "model.created::0");
    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, 1));
    assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, 1), one);
    assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, 1), one);
    (void)save(d, "c");
    must_tell(d, since,
              "variable.created:w:0 variable.initialized:w:1 variable.changed:w:2 "
              "checkpoint.saved:c:1");
    since = service_revision(d->service);
    WORKS(checkpoint_restore(d->service, MODEL, &spec, NULL, &report, &d->f->err), &d->f->err);
    restore_report_drop(&report);
    must_tell(d, since, "variable.changed:w:3 checkpoint.restored:c:1");
    since = service_revision(d->service);
    WORKS(checkpoint_delete(d->service, MODEL, "c", NULL, &revision, &d->f->err), &d->f->err);
    delete_variable(d, "w");
    must_tell(d, since, "checkpoint.deleted:c:1 variable.deleted:w:3");
}

static void
what_each_kind_of_write_did_is_told_again_after_a_restart(void **state)
{
    struct domain *d = *state;
    struct told *before, *after;

    every_kind_is_told(d);
    before = told_since(d, 0);
    domain_reopen(d);
    after = told_since(d, 0);
    assert_string_equal(before->text, after->text);
    assert_int_equal(before->range.newest, after->range.newest);
    free(before);
    free(after);
}

static void
one_commit_tells_of_all_it_changed_with_its_op(void **state)
{
    struct domain *d = *state;
    struct write_options options = {.op = "initialize"};
    struct expr_tree a = filled(1.0f, 3), b = filled(2.0f, 3);
    struct run_report run;
    uint64_t since;

    create(d, "layer/a", &a);
    create(d, "layer/b", &b);
    since = service_revision(d->service);
    WORKS(model_initialize(d->service, MODEL, &(struct initialize_spec){0}, &options, &run,
                           &d->f->err),
          &d->f->err);
    run_report_drop(&run);
    assert_int_equal(service_revision(d->service), since + 1);
    must_tell(
        d, since,
        "variable.initialized:layer/a:1:initialize variable.initialized:layer/b:1:initialize");
}

static void
what_fails_or_changes_nothing_tells_nothing(void **state)
{
    struct domain *d = *state;
    static const float two[] = {1, 2};
    uint64_t since, revision;

    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, 1));
    since = service_revision(d->service);
    REFUSES(try_update_literal(d, "w", VARIABLE_ASSIGN, DTYPE_FLOAT32, exprs_shape(1, 2), two),
            ERR_INVALID_ARGUMENT, "shape", &d->f->err);
    REFUSES(variable_delete(d->service, MODEL, "x", NULL, &revision, &d->f->err), ERR_NOT_FOUND,
            "x", &d->f->err);
    must_tell(d, since, "");
}

static void
deleting_a_model_tells_of_what_was_in_it(void **state)
{
    struct domain *d = *state;
    uint64_t since;

    declare(d, "a", DTYPE_FLOAT32, exprs_shape(1, 1));
    declare(d, "b", DTYPE_FLOAT32, exprs_shape(1, 1));
    since = service_revision(d->service);
    delete_model(d);
    must_tell(d, since, "model.deleted::0 variable.deleted:a:0 variable.deleted:b:0");
    model_make(d, MODEL);
    declare(d, "a", DTYPE_FLOAT32, exprs_shape(1, 1));
    domain_reopen(d);
    declare(d, "b", DTYPE_FLOAT32, exprs_shape(1, 1));
    must_tell(d, since + 1, "model.created::0 variable.created:a:0 variable.created:b:0");
}

static void
a_reader_may_stop_at_the_end_of_a_commit(void **state)
{
    struct domain *d = *state;
    struct told t = {.stop_after = 1};
    struct expr_tree a = filled(1.0f, 3), b = filled(2.0f, 3);
    uint64_t since;

    create(d, "a", &a);
    create(d, "b", &b);
    since = service_revision(d->service);
    initialize_all(d);
    delete_variable(d, "a");
    WORKS(change_read(d->service, since, tell, &t, &t.range, &d->f->err), &d->f->err);
    assert_string_equal(t.text, "variable.initialized:a:1 variable.initialized:b:1");
    assert_int_equal(t.range.read, since + 1);
    must_tell(d, t.range.read, "variable.deleted:a:1");
}

/* --- many ---------------------------------------------------------------------------------- */

static void
create_numbered(struct domain *d, const char *prefix, int count)
{
    struct shape shape = exprs_shape(1, 1);
    struct variable_spec *specs = calloc((size_t)count, sizeof *specs);
    struct variable_info *infos = calloc((size_t)count, sizeof *infos);
    char(*names)[NAME_BYTES_MAX + 1] = calloc((size_t)count, sizeof *names);
    uint64_t revision;

    assert_true(specs != NULL && infos != NULL && names != NULL);
    for (int i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s%05d", prefix, i);
        specs[i] = spec_named(names[i]);
        specs[i].dtype = DTYPE_FLOAT32;
        specs[i].shape = &shape;
    }
    WORKS(variable_create(d->service, MODEL, specs, (size_t)count, NULL, infos, &revision,
                          &d->f->err),
          &d->f->err);
    for (int i = 0; i < count; i++)
        variable_info_drop(&infos[i]);
    free(specs);
    free(infos);
    free(names);
}

static void
ten_thousand_changes_of_one_commit_are_a_few_records(void **state)
{
    struct domain *d = *state;
    uint64_t since = service_revision(d->service), before = stats_when_drained(d->f).records, now;
    struct told *t;

    create_numbered(d, "tower/kernel/Adam/layer_", 10000);
    t = told_since(d, since);
    assert_int_equal(t->count, 10000);
    assert_int_equal(t->last, since + 1);
    free(t);
    now = stats_when_drained(d->f).records;
    delete_model(d);
    assert_true(stats_when_drained(d->f).records < before + 64);
    t = told_since(d, since + 1);
    assert_int_equal(t->count, 10001);
    free(t);
    assert_true(now > before);
    model_make(d, MODEL);
}

static enum err_code
write_too_many(struct store_txn *txn, void *context, struct err *err)
{
    int count = *(int *)context;
    struct change_writer writer;
    enum err_code code = OK;
    char name[NAME_BYTES_MAX + 1];

    change_writer_init(&writer, txn, "test");
    for (int i = 0; code == OK && i < count; i++) {
        int size = snprintf(name, sizeof name, "%0250d", i);
        struct change change = {
            .kind = CHANGE_VARIABLE_CREATED, .model = bytes_of_text("m"), .version = UINT64_MAX};

        for (char *c = name; c < name + size; c++)
            *c = (char)(*c + i % 7); /* nothing to share */
        change.name = bytes_of(name, (size_t)size);
        code = change_writer_add(&writer, &change, err);
    }
    if (code == OK)
        code = change_writer_close(&writer, err);
    change_writer_drop(&writer);
    return code;
}

static void
what_is_too_much_is_said_to_be(void **state)
{
    struct domain *d = *state;
    int count = 10000;
    uint64_t since = service_revision(d->service), revision;
    struct told *t;
    char last[64];

    WORKS(store_update(d->f->store, write_too_many, &count, NULL, &revision, &d->f->err),
          &d->f->err);
    t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->only = CHANGE_MANY;
    WORKS(change_read(d->service, since, tell, t, &t->range, &d->f->err), &d->f->err);
    assert_in_range(t->count, 3000, 5000);
    (void)snprintf(last, sizeof last, "many::%zu:test", (size_t)count - (t->count - 1));
    assert_string_equal(t->text, last);
    free(t);
}

/* --- keeping ------------------------------------------------------------------------------- */

static void
the_oldest_go_when_there_are_too_many(void **state)
{
    struct domain *d = *state;
    static const float one[] = {1};
    struct told *t;
    uint64_t oldest;

    d->limits.changes_max = 100;
    domain_restart(d);
    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, 1));
    for (int i = 0; i < 400; i++)
        assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, 1), one);
    t = told_since(d, CHANGE_SINCE_OLDEST);
    oldest = t->range.oldest;
    assert_in_range(t->count, 100, 200);
    assert_int_equal(t->range.newest - oldest, t->count);
    free(t);
    t = told_since(d, oldest);
    assert_int_equal(t->range.newest - oldest, t->count);
    free(t);
    REFUSES(change_read(d->service, oldest - 1, tell, NULL, &(struct change_range){0}, &d->f->err),
            ERR_GONE, "changes_max", &d->f->err);
    REFUSES(change_read(d->service, service_revision(d->service) + 1, tell, NULL,
                        &(struct change_range){0}, &d->f->err),
            ERR_GONE, "newest", &d->f->err);
    assert_in_range(stats_when_drained(d->f).records, 100, 230);
}

static void
the_oldest_go_when_they_take_too_much_room(void **state)
{
    struct domain *d = *state;
    struct told *t;

    d->limits.changes_bytes_max = 16 << 10;
    domain_restart(d);
    create_numbered(d, "a_variable_with_a_name_that_takes_some_room_as_names_do_", 1000);
    for (int i = 0; i < 300; i++)
        assign(d, "a_variable_with_a_name_that_takes_some_room_as_names_do_00000", DTYPE_FLOAT32,
               exprs_shape(1, 1), &(float){1});
    t = told_since(d, CHANGE_SINCE_OLDEST);
    assert_true(t->range.oldest > 0);
    assert_int_equal(t->range.newest - t->range.oldest, t->count);
    free(t);
}

static void
a_kind_is_about_what_its_event_is_called_after(void **state)
{
    static const char *const subjects[] = {[SUBJECT_VARIABLE] = "variable.",
                                           [SUBJECT_RESTORE] = "checkpoint.restored",
                                           [SUBJECT_CHECKPOINT] = "checkpoint.",
                                           [SUBJECT_MODEL] = "model."};

    (void)state;
    for (unsigned kind = 0; kind < CHANGE_MANY; kind++) {
        struct bytes event = bytes_of_text(change_event((enum change_kind)kind));
        enum change_subject subject = change_subject_of((enum change_kind)kind);

        assert_true(bytes_start_with(event, bytes_of_text(subjects[subject])));
        assert_int_equal(change_is_of_variable((enum change_kind)kind),
                         subject == SUBJECT_VARIABLE);
    }
    assert_int_equal(change_subject_of(CHANGE_CHECKPOINT_RESTORED), SUBJECT_RESTORE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(what_each_kind_of_write_did_is_told_again_after_a_restart),
        DOMAIN_TEST(one_commit_tells_of_all_it_changed_with_its_op),
        DOMAIN_TEST(what_fails_or_changes_nothing_tells_nothing),
        DOMAIN_TEST(deleting_a_model_tells_of_what_was_in_it),
        DOMAIN_TEST(a_reader_may_stop_at_the_end_of_a_commit),
        DOMAIN_TEST(ten_thousand_changes_of_one_commit_are_a_few_records),
        DOMAIN_TEST(what_is_too_much_is_said_to_be),
        DOMAIN_TEST(the_oldest_go_when_there_are_too_many),
        DOMAIN_TEST(the_oldest_go_when_they_take_too_much_room),
        cmocka_unit_test(a_kind_is_about_what_its_event_is_called_after),
    };

    return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}

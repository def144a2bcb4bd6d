/* What a draft that was made ahead takes for granted, and what happens when it does not hold. */
#include "service/variable/variable_rows.h"
#include "tests/unit/service/draft_fixture.h"

enum { LARGE = 400000 };

static const uint8_t mine[LARGE] = {1, 2, 3}, theirs[LARGE] = {9, 8, 7};

/* --- what happens meanwhile ---------------------------------------------------------------- */

static void
nothing_happens(struct domain *d)
{
    (void)d;
}

static void
v_changes(struct domain *d)
{
    assign(d, "v", DTYPE_UINT8, exprs_shape(1, LARGE), theirs);
}

/* To another shape and back: the value is another one. */
static void
v_changes_twice(struct domain *d)
{
    v_changes(d);
    v_changes(d);
}

static void
v_changes_shape(struct domain *d)
{
    struct expr_tree tree = tree_new();
    struct run_report report;

    (void)exprs_literal(&tree, DTYPE_UINT8, exprs_shape(2, 2, LARGE / 2), theirs);
    WORKS(variable_update(d->service, MODEL, "v", VARIABLE_ASSIGN, &tree, false, NULL, &report,
                          &d->f->err),
          &d->f->err);
    (void)only_change(&report);
    expr_tree_drop(&tree);
}

static void
v_is_another(struct domain *d)
{
    delete_variable(d, "v");
    make_bytes(d, "v", theirs, LARGE, false);
}

static void
v_goes(struct domain *d)
{
    delete_variable(d, "v");
}

static void
v_is_laid_out_in_rows(struct domain *d)
{
    bool done = false;

    WORKS(variable_lay_rows(d->service, MODEL, "v", &done, &d->f->err), &d->f->err);
    assert_true(done);
}

static void
w_changes(struct domain *d)
{
    assign(d, "w", DTYPE_UINT8, exprs_shape(1, 3), theirs);
}

static void
x_comes(struct domain *d)
{
    make_bytes(d, "x", theirs, 3, false);
}

static void
model_goes(struct domain *d)
{
    delete_model(d);
}

static void
model_is_another(struct domain *d)
{
    delete_model(d);
    model_make(d, MODEL);
    make_bytes(d, "v", theirs, LARGE, false);
    make_bytes(d, "w", theirs, 3, false);
}

static void
model_is_saved(struct domain *d)
{
    (void)save(d, "c");
}

/* --- what a draft does ---------------------------------------------------------------------- */

static enum err_code
write_blindly(struct draft *draft, void *context, struct err *err)
{
    (void)context;
    return write_whole(draft, "v", mine, LARGE, err);
}

static enum err_code
write_and_look(struct draft *draft, void *context, struct err *err)
{
    struct expr_source source = draft_source(draft);
    struct tensor_type type;

    (void)context;
    TRY(write_whole(draft, "v", mine, LARGE, err));
    TRY(drafted_is(draft, "v", mine, LARGE, err)); /* its own */
    TRY(source.type(source.context, "v", false, &type, err));
    TRY(save_now(draft, "mine", "v", true, err));
    return write_part(draft, "v", 3, "x", 1, err);
}

static enum err_code
look_and_write(struct draft *draft, void *context, struct err *err)
{
    uint8_t byte = 0;
    struct draft_variable *variable = NULL;

    (void)context;
    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_read(draft, variable, 1, 1, &byte, err));
    return write_whole(draft, "v", mine, LARGE, err);
}

static enum err_code
edit(struct draft *draft, void *context, struct err *err)
{
    (void)context;
    return write_part(draft, "v", 3, "x", 1, err);
}

static enum err_code
compare_with_before(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *variable = NULL;

    TRY(write_blindly(draft, context, err));
    TRY(draft_find(draft, "v", &variable, err));
    HOLDS(draft_has_before(variable));
    return OK;
}

static enum err_code
read_w(struct draft *draft, void *context, struct err *err)
{
    struct expr_source source = draft_source(draft);
    uint8_t byte = 0;

    TRY(source.read(source.context, "w", false, 0, 1, &byte, err));
    return write_blindly(draft, context, err);
}

static enum err_code
save_w(struct draft *draft, void *context, struct err *err)
{
    TRY(save_now(draft, "mine", "w", true, err));
    return write_blindly(draft, context, err);
}

static enum err_code
look_for_x(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *variable = NULL;

    TRY(draft_look(draft, "x", &variable, err));
    HOLDS(variable == NULL);
    return write_blindly(draft, context, err);
}

static enum err_code
if_match(struct draft *draft, void *context, struct err *err)
{
    struct write_options any = {.if_match_any = true};
    struct draft_variable *variable = NULL;

    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_check_conditions(variable, &any, err));
    return write_blindly(draft, context, err);
}

static enum err_code
if_model_match(struct draft *draft, void *context, struct err *err)
{
    struct write_options any = {.if_match_any = true};

    TRY(draft_check_model(draft, &any, err));
    return write_blindly(draft, context, err);
}

static enum err_code
list_all(struct draft *draft, void *context, struct err *err)
{
    TRY(draft_rely_on_names(draft, err));
    return write_blindly(draft, context, err);
}

static enum err_code
rely_on_record(struct draft *draft, void *context, struct err *err)
{
    struct record_key there = record_key_variable(draft->model.id, "w");
    struct record_key absent = record_key_variable(draft->model.id, "x");
    struct bytes value;

    TRY(draft_rely_on(draft, &there, &value, err));
    HOLDS(value.data != NULL);
    TRY(draft_rely_on(draft, &absent, &value, err));
    HOLDS(value.data == NULL);
    return write_blindly(draft, context, err);
}

/* --- which of them go together --------------------------------------------------------------- */

static const struct meeting {
    draft_make *make;
    void (*between)(struct domain *d);
    enum err_code code;
    const char *words;
} meetings[] = {
    {write_blindly, nothing_happens, OK, ""},
    {write_blindly, v_changes, OK, ""},
    {write_blindly, v_changes_shape, ERR_CONFLICT, "'v' changed meanwhile"},
    {write_blindly, v_is_another, ERR_CONFLICT, "'v' changed meanwhile"},
    {write_blindly, v_goes, ERR_CONFLICT, "'v' changed meanwhile"},
    {write_blindly, v_is_laid_out_in_rows, ERR_CONFLICT, "'v' changed meanwhile"},
    {write_blindly, model_goes, ERR_NOT_FOUND, "'m'"},
    {write_blindly, model_is_another, ERR_CONFLICT, "'m' changed meanwhile"},
    {write_blindly, w_changes, OK, ""},
    {write_blindly, x_comes, OK, ""},
    {write_and_look, v_changes, OK, ""},
    {write_and_look, v_is_another, ERR_CONFLICT, "'v' changed meanwhile"},
    {look_and_write, nothing_happens, OK, ""},
    {look_and_write, v_changes, ERR_CONFLICT, "'v' changed meanwhile"},
    {look_and_write, v_changes_twice, ERR_CONFLICT, "'v' changed meanwhile"},
    {edit, v_changes, ERR_CONFLICT, "'v' changed meanwhile"},
    {edit, w_changes, OK, ""},
    {compare_with_before, v_changes, ERR_CONFLICT, "'v' changed meanwhile"},
    {read_w, w_changes, ERR_CONFLICT, "'w' changed meanwhile"},
    {read_w, v_changes, OK, ""},
    {save_w, w_changes, ERR_CONFLICT, "'w' changed meanwhile"},
    {look_for_x, x_comes, ERR_CONFLICT, "'x' changed meanwhile"},
    {look_for_x, w_changes, OK, ""},
    {if_match, v_changes, ERR_CONFLICT, "'v' changed meanwhile"},
    {if_match, w_changes, OK, ""},
    {if_model_match, w_changes, ERR_CONFLICT, "'m' changed meanwhile"},
    {if_model_match, model_is_saved, ERR_CONFLICT, "'m' changed meanwhile"},
    {if_model_match, nothing_happens, OK, ""},
    {list_all, x_comes, ERR_CONFLICT, "graph of model 'm' grew"},
    {list_all, w_changes, OK, ""},
    {list_all, model_is_saved, OK, ""},
    {rely_on_record, w_changes, ERR_CONFLICT, ""},
    {rely_on_record, x_comes, ERR_CONFLICT, ""},
    {rely_on_record, v_changes, OK, ""},
};

static void
what_is_taken_for_granted_must_hold(void **state)
{
    struct domain *d = *state;
    struct variable_spec spec = spec_named("v");
    struct shape shape = exprs_shape(1, LARGE);

    spec.dtype = DTYPE_UINT8;
    spec.shape = &shape;
    spec.validate_shape = false;
    for (size_t i = 0; i < sizeof meetings / sizeof meetings[0]; i++) {
        const struct meeting *m = &meetings[i];
        struct drafting w = {.d = d, .make = m->make, .between = m->between};
        enum err_code code;

        WORKS(try_create(d, spec, NULL), &d->f->err);
        assign(d, "v", DTYPE_UINT8, shape, theirs);
        make_bytes(d, "w", mine, 3, false);
        code = drafting_ahead(&w);
        if (code != m->code || strstr(d->f->err.text, m->words) == NULL)
            print_error("meeting %zu: '%s', not '%s'\n", i, d->f->err.text, m->words);
        assert_int_equal(code, m->code);
        assert_non_null(strstr(d->f->err.text, m->words));
        err_clear(&d->f->err);
        if (code == OK && m->make == write_blindly)
            bytes_must_be(d, "v", mine, LARGE);
        assert_int_equal(findings(d), 0);
        if (m->between != model_goes)
            delete_model(d);
        assert_int_equal(chunks(d), 0);
        model_make(d, MODEL);
    }
}

static void
blind_writes_count_what_came_between(void **state)
{
    struct domain *d = *state;
    struct drafting w = {.d = d, .make = write_and_look, .between = v_changes_twice};
    uint8_t expected[LARGE];

    make_bytes(d, "v", theirs, LARGE, false);
    WORKS(drafting_ahead(&w), &d->f->err);
    assert_true(w.changed);
    assert_int_equal(info_of_variable(d, "v").record.version, 5);
    memcpy(expected, mine, LARGE);
    saved_must_be(d, "mine", "v", mine, LARGE);
    expected[3] = 'x';
    bytes_must_be(d, "v", expected, LARGE);
}

static enum err_code
do_nothing(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *variable = NULL;

    (void)context;
    return draft_find(draft, "v", &variable, err);
}

static void
a_draft_that_changes_nothing_makes_no_revision(void **state)
{
    struct domain *d = *state;
    struct drafting w = {.d = d, .make = do_nothing};
    uint64_t revision;

    make_bytes(d, "v", theirs, 3, false);
    revision = service_revision(d->service);
    WORKS(drafting_ahead(&w), &d->f->err);
    assert_false(w.changed);
    w.draft = NULL;
    WORKS(drafting_commit(&w, NULL), &d->f->err);
    assert_false(w.changed);
    assert_int_equal(service_revision(d->service), revision);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(what_is_taken_for_granted_must_hold),
        DOMAIN_TEST(blind_writes_count_what_came_between),
        DOMAIN_TEST(a_draft_that_changes_nothing_makes_no_revision),
    };

    return cmocka_run_group_tests_name("draft_publish", tests, NULL, NULL);
}

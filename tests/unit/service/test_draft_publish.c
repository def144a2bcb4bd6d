/* What a draft that was made ahead takes for granted, and the variables it makes. */
#include "service/variable_rows.h"
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

/* --- other records ---------------------------------------------------------------------------- */

/* A run that writes records of its own beside its variables: two values, of which one gets into a
 * record. */
struct beside {
    struct draft_value *named, *unnamed;
    struct value_ref ref;
    int times;
    bool fails;
};

static enum err_code
put_beside(struct store_txn *txn, const struct draft *draft, void *context, struct err *err)
{
    struct beside *b = context;
    struct variable_record record;

    b->times++;
    if (b->fails)
        return err_set(err, ERR_UNAVAILABLE, "not now");
    TRY(draft_put_value(draft, txn, b->named, &b->ref, err));
    /* For want of a record that may hold any value: the variable's seeds. */
    TRY(service_find_variable(store_txn_view(txn), draft->model.id, "w", &record, err));
    TRY(value_release(txn, &record.initialized_with, err));
    record.initialized_with = b->ref;
    return record_put_variable(txn, draft->model.id, "w", &record, err);
}

static enum err_code
write_loose(struct draft *draft, size_t size, struct draft_value **out, struct err *err)
{
    AUTO_WRITER w = NULL;

    TRY(draft_write_loose(draft, "beside", size, STORE_CLASS_BULK, &w, err));
    TRY(draft_write_append(w, mine, size, err));
    return draft_write_keep(TAKE(w), out, err);
}

static enum err_code
publish_beside(struct draft *draft, void *context, struct err *err)
{
    struct beside *b = context;
    struct draft_writer *w = NULL;

    TRY(write_loose(draft, LARGE, &b->named, err));
    TRY(write_loose(draft, LARGE, &b->unnamed, err));
    TRY(draft_write_loose(draft, "beside", 10, STORE_CLASS_BULK, &w, err));
    TRY(draft_write_append(w, mine, 9, err));
    MUST_FAIL(draft_write_keep(w, &b->unnamed, err), ERR_INTERNAL,
              "only 9 of the 10 bytes of 'beside'");
    TRY(draft_also_publish(draft, put_beside, b, err));
    HOLDS(draft_to_publish(draft, put_beside, 0) == b);
    HOLDS(draft_to_publish(draft, put_beside, 1) == NULL);
    return OK;
}

static void
records_beside_the_variables_are_published_with_them(void **state)
{
    struct domain *d = *state;
    struct beside b = {.times = 0};
    uint64_t one;

    make_bytes(d, "v", mine, LARGE, false);
    one = chunks(d);
    make_bytes(d, "w", mine, 3, false);
    for (int i = 0; i < 2; i++) {
        b = (struct beside){.fails = true};
        FAILS(try_draft(d, i == 1, publish_beside, &b), ERR_UNAVAILABLE, &d->f->err);
        assert_int_equal(chunks(d), one + (uint64_t)i * one);
        b = (struct beside){.fails = false};
        draft_works(d, i == 1, publish_beside, &b);
        assert_int_equal(b.times, 3);
        assert_int_equal(chunks(d), 2 * one); /* what got into no record is gone */
        assert_int_equal(findings(d), 0);
    }
    delete_variable(d, "w");
    assert_int_equal(chunks(d), one);
}

/* --- variables that are made ----------------------------------------------------------------- */

static enum err_code
make_variables(struct draft *draft, void *context, struct err *err)
{
    const struct tensor_type bytes = type_of(DTYPE_UINT8, exprs_shape(1, LARGE));
    struct draft_variable_spec spec = {.name = "slot", .type = bytes, .row_updates = true};
    struct draft_variable *slot = NULL, *made = NULL, *same = NULL;
    struct expr_source source = draft_source(draft);
    AUTO(expr_tree) tree = {0};
    struct tensor_type type;

    (void)context;
    MUST_FAIL(draft_find(draft, "slot", &slot, err), ERR_NOT_FOUND, "'slot'");
    TRY(draft_make_variable(draft, &spec, &slot, err));
    HOLDS(!slot->found && slot->value == NULL && slot->row_updates && !slot->trainable);
    TRY(source.type(source.context, "slot", false, &type, err));
    HOLDS(tensor_type_equal(&type, &bytes));
    MUST_FAIL(draft_find_initialized(draft, "slot", &same, err), ERR_FAILED_PRECONDITION, "'slot'");
    MUST_FAIL(draft_make_variable(draft, &spec, &same, err), ERR_ALREADY_EXISTS, "'slot'");
    spec.name = "v";
    MUST_FAIL(draft_make_variable(draft, &spec, &same, err), ERR_ALREADY_EXISTS, "'v'");
    spec.name = "a//b";
    MUST_FAIL(draft_make_variable(draft, &spec, &same, err), ERR_INVALID_ARGUMENT, "empty segment");
    TRY(write_whole(draft, "slot", mine, LARGE, err));
    TRY(write_part(draft, "slot", 5, "x", 1, err));
    HOLDS(!draft_has_before(slot));
    TRY(expr_tree_init(&tree, err));
    (void)exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, 3));
    TRY(expr_infer(&tree, NULL, DTYPE_FLOAT32, err));
    spec = (struct draft_variable_spec){.name = "shadow",
                                        .type = tree.root->type,
                                        .initial_value = &tree,
                                        .collection = "moving_average_variables",
                                        .trainable = true};
    TRY(draft_make_variable(draft, &spec, &made, err));
    HOLDS(tree.root == NULL); /* taken */
    return OK;
}

static void
must_be_made(struct domain *d)
{
    struct variable_record record = info_of_variable(d, "slot").record;
    uint8_t expected[LARGE];

    memcpy(expected, mine, LARGE);
    expected[5] = 'x';
    bytes_must_be(d, "slot", expected, LARGE);
    assert_int_equal(record.version, 2);
    assert_true(record.row_updates && !record.trainable && record.shape_known);
    assert_true(record_texts_hold(&record.collections, bytes_of_text("variables")));
    assert_false(record_texts_hold(&record.collections, bytes_of_text("trainable_variables")));
    assert_int_equal(record.created_revision, service_revision(d->service));
    assert_int_equal(record.revision, service_revision(d->service));
    record = info_of_variable(d, "shadow").record;
    assert_int_equal(record.version, 0);
    assert_true(record.trainable && !record.row_updates);
    assert_true(record_texts_hold(&record.collections, bytes_of_text("trainable_variables")));
    assert_true(record_texts_hold(&record.collections, bytes_of_text("moving_average_variables")));
    assert_false(is_initialized(d, "shadow"));
    assert_int_equal(usage_of_model(d).variables, 3);
    assert_int_equal(usage_of_model(d).initialized, 2);
    assert_int_equal(usage_of_model(d).bytes, LARGE + 3);
    WORKS(try_initialize(
              d,
              (struct initialize_spec){.names = (const char *const[]){"shadow"}, .name_count = 1},
              NULL),
          &d->f->err);
    must_be_filled(d, "shadow", 1.0f, 3);
}

static void
variables_are_made_with_and_without_a_value(void **state)
{
    struct domain *d = *state;

    for (int i = 0; i < 2; i++) {
        make_bytes(d, "v", mine, 3, false);
        draft_works(d, i == 1, make_variables, NULL);
        must_be_made(d);
        delete_variable(d, "v");
        delete_variable(d, "slot");
        delete_variable(d, "shadow");
    }
}

static enum err_code
make_x(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable_spec spec = {.name = "x",
                                       .type = type_of(DTYPE_UINT8, exprs_shape(1, 3))};
    struct draft_variable *made = NULL;

    (void)context;
    return draft_make_variable(draft, &spec, &made, err);
}

static void
a_variable_that_somebody_else_makes_is_met_the_next_time(void **state)
{
    struct domain *d = *state;
    struct drafting w = {.d = d, .make = make_x, .between = x_comes};

    REFUSES(drafting_ahead(&w), ERR_CONFLICT, "'x' changed meanwhile", &d->f->err);
    w.between = NULL;
    REFUSES(drafting_ahead(&w), ERR_ALREADY_EXISTS, "'x' exists already", &d->f->err);
}

/* --- places in the graph ---------------------------------------------------------------------- */

static struct expr_tree
drawn(void)
{
    struct expr_tree tree = tree_new();

    (void)exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", exprs_shape(1, 2));
    return tree;
}

static void
make_counted_model(struct domain *d)
{
    struct model_spec spec = {
        .has_seed = true, .seed = 42, .has_seed_mode = true, .seed_mode = MODEL_SEED_MODE_TF};
    struct model_info info;
    uint64_t revision;
    bool created = false;

    delete_model(d);
    WORKS(model_create(d->service, MODEL, &spec, NULL, &created, &info, &revision, &d->f->err),
          &d->f->err);
    declare(d, "f", DTYPE_FLOAT32, exprs_shape(1, 2));
}

static enum err_code
draw_into_f(struct draft *draft, struct err *err)
{
    struct expr_source source = draft_source(draft);
    struct draft_variable *variable = NULL;
    struct expr_tree tree = drawn();
    AUTO_WRITER w = NULL;
    enum err_code code;

    TRY(draft_find(draft, "f", &variable, err));
    TRY(expr_infer(&tree, &source, DTYPE_FLOAT32, err));
    TRY(draft_draw(draft, "f", &tree, err));
    TRY(draft_write_open(draft, variable, 8, &w, err));
    code = draft_write_expr(w, &tree, &source, err);
    expr_tree_drop(&tree);
    TRY(code);
    return draft_write_close(TAKE(w), &variable->form.type.shape, err);
}

/* Draws, makes a variable, draws again. */
static enum err_code
draw_make_draw(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable_spec spec = {.name = "y",
                                       .type = type_of(DTYPE_FLOAT32, exprs_shape(1, 2))};
    struct draft_variable *made = NULL;
    struct expr_tree tree = drawn();

    (void)context;
    TRY(draw_into_f(draft, err));
    TRY(save_now(draft, "c", "f", true, err));
    TRY(expr_infer(&tree, NULL, DTYPE_FLOAT32, err));
    spec.initial_value = &tree;
    TRY(draft_make_variable(draft, &spec, &made, err));
    return draw_into_f(draft, err);
}

struct drawn_values {
    float saved[2], made[2], last[2];
    uint64_t position, nodes;
};

static struct drawn_values
drawn_values(struct domain *d)
{
    struct drawn_values out = {.position = info_of_variable(d, "y").record.graph_position};
    struct tensor_set set = {0};
    size_t size = 0;
    void *value;

    WORKS(try_initialize(
              d, (struct initialize_spec){.names = (const char *const[]){"y"}, .name_count = 1},
              NULL),
          &d->f->err);
    WORKS(checkpoint_read(d->service, MODEL, "c", "f", bytes_of(NULL, 0), DTYPE_UNSET, false, &set,
                          &d->f->err),
          &d->f->err);
    tensor_set_copy(&set, 0, out.saved);
    tensor_set_drop(&set);
    memcpy(out.made, value = value_of(d, "y", &size), sizeof out.made);
    free(value);
    memcpy(out.last, value = value_of(d, "f", &size), sizeof out.last);
    free(value);
    return out;
}

/* Each takes its place in the graph when its turn comes, as requests of their own would. */
static void
draws_and_new_variables_take_places_in_order(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = drawn();
    struct drawn_values apart, together;

    make_counted_model(d);
    WORKS(try_update(d, "f", VARIABLE_ASSIGN, &tree), &d->f->err);
    (void)save(d, "c");
    tree = drawn();
    create(d, "y", &tree);
    tree = drawn();
    WORKS(try_update(d, "f", VARIABLE_ASSIGN, &tree), &d->f->err);
    apart = drawn_values(d);
    assert_true(apart.saved[0] != apart.last[0] && apart.saved[0] != apart.made[0]);
    for (int i = 0; i < 2; i++) {
        make_counted_model(d);
        draft_works(d, i == 1, draw_make_draw, NULL);
        together = drawn_values(d);
        assert_memory_equal(&apart, &together, sizeof apart);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(what_is_taken_for_granted_must_hold),
        DOMAIN_TEST(blind_writes_count_what_came_between),
        DOMAIN_TEST(a_draft_that_changes_nothing_makes_no_revision),
        DOMAIN_TEST(records_beside_the_variables_are_published_with_them),
        DOMAIN_TEST(variables_are_made_with_and_without_a_value),
        DOMAIN_TEST(a_variable_that_somebody_else_makes_is_met_the_next_time),
        DOMAIN_TEST(draws_and_new_variables_take_places_in_order),
    };

    return cmocka_run_group_tests_name("draft_publish", tests, NULL, NULL);
}

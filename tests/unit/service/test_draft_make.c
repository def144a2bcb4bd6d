/* What a draft makes: variables, with their places in the graph, and records beside them. */
#include "tests/unit/service/draft_fixture.h"

enum { LARGE = 400000 };

static const uint8_t mine[LARGE] = {1, 2, 3}, theirs[3] = {9, 8, 7};

static void
x_comes(struct domain *d)
{
    make_bytes(d, "x", theirs, 3, false);
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
        DOMAIN_TEST(records_beside_the_variables_are_published_with_them),
        DOMAIN_TEST(variables_are_made_with_and_without_a_value),
        DOMAIN_TEST(a_variable_that_somebody_else_makes_is_met_the_next_time),
        DOMAIN_TEST(draws_and_new_variables_take_places_in_order),
    };

    return cmocka_run_group_tests_name("draft_make", tests, NULL, NULL);
}

/* Whole values of a draft: in memory, staged, filled, as recipes, of expressions; what replaces
 * what, and how much a commit takes. */
#include "tests/unit/service/draft_fixture.h"

enum { LARGE = 2000003 }; /* staged; more than a commit takes */

/* Sizes at which a value is kept in another way, or fills its last chunk. */
static const size_t sizes[] = {
    1,
    VALUE_INLINE_BYTES_MAX,
    VALUE_INLINE_BYTES_MAX + 1,
    VALUE_RECORD_BYTES_MAX,
    VALUE_RECORD_BYTES_MAX + 1,
    STORE_ROWS_BYTES * 4,
    STORE_BULK_BYTES,
    STORE_BULK_BYTES + 1,
    SERVICE_COMMIT_BYTES_MAX,
};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

struct wanted {
    const uint8_t *bytes;
    size_t size;
};

/* --- whole values -------------------------------------------------------------------------- */

static enum err_code
write_and_read(struct draft *draft, void *context, struct err *err)
{
    const struct wanted *w = context;
    struct draft_variable *variable = NULL;

    TRY(write_whole(draft, "v", w->bytes, w->size, err));
    TRY(drafted_is(draft, "v", w->bytes, w->size, err));
    TRY(draft_find(draft, "v", &variable, err));
    HOLDS(variable->changes == 1);
    TRY(write_whole(draft, "v", w->bytes + 1, w->size, err)); /* the last one counts */
    HOLDS(variable->changes == 2);
    return drafted_is(draft, "v", w->bytes + 1, w->size, err);
}

static void
values_of_every_size_are_written(void **state)
{
    struct domain *d = *state;
    uint8_t *bytes = some_bytes(LARGE + 1, 3);

    for (int i = 0; i < 2 * SIZES; i++) {
        size_t size = sizes[i / 2] / (i % 2 == 0 && sizes[i / 2] > 1 << 19 ? 2 : 1);
        struct wanted w = {bytes, size};

        make_bytes(d, "v", NULL, size, i / 2 % 2 == 1);
        draft_works(d, i % 2 == 1, write_and_read, &w);
        bytes_must_be(d, "v", bytes + 1, size);
        assert_int_equal(info_of_variable(d, "v").record.version, 2);
        assert_int_equal(usage_of_model(d).bytes, size);
        assert_int_equal(usage_of_model(d).initialized, 1);
        delete_variable(d, "v");
        assert_int_equal(chunks(d), 0);
    }
    free(bytes);
}

static enum err_code
write_nothing(struct draft *draft, void *context, struct err *err)
{
    struct draft_variable *variable = NULL;
    struct bytes lent = {0};

    (void)context;
    TRY(write_whole(draft, "v", "", 0, err));
    TRY(draft_find_initialized(draft, "v", &variable, err));
    HOLDS(draft_size(variable) == 0);
    TRY(draft_read(draft, variable, 0, 0, NULL, err));
    return draft_lend(draft, variable, 0, 0, &lent, err);
}

static void
a_value_without_elements_is_a_value(void **state)
{
    struct domain *d = *state;

    make_bytes(d, "v", NULL, 0, false);
    draft_works(d, false, write_nothing, NULL);
    bytes_must_be(d, "v", "", 0);
    draft_works(d, true, write_nothing, NULL);
    assert_int_equal(info_of_variable(d, "v").record.version, 2);
    assert_true(is_initialized(d, "v"));
}

static enum err_code
write_wrongly(struct draft *draft, void *context, struct err *err)
{
    static const uint8_t bytes[20000] = {1, 2, 3};
    const size_t *size = context;
    struct shape shape = {.rank = 1, .dims = {*size}};
    struct draft_variable *variable = NULL;
    struct draft_writer *w = NULL;
    uint8_t byte = 0;

    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_write_open(draft, variable, *size, &w, err));
    TRY(draft_write_append(w, bytes, *size - 1, err));
    TRY(draft_write_read(w, *size - 2, 1, &byte, err));
    HOLDS(byte == bytes[*size - 2]);
    MUST_FAIL(draft_write_close(w, &shape, err), ERR_INTERNAL, "of the");
    HOLDS(variable->changes == 0);
    TRY(draft_write_open(draft, variable, *size, &w, err));
    MUST_FAIL(draft_write_append(w, bytes, *size + 1, err),
              *size > VALUE_RECORD_BYTES_MAX && draft->ahead ? ERR_INVALID_ARGUMENT : ERR_INTERNAL,
              "");
    draft_write_drop(w);
    return err_set(err, ERR_ABORTED, "what is begun and dropped ends the run");
}

static void
a_value_has_exactly_its_bytes(void **state)
{
    struct domain *d = *state;
    size_t few = 10, many = 17000;

    make_bytes(d, "v", NULL, 10, false);
    FAILS(try_draft(d, false, write_wrongly, &few), ERR_ABORTED, &d->f->err);
    FAILS(try_draft(d, true, write_wrongly, &few), ERR_ABORTED, &d->f->err);
    FAILS(try_draft(d, false, write_wrongly, &many), ERR_ABORTED, &d->f->err);
    FAILS(try_draft(d, true, write_wrongly, &many), ERR_ABORTED, &d->f->err);
    assert_int_equal(chunks(d), 0);
}

/* --- fills, recipes, expressions ----------------------------------------------------------- */

static struct shape
shape_of(uint64_t count)
{
    return (struct shape){.rank = 1, .dims = {count}};
}

static enum err_code
write_fill(struct draft *draft, void *context, struct err *err)
{
    static const float element = -1.5f;
    const uint64_t *count = context;
    const struct shape shape = shape_of(*count);
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;
    float got = 0;

    TRY(draft_find(draft, "f", &variable, err));
    TRY(draft_write_open(draft, variable, *count * 4, &w, err));
    TRY(draft_write_fill(w, &element, 4, err));
    TRY(draft_write_read(w, (*count - 1) * 4, 4, &got, err));
    HOLDS(got == element);
    TRY(draft_write_close(TAKE(w), &shape, err));
    got = 0;
    TRY(draft_read(draft, variable, 4, 4, &got, err));
    HOLDS(got == element);
    return OK;
}

static void
a_fill_costs_a_record_whatever_its_size(void **state)
{
    struct domain *d = *state;
    uint64_t counts[] = {2, 1000, 100000, (uint64_t)1 << 33};

    for (int i = 0; i < 8; i++) {
        struct shape shape = shape_of(counts[i / 2]);

        declare(d, "f", DTYPE_FLOAT32, shape);
        draft_works(d, i % 2 == 1, write_fill, &counts[i / 2]);
        assert_true(usage_of_model(d).bytes == counts[i / 2] * 4);
        assert_int_equal(chunks(d), 0);
        if (i < 6)
            must_be_filled(d, "f", -1.5f, counts[i / 2]);
        draft_works(d, i % 2 == 0, write_fill, &counts[i / 2]);
        assert_int_equal(info_of_variable(d, "f").record.version, 2);
        delete_variable(d, "f");
    }
}

/* Of what an expression makes; its tree is inferred for the draft anew. */
static enum err_code
write_expression(struct draft *draft, void *context, struct err *err)
{
    struct expr_tree *tree = context;
    struct expr_source source = draft_source(draft);
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;

    TRY(draft_find(draft, "f", &variable, err));
    TRY(expr_infer(tree, &source, DTYPE_FLOAT32, err));
    TRY(draft_draw(draft, "f", tree, err));
    TRY(draft_write_open(draft, variable, tensor_type_bytes(&tree->root->type), &w, err));
    TRY(draft_write_expr(w, tree, &source, err));
    return draft_write_close(TAKE(w), &tree->root->type.shape, err);
}

static void
expressions_read_the_draft_while_they_are_written(void **state)
{
    enum { COUNT = 500000 };
    struct domain *d = *state;
    struct expr_tree fill = filled(1.0f, COUNT), sum = tree_new();

    create(d, "f", &fill);
    initialize_all(d);
    (void)exprs_op(&sum, "add", 2, exprs_variable(&sum, "f", false),
                   exprs_variable(&sum, "f", true));
    REFUSES(try_draft(d, false, write_expression, &sum), ERR_DEFER, "too many bytes", &d->f->err);
    draft_works(d, true, write_expression, &sum);
    must_be_filled(d, "f", 2.0f, COUNT);
    draft_works(d, true, write_expression, &sum);
    must_be_filled(d, "f", 4.0f, COUNT);
    expr_tree_drop(&sum);
    fill = filled(7.0f, COUNT);
    draft_works(d, false, write_expression, &fill); /* a constant: no work */
    must_be_filled(d, "f", 7.0f, COUNT);
    assert_int_equal(chunks(d), 0);
    expr_tree_drop(&fill);
}

static enum err_code
write_recipe(struct draft *draft, void *context, struct err *err)
{
    struct expr_tree *tree = context;
    struct expr_source source = draft_source(draft);
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;
    AUTO(buf) recipe;

    buf_init(&recipe, VALUE_RECIPE_BYTES_MAX);
    TRY(draft_find(draft, "f", &variable, err));
    TRY(expr_infer(tree, &source, DTYPE_FLOAT32, err));
    TRY(draft_draw(draft, "f", tree, err));
    TRY(recipe_encode(tree, &recipe, err));
    TRY(draft_write_open(draft, variable, tensor_type_bytes(&tree->root->type), &w, err));
    TRY(draft_write_recipe(w, buf_bytes(&recipe), err));
    return draft_write_close(TAKE(w), &tree->root->type.shape, err);
}

static void
a_recipe_makes_its_bytes_when_they_are_read(void **state)
{
    enum { COUNT = 400000 };
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    float *made, *kept;
    size_t size = 0;

    domain_with_recipes(d);
    declare(d, "f", DTYPE_FLOAT32, exprs_shape(1, COUNT));
    (void)exprs_set_seed(
        exprs_set_shape(exprs_op(&tree, "random_uniform", 0), "shape", exprs_shape(1, COUNT)),
        "seed", 3);
    draft_works(d, true, write_expression, &tree);
    made = value_of(d, "f", &size);
    for (int i = 0; i < 2; i++) {
        draft_works(d, i == 1, write_recipe, &tree);
        kept = value_of(d, "f", &size);
        assert_memory_equal(made, kept, size);
        free(kept);
        assert_int_equal(chunks(d), 0);
    }
    expr_tree_drop(&tree);
    free(made);
}

/* --- what is replaced ---------------------------------------------------------------------- */

/* Each value in the place of the one before; edits lie over some. */
static enum err_code
replace_often(struct draft *draft, void *context, struct err *err)
{
    const struct wanted *w = context;

    TRY(write_whole(draft, "v", w->bytes, w->size, err));
    TRY(write_whole(draft, "v", w->bytes + 1, w->size, err));
    TRY(write_part(draft, "v", 1000, "abc", 3, err));
    TRY(write_whole(draft, "v", w->bytes + 2, w->size, err));
    TRY(write_part(draft, "v", 300000, "abc", 3, err));
    TRY(write_whole(draft, "v", w->bytes + 3, w->size, err));
    return drafted_is(draft, "v", w->bytes + 3, w->size, err);
}

static void
what_was_staged_and_replaced_is_not_left_in_the_store(void **state)
{
    struct domain *d = *state;
    uint8_t *bytes = some_bytes(LARGE + 4, 5);
    struct wanted w = {bytes, LARGE};
    uint64_t before;

    make_bytes(d, "v", bytes, LARGE, false);
    before = chunks(d);
    draft_works(d, true, replace_often, &w);
    bytes_must_be(d, "v", bytes + 3, LARGE);
    assert_int_equal(chunks(d), before);
    assert_int_equal(findings(d), 0);
    assert_int_equal(info_of_variable(d, "v").record.version, 7);
    free(bytes);
}

/* --- how much ------------------------------------------------------------------------------ */

static enum err_code
write_many(struct draft *draft, void *context, struct err *err)
{
    const struct wanted *w = context;

    for (size_t i = 0; i < w->size; i++) {
        struct wanted part = {w->bytes, 300000};

        TRY(write_whole(draft, "v", part.bytes, part.size, err));
    }
    return OK;
}

static enum err_code
work_hard(struct draft *draft, void *context, struct err *err)
{
    const uint64_t *bytes = context;

    TRY(draft_work(draft, 1, err));
    return draft_work(draft, *bytes, err);
}

static void
what_is_too_much_for_a_commit_is_deferred(void **state)
{
    struct domain *d = *state;
    uint8_t *bytes = some_bytes(LARGE, 5);
    struct wanted large = {bytes, LARGE - 1}, three = {bytes, 3}, four = {bytes, 4};
    uint64_t fits = SERVICE_COMMIT_WORK_BYTES_MAX - 1, more = fits + 1, most = UINT64_MAX;

    make_bytes(d, "v", NULL, LARGE - 1, false);
    FAILS(try_draft(d, false, write_and_read, &large), ERR_DEFER, &d->f->err);
    draft_works(d, true, write_and_read, &large);
    delete_variable(d, "v");
    make_bytes(d, "v", NULL, 300000, false);
    draft_works(d, false, write_many, &three);
    FAILS(try_draft(d, false, write_many, &four), ERR_DEFER, &d->f->err);
    draft_works(d, true, write_many, &four);
    draft_works(d, false, work_hard, &fits);
    FAILS(try_draft(d, false, work_hard, &more), ERR_DEFER, &d->f->err);
    FAILS(try_draft(d, false, work_hard, &most), ERR_DEFER, &d->f->err);
    draft_works(d, true, work_hard, &most);
    free(bytes);
}

static enum err_code
write_huge(struct draft *draft, void *context, struct err *err)
{
    const uint64_t *size = context;
    struct draft_variable *variable = NULL;
    AUTO_WRITER w = NULL;
    uint8_t *room = NULL;
    size_t part = 0;

    TRY(draft_find(draft, "v", &variable, err));
    TRY(draft_write_open(draft, variable, *size, &w, err));
    TRY(draft_write_reserve(w, &room, &part, err));
    return err_set(err, ERR_INTERNAL, "there was room");
}

static void
there_must_be_room_before_anything_is_written(void **state)
{
    struct domain *d = *state;
    uint64_t size = (uint64_t)1 << 41;

    make_bytes(d, "v", NULL, 1, false);
    REFUSES(try_draft(d, true, write_huge, &size), ERR_FULL, "tensor_max_bytes", &d->f->err);
    REFUSES(try_draft(d, false, write_huge, &size), ERR_FULL, "tensor_max_bytes", &d->f->err);
    d->limits.tensor_bytes_max = UINT64_MAX;
    domain_restart(d);
    FAILS(try_draft(d, true, write_huge, &size), ERR_FULL, &d->f->err);
    FAILS(try_draft(d, false, write_huge, &size), ERR_DEFER, &d->f->err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(values_of_every_size_are_written),
        DOMAIN_TEST(a_value_without_elements_is_a_value),
        DOMAIN_TEST(a_value_has_exactly_its_bytes),
        DOMAIN_TEST(a_fill_costs_a_record_whatever_its_size),
        DOMAIN_TEST(expressions_read_the_draft_while_they_are_written),
        DOMAIN_TEST(a_recipe_makes_its_bytes_when_they_are_read),
        DOMAIN_TEST(what_was_staged_and_replaced_is_not_left_in_the_store),
        DOMAIN_TEST(what_is_too_much_for_a_commit_is_deferred),
        DOMAIN_TEST(there_must_be_room_before_anything_is_written),
    };

    return cmocka_run_group_tests_name("draft_write", tests, NULL, NULL);
}

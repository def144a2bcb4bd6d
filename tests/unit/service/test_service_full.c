/* A store that is full: every kind of write says so, changes nothing and leaves nothing behind;
 * deleting works and makes room. A unit that meets a full file is run again, so these tests run
 * units twice. */
#include "tests/unit/service/service_fixture.h"

enum { MAP_BYTES = 6 << 20, ROUNDS_MAX = 20000 };

static int
full_open(void **state)
{
    if (domain_open(state) != 0)
        return -1;
    domain_renew(*state, MAP_BYTES);
    return 0;
}

#define FULL_TEST(name) cmocka_unit_test_setup_teardown(name, full_open, domain_close)

/* One write after the other until the store is full; each of them is there, the last one is not. */
typedef enum err_code full_write(struct domain *d, const char *name);

static int
fill_up(struct domain *d, full_write *write)
{
    struct model_info before = usage_of_model(d), after;
    enum err_code code = OK;
    char name[32];
    int done = 0;

    for (; code == OK; done += code == OK) {
        assert_in_range(done, 0, ROUNDS_MAX);
        before = usage_of_model(d);
        snprintf(name, sizeof name, "v%05d", done);
        code = write(d, name);
    }
    after = usage_of_model(d);
    FAILS(code, ERR_FULL, &d->f->err);
    usage_is(&after, &before);
    assert_int_equal(findings(d), 0);
    assert_in_range(done, 3, ROUNDS_MAX);
    return done;
}

static void
empty_out(struct domain *d)
{
    uint64_t revision;

    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    assert_int_equal(chunks(d), 0);
    model_make(d, MODEL);
}

static enum err_code
write_small(struct domain *d, const char *name)
{
    static const uint8_t data[200000] = {1, 2, 3};
    struct memory_source from = memory_of(data, sizeof data);
    struct tensor_source source = source_of(&from);
    struct tensor_type type = type_of(DTYPE_UINT8, exprs_shape(1, (int)sizeof data));
    struct variable_assign_options how = {.create = true, .keep_shape = true};
    struct variable_change change;

    return variable_assign(d->service, MODEL, name, &type, sizeof data, &source, &how, NULL,
                           &change, &d->f->err);
}

static enum err_code
write_staged(struct domain *d, const char *name)
{
    static const uint8_t data[1200000] = {1, 2, 3};
    struct memory_source from = memory_of(data, sizeof data);
    struct tensor_source source = source_of(&from);
    struct tensor_type type = type_of(DTYPE_UINT8, exprs_shape(1, (int)sizeof data));
    struct variable_assign_options how = {.create = true, .keep_shape = true};
    struct variable_change change;

    return variable_assign(d->service, MODEL, name, &type, sizeof data, &source, &how, NULL,
                           &change, &d->f->err);
}

static enum err_code
write_initial_value(struct domain *d, const char *name)
{
    static const uint8_t data[16000] = {1, 2, 3};
    struct expr_tree tree = tree_new();

    (void)exprs_literal(&tree, DTYPE_UINT8, exprs_shape(1, (int)sizeof data), data);
    return try_create(d, spec_named(name), &tree);
}

static enum err_code
write_updated(struct domain *d, const char *name)
{
    struct shape shape = exprs_shape(1, 50000);
    struct variable_spec spec = spec_named(name);
    struct expr_tree tree = filled(1.0f, 50000);
    struct variable_info info;
    uint64_t revision;

    spec.dtype = DTYPE_FLOAT32;
    spec.shape = &shape;
    TRY(try_create(d, spec, NULL));
    WORKS(try_update(d, name, VARIABLE_ASSIGN, &tree), &d->f->err);
    tree = filled(1.0f, 50000);
    if (try_update(d, name, VARIABLE_ASSIGN_ADD, &tree) == OK)
        return OK;
    /* Created, not changed: the variable goes again. */
    WORKS(variable_get(d->service, MODEL, name, &info, NULL), &d->f->err);
    assert_int_equal(info.record.version, 1);
    WORKS(variable_delete(d->service, MODEL, name, NULL, &revision, NULL), &d->f->err);
    return ERR_FULL;
}

static enum err_code
write_checkpoint(struct domain *d, const char *name)
{
    struct checkpoint_save_spec spec = {.name = name};

    return try_save(d, spec, NULL);
}

static void
assignments_fill_the_store_and_deleting_makes_room(void **state)
{
    struct domain *d = *state;
    int first = fill_up(d, write_small), again;

    empty_out(d);
    again = fill_up(d, write_small);
    assert_in_range(again, first / 2, first * 2);
    empty_out(d);
    (void)fill_up(d, write_staged);
    empty_out(d);
    (void)fill_up(d, write_small);
}

static void
updates_that_meet_a_full_store_change_nothing(void **state)
{
    struct domain *d = *state;
    struct model_info info;
    enum err_code code = OK;
    int done = 0;

    for (; code == OK; done++) {
        char name[32];

        snprintf(name, sizeof name, "v%05d", done);
        code = write_updated(d, name);
        assert_in_range(done, 0, ROUNDS_MAX);
    }
    FAILS(code, ERR_FULL, &d->f->err);
    info = usage_of_model(d);
    assert_int_equal(info.variables, done - 1);
    must_be_filled(d, "v00000", 2.0f, 50000);
    assert_int_equal(findings(d), 0);
    empty_out(d);
}

static void
creations_and_saves_fill_the_records_and_change_nothing_more(void **state)
{
    struct domain *d = *state;

    (void)fill_up(d, write_initial_value);
    empty_out(d);
    for (int i = 0; i < 40; i++) {
        char name[32];

        snprintf(name, sizeof name, "x%d", i);
        create_literal(d, name, DTYPE_UINT8, exprs_shape(1, 900), (const uint8_t[900]){7});
    }
    initialize_all(d);
    (void)fill_up(d, write_checkpoint);
    empty_out(d);
    (void)fill_up(d, write_initial_value);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        FULL_TEST(assignments_fill_the_store_and_deleting_makes_room),
        FULL_TEST(updates_that_meet_a_full_store_change_nothing),
        FULL_TEST(creations_and_saves_fill_the_records_and_change_nothing_more),
    };

    return cmocka_run_group_tests_name("service_full", tests, NULL, NULL);
}

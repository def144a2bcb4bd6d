/* Values handed out: whole, in slices, converted; and how long their bytes stay. */
#include "tests/unit/service/service_fixture.h"
#include "tests/unit/service/slice_model.h"

enum { BIG = 200001 }; /* float32: three chunks and a tail */

static enum err_code
read_value(struct domain *d, const char *name, const char *slice, enum dtype cast,
           struct tensor_set *out)
{
    struct bytes text = slice != NULL ? bytes_of_text(slice) : bytes_of(NULL, 0);

    return variable_read(d->service, MODEL, name, text, cast, false, out, &d->f->err);
}

static uint64_t
leases(struct domain *d)
{
    struct store_stats stats;

    WORKS(store_stats_read(d->f->store, &stats, &d->f->err), &d->f->err);
    return stats.leases_open;
}

static void
values_of_every_size_come_whole(void **state)
{
    static const size_t sizes[] = {0,     1,     3,      1024,   1025,   16256,  16257,
                                   65536, 65537, 262080, 262081, 278400, 600000, 1048577};
    struct domain *d = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *data = some_bytes(sizes[i], (uint32_t)i);
        struct shape shape = exprs_shape(1, (int)sizes[i]);
        char name[16];

        snprintf(name, sizeof name, "v%zu", sizes[i]);
        declare(d, name, DTYPE_UINT8, shape);
        assign(d, name, DTYPE_UINT8, shape, data);
        must_be(d, name, DTYPE_UINT8, shape, data, sizes[i]);
        free(data);
    }
    assert_int_equal(leases(d), 0);
}

static void
small_values_are_copied_big_ones_are_lent(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1);
    struct tensor_set small = {0}, big = {0};

    declare(d, "small", DTYPE_FLOAT32, exprs_shape(1, 4096));
    declare(d, "big", DTYPE_FLOAT32, exprs_shape(1, BIG));
    assign(d, "small", DTYPE_FLOAT32, exprs_shape(1, 4096), data);
    assign(d, "big", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    WORKS(read_value(d, "small", NULL, DTYPE_UNSET, &small), &d->f->err);
    assert_int_equal(leases(d), 0);
    assert_int_equal(small.span_count, 1);
    WORKS(read_value(d, "big", NULL, DTYPE_UNSET, &big), &d->f->err);
    assert_int_equal(leases(d), 1);
    assert_int_equal(big.span_count, 4);
    tensor_set_drop(&big);
    assert_int_equal(leases(d), 0);
    tensor_set_drop(&small);
    tensor_set_drop(&small);
    free(data);
}

static void
the_limit_of_copies_decides_only_about_chunks(void **state)
{
    static const size_t sizes[] = {0, 1, 1024, 1025, 16256, 16257, 65536, 65537};
    static const uint64_t limits[] = {0, 20000, 1 << 20};
    struct domain *d = *state;

    for (size_t i = 0; i < 3 * sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i / 3];
        uint64_t limit = limits[i % 3];
        uint8_t *data = some_bytes(size, 7);
        struct shape shape = exprs_shape(1, (int)size);
        struct tensor_set set = {0};
        char name[16];

        snprintf(name, sizeof name, "w%zu", i);
        declare(d, name, DTYPE_UINT8, shape);
        assign(d, name, DTYPE_UINT8, shape, data);
        d->limits.inline_reply_bytes_max = limit;
        domain_restart(d);
        WORKS(read_value(d, name, NULL, DTYPE_UNSET, &set), &d->f->err);
        assert_int_equal(leases(d), size > 16256 && size > limit);
        tensor_set_drop(&set);
        must_be(d, name, DTYPE_UINT8, shape, data, size);
        free(data);
    }
}

static void
a_set_outlives_overwriting_deletion_and_foreign_writes(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1), *other = some_bytes(BIG * 4, 2);
    struct tensor_set set = {0};
    uint64_t revision;

    declare(d, "v", DTYPE_FLOAT32, exprs_shape(1, BIG));
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    WORKS(read_value(d, "v", NULL, DTYPE_UNSET, &set), &d->f->err);
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(1, BIG), other);
    delete_variable(d, "v");
    for (int i = 0; i < 20; i++) {
        declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, BIG));
        assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, BIG), other);
        delete_variable(d, "w");
        set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, BIG), data, BIG * 4);
    }
    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, BIG), data, BIG * 4);
    tensor_set_drop(&set);
    assert_int_equal(chunks(d), 0); /* now the lent chunks can go */
    free(data);
    free(other);
}

static void
slices_are_what_a_plain_model_selects(void **state)
{
    struct domain *d = *state;
    struct shape shapes[] = {exprs_shape(0), exprs_shape(1, 300), exprs_shape(2, 7, 11),
                             exprs_shape(3, 5, 1, 13), exprs_shape(3, 3, 0, 2)};
    uint32_t random = 1;

    for (size_t s = 0; s < 5; s++) {
        uint64_t count = shape_count(&shapes[s]);
        uint8_t *data = some_bytes(count * 2, (uint32_t)s);
        char name[8] = {'v', (char)('0' + s)};

        declare(d, name, DTYPE_INT16, shapes[s]);
        assign(d, name, DTYPE_INT16, shapes[s], data);
        for (int i = 0; i < 60; i++) {
            struct tensor_set set = {0};
            struct slice_model model;
            uint8_t *expected;

            slice_model_draw(&random, &shapes[s], &model);
            expected = malloc(model.count * 2 + 1);
            for (size_t k = 0; k < model.count; k++)
                memcpy(expected + 2 * k, data + 2 * model.sources[k], 2);
            WORKS(read_value(d, name, model.text, DTYPE_UNSET, &set), &d->f->err);
            set_must_hold(&set, 0, DTYPE_INT16, model.result, expected, model.count * 2);
            tensor_set_drop(&set);
            free(expected);
            free(model.sources);
        }
        free(data);
    }
}

/* Runs of whole rows are lent, single columns are gathered. */
static void
big_slices_are_lent_or_gathered_by_their_runs(void **state)
{
    enum { ROWS = 400, COLUMNS = 1500 };
    struct domain *d = *state;
    float *data = (float *)(void *)some_bytes(ROWS * COLUMNS * 4, 5), *column;
    struct tensor_set set = {0};

    declare(d, "m", DTYPE_FLOAT32, exprs_shape(2, ROWS, COLUMNS));
    assign(d, "m", DTYPE_FLOAT32, exprs_shape(2, ROWS, COLUMNS), data);
    WORKS(read_value(d, "m", "100:300", DTYPE_UNSET, &set), &d->f->err);
    assert_int_equal(leases(d), 1);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(2, 200, COLUMNS), data + 100 * COLUMNS,
                  200 * COLUMNS * 4);
    tensor_set_drop(&set);
    column = calloc(ROWS * 100, sizeof *column);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < 100; c++)
            column[r * 100 + c] = data[(ROWS - 1 - r) * COLUMNS + 7 + 2 * c];
    WORKS(read_value(d, "m", "::-1,7:207:2", DTYPE_UNSET, &set), &d->f->err);
    assert_int_equal(set.span_count, 1);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(2, ROWS, 100), column, ROWS * 100 * 4);
    tensor_set_drop(&set);
    FAILS(read_value(d, "m", "500", DTYPE_UNSET, &set), ERR_OUT_OF_RANGE, &d->f->err);
    FAILS(read_value(d, "m", "1,2,3", DTYPE_UNSET, &set), ERR_INVALID_ARGUMENT, &d->f->err);
    FAILS(read_value(d, "m", "x", DTYPE_UNSET, &set), ERR_INVALID_ARGUMENT, &d->f->err);
    assert_int_equal(leases(d), 0);
    free(column);
    free(data);
}

static void
constant_fills_are_handed_out_without_chunks(void **state)
{
    enum { COUNT = 1000003 };
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct tensor_set set = {0};
    float *expected = calloc(COUNT, sizeof *expected);
    const struct expr *value;

    for (size_t i = 0; i < COUNT; i++)
        expected[i] = 2.5f;
    value = exprs_weak_float(&tree, 2.5);
    (void)exprs_set_tensor(
        exprs_set_shape(exprs_op(&tree, "constant", 0), "shape", exprs_shape(1, COUNT)), "value",
        value);
    create(d, "c", &tree);
    initialize_all(d);
    assert_int_equal(chunks(d), 0);
    must_be(d, "c", DTYPE_FLOAT32, exprs_shape(1, COUNT), expected, COUNT * 4);
    WORKS(read_value(d, "c", "5:900000", DTYPE_UNSET, &set), &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, 899995), expected, 899995 * 4);
    tensor_set_drop(&set);
    free(expected);
}

static void
values_are_converted_on_the_way_out(void **state)
{
    static const float data[] = {0.0f, -1.5f, 3.99f, 65504.0f};
    static const double doubles[] = {0.0, -1.5, 3.99f, 65504.0};
    static const int32_t ints[] = {0, -1, 3, 65504}, middle[] = {-1, 3};
    static const char *const texts[] = {"a", "", "bc", NULL};
    struct domain *d = *state;
    struct tensor_set set = {0};
    struct expr_tree tree = tree_new();
    uint8_t strings[32];
    size_t size = strings_of(strings, texts);

    create_literal(d, "f", DTYPE_FLOAT32, exprs_shape(2, 2, 2), data);
    (void)exprs_strings(&tree, exprs_shape(1, 3), strings, size);
    create(d, "s", &tree);
    initialize_all(d);
    WORKS(read_value(d, "f", NULL, DTYPE_FLOAT64, &set), &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT64, exprs_shape(2, 2, 2), doubles, sizeof doubles);
    tensor_set_drop(&set);
    WORKS(read_value(d, "f", "...", DTYPE_INT32, &set), &d->f->err);
    set_must_hold(&set, 0, DTYPE_INT32, exprs_shape(2, 2, 2), ints, sizeof ints);
    tensor_set_drop(&set);
    WORKS(read_value(d, "f", "0,1", DTYPE_INT32, &set), &d->f->err);
    set_must_hold(&set, 0, DTYPE_INT32, scalar(), middle, 4);
    tensor_set_drop(&set);
    WORKS(read_value(d, "f", NULL, DTYPE_FLOAT32, &set), &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(2, 2, 2), data, sizeof data);
    tensor_set_drop(&set);
    must_be(d, "s", DTYPE_STRING, exprs_shape(1, 3), strings, size);
    REFUSES(read_value(d, "f", NULL, DTYPE_STRING, &set), ERR_INVALID_ARGUMENT,
            "float32[2,2] cannot be converted to string", &d->f->err);
    FAILS(read_value(d, "s", NULL, DTYPE_INT32, &set), ERR_INVALID_ARGUMENT, &d->f->err);
    REFUSES(read_value(d, "s", "0", DTYPE_UNSET, &set), ERR_INVALID_ARGUMENT, "read whole",
            &d->f->err);
    REFUSES(read_value(d, "absent", NULL, DTYPE_UNSET, &set), ERR_NOT_FOUND, "absent", &d->f->err);
}

static void
copies_are_bounded_by_the_setting(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct tensor_set set = {0};

    (void)exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, 1 << 20));
    create(d, "v", &tree);
    initialize_all(d);
    d->limits.expression_bytes_max = 1 << 20;
    domain_restart(d);
    REFUSES(read_value(d, "v", NULL, DTYPE_FLOAT64, &set), ERR_PAYLOAD_TOO_LARGE,
            "read it in parts", &d->f->err);
    REFUSES(read_value(d, "v", "::2", DTYPE_UNSET, &set), ERR_PAYLOAD_TOO_LARGE,
            "expression_max_bytes", &d->f->err);
    WORKS(read_value(d, "v", "::16", DTYPE_UNSET, &set), &d->f->err);
    tensor_set_drop(&set);
    WORKS(read_value(d, "v", NULL, DTYPE_UNSET, &set), &d->f->err);
    tensor_set_drop(&set);
}

/* A thread that serves connections lends, and leaves long copies to others. */
static void
a_brief_read_leaves_what_takes_long(void **state)
{
    const struct bytes whole = {0};
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct tensor_set set = {0};

    (void)exprs_set_shape(exprs_op(&tree, "ones", 0), "shape", exprs_shape(1, 1 << 20));
    create(d, "v", &tree);
    initialize_all(d);
    WORKS(variable_read(d->service, MODEL, "v", whole, DTYPE_UNSET, true, &set, &d->f->err),
          &d->f->err);
    tensor_set_drop(&set);
    WORKS(variable_read(d->service, MODEL, "v", bytes_of_text("::16"), DTYPE_UNSET, true, &set,
                        &d->f->err),
          &d->f->err);
    tensor_set_drop(&set);
    assert_int_equal(variable_read(d->service, MODEL, "v", bytes_of_text("::2"), DTYPE_UNSET, true,
                                   &set, &d->f->err),
                     ERR_DEFER);
    assert_int_equal(
        variable_read(d->service, MODEL, "v", whole, DTYPE_FLOAT64, true, &set, &d->f->err),
        ERR_DEFER);
}

/* That it is right is held by every test that looks at a value. */
static void
the_checksum_is_known_of_what_is_stored_and_whole(void **state)
{
    static const struct {
        const char *name, *slice;
        enum dtype cast;
        bool known;
    } reads[] = {
        {"small", NULL, DTYPE_UNSET, true},    {"big", NULL, DTYPE_UNSET, true},
        {"big", NULL, DTYPE_FLOAT32, true},    {"fill", NULL, DTYPE_UNSET, true},
        {"big", "1:", DTYPE_UNSET, false},     {"small", "1:", DTYPE_UNSET, false},
        {"small", NULL, DTYPE_FLOAT64, false}, {"made", NULL, DTYPE_UNSET, false},
    };
    struct domain *d = *state;
    struct variable_spec spec = spec_named("made");
    struct expr_tree ones = tree_new(), random = tree_new();
    uint8_t *data = some_bytes(BIG * 4, 3);

    domain_with_recipes(d);
    declare(d, "small", DTYPE_FLOAT32, exprs_shape(1, 3));
    declare(d, "big", DTYPE_FLOAT32, exprs_shape(1, BIG));
    (void)exprs_set_shape(exprs_op(&ones, "ones", 0), "shape", exprs_shape(1, BIG));
    create(d, "fill", &ones);
    (void)exprs_set_shape(exprs_op(&random, "random_uniform", 0), "shape", exprs_shape(1, BIG));
    spec.is_virtual = true;
    WORKS(try_create(d, spec, &random), &d->f->err);
    initialize_all(d);
    assign(d, "small", DTYPE_FLOAT32, exprs_shape(1, 3), data);
    assign(d, "big", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        struct tensor_set set = {0};

        WORKS(read_value(d, reads[i].name, reads[i].slice, reads[i].cast, &set), &d->f->err);
        assert_int_equal(set.entries[0].has_crc32c, reads[i].known);
        tensor_set_drop(&set);
    }
    free(data);
}

static void
a_read_that_runs_out_of_memory_keeps_nothing(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1);
    const char *const names[] = {"small", "big", "zeros"};
    struct expr_tree tree = tree_new();
    uint64_t nth = 1;
    enum err_code code = ERR_NO_MEMORY;

    declare(d, "small", DTYPE_FLOAT32, exprs_shape(1, 3));
    declare(d, "big", DTYPE_FLOAT32, exprs_shape(1, BIG));
    (void)exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", exprs_shape(1, BIG));
    create(d, "zeros", &tree);
    initialize_all(d);
    assign(d, "small", DTYPE_FLOAT32, exprs_shape(1, 3), data);
    assign(d, "big", DTYPE_FLOAT32, exprs_shape(1, BIG), data);
    (void)stats_when_drained(d->f);
    for (; nth < 500 && code != OK; nth++) {
        struct tensor_set set = {0};

        (void)mem_fail_at(nth, 0);
        code = variable_read_some(d->service, MODEL, names, 3, NULL, false, &set, &d->f->err);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            set_must_hold(&set, 1, DTYPE_FLOAT32, exprs_shape(1, BIG), data, BIG * 4);
        else
            FAILS(code, ERR_NO_MEMORY, &d->f->err);
        tensor_set_drop(&set);
        assert_int_equal(leases(d), 0);
    }
    assert_in_range(nth, 8, 499);
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(values_of_every_size_come_whole),
        DOMAIN_TEST(small_values_are_copied_big_ones_are_lent),
        DOMAIN_TEST(the_limit_of_copies_decides_only_about_chunks),
        DOMAIN_TEST(a_set_outlives_overwriting_deletion_and_foreign_writes),
        DOMAIN_TEST(slices_are_what_a_plain_model_selects),
        DOMAIN_TEST(big_slices_are_lent_or_gathered_by_their_runs),
        DOMAIN_TEST(constant_fills_are_handed_out_without_chunks),
        DOMAIN_TEST(values_are_converted_on_the_way_out),
        DOMAIN_TEST(copies_are_bounded_by_the_setting),
        DOMAIN_TEST(a_brief_read_leaves_what_takes_long),
        DOMAIN_TEST(the_checksum_is_known_of_what_is_stored_and_whole),
        DOMAIN_TEST(a_read_that_runs_out_of_memory_keeps_nothing),
    };

    return cmocka_run_group_tests_name("tensor_set", tests, NULL, NULL);
}

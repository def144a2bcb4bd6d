/* Rows by number: copied where they are short, lent where they are long. */
#include "tests/unit/service/service_fixture.h"

static enum err_code
gather(struct domain *d, const char *name, const int32_t *indices, int count,
       struct tensor_set *out)
{
    struct expr_tree tree = tree_new();
    enum err_code code;

    (void)exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, count), indices);
    code = variable_gather(d->service, MODEL, name, &tree, DTYPE_UNSET, out, &d->f->err);
    expr_tree_drop(&tree);
    return code;
}

static uint64_t
leases(struct domain *d)
{
    struct store_stats stats;

    WORKS(store_stats_read(d->f->store, &stats, &d->f->err), &d->f->err);
    return stats.leases_open;
}

static void
rows_hold(struct domain *d, const char *name, const uint8_t *data, int rows, int width,
          uint64_t leased)
{
    enum { NAMED = 40 };
    uint8_t *expected = malloc((size_t)NAMED * (size_t)width);
    struct tensor_set set = {0};
    int32_t indices[NAMED];

    assert_non_null(expected);
    for (int i = 0; i < NAMED; i++) {
        indices[i] = (i * 7919 + i / 3) % rows;
        memcpy(expected + i * width, data + (size_t)indices[i] * (size_t)width, (size_t)width);
    }
    WORKS(gather(d, name, indices, NAMED, &set), &d->f->err);
    assert_int_equal(leases(d), leased);
    set_must_hold(&set, 0, DTYPE_UINT8, exprs_shape(2, NAMED, width), expected,
                  (size_t)NAMED * (size_t)width);
    tensor_set_drop(&set);
    free(expected);
}

static void
short_rows_are_copied_and_long_ones_lent(void **state)
{
    static const struct {
        int rows, width;
        uint64_t leased;
    } cases[] = {{3, 5, 0}, {50, 300, 0}, {9000, 100, 1}, {500, 9000, 1}, {4, 300000, 1}};
    struct domain *d = *state;

    d->limits.inline_reply_bytes_max = 1000;
    domain_restart(d);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = (size_t)cases[i].rows * (size_t)cases[i].width;
        uint8_t *data = some_bytes(size, (uint32_t)i);
        struct shape shape = exprs_shape(2, cases[i].rows, cases[i].width);
        char name[8] = {'v', (char)('0' + i)};

        declare(d, name, DTYPE_UINT8, shape);
        assign(d, name, DTYPE_UINT8, shape, data);
        rows_hold(d, name, data, cases[i].rows, cases[i].width, cases[i].leased);
        free(data);
    }
    assert_int_equal(leases(d), 0);
}

static void
lent_rows_outlive_their_value(void **state)
{
    enum { ROWS = 100, WIDTH = 10000 };
    struct domain *d = *state;
    uint8_t *data = some_bytes(ROWS * WIDTH, 1), *other = some_bytes(ROWS * WIDTH, 2);
    const int32_t indices[2] = {77, 3};
    struct tensor_set set = {0};

    d->limits.inline_reply_bytes_max = 1000;
    domain_restart(d);
    declare(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH));
    assign(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH), data);
    WORKS(gather(d, "v", indices, 2, &set), &d->f->err);
    for (int i = 0; i < 5; i++)
        assign(d, "v", DTYPE_UINT8, exprs_shape(2, ROWS, WIDTH), other);
    memmove(data, data + 77 * WIDTH, WIDTH);
    memmove(data + WIDTH, data + 3 * WIDTH, WIDTH);
    set_must_hold(&set, 0, DTYPE_UINT8, exprs_shape(2, 2, WIDTH), data, 2 * WIDTH);
    tensor_set_drop(&set);
    free(data);
    free(other);
}

static void
what_cannot_be_gathered_is_refused(void **state)
{
    static const float data[6];
    const int32_t indices[2] = {1, 3};
    struct domain *d = *state;
    struct tensor_set set = {0};

    create_literal(d, "w", DTYPE_FLOAT32, exprs_shape(2, 3, 2), data);
    REFUSES(gather(d, "w", indices, 1, &set), ERR_FAILED_PRECONDITION, "'w' is not initialized",
            &d->f->err);
    initialize_all(d);
    REFUSES(gather(d, "w", indices, 2, &set), ERR_INVALID_ARGUMENT,
            "gather from 'w': indices[1] = 3 is not in [0, 3)", &d->f->err);
    REFUSES(gather(d, "absent", indices, 1, &set), ERR_NOT_FOUND, "absent", &d->f->err);
    REFUSES(gather(d, "no/", indices, 1, &set), ERR_INVALID_ARGUMENT, "no/", &d->f->err);
    d->limits.expression_bytes_max = 63;
    domain_restart(d);
    REFUSES(gather(d, "w", indices, 2, &set), ERR_PAYLOAD_TOO_LARGE, "expression_max_bytes",
            &d->f->err);
}

static void
short_memory_fails_cleanly(void **state)
{
    const int32_t indices[3] = {2, 0, 2};
    struct domain *d = *state;
    uint8_t *data = some_bytes(60000, 1);
    struct tensor_set set = {0};
    enum err_code code;
    uint64_t nth = 0;

    declare(d, "v", DTYPE_UINT8, exprs_shape(2, 3, 20000));
    assign(d, "v", DTYPE_UINT8, exprs_shape(2, 3, 20000), data);
    do {
        struct expr_tree tree = tree_new();

        (void)exprs_literal(&tree, DTYPE_INT32, exprs_shape(1, 3), indices);
        mem_fail_at(++nth, 0);
        code = variable_gather(d->service, MODEL, "v", &tree, DTYPE_INT32, &set, &d->f->err);
        mem_fail_at(0, 0);
        expr_tree_drop(&tree);
        assert_true(code == OK || code == ERR_NO_MEMORY);
        err_clear(&d->f->err);
    } while (code != OK);
    assert_in_range(nth, 5, 100);
    tensor_set_drop(&set);
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(short_rows_are_copied_and_long_ones_lent),
        DOMAIN_TEST(lent_rows_outlive_their_value),
        DOMAIN_TEST(what_cannot_be_gathered_is_refused),
        DOMAIN_TEST(short_memory_fails_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

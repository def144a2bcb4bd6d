/* Many values from one stream in one commit. */
#include "tests/unit/service/service_fixture.h"

enum { BIG = 400001 }; /* uint8 of them, three times: staged */

static struct variable_import
import_of(const char *name, enum dtype dtype, struct shape shape)
{
    struct variable_import import = {.name = name, .type = type_of(dtype, shape)};

    import.size = tensor_type_bytes(&import.type);
    return import;
}

static enum err_code
assign_all(struct domain *d, const struct variable_import *imports, size_t count,
           struct memory_source *from, bool make, const struct write_options *options)
{
    struct tensor_source source = source_of(from);
    struct variable_assign_options how = {.create = make, .keep_shape = true};
    uint64_t revision;

    return variable_assign_many(d->service, MODEL, imports, count, &source, &how, options,
                                &revision, &d->f->err);
}

static void
many_values_come_from_one_stream(void **state)
{
    static const int sizes[][4] = {{3, 0, 7, 1}, {BIG, 3, BIG, BIG}};
    struct domain *d = *state;
    uint8_t *data = some_bytes(4 * BIG, 1);

    for (size_t s = 0; s < 2; s++) {
        struct memory_source from = memory_of(data, 4 * BIG);
        struct variable_import imports[4];
        static const char *const names[] = {"d", "b", "c/x", "a"};
        uint64_t revision = service_revision(d->service);
        size_t at = 0;

        for (size_t i = 0; i < 4; i++)
            imports[i] = import_of(names[i], DTYPE_UINT8, exprs_shape(1, sizes[s][i]));
        if (s == 1)
            delete_variable(d, "b");
        for (size_t i = 0; s == 1 && i < 4; i++)
            if (i != 1)
                delete_variable(d, names[i]);
        revision = service_revision(d->service);
        WORKS(assign_all(d, imports, 4, &from, true, NULL), &d->f->err);
        assert_int_equal(service_revision(d->service), revision + 1);
        for (size_t i = 0; i < 4; i++) {
            must_be(d, names[i], DTYPE_UINT8, imports[i].type.shape, data + at, imports[i].size);
            at += imports[i].size;
        }
        assert_int_equal(from.read, at);
        assert_int_equal(usage_of_model(d).bytes, at);
        assert_false(info_of_variable(d, "a").record.trainable);
    }
    free(data);
}

static void
one_that_does_not_fit_stops_all_and_is_named(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(4 * BIG, 1);
    struct memory_source from = memory_of(data, 4 * BIG);
    struct variable_import imports[3] = {
        import_of("a", DTYPE_UINT8, exprs_shape(1, BIG)),
        import_of("b", DTYPE_UINT8, exprs_shape(1, 3)),
        import_of("c", DTYPE_UINT8, exprs_shape(1, BIG)),
    };
    struct write_options fresh = {.if_none_match = true};

    declare(d, "b", DTYPE_UINT8, exprs_shape(1, 4));
    assert_int_equal(assign_all(d, imports, 3, &from, true, NULL), ERR_INVALID_ARGUMENT);
    assert_int_equal(d->f->err.failed_operation, 1);
    assert_string_equal(d->f->err.about, "b");
    err_clear(&d->f->err);
    assert_int_equal(from.read, 0);
    imports[1].type.shape = exprs_shape(1, 4);
    imports[1].size = 4;
    FAILS(assign_all(d, imports, 3, &from, false, NULL), ERR_NOT_FOUND, &(struct err){0});
    assert_int_equal(d->f->err.failed_operation, 0);
    err_clear(&d->f->err);
    FAILS(assign_all(d, imports, 3, &from, true, &fresh), ERR_PRECONDITION_FAILED, &d->f->err);
    imports[2].size--;
    FAILS(assign_all(d, imports, 3, &from, true, NULL), ERR_INVALID_ARGUMENT, &d->f->err);
    imports[2].size++;
    from.fail_after = BIG + 100;
    FAILS(assign_all(d, imports, 3, &from, true, NULL), ERR_UNAVAILABLE, &d->f->err);
    assert_int_equal(chunks(d), 0);
    assert_int_equal(usage_of_model(d).variables, 1);
    assert_false(is_initialized(d, "b"));
    from = memory_of(data, 4 * BIG);
    WORKS(assign_all(d, imports, 3, &from, true, NULL), &d->f->err);
    free(data);
}

static void
a_name_given_twice_holds_the_last(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(4 * BIG, 1);
    struct memory_source from = memory_of(data, 4 * BIG);
    struct variable_import imports[3] = {
        import_of("a", DTYPE_UINT8, exprs_shape(1, BIG)),
        import_of("a", DTYPE_UINT8, exprs_shape(1, BIG)),
        import_of("a", DTYPE_UINT8, exprs_shape(1, BIG)),
    };

    WORKS(assign_all(d, imports, 3, &from, true, NULL), &d->f->err);
    must_be(d, "a", DTYPE_UINT8, exprs_shape(1, BIG), data + 2 * BIG, BIG);
    assert_int_equal(usage_of_model(d).variables, 1);
    assert_int_equal(usage_of_model(d).bytes, BIG);
    assert_int_equal(chunks(d), 2);
    free(data);
}

static void
too_many_or_too_much_are_refused(void **state)
{
    struct domain *d = *state;
    struct memory_source from = memory_of("", 0);
    struct shape huge = {.rank = 1, .dims = {SHAPE_COUNT_MAX}};
    struct variable_import imports[2] = {
        import_of("a", DTYPE_COMPLEX128, huge),
        import_of("b", DTYPE_COMPLEX128, huge),
    };

    FAILS(assign_all(d, imports, 2, &from, true, NULL), ERR_FULL, &d->f->err);
    d->limits.variables_per_request_max = 1;
    domain_restart(d);
    REFUSES(assign_all(d, imports, 2, &from, true, NULL), ERR_INVALID_ARGUMENT, "the limit is 1",
            &d->f->err);
    d->limits.tensor_bytes_max = UINT64_MAX;
    d->limits.variables_per_request_max = 2;
    domain_restart(d);
    REFUSES(assign_all(d, imports, 2, &from, true, NULL), ERR_FULL, "do not fit", &d->f->err);
    WORKS(assign_all(d, imports, 0, &from, true, NULL), &d->f->err);
}

static void
fail_assignments(struct domain *d, int size)
{
    uint8_t *data = some_bytes((size_t)size * 3, 1), *old = some_bytes((size_t)size * 3, 2);
    struct variable_import imports[3] = {
        import_of("a", DTYPE_UINT8, exprs_shape(1, size)),
        import_of("new", DTYPE_UINT8, exprs_shape(1, size)),
        import_of("b", DTYPE_UINT8, exprs_shape(1, size)),
    };
    uint64_t nth = 1, before;
    enum err_code code = ERR_NO_MEMORY;

    declare(d, "a", DTYPE_UINT8, exprs_shape(1, size));
    declare(d, "b", DTYPE_UINT8, exprs_shape(1, size));
    assign(d, "a", DTYPE_UINT8, exprs_shape(1, size), old);
    before = chunks(d);
    for (; nth < 1000 && code != OK; nth++) {
        struct memory_source from = memory_of(data, (size_t)size * 3);

        (void)mem_fail_at(nth, 0);
        code = assign_all(d, imports, 3, &from, true, NULL);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        must_be(d, "a", DTYPE_UINT8, exprs_shape(1, size), old, (size_t)size);
        assert_int_equal(usage_of_model(d).variables, 2);
        assert_int_equal(usage_of_model(d).initialized, 1);
        assert_int_equal(chunks(d), before);
    }
    assert_in_range(nth, 5, 999);
    must_be(d, "b", DTYPE_UINT8, exprs_shape(1, size), data + 2 * size, (size_t)size);
    free(data);
    free(old);
}

static void
a_small_assignment_that_runs_out_of_memory_changes_nothing(void **state)
{
    fail_assignments(*state, 20000);
}

static void
a_staged_assignment_that_runs_out_of_memory_changes_nothing(void **state)
{
    fail_assignments(*state, BIG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(many_values_come_from_one_stream),
        DOMAIN_TEST(one_that_does_not_fit_stops_all_and_is_named),
        DOMAIN_TEST(a_name_given_twice_holds_the_last),
        DOMAIN_TEST(too_many_or_too_much_are_refused),
        DOMAIN_TEST(a_small_assignment_that_runs_out_of_memory_changes_nothing),
        DOMAIN_TEST(a_staged_assignment_that_runs_out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests_name("variable_assign_many", tests, NULL, NULL);
}

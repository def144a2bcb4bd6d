/* Writing slices against a plain model, at any layout, beside checkpoints, and what they may cost.
 */
#include "tests/unit/service/service_fixture.h"
#include "tests/unit/service/slice_model.h"

static enum err_code
write_slice(struct domain *d, const char *name, const char *slice, struct tensor_type type,
            const void *data, size_t size, const struct write_options *options,
            struct variable_change *change)
{
    struct memory_source from = memory_of(data, size);
    struct tensor_source source = source_of(&from);
    struct variable_assign_options how = {.slice = bytes_of_text(slice)};

    return variable_assign(d->service, MODEL, name, &type, size, &source, &how, options, change,
                           &d->f->err);
}

static enum err_code
try_slice(struct domain *d, const char *name, const char *slice, struct tensor_type type,
          const void *data)
{
    struct variable_change change;

    return write_slice(d, name, slice, type, data, tensor_type_bytes(&type), NULL, &change);
}

/* `rounds` random slices written to a variable of this shape and to a copy of ours. */
static void
compare_with_model(struct domain *d, struct shape shape, enum dtype dtype, bool rows, int rounds)
{
    size_t element = dtype_size(dtype), size = shape_count(&shape) * element;
    uint8_t *mine = some_bytes(size, 1);
    struct variable_spec spec = spec_named("v");
    uint32_t random = 7;

    spec.dtype = dtype;
    spec.shape = &shape;
    spec.row_updates = rows;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    assign(d, "v", dtype, shape, mine);
    for (int i = 0; i < rounds; i++) {
        struct slice_model model;
        uint8_t *data;

        slice_model_draw(&random, &shape, &model);
        data = some_bytes(model.count * element, (uint32_t)i);
        WORKS(try_slice(d, "v", model.text, type_of(dtype, model.result), data), &d->f->err);
        for (size_t k = 0; k < model.count; k++)
            memcpy(mine + model.sources[k] * element, data + k * element, element);
        if (i % 8 == 0 || size < 20000)
            must_be(d, "v", dtype, shape, mine, size);
        free(data);
        free(model.sources);
    }
    must_be(d, "v", dtype, shape, mine, size);
    assert_int_equal(info_of_variable(d, "v").record.version, (uint64_t)rounds + 1);
    delete_variable(d, "v");
    assert_int_equal(chunks(d), 0);
    free(mine);
}

static void
slices_are_written_as_a_plain_model_does(void **state)
{
    struct domain *d = *state;

    compare_with_model(d, exprs_shape(0), DTYPE_FLOAT64, false, 4);
    compare_with_model(d, exprs_shape(1, 37), DTYPE_INT16, false, 60);
    compare_with_model(d, exprs_shape(3, 4, 1, 9), DTYPE_UINT8, false, 60);
    compare_with_model(d, exprs_shape(3, 3, 0, 2), DTYPE_UINT8, false, 6);
    compare_with_model(d, exprs_shape(2, 40, 60), DTYPE_FLOAT32, false, 30);      /* one record */
    compare_with_model(d, exprs_shape(3, 3, 100, 401), DTYPE_FLOAT32, false, 24); /* chunks */
    compare_with_model(d, exprs_shape(2, 300, 101), DTYPE_COMPLEX64, true, 24);   /* rows */
}

static void
a_slice_written_beside_a_checkpoint_leaves_it_alone(void **state)
{
    enum { COUNT = 200000 };
    static const float ones[] = {1, 1};
    struct domain *d = *state;
    uint8_t *data = some_bytes(COUNT * 4, 1), *changed = some_bytes(COUNT * 4, 1);
    struct tensor_set set = {0};
    uint64_t before;

    declare(d, "v", DTYPE_FLOAT32, exprs_shape(1, COUNT));
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(1, COUNT), data);
    before = chunks(d);
    (void)save(d, "c");
    WORKS(try_slice(d, "v", "70000:70002", type_of(DTYPE_FLOAT32, exprs_shape(1, 2)), ones),
          &d->f->err);
    assert_int_equal(chunks(d), before + 1); /* only the chunk it touches is the variable's own */
    memcpy(changed + 70000 * 4, ones, sizeof ones);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(1, COUNT), changed, COUNT * 4);
    WORKS(checkpoint_read(d->service, MODEL, "c", "v", bytes_of(NULL, 0), DTYPE_UNSET, false, &set,
                          &d->f->err),
          &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, COUNT), data, COUNT * 4);
    tensor_set_drop(&set);
    free(data);
    free(changed);
}

static void
a_constant_keeps_its_untouched_chunks_as_a_constant(void **state)
{
    enum { COUNT = 1000000 };
    static const float five[] = {5};
    struct domain *d = *state;
    struct expr_tree tree = filled(2.0f, COUNT);
    struct tensor_set set = {0};
    static const float expected[] = {2, 5, 2};

    create(d, "v", &tree);
    initialize_all(d);
    WORKS(try_slice(d, "v", "-2", type_of(DTYPE_FLOAT32, scalar()), five), &d->f->err);
    assert_int_equal(chunks(d), 1);
    WORKS(variable_read(d->service, MODEL, "v", bytes_of_text("999997:"), DTYPE_UNSET, false, &set,
                        &d->f->err),
          &d->f->err);
    set_must_hold(&set, 0, DTYPE_FLOAT32, exprs_shape(1, 3), expected, sizeof expected);
    tensor_set_drop(&set);
}

static void
what_does_not_fit_the_slice_is_refused(void **state)
{
    static const float data[12] = {0};
    static const uint8_t flags[] = {1, 7};
    struct domain *d = *state;
    struct tensor_type type = type_of(DTYPE_FLOAT32, exprs_shape(1, 2));
    struct variable_change change;
    struct expr_tree tree = tree_new();
    uint64_t revision = 1;
    struct write_options match = {.if_match = true, .revisions = &revision, .revision_count = 1};

    declare(d, "empty", DTYPE_FLOAT32, exprs_shape(1, 4));
    create_literal(d, "v", DTYPE_FLOAT32, exprs_shape(2, 3, 4), data);
    declare(d, "b", DTYPE_BOOL, exprs_shape(1, 4));
    (void)exprs_strings(&tree, exprs_shape(1, 2), "\0\0\0\0\0\0\0\0", 8);
    create(d, "s", &tree);
    initialize_all(d);
    REFUSES(try_slice(d, "empty", ":2", type, data), ERR_FAILED_PRECONDITION, "not initialized",
            &d->f->err);
    REFUSES(try_slice(d, "v", "0", type, data), ERR_INVALID_ARGUMENT,
            "the slice has shape [4], the value has [2]", &d->f->err);
    type.dtype = DTYPE_INT32;
    REFUSES(try_slice(d, "v", "0,:2", type, data), ERR_INVALID_ARGUMENT, "dtype float32 expected",
            &d->f->err);
    type.dtype = DTYPE_FLOAT32;
    FAILS(try_slice(d, "v", "9,:2", type, data), ERR_OUT_OF_RANGE, &d->f->err);
    FAILS(try_slice(d, "v", "0,0,0", type, data), ERR_INVALID_ARGUMENT, &d->f->err);
    FAILS(try_slice(d, "v", ":::", type, data), ERR_INVALID_ARGUMENT, &d->f->err);
    FAILS(try_slice(d, "absent", "0", type, data), ERR_NOT_FOUND, &d->f->err);
    FAILS(write_slice(d, "v", "0,:2", type, data, 7, NULL, &change), ERR_INVALID_ARGUMENT,
          &d->f->err);
    FAILS(write_slice(d, "v", "0,:2", type, data, 4096, NULL, &change), ERR_INVALID_ARGUMENT,
          &d->f->err);
    FAILS(write_slice(d, "v", "0,:2", type, data, 8, &match, &change), ERR_PRECONDITION_FAILED,
          &d->f->err);
    assign(d, "b", DTYPE_BOOL, exprs_shape(1, 4), "\0\0\0\0");
    FAILS(try_slice(d, "b", ":2", type_of(DTYPE_BOOL, exprs_shape(1, 2)), flags),
          ERR_INVALID_ARGUMENT, &d->f->err);
    FAILS(write_slice(d, "s", ":1", type_of(DTYPE_STRING, exprs_shape(1, 1)), "\0\0\0\0", 4, NULL,
                      &change),
          ERR_INVALID_ARGUMENT, &d->f->err);
    revision = info_of_variable(d, "v").record.revision;
    WORKS(write_slice(d, "v", "0,:2", type, data, 8, &match, &change), &d->f->err);
    assert_int_equal(change.version, 2);
    assert_int_equal(change.type.shape.rank, 2); /* the variable's */
}

/* One element of every chunk of a large constant would make a commit of gigabytes. */
static void
a_slice_that_touches_too_much_is_refused(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = tree_new();
    struct shape shape = {.rank = 1, .dims = {(uint64_t)1 << 30}};
    uint8_t *data = some_bytes((size_t)8 << 20, 1);

    (void)exprs_set_dtype(exprs_set_shape(exprs_op(&tree, "zeros", 0), "shape", shape), "dtype",
                          DTYPE_UINT8);
    create(d, "v", &tree);
    initialize_all(d);
    REFUSES(try_slice(d, "v", "::65536", type_of(DTYPE_UINT8, exprs_shape(1, 16384)), data),
            ERR_PAYLOAD_TOO_LARGE, "write it in parts", &d->f->err);
    REFUSES(try_slice(d, "v", ":16777216:2", type_of(DTYPE_UINT8, exprs_shape(1, 8388608)), data),
            ERR_PAYLOAD_TOO_LARGE, "write it in parts", &d->f->err);
    WORKS(try_slice(d, "v", ":16777216:65536", type_of(DTYPE_UINT8, exprs_shape(1, 256)), data),
          &d->f->err);
    assert_int_equal(chunks(d), 64);
    free(data);
}

static void
fail_slices(struct domain *d, int size)
{
    uint8_t *old = some_bytes((size_t)size, 1), data[100];
    struct tensor_type type = type_of(DTYPE_UINT8, exprs_shape(1, 100));
    uint64_t nth = 1, before;
    enum err_code code = ERR_NO_MEMORY;

    memset(data, 1, sizeof data);
    declare(d, "v", DTYPE_UINT8, exprs_shape(1, size));
    assign(d, "v", DTYPE_UINT8, exprs_shape(1, size), old);
    (void)save(d, "c");
    before = chunks(d);
    for (; nth < 500 && code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = try_slice(d, "v", "199:99:-1", type, data);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
        must_be(d, "v", DTYPE_UINT8, exprs_shape(1, size), old, (size_t)size);
        assert_int_equal(chunks(d), before);
    }
    assert_in_range(nth, 4, 499);
    memcpy(old + 100, data, sizeof data);
    must_be(d, "v", DTYPE_UINT8, exprs_shape(1, size), old, (size_t)size);
    free(old);
}

static void
a_slice_that_runs_out_of_memory_changes_nothing(void **state)
{
    fail_slices(*state, 3000);
    delete_variable(*state, "v");
    WORKS(checkpoint_delete(((struct domain *)*state)->service, MODEL, "c", NULL, &(uint64_t){0},
                            &((struct domain *)*state)->f->err),
          &((struct domain *)*state)->f->err);
    fail_slices(*state, 600000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(slices_are_written_as_a_plain_model_does),
        DOMAIN_TEST(a_slice_written_beside_a_checkpoint_leaves_it_alone),
        DOMAIN_TEST(a_constant_keeps_its_untouched_chunks_as_a_constant),
        DOMAIN_TEST(what_does_not_fit_the_slice_is_refused),
        DOMAIN_TEST(a_slice_that_touches_too_much_is_refused),
        DOMAIN_TEST(a_slice_that_runs_out_of_memory_changes_nothing),
    };

    return cmocka_run_group_tests_name("variable_slice", tests, NULL, NULL);
}

/* Assigning values that arrive as a stream: one or many, created or not, whole or not at all. */
#include "tests/unit/service/service_fixture.h"

enum { BIG = 400001 }; /* float32: staged */

static enum err_code
assign_stream(struct domain *d, const char *name, struct tensor_type type,
              struct memory_source *from, const struct variable_assign_options *how,
              const struct write_options *options, struct variable_change *change)
{
    struct tensor_source source = source_of(from);

    return variable_assign(d->service, MODEL, name, &type, from->size, &source, how, options,
                           change, &d->f->err);
}

static enum err_code
assign_bytes(struct domain *d, const char *name, struct tensor_type type, const void *data,
             size_t size, const struct variable_assign_options *how)
{
    struct memory_source from = memory_of(data, size);
    struct variable_change change;

    return assign_stream(d, name, type, &from, how, NULL, &change);
}

static const struct variable_assign_options strict = {.keep_shape = true};
static const struct variable_assign_options making = {
    .create = true, .trainable = true, .keep_shape = true};

static void
a_stream_of_any_size_becomes_the_value(void **state)
{
    static const int counts[] = {0, 1, 255, 4065, 65521, 262144, 262145, BIG};
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1);

    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct tensor_type type = type_of(DTYPE_FLOAT32, exprs_shape(1, counts[i]));
        struct memory_source from = memory_of(data, (size_t)counts[i] * 4);
        struct variable_change change;
        char name[16];

        snprintf(name, sizeof name, "v%d", counts[i]);
        declare(d, name, type.dtype, type.shape);
        WORKS(assign_stream(d, name, type, &from, &strict, NULL, &change), &d->f->err);
        assert_int_equal(from.read, from.size);
        assert_string_equal(change.name, name);
        assert_int_equal(change.version, 1);
        assert_int_equal(change.revision, service_revision(d->service));
        assert_false(change.created);
        must_be(d, name, type.dtype, type.shape, data, from.size);
    }
    free(data);
}

static void
a_variable_is_made_where_asked(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1);
    struct tensor_type type = type_of(DTYPE_FLOAT32, exprs_shape(1, BIG));
    struct memory_source from = memory_of(data, BIG * 4);
    struct variable_change change;
    struct variable_info info;

    REFUSES(assign_bytes(d, "v", type, data, BIG * 4, &strict), ERR_NOT_FOUND, "no variable 'v'",
            &d->f->err);
    WORKS(assign_stream(d, "v", type, &from, &making, NULL, &change), &d->f->err);
    assert_true(change.created);
    info = info_of_variable(d, "v");
    assert_true(info.initialized && info.record.trainable && info.record.validate_shape);
    assert_false(info.has_initial_value);
    assert_int_equal(info.record.updated_ms != 0, 1);
    assert_true(record_texts_hold(&info.record.collections, bytes_of_text("variables")));
    from = memory_of(data, BIG * 4);
    WORKS(assign_stream(d, "v", type, &from, &making, NULL, &change), &d->f->err);
    assert_false(change.created);
    assert_int_equal(change.version, 2);
    assert_int_equal(usage_of_model(d).variables, 1);
    FAILS(assign_bytes(d, "a//b", type, data, BIG * 4, &making), ERR_INVALID_ARGUMENT, &d->f->err);
    free(data);
}

static void
nothing_is_read_of_what_cannot_be_assigned(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1);
    struct tensor_type right = type_of(DTYPE_FLOAT32, exprs_shape(1, BIG)), wrong = right;
    struct memory_source from = memory_of(data, BIG * 4);
    struct variable_change change;
    uint64_t revision = 5;
    struct write_options fresh = {.if_none_match = true},
                         match = {.if_match = true, .revisions = &revision, .revision_count = 1};

    declare(d, "v", right.dtype, right.shape);
    wrong.dtype = DTYPE_INT32;
    REFUSES(assign_stream(d, "v", wrong, &from, &strict, NULL, &change), ERR_INVALID_ARGUMENT,
            "dtype float32 expected, the value is int32", &d->f->err);
    wrong = type_of(DTYPE_FLOAT32, exprs_shape(2, 1, BIG));
    REFUSES(assign_stream(d, "v", wrong, &from, &strict, NULL, &change), ERR_INVALID_ARGUMENT,
            "shape [400001] expected, the value has [1,400001]", &d->f->err);
    wrong.shape.dims[0] = UINT64_MAX;
    FAILS(assign_stream(d, "v", wrong, &from, &strict, NULL, &change), ERR_INVALID_ARGUMENT,
          &d->f->err);
    from.size--;
    REFUSES(assign_stream(d, "v", right, &from, &strict, NULL, &change), ERR_INVALID_ARGUMENT,
            "takes 1600004 bytes, the value has 1600003", &d->f->err);
    from.size++;
    REFUSES(assign_stream(d, "v", right, &from, &strict, &fresh, &change), ERR_PRECONDITION_FAILED,
            "'v' exists", &d->f->err);
    assert_int_equal(assign_stream(d, "v", right, &from, &strict, &match, &change),
                     ERR_PRECONDITION_FAILED);
    assert_int_equal(d->f->err.current_revision, info_of_variable(d, "v").record.revision);
    err_clear(&d->f->err);
    assert_int_equal(from.read, 0);
    d->limits.tensor_bytes_max = BIG;
    domain_restart(d);
    REFUSES(assign_stream(d, "v", right, &from, &strict, NULL, &change), ERR_FULL,
            "tensor_max_bytes", &d->f->err);
    assert_int_equal(from.read, 0);
    assert_false(is_initialized(d, "v"));
    free(data);
}

static void
without_keep_shape_the_shape_becomes_the_value_s(void **state)
{
    static const float data[] = {1, 2, 3, 4, 5, 6};
    struct domain *d = *state;
    const struct variable_assign_options loose = {.keep_shape = false};

    declare(d, "v", DTYPE_FLOAT32, exprs_shape(1, 2));
    WORKS(assign_bytes(d, "v", type_of(DTYPE_FLOAT32, exprs_shape(2, 3, 2)), data, sizeof data,
                       &loose),
          &d->f->err);
    must_be(d, "v", DTYPE_FLOAT32, exprs_shape(2, 3, 2), data, sizeof data);
    FAILS(assign_bytes(d, "v", type_of(DTYPE_FLOAT32, exprs_shape(1, 2)), data, 8, &strict),
          ERR_INVALID_ARGUMENT, &d->f->err);
}

static void
a_sender_that_goes_away_leaves_nothing(void **state)
{
    static const size_t after[] = {0, 1, 262080, 262081, 1400000, BIG * 4 - 1};
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1), *kept = some_bytes(BIG * 4, 2);
    struct tensor_type type = type_of(DTYPE_FLOAT32, exprs_shape(1, BIG));
    uint64_t before, revision;

    declare(d, "v", type.dtype, type.shape);
    assign(d, "v", type.dtype, type.shape, kept);
    before = chunks(d);
    revision = service_revision(d->service);
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        struct memory_source from = memory_of(data, BIG * 4);
        struct variable_change change;

        from.fail_after = after[i];
        REFUSES(assign_stream(d, "v", type, &from, &making, NULL, &change), ERR_UNAVAILABLE,
                "went away", &d->f->err);
        from = memory_of(data, BIG * 4);
        from.fail_after = after[i];
        FAILS(assign_stream(d, "new", type, &from, &making, NULL, &change), ERR_UNAVAILABLE,
              &d->f->err);
        assert_int_equal(chunks(d), before);
    }
    assert_int_equal(service_revision(d->service), revision);
    assert_int_equal(usage_of_model(d).variables, 1);
    must_be(d, "v", type.dtype, type.shape, kept, BIG * 4);
    free(data);
    free(kept);
}

static void
bytes_that_no_bool_or_string_has_are_refused(void **state)
{
    struct domain *d = *state;
    uint8_t *flags = calloc(1, 2000000), strings[] = {2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0};
    struct tensor_type type = type_of(DTYPE_BOOL, exprs_shape(1, 2000000));

    flags[1999999] = 2;
    REFUSES(assign_bytes(d, "b", type, flags, 2000000, &making), ERR_INVALID_ARGUMENT,
            "element 1999999 of a bool tensor is byte 2", &d->f->err);
    type.shape = exprs_shape(1, 3);
    flags[0] = 255;
    REFUSES(assign_bytes(d, "b", type, flags, 3, &making), ERR_INVALID_ARGUMENT, "element 0",
            &d->f->err);
    flags[0] = 1;
    WORKS(assign_bytes(d, "b", type, flags, 3, &making), &d->f->err);
    type = type_of(DTYPE_STRING, exprs_shape(1, 2));
    WORKS(assign_bytes(d, "s", type, strings, sizeof strings, &making), &d->f->err);
    FAILS(assign_bytes(d, "s", type, strings, sizeof strings - 1, &making), ERR_INVALID_ARGUMENT,
          &d->f->err);
    strings[0] = 200;
    FAILS(assign_bytes(d, "s", type, strings, sizeof strings, &making), ERR_INVALID_ARGUMENT,
          &d->f->err);
    type.shape = exprs_shape(1, 1);
    strings[0] = 2;
    FAILS(assign_bytes(d, "s", type, strings, sizeof strings, &making), ERR_INVALID_ARGUMENT,
          &d->f->err);
    free(flags);
}

static void
a_big_string_is_staged_and_limited(void **state)
{
    enum { LENGTH = 3000000 };
    struct domain *d = *state;
    uint8_t *text = calloc(1, LENGTH + 4);
    struct tensor_type type = type_of(DTYPE_STRING, scalar());
    uint32_t length = LENGTH;

    memcpy(text, &length, 4);
    WORKS(assign_bytes(d, "s", type, text, LENGTH + 4, &making), &d->f->err);
    must_be(d, "s", DTYPE_STRING, scalar(), text, LENGTH + 4);
    text[0]++;
    FAILS(assign_bytes(d, "s", type, text, LENGTH + 4, &making), ERR_INVALID_ARGUMENT, &d->f->err);
    d->limits.expression_bytes_max = 2000000;
    domain_restart(d);
    REFUSES(assign_bytes(d, "s", type, text, LENGTH + 4, &making), ERR_PAYLOAD_TOO_LARGE,
            "string tensor 's'", &d->f->err);
    free(text);
}

static void
row_variables_keep_their_place(void **state)
{
    struct domain *d = *state;
    uint8_t *data = some_bytes(BIG * 4, 1);
    struct tensor_type type = type_of(DTYPE_FLOAT32, exprs_shape(1, BIG));
    struct variable_spec spec = spec_named("rows");
    struct store_stats stats;

    spec.dtype = type.dtype;
    spec.shape = &type.shape;
    spec.row_updates = true;
    WORKS(try_create(d, spec, NULL), &d->f->err);
    WORKS(assign_bytes(d, "rows", type, data, BIG * 4, &strict), &d->f->err);
    stats = stats_when_drained(d->f);
    assert_int_equal(stats.chunks[STORE_CLASS_BULK], 0);
    assert_int_equal(stats.chunks[STORE_CLASS_ROWS], (BIG * 4 + 16319) / 16320);
    must_be(d, "rows", type.dtype, type.shape, data, BIG * 4);
    free(data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_stream_of_any_size_becomes_the_value),
        DOMAIN_TEST(a_variable_is_made_where_asked),
        DOMAIN_TEST(nothing_is_read_of_what_cannot_be_assigned),
        DOMAIN_TEST(without_keep_shape_the_shape_becomes_the_value_s),
        DOMAIN_TEST(a_sender_that_goes_away_leaves_nothing),
        DOMAIN_TEST(bytes_that_no_bool_or_string_has_are_refused),
        DOMAIN_TEST(a_big_string_is_staged_and_limited),
        DOMAIN_TEST(row_variables_keep_their_place),
    };

    return cmocka_run_group_tests_name("variable_assign", tests, NULL, NULL);
}

/* Lists of variables by pages and filters, and reading several values of one revision. */
#include "tests/unit/service/service_fixture.h"

struct listing {
    char names[16][NAME_BYTES_MAX + 1];
    size_t count, stop_at;
};

static enum err_code
keep_name(void *context, const struct variable_info *info, struct err *err)
{
    struct listing *listing = context;

    if (listing->stop_at != 0 && listing->count == listing->stop_at)
        return err_set(err, ERR_ABORTED, "enough");
    assert_in_range(listing->count, 0, 15);
    snprintf(listing->names[listing->count++], sizeof listing->names[0], "%s", info->name);
    return OK;
}

static enum err_code
list(struct domain *d, struct variable_filter filter, const char *after, size_t count_max,
     struct listing *out, bool *more)
{
    uint64_t revision;

    *out = (struct listing){.stop_at = out->stop_at};
    return variable_list(d->service, MODEL, &filter, after, count_max, keep_name, out, more,
                         &revision, &d->f->err);
}

/* What the list of names is, space between. */
static void
must_list(struct domain *d, struct variable_filter filter, const char *names)
{
    struct listing listing = {.stop_at = 0};
    char text[600] = "";
    bool more = true;

    WORKS(list(d, filter, NULL, 16, &listing, &more), &d->f->err);
    for (size_t i = 0; i < listing.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " " : "",
                 listing.names[i]);
    assert_string_equal(text, names);
    assert_false(more);
}

static const struct variable_filter everything = {.dtype = DTYPE_UNSET};

static void
make_some(struct domain *d)
{
    static const int32_t one[] = {1};
    struct shape shape = scalar();
    struct variable_spec spec = spec_named("layer2/b");
    const char *const local[] = {"local_variables"};
    struct device_scope scope = {.resets = false};

    declare(d, "layer2/w", DTYPE_FLOAT64, exprs_shape(1, 3));
    create_literal(d, "layer1/w", DTYPE_INT32, exprs_shape(1, 1), one);
    create_literal(d, "layer1.w", DTYPE_INT32, exprs_shape(1, 1), one);
    spec.dtype = DTYPE_INT32;
    spec.shape = &shape;
    spec.collections = local;
    spec.collection_count = 1;
    spec.trainable = false;
    WORKS(device_spec_parse("/job:ps/gpu:1", &scope.spec, &d->f->err), &d->f->err);
    spec.scopes = (struct variable_scopes){.around = &scope, .count = 1};
    WORKS(try_create(d, spec, NULL), &d->f->err);
    WORKS(try_initialize(d, (struct initialize_spec){.prefix = "layer1/"}, NULL), &d->f->err);
}

static void
a_list_is_in_name_order_and_filtered(void **state)
{
    struct domain *d = *state;
    struct variable_filter f = everything;
    struct device_spec device;

    must_list(d, f, "");
    make_some(d);
    must_list(d, f, "layer1.w layer1/w layer2/b layer2/w");
    f.prefix = "layer1/";
    must_list(d, f, "layer1/w");
    f.prefix = "";
    f.collection = "variables";
    must_list(d, f, "layer1.w layer1/w layer2/w");
    f.dtype = DTYPE_INT32;
    must_list(d, f, "layer1.w layer1/w");
    f = everything;
    WORKS(device_spec_parse("/gpu:1", &device, &d->f->err), &d->f->err);
    f.device = &device;
    must_list(d, f, "layer2/b");
    device.index = 0;
    must_list(d, f, "");
    f = everything;
    f.has_trainable = true;
    must_list(d, f, "layer2/b");
    f.trainable = true;
    must_list(d, f, "layer1.w layer1/w layer2/w");
    f = everything;
    f.has_initialized = true;
    must_list(d, f, "layer1.w layer2/b layer2/w");
    f.initialized = true;
    must_list(d, f, "layer1/w");
}

static void
pages_join_whatever_their_size(void **state)
{
    static const char *const names[] = {"layer1.w", "layer1/w", "layer2/b", "layer2/w"};
    struct domain *d = *state;
    struct listing listing = {.stop_at = 0};
    bool more = true;

    make_some(d);
    for (size_t size = 1; size <= 4; size++) {
        const char *after = NULL;
        size_t seen = 0;

        for (more = true; more; after = listing.names[listing.count - 1]) {
            char begin[NAME_BYTES_MAX + 1] = "";

            if (after != NULL)
                memcpy(begin, after, strlen(after) + 1);
            WORKS(list(d, everything, after != NULL ? begin : NULL, size, &listing, &more),
                  &d->f->err);
            for (size_t i = 0; i < listing.count; i++)
                assert_string_equal(listing.names[i], names[seen++]);
            assert_in_range(listing.count, 1, size);
        }
        assert_int_equal(seen, 4);
    }
    WORKS(list(d, everything, "layer1/a-name-that-is-not-there", 9, &listing, &more), &d->f->err);
    assert_int_equal(listing.count, 3);
    WORKS(list(d, everything, NULL, 0, &listing, &more), &d->f->err);
    assert_true(more && listing.count == 0);
}

static void
a_list_refuses_what_no_name_can_be_and_stops_when_told(void **state)
{
    struct domain *d = *state;
    struct listing listing = {.stop_at = 2};
    struct variable_filter f = everything;
    char *long_text = calloc(1, 3000);
    uint64_t revision;
    bool more;

    make_some(d);
    FAILS(list(d, f, NULL, 9, &listing, &more), ERR_ABORTED, &d->f->err);
    memset(long_text, 'x', 2999);
    FAILS(list(d, f, long_text, 9, &listing, &more), ERR_INVALID_ARGUMENT, &d->f->err);
    f.prefix = long_text;
    FAILS(list(d, f, NULL, 9, &listing, &more), ERR_INVALID_ARGUMENT, &d->f->err);
    FAILS(variable_list_revision(d->service, "absent", &revision, &d->f->err), ERR_NOT_FOUND,
          &d->f->err);
    WORKS(variable_list_revision(d->service, MODEL, &revision, &d->f->err), &d->f->err);
    assert_int_equal(revision, usage_of_model(d).revision);
    free(long_text);
}

static void
several_values_come_in_the_order_asked_for(void **state)
{
    static const int32_t a[] = {1, 2}, b[] = {3};
    struct domain *d = *state;
    const char *const names[] = {"b", "a"};
    struct tensor_set set = {0};

    create_literal(d, "a", DTYPE_INT32, exprs_shape(1, 2), a);
    create_literal(d, "b", DTYPE_INT32, scalar(), b);
    declare(d, "c", DTYPE_INT32, scalar());
    WORKS(try_initialize(d, (struct initialize_spec){.names = names, .name_count = 2}, NULL),
          &d->f->err);
    WORKS(variable_read_some(d->service, MODEL, names, 2, NULL, false, &set, &d->f->err),
          &d->f->err);
    assert_int_equal(set.entry_count, 2);
    assert_string_equal(set.entries[0].name, "b");
    set_must_hold(&set, 0, DTYPE_INT32, scalar(), b, 4);
    set_must_hold(&set, 1, DTYPE_INT32, exprs_shape(1, 2), a, 8);
    assert_int_equal(set.entries[1].version, 1);
    assert_int_equal(set.revision, service_revision(d->service));
    tensor_set_drop(&set);
    WORKS(variable_read_some(d->service, MODEL, NULL, 0, NULL, false, &set, &d->f->err),
          &d->f->err);
    assert_int_equal(set.entry_count, 2); /* c has no value to show */
    assert_string_equal(set.entries[0].name, "a");
    tensor_set_drop(&set);
    WORKS(variable_read_some(d->service, MODEL, NULL, 0, "x", false, &set, &d->f->err), &d->f->err);
    assert_int_equal(set.entry_count, 0);
    tensor_set_drop(&set);
    WORKS(variable_read_some(d->service, MODEL, names, 0, NULL, false, &set, &d->f->err),
          &d->f->err);
    tensor_set_drop(&set);
}

/* Whether it is among those that are read or not. */
static void
values_come_with_the_step_that_the_model_counts(void **state)
{
    static const int64_t big = INT64_C(1) << 53 | 1;
    static const int32_t small = -7;
    static const int64_t two[] = {1, 2};
    static const float f = 3;
    static const struct {
        enum dtype dtype;
        uint32_t rank;
        int dim;
        const void *data;
        bool has_step;
        int64_t step;
    } cases[] = {{DTYPE_INT64, 0, 0, &big, true, INT64_C(1) << 53 | 1},
                 {DTYPE_INT32, 0, 0, &small, true, -7},
                 {DTYPE_INT64, 1, 2, two, false, 0},
                 {DTYPE_INT64, 1, 1, two, false, 0},
                 {DTYPE_FLOAT32, 0, 0, &f, false, 0}};
    struct domain *d = *state;
    struct tensor_set set = {0};

    create_literal(d, "a", DTYPE_INT32, scalar(), &small);
    initialize_all(d);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct shape shape = cases[i].rank ? exprs_shape(1, cases[i].dim) : scalar();

        declare(d, "global_step", cases[i].dtype, shape);
        WORKS(variable_read_some(d->service, MODEL, NULL, 0, "a", false, &set, &d->f->err),
              &d->f->err);
        assert_false(set.has_step); /* it has no value yet */
        tensor_set_drop(&set);
        assign(d, "global_step", cases[i].dtype, shape, cases[i].data);
        WORKS(variable_read_some(d->service, MODEL, NULL, 0, "a", false, &set, &d->f->err),
              &d->f->err);
        assert_int_equal(set.entry_count, 1);
        assert_int_equal(set.has_step, cases[i].has_step);
        assert_true(set.step == cases[i].step);
        tensor_set_drop(&set);
        delete_variable(d, "global_step");
    }
}

static void
several_values_are_refused_together(void **state)
{
    static const int32_t a[] = {1, 2};
    struct domain *d = *state;
    const char *names[] = {"a", "c", "a"};
    struct tensor_set set = {0};

    create_literal(d, "a", DTYPE_INT32, exprs_shape(1, 2), a);
    create_literal(d, "b", DTYPE_INT32, exprs_shape(1, 2), a);
    declare(d, "c", DTYPE_INT32, scalar());
    initialize_all(d);
    REFUSES(variable_read_some(d->service, MODEL, names, 2, NULL, false, &set, &d->f->err),
            ERR_FAILED_PRECONDITION, "'c' is not initialized", &d->f->err);
    names[1] = "b";
    REFUSES(variable_read_some(d->service, MODEL, names, 3, NULL, false, &set, &d->f->err),
            ERR_INVALID_ARGUMENT, "'a' is named twice", &d->f->err);
    names[1] = "absent";
    FAILS(variable_read_some(d->service, MODEL, names, 2, NULL, false, &set, &d->f->err),
          ERR_NOT_FOUND, &d->f->err);
    names[1] = "";
    FAILS(variable_read_some(d->service, MODEL, names, 2, NULL, false, &set, &d->f->err),
          ERR_INVALID_ARGUMENT, &d->f->err);
    assert_null(set.keep);
    d->limits.variables_per_request_max = 1;
    domain_restart(d);
    REFUSES(variable_read_some(d->service, MODEL, NULL, 0, "", false, &set, &d->f->err),
            ERR_PAYLOAD_TOO_LARGE, "more than 1 variables", &d->f->err);
    names[1] = "b";
    FAILS(variable_read_some(d->service, MODEL, names, 2, NULL, false, &set, &d->f->err),
          ERR_PAYLOAD_TOO_LARGE, &d->f->err);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_list_is_in_name_order_and_filtered),
        DOMAIN_TEST(pages_join_whatever_their_size),
        DOMAIN_TEST(a_list_refuses_what_no_name_can_be_and_stops_when_told),
        DOMAIN_TEST(several_values_come_in_the_order_asked_for),
        DOMAIN_TEST(values_come_with_the_step_that_the_model_counts),
        DOMAIN_TEST(several_values_are_refused_together),
    };

    return cmocka_run_group_tests_name("variable_list", tests, NULL, NULL);
}

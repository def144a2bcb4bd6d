/* Guards and fetches: what is looked at before anything of a run is kept, and what it brings back.
 */
#include <math.h>

#include "tests/unit/service/run_fixture.h"

enum { LARGE = 2000000 }; /* float32: 8 MB, staged */

/* --- finite -------------------------------------------------------------------------------- */

struct sample {
    enum dtype dtype;
    int count;
    uint32_t size;   /* of an element */
    size_t at;       /* byte offset of what is not finite */
    size_t element;  /* which that is */
    uint8_t bits[8]; /* little-endian */
    uint32_t bit_size;
};

static const struct sample samples[] = {
    {DTYPE_FLOAT32, 1, 4, 0, 0, {0, 0, 0xc0, 0x7f}, 4},
    {DTYPE_FLOAT32, 8192, 4, 8191 * 4, 8191, {0, 0, 0x80, 0x7f}, 4}, /* infinity */
    {DTYPE_FLOAT32, LARGE, 4, 8192 * 4, 8192, {0, 0, 0x80, 0xff}, 4},
    {DTYPE_FLOAT32, LARGE, 4, (LARGE - 1) * 4ul, LARGE - 1, {1, 0, 0x80, 0x7f}, 4},
    {DTYPE_FLOAT32, LARGE, 4, 1234567 * 4, 1234567, {0xff, 0xff, 0xff, 0xff}, 4},
    {DTYPE_FLOAT64, LARGE / 2, 8, 999999 * 8, 999999, {0, 0, 0, 0, 0, 0, 0xf8, 0x7f}, 8},
    {DTYPE_FLOAT16, 300, 2, 299 * 2, 299, {0, 0x7c}, 2},
    {DTYPE_FLOAT16, LARGE, 2, 1000001 * 2, 1000001, {1, 0x7e}, 2},
    {DTYPE_BFLOAT16, LARGE, 2, 7 * 2, 7, {0xc0, 0x7f}, 2},
    {DTYPE_COMPLEX64, 10, 8, 9 * 8 + 4, 9, {0, 0, 0xc0, 0x7f}, 4}, /* the imaginary part */
    {DTYPE_COMPLEX64, LARGE / 2, 8, 500000 * 8, 500000, {0, 0, 0x80, 0x7f}, 4},
    {DTYPE_COMPLEX128, LARGE / 4, 16, 499999 * 16 + 8, 499999, {0, 0, 0, 0, 0, 0, 0xf0, 0xff}, 8},
};

static void
what_is_not_finite_is_found_wherever_it_is(void **state)
{
    struct domain *d = *state;

    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        const struct sample *sample = &samples[i];
        struct shape shape = exprs_shape(1, sample->count);
        uint8_t *data = calloc((size_t)sample->count, sample->size);
        struct script *s = script_new(d);
        struct expr_tree sound = tree_new(), broken = tree_new();
        char words[80];

        assert_non_null(data);
        declare(d, "v", sample->dtype, shape);
        (void)exprs_literal(&sound, sample->dtype, shape, data);
        memcpy(data + sample->at, sample->bits, sample->bit_size);
        (void)exprs_literal(&broken, sample->dtype, shape, data);
        s->spec.finite = true;
        then_update(s, &verb_assign, "v", broken);
        snprintf(words, sizeof words,
                 "guard 'finite': variable 'v' would hold NaN or infinity, first at element %zu",
                 sample->element);
        SCRIPT_REFUSES(s, NULL, ERR_UNPROCESSABLE, -1, words);
        assert_false(is_initialized(d, "v"));
        assert_int_equal(chunks(d), 0);
        s->spec.finite = false;
        script_works(s); /* nobody asked */
        s->spec.finite = true;
        then_update(s, &verb_assign, "v", sound); /* only what is kept in the end counts */
        script_works(s);
        script_drop(s);
        delete_variable(d, "v");
        free(data);
    }
}

static void
integers_are_finite_and_have_no_norm(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);

    make_int(d, "step", 0);
    then_count(s, "step", 10);
    s->spec.finite = true;
    s->spec.update_norm_max = 0;
    script_works(s);
    assert_true(s->report.has_update_norm);
    assert_true(s->report.update_norm == 0);
    script_drop(s);
}

/* Of a large variable that is edited only the rows that are count: what was broken before is no
 * change of the run's. */
static void
rows_are_looked_at_where_they_change(void **state)
{
    enum { WIDTH = 50 };
    static const int32_t rows[] = {3, 900}, broken[] = {77};
    struct domain *d = *state;
    struct shape shape = exprs_shape(2, 10000, WIDTH);
    uint8_t *data = calloc(10000, WIDTH * 4);
    struct script *s = script_new(d);
    float nan = NAN;

    assert_non_null(data);
    memcpy(data + 500 * WIDTH * 4, &nan, 4);
    declare(d, "v", DTYPE_FLOAT32, shape);
    assign(d, "v", DTYPE_FLOAT32, shape, data);
    then_scatter(s, "v", rows, 2, 2.0f);
    s->spec.finite = true;
    s->spec.update_norm_max = 1e9;
    script_works(s);
    assert_true(fabs(s->report.update_norm - sqrt(2.0 * WIDTH * 4)) < 1e-9);
    then_scatter(s, "v", broken, 1, INFINITY);
    SCRIPT_REFUSES(s, NULL, ERR_UNPROCESSABLE, -1, "first at element 3850");
    s->spec.op_count = 1;
    s->spec.update_norm_max = 19.9; /* under the root of 400 */
    SCRIPT_REFUSES(s, NULL, ERR_UNPROCESSABLE, -1, "the changes have a norm of 20");
    script_drop(s);
    free(data);
}

/* --- max_update_norm ----------------------------------------------------------------------- */

static void
the_norm_is_that_of_all_changes_together(void **state)
{
    const int counts[] = {3, LARGE};
    struct domain *d = *state;

    for (size_t i = 0; i < 2; i++) {
        struct script *s = script_new(d);
        double expected = sqrt(9.0 * counts[i] + 16.0 * counts[i] + 4.0);

        make_filled(d, "a", 1.0f, counts[i]);
        make_filled(d, "b", 0.0f, counts[i]);
        declare(d, "fresh", DTYPE_FLOAT32, exprs_shape(1, 1));
        make_int(d, "step", 1);
        then_update(s, &verb_assign, "a", filled(100.0f, counts[i]));
        then_update(s, &verb_assign, "a", filled(4.0f, counts[i])); /* by 3 in all */
        then_update(s, &verb_assign_sub, "b", filled(4.0f, counts[i]));
        then_update(s, &verb_assign, "fresh", filled(-2.0f, 1)); /* from nothing: from zero */
        then_count(s, "step", 10);
        s->spec.update_norm_max = expected * (1 + 1e-12);
        s->spec.dry_run = true;
        script_works(s);
        assert_true(fabs(s->report.update_norm - expected) <= expected * 1e-12);
        s->spec.dry_run = false;
        s->spec.update_norm_max = expected * (1 - 1e-9);
        SCRIPT_REFUSES(s, NULL, ERR_UNPROCESSABLE, -1, "guard 'max_update_norm'");
        must_be_filled(d, "a", 1.0f, (size_t)counts[i]);
        s->spec.update_norm_max = expected * (1 + 1e-12);
        script_works(s);
        must_be_filled(d, "a", 4.0f, (size_t)counts[i]);
        s->spec.update_norm_max = INFINITY; /* not asked for */
        script_works(s);
        assert_false(s->report.has_update_norm);
        script_drop(s);
        delete_model(d);
        model_make(d, MODEL);
    }
}

static void
a_norm_that_is_no_number_is_too_much(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);

    make_filled(d, "a", 1.0f, 3);
    then_update(s, &verb_assign, "a", filled(NAN, 3));
    s->spec.update_norm_max = 1e300;
    SCRIPT_REFUSES(s, NULL, ERR_UNPROCESSABLE, -1, "guard 'max_update_norm'");
    s->ops[0].value = script_tree(s, filled(INFINITY, 3));
    SCRIPT_REFUSES(s, NULL, ERR_UNPROCESSABLE, -1, "norm of inf");
    script_drop(s);
}

/* A value of another shape is not beside the old one: it counts as a whole. */
static void
a_changed_shape_counts_from_zero(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);

    make_filled(d, "a", 1.0f, 3);
    then_update(s, &verb_assign, "a", filled(2.0f, 4))->validate_shape = false;
    s->spec.update_norm_max = 100;
    script_works(s);
    assert_true(s->report.update_norm == 4.0);
    script_works(s); /* and now it is beside it */
    assert_true(s->report.update_norm == 0.0);
    script_drop(s);
}

/* --- fetches ------------------------------------------------------------------------------- */

static void
fetches_bring_any_value_of_the_run(void **state)
{
    static const char *const texts[] = {"", "zwölf", NULL};
    struct domain *d = *state;
    struct script *s = script_new(d);
    struct expr_tree tree = tree_new();
    uint8_t strings[32];
    size_t size = strings_of(strings, texts);
    float first = 0;

    make_filled(d, "a", 1.0f, LARGE);
    declare(d, "s", DTYPE_STRING, exprs_shape(1, 2));
    (void)exprs_strings(&tree, exprs_shape(1, 2), strings, size);
    then_update(s, &verb_assign, "s", tree);
    then_update(s, &verb_assign_add, "a", filled(1.5f, LARGE));
    then_fetch(s, "whole", variable_tree("a"));
    then_fetch(s, "text", variable_tree("s"));
    then_fetch(s, "half", scaled_tree("a", 0.5));
    then_fetch(s, "number", float_tree(0.25));
    script_works(s);
    assert_int_equal(s->report.fetches[0].size, LARGE * 4);
    assert_int_equal(s->report.fetches[1].type.dtype, DTYPE_STRING);
    assert_int_equal(s->report.fetches[1].size, size);
    assert_memory_equal(s->report.fetches[1].data, strings, size);
    memcpy(&first, s->report.fetches[2].data + 4 * (LARGE - 1), 4);
    assert_true(first == 1.25f);
    assert_int_equal(s->report.fetches[3].type.shape.rank, 0);
    script_drop(s);
}

static void
a_fetch_that_fails_is_named(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);

    make_filled(d, "a", 1.0f, 3);
    then_update(s, &verb_assign_add, "a", filled(1.0f, 3));
    then_fetch(s, "good", variable_tree("a"));
    then_fetch(s, "wrong", variable_tree("absent"));
    SCRIPT_REFUSES(s, NULL, ERR_NOT_FOUND, -1, "fetch 'wrong': there is no variable 'absent'");
    must_be_filled(d, "a", 1.0f, 3);
    script_drop(s);
}

static void
fetches_have_room_together(void **state)
{
    struct domain *d = *state;
    struct script *s = script_new(d);

    make_filled(d, "a", 1.0f, 100000);
    d->limits.expression_bytes_max = 1000000;
    domain_restart(d);
    then_fetch(s, "one", variable_tree("a"));
    then_fetch(s, "two", variable_tree("a"));
    script_works(s);
    then_fetch(s, "three", variable_tree("a"));
    SCRIPT_REFUSES(s, NULL, ERR_PAYLOAD_TOO_LARGE, -1,
                   "fetch 'three': 400000 bytes, of 1000000 for all fetches together 200000 are "
                   "left (expression_max_bytes)");
    script_drop(s);
}

/* Strings that a commit would have to wait for are read ahead of it. */
static void
large_strings_are_not_read_inside_a_commit(void **state)
{
    enum { LENGTH = 3000000 };
    struct domain *d = *state;
    struct script *s = script_new(d);
    uint8_t *strings = calloc(1, LENGTH + 4);
    const uint32_t length = LENGTH;
    struct expr_tree tree = tree_new();

    assert_non_null(strings);
    memcpy(strings, &length, 4);
    declare(d, "s", DTYPE_STRING, scalar());
    declare(d, "copy", DTYPE_STRING, scalar());
    (void)exprs_strings(&tree, scalar(), strings, LENGTH + 4);
    WORKS(try_update(d, "s", VARIABLE_ASSIGN, &tree), &d->f->err);
    then_update(s, &verb_assign, "copy", variable_tree("s"));
    then_fetch(s, "text", variable_tree("copy"));
    script_works(s);
    assert_int_equal(s->report.fetches[0].size, LENGTH + 4);
    must_be(d, "copy", DTYPE_STRING, scalar(), strings, LENGTH + 4);
    d->limits.expression_bytes_max = LENGTH;
    domain_restart(d);
    SCRIPT_REFUSES(s, NULL, ERR_PAYLOAD_TOO_LARGE, 0, "");
    script_drop(s);
    free(strings);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(what_is_not_finite_is_found_wherever_it_is),
        DOMAIN_TEST(integers_are_finite_and_have_no_norm),
        DOMAIN_TEST(rows_are_looked_at_where_they_change),
        DOMAIN_TEST(the_norm_is_that_of_all_changes_together),
        DOMAIN_TEST(a_norm_that_is_no_number_is_too_much),
        DOMAIN_TEST(a_changed_shape_counts_from_zero),
        DOMAIN_TEST(fetches_bring_any_value_of_the_run),
        DOMAIN_TEST(a_fetch_that_fails_is_named),
        DOMAIN_TEST(fetches_have_room_together),
        DOMAIN_TEST(large_strings_are_not_read_inside_a_commit),
    };

    return cmocka_run_group_tests_name("run_guard", tests, NULL, NULL);
}

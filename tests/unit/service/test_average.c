/* Moving averages: the arithmetic in every dtype, small and large, what runs do to sets and
 * shadows, and what happens when records are damaged or memory runs out. */
#include "service/training/average.h"

#include <math.h>

#include "service/record/record.h"
#include "service/run/verb.h"
#include "service/tensor/convert.h"
#include "service/training/average_apply.h"
#include "tests/unit/service/service_fixture.h"

static enum err_code
try_make(struct domain *d, const char *name, double decay, bool zero_debias)
{
    struct average_spec spec = {.decay = decay, .zero_debias = zero_debias};
    struct average_config config = {0};
    uint64_t revision = 0;
    bool created = false;
    enum err_code code = average_create(d->service, MODEL, name, &spec, NULL, &created, &config,
                                        &revision, &d->f->err);

    if (code == OK)
        assert_int_equal(config.revision, revision);
    average_config_drop(&config);
    return code;
}

static void
make(struct domain *d, const char *name, double decay, bool zero_debias)
{
    WORKS(try_make(d, name, decay, zero_debias), &d->f->err);
}

/* Of the set, or of one variable; drops `tensor`, which is averaged as "t". */
static enum err_code
try_run(struct domain *d, const struct verb *verb, const char *variable, struct expr_tree *tensor)
{
    struct average_tensor tensors = {.name = "t", .value = tensor};
    struct average_selection selection = {.averages = "e",
                                          .named = variable != NULL || tensor != NULL,
                                          .variables = &variable,
                                          .variable_count = variable != NULL,
                                          .tensors = &tensors,
                                          .tensor_count = tensor != NULL};
    struct run_op op = {.verb = verb, .averages = &selection};
    struct run_spec spec = run_spec_default();
    struct run_report report;
    enum err_code code;

    spec.ops = &op;
    spec.op_count = 1;
    code = run_execute(d->service, MODEL, &spec, NULL, &report, &d->f->err);
    if (code == OK)
        run_report_drop(&report);
    if (tensor != NULL)
        expr_tree_drop(tensor);
    return code;
}

static enum err_code
try_apply(struct domain *d, const char *variable)
{
    return try_run(d, &verb_apply_moving_averages, variable, NULL);
}

/* --- arithmetic ---------------------------------------------------------------------------- */

static enum err_code
try_assign_average(struct domain *d, const char *name, struct expr_tree *value, double decay,
                   bool zero_debias)
{
    struct expr_tree decays = tree_new();
    struct run_op op = {.verb = &verb_assign_moving_average,
                        .variable = name,
                        .value = value,
                        .decay = &decays,
                        .zero_debias = zero_debias};
    struct run_spec spec = run_spec_default();
    struct run_report report;
    enum err_code code;

    (void)exprs_weak_float(&decays, decay);
    spec.ops = &op;
    spec.op_count = 1;
    code = run_execute(d->service, MODEL, &spec, NULL, &report, &d->f->err);
    if (code == OK) {
        assert_string_equal(report.results[0].change.name, name);
        run_report_drop(&report);
    }
    expr_tree_drop(&decays);
    expr_tree_drop(value);
    return code;
}

/* x, in a dtype and back. */
static double
rounded(enum dtype dtype, double x)
{
    _Alignas(16) uint8_t element[16];

    tensor_element_of_double(dtype, x, element);
    return tensor_element_as_double(dtype, element);
}

/* old - (old - value) * (1 - decay), one operation after the other in the dtype. */
static double
blended(enum dtype t, double old, double value, double decay)
{
    double rest = rounded(t, (double)(float)(1.0 - decay));

    return rounded(t, old - rounded(t, rounded(t, old - value) * rest));
}

static void
of_doubles(enum dtype dtype, const double *from, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i++)
        tensor_element_of_double(dtype, from[i], out + i * dtype_size(dtype));
}

/* float64 is rounded as C rounds; so are the others, whose results double holds exactly. */
static void
averages_are_those_of_a_plain_loop(void **state)
{
    static const enum dtype dtypes[] = {DTYPE_FLOAT16, DTYPE_BFLOAT16, DTYPE_FLOAT32,
                                        DTYPE_FLOAT64};
    struct domain *d = *state;
    double olds[] = {10, -3.25, 1e-3, 0, 65504}, values[] = {1, 2.5, -7, 0.3, 65504}, want[5];
    uint8_t old[5 * 8], value[5 * 8], expected[5 * 8];

    for (size_t k = 0; k < sizeof dtypes / sizeof *dtypes; k++) {
        enum dtype t = dtypes[k];
        struct expr_tree tree = tree_new();

        of_doubles(t, olds, 5, old);
        of_doubles(t, values, 5, value);
        create_literal(d, dtype_name(t), t, exprs_shape(1, 5), old);
        assign(d, dtype_name(t), t, exprs_shape(1, 5), old);
        (void)exprs_literal(&tree, t, exprs_shape(1, 5), value);
        WORKS(try_assign_average(d, dtype_name(t), &tree, 0.9, false), &d->f->err);
        for (size_t i = 0; i < 5; i++)
            want[i] = blended(t, rounded(t, olds[i]), rounded(t, values[i]), 0.9);
        of_doubles(t, want, 5, expected);
        must_be(d, dtype_name(t), t, exprs_shape(1, 5), expected, 5 * dtype_size(t));
    }
}

/* Chunks and all, ahead of the commit; and of no elements at all. */
static void
size_does_not_matter(void **state)
{
    enum { MANY = 700001 };
    struct domain *d = *state;
    struct expr_tree tree = filled(8, MANY);

    create(d, "w", &tree);
    initialize_all(d);
    tree = filled(4, MANY);
    WORKS(try_assign_average(d, "w", &tree, 0.75, false), &d->f->err);
    must_be_filled(d, "w", 7, MANY);
    tree = filled(4, MANY);
    WORKS(try_assign_average(d, "w", &tree, 0.5, true), &d->f->err);
    must_be_filled(d, "w", 4, MANY);
    must_be_filled(d, "w/biased", 2, MANY);
    assert_true(float_of(d, "w/local_step") == 1);
    create_literal(d, "none", DTYPE_FLOAT32, exprs_shape(1, 0), "");
    assign(d, "none", DTYPE_FLOAT32, exprs_shape(1, 0), "");
    tree = tree_new();
    (void)exprs_literal(&tree, DTYPE_FLOAT32, exprs_shape(1, 0), "");
    WORKS(try_assign_average(d, "none", &tree, 0.5, true), &d->f->err);
}

static void
a_debiased_average_of_one_value_is_that_value(void **state)
{
    struct domain *d = *state;
    float zero = 0, five = 5;

    create_literal(d, "w", DTYPE_FLOAT32, exprs_shape(0), &zero);
    initialize_all(d);
    for (int i = 0; i < 20; i++) {
        struct expr_tree tree = tree_new();

        (void)exprs_literal(&tree, DTYPE_FLOAT32, exprs_shape(0), &five);
        WORKS(try_assign_average(d, "w", &tree, 0.99, true), &d->f->err);
        assert_true(fabsf(float_of(d, "w") - five) < 1e-4f);
    }
    assert_true(float_of(d, "w/local_step") == 20);
}

/* --- sets ---------------------------------------------------------------------------------- */

struct told {
    size_t members, restored;
    char text[512];
};

static enum err_code
tell_member(void *context, const struct average_member *member, const char *shadow, struct err *err)
{
    struct told *told = context;
    size_t used = strlen(told->text);

    (void)err;
    told->members++;
    snprintf(told->text + used, sizeof told->text - used, "%s%s>%s ", member->name,
             member->is_tensor ? "*" : "", shadow);
    return OK;
}

static enum err_code
tell_restored(void *context, const char *tensor, const char *variable, struct err *err)
{
    struct told *told = context;
    size_t used = strlen(told->text);

    (void)err;
    told->restored++;
    snprintf(told->text + used, sizeof told->text - used, "%s=%s ", tensor, variable);
    return OK;
}

static enum err_code
try_tell(struct domain *d, struct told *told)
{
    struct average_looks looks = {.context = told, .member = tell_member, .restore = tell_restored};
    struct average_config config = {0};
    uint64_t revision = 0;
    enum err_code code =
        average_get(d->service, MODEL, "e", &looks, &config, &revision, &d->f->err);

    average_config_drop(&config);
    return code;
}

static void
make_variable(struct domain *d, const char *name, float value)
{
    create_literal(d, name, DTYPE_FLOAT32, exprs_shape(0), &value);
    assign(d, name, DTYPE_FLOAT32, exprs_shape(0), &value);
}

static void
sets_are_kept_in_name_order(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = filled(3, 1);
    struct told told = {0};

    make_variable(d, "w", 1);
    make_variable(d, "b", 2);
    make(d, "e", 0.5, true);
    WORKS(try_apply(d, "w"), &d->f->err);
    WORKS(try_run(d, &verb_create_average_slots, "b", &tree), &d->f->err);
    domain_reopen(d);
    WORKS(try_tell(d, &told), &d->f->err);
    assert_int_equal(told.members, 3);
    assert_non_null(strstr(told.text, "b>b/ExponentialMovingAverage "
                                      "t*>t/ExponentialMovingAverage "
                                      "w>w/ExponentialMovingAverage "));
    assert_non_null(strstr(told.text, "b/ExponentialMovingAverage=b "));
    assert_non_null(strstr(told.text, "t/ExponentialMovingAverage=t/ExponentialMovingAverage "));
    assert_false(is_initialized(d, "b/ExponentialMovingAverage"));
    REFUSES(try_run(d, &verb_create_average_slots, "w", NULL), ERR_INVALID_ARGUMENT,
            "Moving average already computed for: w:0", &d->f->err);
}

static void
averages_go_with_their_model(void **state)
{
    struct domain *d = *state;
    uint64_t revision = 0, before;

    make_variable(d, "w", 1);
    make(d, "e", 0.5, false);
    before = records(d);
    WORKS(try_apply(d, "w"), &d->f->err);
    assert_in_range(records(d), before + 2, before + 10);
    WORKS(average_delete(d->service, MODEL, "e", NULL, &revision, &d->f->err), &d->f->err);
    assert_int_equal(findings(d), 0);
    make(d, "e", 0.5, false);
    WORKS(try_apply(d, "w"), &d->f->err);
    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    assert_int_equal(findings(d), 0);
    model_make(d, MODEL);
}

static void
a_model_keeps_so_many(void **state)
{
    struct domain *d = *state;
    char name[32];

    for (int i = 0; i < AVERAGES_MAX; i++) {
        snprintf(name, sizeof name, "e%d", i);
        make(d, name, 0.5, false);
    }
    REFUSES(try_make(d, "more", 0.5, false), ERR_FAILED_PRECONDITION,
            "the model has 1000 moving averages", &d->f->err);
    make(d, "e7", 0.25, false);
}

/* --- trouble ------------------------------------------------------------------------------- */

/* Each allocation fails in turn: told, and nothing is half there. */
static void
memory_may_run_out_anywhere(void **state)
{
    struct domain *d = *state;
    uint64_t failures = 0;

    make_variable(d, "w", 1);
    for (uint64_t nth = 1;; nth++) {
        struct expr_tree tree = filled(3, 1);
        struct told told = {0};
        enum err_code code;

        mem_fail_at(nth, 0);
        code = try_make(d, "e", 0.5, true);
        if (code == OK)
            code = try_run(d, &verb_apply_moving_averages, "w", &tree);
        else
            expr_tree_drop(&tree);
        if (code == OK)
            code = try_tell(d, &told);
        mem_fail_at(0, 0);
        if (code == OK)
            break;
        assert_int_equal(code, ERR_NO_MEMORY);
        failures++;
        err_clear(&d->f->err);
    }
    assert_in_range(failures, 20, 1000);
    must_be_filled(d, "w/ExponentialMovingAverage", 1, 1);
}

static enum err_code
decode_either(bool member, struct bytes record, struct err *err)
{
    struct average_config config = {0};
    struct average_member one = {0};
    enum err_code code = member ? record_decode_member(record, &one, err)
                                : record_decode_average(record, &config, err);

    average_config_drop(&config);
    average_member_drop(&one);
    return code;
}

/* Whatever byte is lost or another, decoding ends, with a record or with DATA_LOSS. */
static void
survive_damage(struct domain *d, bool member, struct bytes record)
{
    uint8_t bytes[1024];
    size_t refused = 0;

    assert_in_range(record.size, 10, sizeof bytes);
    for (size_t i = 0; i < 2 * record.size; i++) {
        size_t size = i < record.size ? record.size : i - record.size;
        enum err_code code;

        memcpy(bytes, record.data, record.size);
        if (i < record.size)
            bytes[i] ^= 0xff;
        code = decode_either(member, bytes_of(bytes, size), &d->f->err);
        assert_true(code == OK || code == ERR_DATA_LOSS);
        refused += code == ERR_DATA_LOSS;
        err_clear(&d->f->err);
    }
    assert_in_range(refused, record.size, 2 * record.size);
}

static void
any_damage_to_records_is_survived(void **state)
{
    struct domain *d = *state;
    struct expr_tree tree = filled(3, 1), n = tree_new();
    struct average_spec spec = {.decay = 0.5, .num_updates = &n};
    struct store_snapshot *snapshot = NULL;
    struct average_config config = {0};
    struct model_record model;
    struct record_key key;
    struct bytes record;
    uint64_t revision = 0;
    bool created = false, found = false;

    (void)exprs_weak_int(&n, 7);
    WORKS(average_create(d->service, MODEL, "e", &spec, NULL, &created, &config, &revision,
                         &d->f->err),
          &d->f->err);
    expr_tree_drop(&n);
    WORKS(try_run(d, &verb_apply_moving_averages, NULL, &tree), &d->f->err);
    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_model(store_snapshot_view(snapshot), MODEL, &found, &model, &d->f->err),
          &d->f->err);
    key = record_key_average(model.id, "e");
    WORKS(store_get(store_snapshot_view(snapshot), record_key_bytes(&key), &record, &d->f->err),
          &d->f->err);
    survive_damage(d, false, record);
    key = record_key_member(config.id, "t");
    WORKS(store_get(store_snapshot_view(snapshot), record_key_bytes(&key), &record, &d->f->err),
          &d->f->err);
    survive_damage(d, true, record);
    store_snapshot_drop(snapshot);
    average_config_drop(&config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(averages_are_those_of_a_plain_loop),
        DOMAIN_TEST(size_does_not_matter),
        DOMAIN_TEST(a_debiased_average_of_one_value_is_that_value),
        DOMAIN_TEST(sets_are_kept_in_name_order),
        DOMAIN_TEST(averages_go_with_their_model),
        DOMAIN_TEST(a_model_keeps_so_many),
        DOMAIN_TEST(memory_may_run_out_anywhere),
        DOMAIN_TEST(any_damage_to_records_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

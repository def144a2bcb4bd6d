/* A model's optimizers: what is kept of them, how their slots are called, and what is refused. */
#include <math.h>

#include "service/optimizer_config.h"
#include "service/record.h"
#include "tests/unit/service/service_fixture.h"

/* Room for any optimizer's hyper-parameters, stated by name. */
struct stated {
    const struct optimizer *optimizer;
    _Alignas(max_align_t) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
    bool given[16];
    struct expr_tree tree;
    struct optimizer_spec spec;
};

static struct stated *
state(const char *type)
{
    struct stated *s = calloc(1, sizeof *s);

    assert_non_null(s);
    s->optimizer = optimizer_find(bytes_of_text(type));
    assert_non_null(s->optimizer);
    attr_defaults(s->optimizer->attrs, s->params);
    s->spec =
        (struct optimizer_spec){.optimizer = s->optimizer, .params = s->params, .given = s->given};
    return s;
}

static void
state_f64(struct stated *s, const char *name, double value)
{
    const struct attr_spec *spec = attr_find(s->optimizer->attrs, bytes_of_text(name));

    assert_non_null(spec);
    assert_int_equal(spec->kind, ATTR_KIND_F64);
    *(double *)attr_at(spec, s->params) = value;
    s->given[spec - s->optimizer->attrs] = true;
}

static void
state_rate(struct stated *s, double value)
{
    s->tree = tree_new();
    (void)exprs_weak_float(&s->tree, value);
    s->spec.learning_rate = &s->tree;
}

static void
stated_free(struct stated *s)
{
    expr_tree_drop(&s->tree);
    free(s);
}

/* Frees what is stated. */
static enum err_code
try_put(struct domain *d, const char *name, struct stated *s, const struct write_options *options,
        bool *created, struct optimizer_config *out)
{
    struct optimizer_config own = {0}, *config = out != NULL ? out : &own;
    bool made = false;
    uint64_t revision = 0;
    enum err_code code = optimizer_create(d->service, MODEL, name, &s->spec, options, &made, config,
                                          &revision, &d->f->err);

    if (code == OK)
        assert_int_equal(config->revision, revision);
    if (created != NULL)
        *created = made;
    optimizer_config_drop(&own);
    stated_free(s);
    return code;
}

static enum err_code
try_patch(struct domain *d, const char *name, struct stated *s, struct optimizer_config *out)
{
    uint64_t revision = 0;
    enum err_code code =
        optimizer_patch(d->service, MODEL, name, &s->spec, NULL, out, &revision, &d->f->err);

    stated_free(s);
    return code;
}

static void
make_optimizer(struct domain *d, const char *name, struct stated *s)
{
    bool created = false;

    WORKS(try_put(d, name, s, NULL, &created, NULL), &d->f->err);
    assert_true(created);
}

static struct optimizer_config
look(struct domain *d, const char *name)
{
    struct optimizer_config config = {0};

    WORKS(optimizer_get(d->service, MODEL, name, &config, &d->f->err), &d->f->err);
    return config;
}

static double
f64_of(const struct optimizer_config *config, const char *name)
{
    const struct attr_spec *spec = attr_find(config->optimizer->attrs, bytes_of_text(name));

    assert_non_null(spec);
    return *(const double *)attr_in(spec, config->params);
}

static double
rate_of(const struct optimizer_config *config)
{
    double number = 0;

    assert_int_equal(config->learning_rate.root->kind, EXPR_LITERAL);
    assert_int_equal(config->learning_rate.root->literal.type.dtype, DTYPE_FLOAT64);
    memcpy(&number, config->learning_rate.root->literal.data, sizeof number);
    return number;
}

static void
slot_must_be(struct domain *d, const struct optimizer_config *config, const char *variable,
             uint32_t slot, const char *name)
{
    char got[NAME_BYTES_MAX + 1];

    WORKS(optimizer_config_slot_name(config, variable, slot, got, &d->f->err), &d->f->err);
    assert_string_equal(got, name);
}

static void
power_must_be(const struct optimizer_config *config, uint32_t power, const char *name)
{
    char got[NAME_BYTES_MAX + 1];

    optimizer_config_power_name(config, power, got);
    assert_string_equal(got, name);
}

/* --- tests --------------------------------------------------------------------------------- */

static void
what_is_stated_is_kept_and_the_rest_is_the_default(void **state_)
{
    struct domain *d = *state_;
    struct stated *s = state("adam");
    struct optimizer_config config;

    state_f64(s, "beta1", 0.5);
    make_optimizer(d, "o", s);
    domain_reopen(d);
    config = look(d, "o");
    assert_string_equal(config.name, "o");
    assert_ptr_equal(config.optimizer, optimizer_find(bytes_of_text("adam")));
    assert_true(f64_of(&config, "beta1") == 0.5);
    assert_true(f64_of(&config, "beta2") == 0.999);
    assert_true(config.given[0] && !config.given[1]);
    assert_true(rate_of(&config) == 0.001);
    assert_string_equal(config.suffix, "Adam");
    assert_string_equal(config.global_step, "");
    assert_int_equal(config.revision, config.created_revision);
    optimizer_config_drop(&config);
    optimizer_config_drop(&config);
}

static void
slots_are_called_as_tensorflow_calls_them(void **state_)
{
    struct domain *d = *state_;
    struct optimizer_config config;

    make_optimizer(d, "a", state("adam"));
    config = look(d, "a");
    slot_must_be(d, &config, "layer/w", 0, "layer/w/Adam");
    slot_must_be(d, &config, "layer/w", 1, "layer/w/Adam_1");
    power_must_be(&config, 0, "beta1_power");
    power_must_be(&config, 1, "beta2_power");
    optimizer_config_drop(&config);
}

static void
a_second_optimizer_goes_on_counting(void **state_)
{
    struct domain *d = *state_;
    struct stated *s = state("momentum");
    struct optimizer_config config;

    make_optimizer(d, "first", state("adam"));
    make_optimizer(d, "second", state("adam"));
    state_rate(s, 0.1);
    state_f64(s, "momentum", 0.9);
    make_optimizer(d, "other", s);
    config = look(d, "second");
    slot_must_be(d, &config, "w", 0, "w/Adam_2");
    slot_must_be(d, &config, "w", 1, "w/Adam_3");
    power_must_be(&config, 1, "beta2_power_1");
    optimizer_config_drop(&config);
    config = look(d, "other");
    slot_must_be(d, &config, "w", 0, "w/Momentum");
    optimizer_config_drop(&config);
}

static void
one_that_is_made_again_takes_up_its_slots(void **state_)
{
    struct domain *d = *state_;
    struct optimizer_config config;
    uint64_t revision = 0;

    make_optimizer(d, "o", state("adam"));
    WORKS(optimizer_delete(d->service, MODEL, "o", NULL, &revision, &d->f->err), &d->f->err);
    REFUSES(optimizer_get(d->service, MODEL, "o", &config, &d->f->err), ERR_NOT_FOUND,
            "there is no optimizer 'o'", &d->f->err);
    REFUSES(optimizer_delete(d->service, MODEL, "o", NULL, &revision, &d->f->err), ERR_NOT_FOUND,
            "there is no optimizer 'o'", &d->f->err);
    make_optimizer(d, "again", state("adam"));
    config = look(d, "again");
    slot_must_be(d, &config, "w", 0, "w/Adam");
    optimizer_config_drop(&config);
}

static void
names_of_its_own_keep_slots_apart(void **state_)
{
    struct domain *d = *state_;
    struct stated *s = state("adam");
    struct optimizer_config config;

    s->spec.suffix = "Critic";
    make_optimizer(d, "o", s);
    config = look(d, "o");
    slot_must_be(d, &config, "w", 1, "w/Critic_1");
    optimizer_config_drop(&config);
    s = state("adam");
    s->spec.suffix = "Critic_1";
    REFUSES(try_put(d, "p", s, NULL, NULL, NULL), ERR_ALREADY_EXISTS,
            "slots called 'Critic_1' are those of optimizer 'o'", &d->f->err);
    s = state("adam");
    s->spec.suffix = "";
    REFUSES(try_put(d, "p", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT,
            "Must specify the optimizer name", &d->f->err);
    s = state("adam");
    s->spec.suffix = "a//b";
    REFUSES(try_put(d, "p", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT, "slot name", &d->f->err);
    s = state("adam");
    s->spec.suffix = "Other";
    REFUSES(try_put(d, "o", s, NULL, NULL, NULL), ERR_ALREADY_EXISTS,
            "exists with name 'Critic', not 'Other'", &d->f->err);
}

static void
a_name_too_long_for_a_slot_is_refused(void **state_)
{
    struct domain *d = *state_;
    char variable[NAME_BYTES_MAX + 1], got[NAME_BYTES_MAX + 1], suffix[NAME_BYTES_MAX + 1];
    struct stated *s = state("adam");
    struct optimizer_config config;

    make_optimizer(d, "o", state("adam"));
    config = look(d, "o");
    memset(variable, 'w', NAME_BYTES_MAX);
    variable[NAME_BYTES_MAX - 5] = '\0';
    WORKS(optimizer_config_slot_name(&config, variable, 0, got, &d->f->err), &d->f->err);
    assert_int_equal(strlen(got), NAME_BYTES_MAX);
    REFUSES(optimizer_config_slot_name(&config, variable, 1, got, &d->f->err), ERR_INVALID_ARGUMENT,
            "a name of 257 bytes, at most 255", &d->f->err);
    optimizer_config_drop(&config);
    memset(suffix, 's', NAME_BYTES_MAX);
    suffix[OPTIMIZER_SUFFIX_BYTES_MAX + 1] = '\0';
    s->spec.suffix = suffix;
    REFUSES(try_put(d, "p", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT,
            "of slots of 201 bytes, at most 200", &d->f->err);
}

static void
putting_again_replaces_and_patching_merges(void **state_)
{
    struct domain *d = *state_;
    struct stated *s = state("adam");
    struct optimizer_config config = {0};
    bool created = true;

    state_f64(s, "beta1", 0.5);
    state_rate(s, 0.25);
    make_optimizer(d, "o", s);
    s = state("adam");
    state_f64(s, "beta2", 0.75);
    s->spec.optimizer = NULL;
    WORKS(try_patch(d, "o", s, &config), &d->f->err);
    assert_true(f64_of(&config, "beta1") == 0.5);
    assert_true(f64_of(&config, "beta2") == 0.75);
    assert_true(config.given[0] && config.given[1] && !config.given[2]);
    assert_true(rate_of(&config) == 0.25);
    s = state("adam");
    state_f64(s, "epsilon", 1.0);
    WORKS(try_put(d, "o", s, NULL, &created, &config), &d->f->err);
    assert_false(created);
    assert_true(f64_of(&config, "beta1") == 0.9);
    assert_true(f64_of(&config, "epsilon") == 1.0);
    assert_true(!config.given[0] && !config.given[1] && config.given[2]);
    assert_true(rate_of(&config) == 0.001);
    assert_true(config.revision > config.created_revision);
    assert_int_equal(config.slot_base, 0);
    REFUSES(try_put(d, "o", state("gradient_descent"), NULL, &created, NULL), ERR_ALREADY_EXISTS,
            "exists with type adam, not gradient_descent", &d->f->err);
    REFUSES(try_patch(d, "p", state("adam"), &config), ERR_NOT_FOUND, "there is no optimizer 'p'",
            &d->f->err);
}

static void
what_is_required_must_be_stated(void **state_)
{
    struct domain *d = *state_;
    struct stated *s = state("momentum");

    REFUSES(try_put(d, "o", state("gradient_descent"), NULL, NULL, NULL), ERR_INVALID_ARGUMENT,
            "learning_rate is required", &d->f->err);
    state_rate(s, 0.1);
    REFUSES(try_put(d, "o", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT,
            "attribute 'momentum' is required", &d->f->err);
    s = state("adam");
    s->spec.global_step = "global_step";
    REFUSES(try_put(d, "o", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT, "adam takes no global_step",
            &d->f->err);
    s = state("adam");
    state_f64(s, "beta1", (double)INFINITY);
    REFUSES(try_put(d, "o", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT,
            "'beta1' must be a finite number", &d->f->err);
    REFUSES(try_put(d, "a//b", state("adam"), NULL, NULL, NULL), ERR_INVALID_ARGUMENT,
            "optimizer name", &d->f->err);
}

/* --- learning rates --- */

static void
a_learning_rate_may_be_a_variable_or_an_expression(void **state_)
{
    struct domain *d = *state_;
    struct optimizer_config config = {0};
    struct stated *s = state("adam");
    float rate = 0.5F, rates[2] = {1, 2};

    create_literal(d, "lr", DTYPE_FLOAT32, exprs_shape(0), &rate);
    create_literal(d, "rates", DTYPE_FLOAT32, exprs_shape(1, 2), rates);
    s->tree = tree_new();
    (void)exprs_variable(&s->tree, "lr", false);
    s->spec.learning_rate = &s->tree;
    WORKS(try_put(d, "o", s, NULL, NULL, &config), &d->f->err);
    assert_int_equal(config.learning_rate.root->kind, EXPR_VARIABLE);
    assert_string_equal(config.learning_rate.root->variable, "lr");
    s = state("adam");
    s->tree = tree_new();
    (void)exprs_op(&s->tree, "multiply", 2, exprs_variable(&s->tree, "lr", false),
                   exprs_weak_float(&s->tree, 2.0));
    s->spec.learning_rate = &s->tree;
    WORKS(try_patch(d, "o", s, &config), &d->f->err);
    assert_int_equal(config.learning_rate.root->kind, EXPR_OP);
    optimizer_config_drop(&config);
    s = state("adam");
    s->tree = tree_new();
    (void)exprs_variable(&s->tree, "rates", false);
    s->spec.learning_rate = &s->tree;
    REFUSES(try_put(d, "p", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT, "lr is not a scalar: [2]",
            &d->f->err);
    s = state("adam");
    s->tree = tree_new();
    (void)exprs_variable(&s->tree, "nothing", false);
    s->spec.learning_rate = &s->tree;
    REFUSES(try_put(d, "p", s, NULL, NULL, NULL), ERR_NOT_FOUND,
            "learning_rate: there is no variable 'nothing'", &d->f->err);
}

static void
a_learning_rate_is_a_finite_number(void **state_)
{
    struct domain *d = *state_;
    struct stated *s = state("adam");
    bool yes = true;

    state_rate(s, (double)NAN);
    REFUSES(try_put(d, "o", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT,
            "learning_rate must be a finite number", &d->f->err);
    s = state("adam");
    s->tree = tree_new();
    (void)exprs_literal(&s->tree, DTYPE_BOOL, exprs_shape(0), &yes);
    s->spec.learning_rate = &s->tree;
    REFUSES(try_put(d, "o", s, NULL, NULL, NULL), ERR_INVALID_ARGUMENT, "this is bool", &d->f->err);
}

static void
a_learning_rate_has_a_limit(void **state_)
{
    struct domain *d = *state_;
    struct stated *s = state("adam");
    struct expr *ones;
    float many[4096] = {0};

    s->tree = tree_new();
    ones = exprs_float32(&s->tree, exprs_shape(1, 4096), many);
    (void)exprs_op(&s->tree, "reduce_sum", 1, ones);
    s->spec.learning_rate = &s->tree;
    REFUSES(try_put(d, "o", s, NULL, NULL, NULL), ERR_PAYLOAD_TOO_LARGE,
            "the expression of the learning rate", &d->f->err);
}

/* --- many --- */

struct seen {
    size_t count;
    char names[8][16];
};

static enum err_code
see(void *context, const struct optimizer_config *config, struct err *err)
{
    struct seen *seen = context;

    (void)err;
    assert_in_range(seen->count, 0, 7);
    snprintf(seen->names[seen->count++], sizeof seen->names[0], "%.15s", config->name);
    return OK;
}

static void
lists_go_by_name_and_page(void **state_)
{
    struct domain *d = *state_;
    struct seen seen = {0};
    char long_name[NAME_BYTES_MAX + 2];
    uint64_t revision = 0;
    bool more = false;

    make_optimizer(d, "b", state("adam"));
    make_optimizer(d, "c", state("adam"));
    make_optimizer(d, "a", state("adam"));
    WORKS(optimizer_list(d->service, MODEL, NULL, 2, see, &seen, &more, &revision, &d->f->err),
          &d->f->err);
    assert_true(more);
    assert_int_equal(revision, usage_of_model(d).revision);
    WORKS(optimizer_list(d->service, MODEL, "b", 2, see, &seen, &more, &revision, &d->f->err),
          &d->f->err);
    assert_false(more);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.names[0], "a");
    assert_string_equal(seen.names[1], "b");
    assert_string_equal(seen.names[2], "c");
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    REFUSES(
        optimizer_list(d->service, MODEL, long_name, 2, see, &seen, &more, &revision, &d->f->err),
        ERR_INVALID_ARGUMENT, "a page token of 256 bytes", &d->f->err);
}

static void
a_model_keeps_so_many(void **state_)
{
    struct domain *d = *state_;
    struct stated *s;
    char name[32];

    for (int i = 0; i < OPTIMIZER_CONFIGS_MAX; i++) {
        s = state("gradient_descent");
        state_rate(s, 1);
        snprintf(name, sizeof name, "o%d", i);
        make_optimizer(d, name, s);
    }
    s = state("gradient_descent");
    state_rate(s, 1);
    REFUSES(try_put(d, "more", s, NULL, NULL, NULL), ERR_FAILED_PRECONDITION,
            "the model has 1000 optimizers, at most 1000", &d->f->err);
    s = state("gradient_descent");
    state_rate(s, 2);
    WORKS(try_put(d, "o7", s, NULL, NULL, NULL), &d->f->err);
}

static void
conditions_hold_or_nothing_changes(void **state_)
{
    struct domain *d = *state_;
    struct optimizer_config config;
    uint64_t old = 1, revision = 0;
    struct write_options none = {.if_none_match = true},
                         match = {.if_match = true, .revisions = &old, .revision_count = 1};

    make_optimizer(d, "o", state("adam"));
    REFUSES(try_put(d, "o", state("adam"), &none, NULL, NULL), ERR_PRECONDITION_FAILED, "'o'",
            &d->f->err);
    REFUSES(try_put(d, "o", state("adam"), &match, NULL, NULL), ERR_PRECONDITION_FAILED, "'o'",
            &d->f->err);
    REFUSES(optimizer_delete(d->service, MODEL, "o", &match, &revision, &d->f->err),
            ERR_PRECONDITION_FAILED, "'o'", &d->f->err);
    config = look(d, "o");
    old = config.revision;
    optimizer_config_drop(&config);
    WORKS(try_put(d, "o", state("adam"), &match, NULL, NULL), &d->f->err);
}

static void
they_go_with_their_model(void **state_)
{
    struct domain *d = *state_;
    uint64_t before = records(d), revision = 0;

    model_make(d, "n");
    {
        struct stated *s = state("adam");
        struct optimizer_config config = {0};
        bool created = false;

        WORKS(optimizer_create(d->service, "n", "o", &s->spec, NULL, &created, &config, &revision,
                               &d->f->err),
              &d->f->err);
        optimizer_config_drop(&config);
        stated_free(s);
    }
    assert_int_equal(findings(d), 0);
    WORKS(model_delete(d->service, "n", NULL, &revision, &d->f->err), &d->f->err);
    assert_int_equal(records(d), before);
}

/* Each allocation fails in turn: told, and nothing is left or half there. */
static void
memory_may_run_out_anywhere(void **state_)
{
    struct domain *d = *state_;
    uint64_t failures = 0;

    for (uint64_t nth = 1;; nth++) {
        struct stated *s = state("adam");
        struct optimizer_config config = {0};
        enum err_code code;

        state_rate(s, 0.5);
        mem_fail_at(nth, 0);
        code = try_put(d, "o", s, NULL, NULL, NULL);
        if (code == OK)
            code = optimizer_get(d->service, MODEL, "o", &config, &d->f->err);
        mem_fail_at(0, 0);
        optimizer_config_drop(&config);
        if (code == OK)
            break;
        assert_int_equal(code, ERR_NO_MEMORY);
        failures++;
        err_clear(&d->f->err);
    }
    assert_in_range(failures, 5, 200);
}

/* Hyper-parameters are plain numbers: none of them may borrow from a request. */
static void
hyper_parameters_are_plain(void **state_)
{
    (void)state_;
    for (size_t i = 0; optimizer_at(i) != NULL; i++) {
        const struct optimizer *optimizer = optimizer_at(i);

        assert_in_range(optimizer->params_size, 0, OPTIMIZER_PARAMS_BYTES_MAX);
        assert_in_range(attr_count(optimizer->attrs), 0, 15);
        for (const struct attr_spec *spec = optimizer->attrs; spec->name != NULL; spec++)
            assert_true(spec->kind == ATTR_KIND_F64 || spec->kind == ATTR_KIND_I64 ||
                        spec->kind == ATTR_KIND_BOOL || spec->kind == ATTR_KIND_CHOICE);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(what_is_stated_is_kept_and_the_rest_is_the_default),
        DOMAIN_TEST(slots_are_called_as_tensorflow_calls_them),
        DOMAIN_TEST(a_second_optimizer_goes_on_counting),
        DOMAIN_TEST(one_that_is_made_again_takes_up_its_slots),
        DOMAIN_TEST(names_of_its_own_keep_slots_apart),
        DOMAIN_TEST(a_name_too_long_for_a_slot_is_refused),
        DOMAIN_TEST(putting_again_replaces_and_patching_merges),
        DOMAIN_TEST(what_is_required_must_be_stated),
        DOMAIN_TEST(a_learning_rate_may_be_a_variable_or_an_expression),
        DOMAIN_TEST(a_learning_rate_is_a_finite_number),
        DOMAIN_TEST(a_learning_rate_has_a_limit),
        DOMAIN_TEST(lists_go_by_name_and_page),
        DOMAIN_TEST(a_model_keeps_so_many),
        DOMAIN_TEST(conditions_hold_or_nothing_changes),
        DOMAIN_TEST(they_go_with_their_model),
        DOMAIN_TEST(memory_may_run_out_anywhere),
        cmocka_unit_test(hyper_parameters_are_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

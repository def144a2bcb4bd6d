/* A model's optimizers: what is kept of them, how their slots are called, and what is refused. */
#include <math.h>

#include "tests/unit/service/optimizer_inputs.h"

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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

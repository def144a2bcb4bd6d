/* Optimizers of the model "m": stated, made and looked at in a line each. */
#ifndef TESTS_UNIT_SERVICE_OPTIMIZER_INPUTS_H
#define TESTS_UNIT_SERVICE_OPTIMIZER_INPUTS_H

#include "service/training/optimizer_config.h"
#include "tests/unit/service/service_fixture.h"

/* Room for any optimizer's hyper-parameters, stated by name. */
struct stated {
    const struct optimizer *optimizer;
    _Alignas(max_align_t) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
    bool given[16];
    struct expr_tree tree;
    struct optimizer_spec spec;
};

static inline struct stated *
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

static inline void
state_f64(struct stated *s, const char *name, double value)
{
    const struct attr_spec *spec = attr_find(s->optimizer->attrs, bytes_of_text(name));

    assert_non_null(spec);
    assert_int_equal(spec->kind, ATTR_KIND_F64);
    *(double *)attr_at(spec, s->params) = value;
    s->given[spec - s->optimizer->attrs] = true;
}

static inline void
state_rate(struct stated *s, double value)
{
    s->tree = tree_new();
    (void)exprs_weak_float(&s->tree, value);
    s->spec.learning_rate = &s->tree;
}

static inline void
stated_free(struct stated *s)
{
    expr_tree_drop(&s->tree);
    free(s);
}

/* Frees what is stated. */
static inline enum err_code
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

static inline enum err_code
try_patch(struct domain *d, const char *name, struct stated *s, struct optimizer_config *out)
{
    uint64_t revision = 0;
    enum err_code code =
        optimizer_patch(d->service, MODEL, name, &s->spec, NULL, out, &revision, &d->f->err);

    stated_free(s);
    return code;
}

static inline void
make_optimizer(struct domain *d, const char *name, struct stated *s)
{
    bool created = false;

    WORKS(try_put(d, name, s, NULL, &created, NULL), &d->f->err);
    assert_true(created);
}

static inline struct optimizer_config
look(struct domain *d, const char *name)
{
    struct optimizer_config config = {0};

    WORKS(optimizer_get(d->service, MODEL, name, &config, &d->f->err), &d->f->err);
    return config;
}

static inline double
f64_of(const struct optimizer_config *config, const char *name)
{
    const struct attr_spec *spec = attr_find(config->optimizer->attrs, bytes_of_text(name));

    assert_non_null(spec);
    return *(const double *)attr_in(spec, config->params);
}

static inline double
rate_of(const struct optimizer_config *config)
{
    double number = 0;

    assert_int_equal(config->learning_rate.root->kind, EXPR_LITERAL);
    assert_int_equal(config->learning_rate.root->literal.type.dtype, DTYPE_FLOAT64);
    memcpy(&number, config->learning_rate.root->literal.data, sizeof number);
    return number;
}

static inline void
slot_must_be(struct domain *d, const struct optimizer_config *config, const char *variable,
             uint32_t slot, const char *name)
{
    char got[NAME_BYTES_MAX + 1];

    WORKS(optimizer_config_slot_name(config, variable, slot, got, &d->f->err), &d->f->err);
    assert_string_equal(got, name);
}

static inline void
power_must_be(const struct optimizer_config *config, uint32_t power, const char *name)
{
    char got[NAME_BYTES_MAX + 1];

    optimizer_config_power_name(config, power, got);
    assert_string_equal(got, name);
}

#endif

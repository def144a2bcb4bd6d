/* Many optimizers of a model, and what they have in common with everything that is kept: lists,
 * conditions, deletion with the model, memory that runs out. */
#include "service/record/record.h"
#include "tests/unit/service/optimizer_inputs.h"

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
            "the model has 1000 optimizers, more are not kept", &d->f->err);
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

/* Whatever byte of its record is lost or another, decoding ends, with an optimizer or with
 * DATA_LOSS. */
static void
any_damage_is_survived(void **state_)
{
    struct domain *d = *state_;
    struct store_snapshot *snapshot = NULL;
    struct model_record model;
    struct record_key key;
    struct bytes record;
    uint8_t bytes[1024];
    size_t refused = 0;
    bool found = false;

    make_optimizer(d, "o", state("adam"));
    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_model(store_snapshot_view(snapshot), MODEL, &found, &model, &d->f->err),
          &d->f->err);
    key = record_key_optimizer(model.id, "o");
    WORKS(store_get(store_snapshot_view(snapshot), record_key_bytes(&key), &record, &d->f->err),
          &d->f->err);
    assert_in_range(record.size, 10, sizeof bytes);
    for (size_t i = 0; i < 2 * record.size; i++) {
        size_t size = i < record.size ? record.size : i - record.size;
        struct optimizer_config config = {0};
        enum err_code code;

        memcpy(bytes, record.data, record.size);
        if (i < record.size)
            bytes[i] ^= 0xff;
        code = record_decode_optimizer(bytes_of(bytes, size), &config, &d->f->err);
        assert_true(code == OK || code == ERR_DATA_LOSS);
        refused += code == ERR_DATA_LOSS;
        err_clear(&d->f->err);
        optimizer_config_drop(&config);
    }
    assert_in_range(refused, record.size, 2 * record.size);
    store_snapshot_drop(snapshot);
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
        DOMAIN_TEST(lists_go_by_name_and_page),          DOMAIN_TEST(a_model_keeps_so_many),
        DOMAIN_TEST(conditions_hold_or_nothing_changes), DOMAIN_TEST(they_go_with_their_model),
        DOMAIN_TEST(memory_may_run_out_anywhere),        DOMAIN_TEST(any_damage_is_survived),
        cmocka_unit_test(hyper_parameters_are_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

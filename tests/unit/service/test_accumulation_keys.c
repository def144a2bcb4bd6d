/* What accumulations are kept by: keys, workers, steps, time; what does not go together; and what
 * goes when its optimizer or its model does. */
#include <time.h>

#include "tests/unit/service/accumulation_inputs.h"

static const float zero[2] = {0}, one[2] = {1, 1};

static struct contribution *
small(const char *key, int64_t replicas)
{
    return dense_of(key, replicas, DTYPE_FLOAT32, exprs_shape(1, 2), one);
}

static struct contribution *
small_by(const char *key, int64_t replicas, const char *worker)
{
    struct contribution *c = small(key, replicas);

    c->accumulate.worker = worker;
    return c;
}

static void
begin(struct domain *d)
{
    furnish(d, DTYPE_FLOAT32, exprs_shape(1, 2), zero);
}

static void
keys_and_workers_have_a_grammar(void **state_)
{
    struct domain *d = *state_;
    char longest[ACCUMULATION_KEY_BYTES_MAX + 2];
    static const struct {
        const char *key, *words;
    } bad[] = {{"", "empty"},   {"a b", "number 2"}, {"a/b", "0x2f"},
               {"a:b", "0x3a"}, {"%41", "0x25"},     {".", "'.'"},
               {"..", "'..'"},  {"\x7f", "0x7f"},    {"\xc3\xa9", "0xc3"}};

    begin(d);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REFUSES(accumulation_check_key("key", bad[i].key, &d->f->err), ERR_INVALID_ARGUMENT,
                bad[i].words, &d->f->err);
        REFUSES(try_contribute(d, small(bad[i].key, 2)), ERR_INVALID_ARGUMENT, "key", &d->f->err);
        REFUSES(try_contribute(d, small_by("k", 2, bad[i].key)), ERR_INVALID_ARGUMENT, "worker",
                &d->f->err);
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    REFUSES(accumulation_check_key("key", longest, &d->f->err), ERR_INVALID_ARGUMENT, "129",
            &d->f->err);
    longest[ACCUMULATION_KEY_BYTES_MAX] = '\0';
    contributes(d, small_by(longest, 2, longest), OPTIMIZER_CONTRIBUTED, 1);
    contributes(d, small(longest, 2), OPTIMIZER_CONTRIBUTED_LAST, 2);
    assert_int_equal(count_at(d, longest), 2);
}

static void
a_worker_counts_once_and_lateness_is_remembered(void **state_)
{
    struct domain *d = *state_;
    struct accumulation_info info;
    struct contribution *last, *late;
    uint64_t revision;

    begin(d);
    contributes(d, small_by("k", 3, "b"), OPTIMIZER_CONTRIBUTED, 1);
    domain_reopen(d);
    revision = service_revision(d->service);
    contributes(d, small_by("k", 3, "b"), OPTIMIZER_CONTRIBUTED_TWICE, 1);
    assert_int_equal(service_revision(d->service), revision);
    contributes(d, small_by("k", 3, "a"), OPTIMIZER_CONTRIBUTED, 2);
    info = look_at(d, "k");
    assert_int_equal(info.worker_count, 2);
    assert_string_equal(info.workers[0], "a");
    assert_string_equal(info.workers[1], "b");
    accumulation_info_drop(&info);
    last = small_by("k", 3, "c");
    WORKS(ask(d, last, &d->f->err), &d->f->err);
    late = small_by("k", 3, "d");
    WORKS(ask(d, late, &d->f->err), &d->f->err);
    assert_int_equal(late->contributed, OPTIMIZER_CONTRIBUTED_LATE);
    assert_int_equal(late->late_revision, last->revision);
    assert_int_equal(service_revision(d->service), last->revision);
    contribution_free(last);
    contribution_free(late);
    must_be_filled(d, "w", -1, 2);
}

static void
steps_are_forgotten_after_a_hundred(void **state_)
{
    struct domain *d = *state_;
    char key[16];

    begin(d);
    for (int i = 0; i <= ACCUMULATION_STEPS_MAX; i++) {
        snprintf(key, sizeof key, "k%d", i);
        contributes(d, small(key, 1), OPTIMIZER_CONTRIBUTED_LAST, 1);
    }
    contributes(d, small("k1", 1), OPTIMIZER_CONTRIBUTED_LATE, 1);
    is_gone(d, "k0");
    contributes(d, small("k0", 1), OPTIMIZER_CONTRIBUTED_LAST, 1);
}

static void
sleep_ms(long ms)
{
    const struct timespec time = {0, ms * 1000000L};

    (void)nanosleep(&time, NULL);
}

static void
what_never_fills_expires_and_is_removed(void **state_)
{
    struct domain *d = *state_;
    struct accumulation_info info;
    uint64_t before;

    begin(d);
    before = records(d);
    contributes(d, small_by("k", 2, "a"), OPTIMIZER_CONTRIBUTED, 1);
    contributes(d, small_by("j", 2, "a"), OPTIMIZER_CONTRIBUTED, 1);
    d->limits.accumulation_keep_ms = 20;
    domain_restart(d);
    sleep_ms(30);
    is_gone(d, "k");
    contributes(d, small_by("k", 2, "a"), OPTIMIZER_CONTRIBUTED, 1);
    /* the new one: record, sum and worker; nothing of the two */
    assert_int_equal(records(d), before + 3);
    info = look_at(d, "k");
    assert_int_equal(info.started_revision, info.revision);
    accumulation_info_drop(&info);
    sleep_ms(30);
    /* the last one of nothing */
    contributes(d, small("k", 1), OPTIMIZER_CONTRIBUTED_LAST, 1);
    assert_int_equal(records(d), before + 2); /* steps, and applies */
    must_be_filled(d, "w", -1, 2);
}

static enum err_code
count_info(void *context, const struct accumulation_info *info, struct err *err)
{
    size_t *count = context;

    (void)err;
    assert_false(info->applied);
    assert_int_equal(info->variable_count, 1);
    assert_string_equal(info->variables[0].name, "w");
    *count += 1;
    return OK;
}

static size_t
listed(struct domain *d)
{
    uint64_t revision = 0;
    size_t count = 0;

    WORKS(accumulation_list(d->service, MODEL, "o", count_info, &count, &revision, &d->f->err),
          &d->f->err);
    assert_int_equal(revision, service_revision(d->service));
    return count;
}

static void
only_so_many_are_open(void **state_)
{
    struct domain *d = *state_;
    uint64_t revision = 0;
    char key[16];

    begin(d);
    make_descent(d, "other");
    for (int i = 0; i < ACCUMULATIONS_OPEN_MAX; i++) {
        snprintf(key, sizeof key, "k%d", i);
        contributes(d, small(key, 2), OPTIMIZER_CONTRIBUTED, 1);
    }
    REFUSES(try_contribute(d, small("more", 2)), ERR_BUSY, "at most 64", &d->f->err);
    assert_int_equal(listed(d), ACCUMULATIONS_OPEN_MAX);
    WORKS(accumulation_delete(d->service, MODEL, "o", "k0", NULL, &revision, &d->f->err),
          &d->f->err);
    assert_int_equal(listed(d), ACCUMULATIONS_OPEN_MAX - 1);
    contributes(d, small("more", 2), OPTIMIZER_CONTRIBUTED, 1);
    is_gone(d, "k0");
    REFUSES(accumulation_delete(d->service, MODEL, "o", "k0", NULL, &revision, &d->f->err),
            ERR_NOT_FOUND, "k0", &d->f->err);
    contributes(d, small("more", 2), OPTIMIZER_CONTRIBUTED_LAST, 2);
    REFUSES(accumulation_delete(d->service, MODEL, "o", "more", NULL, &revision, &d->f->err),
            ERR_FAILED_PRECONDITION, "was applied", &d->f->err);
    REFUSES(accumulation_delete(d->service, MODEL, "none", "k1", NULL, &revision, &d->f->err),
            ERR_NOT_FOUND, "'none'", &d->f->err);
}

static void
contributions_must_agree(void **state_)
{
    struct domain *d = *state_;
    struct contribution *c;
    const int64_t row[1] = {0};

    begin(d);
    contributes(d, small("k", 3), OPTIMIZER_CONTRIBUTED, 1);
    REFUSES(try_contribute(d, small("k", 2)), ERR_FAILED_PRECONDITION, "3 replicas", &d->f->err);
    c = small("k", 3);
    c->gradients.has_clip_norm = true;
    c->gradients.clip_norm = 1;
    REFUSES(try_contribute(d, c), ERR_FAILED_PRECONDITION, "clip_by_global_norm", &d->f->err);
    c = small("k", 3);
    c->gradients.global_step = "w";
    REFUSES(try_contribute(d, c), ERR_FAILED_PRECONDITION, "global_step ''", &d->f->err);
    c = sparse_of("k", 3, row, 1, 1, one);
    c->trees[1].root->literal.type.shape = exprs_shape(1, 1);
    c->trees[1].root->type.shape = exprs_shape(1, 1);
    REFUSES(try_contribute(d, c), ERR_FAILED_PRECONDITION, "dense gradient", &d->f->err);
    c = small("k", 3);
    c->gradient.variable = "v";
    declare(d, "v", DTYPE_FLOAT32, exprs_shape(1, 2));
    assign(d, "v", DTYPE_FLOAT32, exprs_shape(1, 2), zero);
    REFUSES(try_contribute(d, c), ERR_FAILED_PRECONDITION, "'v'", &d->f->err);
    delete_variable(d, "w");
    declare(d, "w", DTYPE_FLOAT32, exprs_shape(1, 2));
    assign(d, "w", DTYPE_FLOAT32, exprs_shape(1, 2), zero);
    REFUSES(try_contribute(d, small("k", 3)), ERR_FAILED_PRECONDITION, "deleted", &d->f->err);
    for (int64_t replicas = -1; replicas <= 0; replicas++)
        REFUSES(try_contribute(d, small("n", replicas)), ERR_INVALID_ARGUMENT, "1 to", &d->f->err);
    REFUSES(try_contribute(d, small("n", ACCUMULATION_REPLICAS_MAX + 1)), ERR_INVALID_ARGUMENT,
            "100001", &d->f->err);
    assert_int_equal(count_at(d, "k"), 1);
}

/* Two gradients of one variable would be counted as two variables. */
static void
a_variable_has_one_gradient(void **state_)
{
    struct domain *d = *state_;
    struct contribution *c = small("k", 2);
    struct optimizer_gradient twice[2];

    begin(d);
    twice[0] = twice[1] = c->gradient;
    c->gradients.gradients = twice;
    c->gradients.count = 2;
    REFUSES(try_contribute(d, c), ERR_INVALID_ARGUMENT, "two gradients of 'w'", &d->f->err);
    is_gone(d, "k");
}

static void
everything_goes_with_the_optimizer_or_the_model(void **state_)
{
    struct domain *d = *state_;
    uint64_t revision = 0, before;

    before = records(d);
    begin(d);
    contributes(d, small_by("k", 2, "a"), OPTIMIZER_CONTRIBUTED, 1);
    contributes(d, small("done", 1), OPTIMIZER_CONTRIBUTED_LAST, 1);
    WORKS(optimizer_delete(d->service, MODEL, "o", NULL, &revision, &d->f->err), &d->f->err);
    assert_int_equal(findings(d), 0);
    make_descent(d, "o");
    is_gone(d, "k");
    is_gone(d, "done");
    contributes(d, small_by("k", 2, "a"), OPTIMIZER_CONTRIBUTED, 1);
    contributes(d, small("done", 1), OPTIMIZER_CONTRIBUTED_LAST, 1);
    WORKS(model_delete(d->service, MODEL, NULL, &revision, &d->f->err), &d->f->err);
    assert_in_range(records(d), 0, before);
}

/* --- waking -------------------------------------------------------------------------------- */

struct woken {
    uint64_t topic;
    int times;
};

static void
note(void *context, uint64_t topic)
{
    struct woken *woken = context;

    if (topic == SERVICE_TOPIC_CHANGES)
        return;
    woken->topic = topic;
    woken->times++;
}

static void
steps_and_deletions_wake_those_who_wait(void **state_)
{
    struct domain *d = *state_;
    struct woken woken = {0};
    uint64_t revision = 0;

    begin(d);
    service_on_wake(d->service, note, &woken);
    contributes(d, small("k", 2), OPTIMIZER_CONTRIBUTED, 1);
    assert_int_equal(woken.times, 0);
    contributes(d, small("k", 2), OPTIMIZER_CONTRIBUTED_LAST, 2);
    assert_int_equal(woken.times, 1);
    assert_int_equal(woken.topic, accumulation_topic(MODEL, "o", "k"));
    contributes(d, small("k", 2), OPTIMIZER_CONTRIBUTED_LATE, 2);
    contributes(d, small("j", 2), OPTIMIZER_CONTRIBUTED, 1);
    assert_int_equal(woken.times, 1);
    WORKS(accumulation_delete(d->service, MODEL, "o", "j", NULL, &revision, &d->f->err),
          &d->f->err);
    assert_int_equal(woken.times, 2);
    assert_int_equal(woken.topic, accumulation_topic(MODEL, "o", "j"));
    assert_int_not_equal(accumulation_topic("m", "o", "j"), accumulation_topic("mo", "", "j"));
    service_on_wake(d->service, NULL, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(keys_and_workers_have_a_grammar),
        DOMAIN_TEST(a_worker_counts_once_and_lateness_is_remembered),
        DOMAIN_TEST(steps_are_forgotten_after_a_hundred),
        DOMAIN_TEST(what_never_fills_expires_and_is_removed),
        DOMAIN_TEST(only_so_many_are_open),
        DOMAIN_TEST(contributions_must_agree),
        DOMAIN_TEST(a_variable_has_one_gradient),
        DOMAIN_TEST(everything_goes_with_the_optimizer_or_the_model),
        DOMAIN_TEST(steps_and_deletions_wake_those_who_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

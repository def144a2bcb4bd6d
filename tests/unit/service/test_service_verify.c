/* Verification of the domain: a whole store passes, and every kind of damage to what records say of
 * each other is found. Each damage is undone again, so that it stands for itself. */
#include "service/record/record.h"
#include "service/record/record_change.h"
#include "service/run/outcome.h"
#include "service/training/average.h"
#include "service/training/average_apply.h"
#include "service/training/optimizer_config.h"
#include "store/key.h"
#include "tests/unit/service/damage.h"

struct ids {
    uint64_t model, checkpoint;
};

static void
make_optimizer(struct domain *d, const char *name)
{
    const struct optimizer *optimizer = &optimizer_adam;
    _Alignas(max_align_t) uint8_t params[OPTIMIZER_PARAMS_BYTES_MAX];
    bool given[8] = {false}, created = false;
    struct optimizer_spec spec = {.optimizer = optimizer, .params = params, .given = given};
    struct optimizer_config config = {0};
    uint64_t revision = 0;

    attr_defaults(optimizer->attrs, params);
    WORKS(optimizer_create(d->service, MODEL, name, &spec, NULL, &created, &config, &revision,
                           &d->f->err),
          &d->f->err);
    optimizer_config_drop(&config);
}

/* With one tensor in its set. */
static void
make_average(struct domain *d, const char *name)
{
    struct average_spec spec = {.decay = 0.5};
    struct average_config config = {0};
    struct expr_tree tree = filled(1, 1);
    struct average_tensor tensor = {.name = "x", .value = &tree};
    struct average_selection selection = {
        .averages = name, .named = true, .tensors = &tensor, .tensor_count = 1};
    struct run_op op = {.verb = &verb_apply_moving_averages, .averages = &selection};
    struct run_report report;
    uint64_t revision = 0;
    bool created = false;

    WORKS(average_create(d->service, MODEL, name, &spec, NULL, &created, &config, &revision,
                         &d->f->err),
          &d->f->err);
    average_config_drop(&config);
    WORKS(run_one(d->service, MODEL, &op, NULL, &report, &d->f->err), &d->f->err);
    run_report_drop(&report);
    expr_tree_drop(&tree);
    delete_variable(d, "x/ExponentialMovingAverage");
}

static uint64_t
average_id(struct domain *d, uint64_t model_id, const char *name)
{
    struct store_snapshot *snapshot = NULL;
    struct average_config config = {0};
    uint64_t id;

    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(average_config_load(store_snapshot_view(snapshot), model_id, name, &config, &d->f->err),
          &d->f->err);
    id = config.id;
    average_config_drop(&config);
    store_snapshot_drop(snapshot);
    return id;
}

static struct ids
make_some(struct domain *d)
{
    static const int32_t data[] = {1, 2, 3};
    struct store_snapshot *snapshot = NULL;
    struct model_record model;
    struct ids ids = {0};
    bool found = false;
    struct variable_spec spec = variable_spec_default();
    struct shape shape = scalar();

    create_literal(d, "v", DTYPE_INT32, exprs_shape(1, 3), data);
    initialize_all(d);
    ids.checkpoint = save(d, "c").record.id;
    (void)save(d, "second");
    spec.dtype = DTYPE_BOOL;
    spec.shape = &shape;
    make_optimizer(d, "o");
    make_average(d, "e");
    WORKS(try_create(d, spec, NULL), &d->f->err); /* "Variable", with a name counter */
    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_model(store_snapshot_view(snapshot), MODEL, &found, &model, &d->f->err),
          &d->f->err);
    ids.model = model.id;
    store_snapshot_drop(snapshot);
    return ids;
}

static void
a_whole_store_passes_and_is_counted(void **state)
{
    struct domain *d = *state;
    struct store_verify_report report;

    WORKS(service_verify(d->service, true, &report, &d->f->err), &d->f->err);
    assert_int_equal(report.findings + report.values + report.chunks, 0);
    (void)make_some(d);
    WORKS(service_verify(d->service, true, &report, &d->f->err), &d->f->err);
    assert_int_equal(report.findings, 0);
}

static void
counters_that_do_not_add_up_are_found(void **state)
{
    struct domain *d = *state;
    struct ids ids = make_some(d);
    struct record_key usage = record_key_usage(ids.model);

    must_be_found(d, flipped(d, usage, 9), "variables, its counter says");
    must_be_found(d, flipped(d, usage, 17), "initialized variables, its counter says");
    must_be_found(d, flipped(d, usage, 25), "bytes of values, its counter says");
    must_be_found(d, flipped(d, usage, 33), "checkpoints, its counter says");
    must_be_found(d, flipped(d, usage, 41), "bytes of checkpoints, its counter says");
    must_be_found(d, gone(d, usage), "its counter says 0");
    must_be_found(d, flipped(d, usage, 0), "format");
    must_be_found(d, gone(d, record_key_variable(ids.model, "Variable")), "has 1 variables");
}

static void
checkpoints_out_of_order_or_incomplete_are_found(void **state)
{
    struct domain *d = *state;
    struct ids ids = make_some(d);
    struct record_key order = record_key_order(ids.model, ids.checkpoint);

    must_be_found(d, gone(d, order), "checkpoint 'c' is not in the order");
    must_be_found(d, flipped(d, order, 0), "checkpoint 'c' is not in the order");
    must_be_found(d, gone(d, record_key_tensor(ids.checkpoint, bytes_of_text("v"))),
                  "checkpoint 'c' has 0 tensors of 0 bytes, its record says 1 of 12");
    must_be_found(d,
                  moved(d, record_key_tensor(ids.checkpoint, bytes_of_text("v")),
                        record_key_tensor(ids.checkpoint, bytes_of_text("w"))),
                  "checkpoint 'c' has 2 tensors");
}

static void
records_that_belong_to_nothing_are_found(void **state)
{
    struct domain *d = *state;
    struct ids ids = make_some(d);
    uint64_t nobody = 1000000;

    must_be_found(d,
                  moved(d, record_key_variable(ids.model, "Variable"),
                        record_key_variable(nobody, "Variable")),
                  "there are 3 variables, models and checkpoints have 2");
    must_be_found(
        d, moved(d, record_key_checkpoint(ids.model, "c"), record_key_checkpoint(nobody, "c")),
        "there are 3 checkpoints");
    must_be_found(d,
                  moved(d, record_key_order(ids.model, ids.checkpoint),
                        record_key_order(nobody, ids.checkpoint)),
                  "places in orders");
    must_be_found(d,
                  moved(d, record_key_tensor(ids.checkpoint, bytes_of_text("v")),
                        record_key_tensor(nobody, bytes_of_text("v"))),
                  "there are 3 tensors");
    must_be_found(d, moved(d, record_key_usage(ids.model), record_key_usage(nobody)),
                  "usage records");
    must_be_found(d,
                  moved(d, record_key_name_counter(ids.model, "Variable"),
                        record_key_name_counter(nobody, "Variable")),
                  "name counters");
    must_be_found(d,
                  moved(d, record_key_optimizer(ids.model, "o"), record_key_optimizer(nobody, "o")),
                  "there are 2 optimizers, models and checkpoints have 1");
    must_be_found(d, moved(d, record_key_average(ids.model, "e"), record_key_average(nobody, "e")),
                  "there are 2 moving averages");
    must_be_found(d,
                  moved(d, record_key_member(average_id(d, ids.model, "e"), "x"),
                        record_key_member(nobody, "x")),
                  "there are 2 members of moving averages");
    must_be_found(d, gone(d, record_key_model(MODEL)), "models and checkpoints have 0");
}

static void
damaged_records_are_found(void **state)
{
    struct domain *d = *state;
    struct ids ids = make_some(d);

    must_be_found(d, flipped(d, record_key_model(MODEL), 0), "a model record has format");
    must_be_found(d, flipped(d, record_key_variable(ids.model, "v"), 0),
                  "a variable record has format");
    must_be_found(d, flipped(d, record_key_checkpoint(ids.model, "c"), 0),
                  "a checkpoint record has format");
    must_be_found(d, flipped(d, record_key_tensor(ids.checkpoint, bytes_of_text("v")), 0),
                  "a checkpoint tensor record has format");
    must_be_found(d, flipped(d, record_key_average(ids.model, "e"), 0),
                  "a moving average record has format");
    must_be_found(d, flipped(d, record_key_member(average_id(d, ids.model, "e"), "x"), 0),
                  "a moving average's member record has format");
    must_be_found(d, flipped(d, record_key_optimizer(ids.model, "o"), 0),
                  "a model's optimizer record has format");
    must_be_found(d, flipped(d, record_key_optimizer(ids.model, "o"), 13), "which is not known");
}

/* --- idempotency keys ---------------------------------------------------------------------- */

static enum err_code
seal(void *context, uint8_t fingerprint[static OUTCOME_FINGERPRINT_BYTES], struct err *err)
{
    (void)context;
    (void)err;
    memset(fingerprint, 7, OUTCOME_FINGERPRINT_BYTES);
    return OK;
}

/* Too much for the outcome's own record. */
static enum err_code
render(void *context, uint64_t revision, struct buf *reply, struct err *err)
{
    (void)context;
    while (reply->size < 20000)
        TRY(buf_append_u64(reply, revision, err));
    return OK;
}

static void
keep_outcome(struct domain *d, const char *key)
{
    struct write_outcome outcome = {.key = bytes_of_text(key), .seal = seal, .render = render};
    struct write_options options = {.outcome = &outcome};
    struct model_spec spec = {0};
    struct model_info info;
    uint64_t revision;

    WORKS(model_patch(d->service, MODEL, &spec, &options, &info, &revision, &d->f->err),
          &d->f->err);
}

static uint64_t
kept_at(struct domain *d, const char *key)
{
    struct store_snapshot *snapshot = NULL;
    struct outcome_record record = {.created_ms = 0};
    bool found = false;

    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(record_get_outcome(store_snapshot_view(snapshot), bytes_of_text(key), &found, &record,
                             &d->f->err),
          &d->f->err);
    assert_true(found);
    store_snapshot_drop(snapshot);
    return record.created_ms;
}

static void
outcomes_that_are_lost_or_left_over_are_found(void **state)
{
    struct bytes key = bytes_of_text("k"), other = bytes_of_text("other");
    struct domain *d = *state;
    struct record_key outcome = record_key_outcome(key), expiry;

    keep_outcome(d, "k");
    keep_outcome(d, "l");
    expiry = record_key_expiry(kept_at(d, "k"), key);
    must_be_found(d, gone(d, outcome), "there are 1 outcomes of idempotency keys, 2 in the order");
    must_be_found(d, gone(d, outcome),
                  "is named by 0 records"); /* and its reply belongs to nobody */
    must_be_found(d, moved(d, outcome, record_key_outcome(other)),
                  "the outcome of 'other' has no place in the order of ages");
    must_be_found(d, gone(d, expiry), "the outcome of 'k' has no place");
    must_be_found(d, moved(d, expiry, record_key_expiry(1, other)), "3 in the order of ages");
    must_be_found(d, gone(d, record_key_kept()), "their counter says 0");
    must_be_found(d, flipped(d, record_key_kept(), 1), "their counter says 253");
    must_be_found(d, flipped(d, record_key_kept(), 0), "a kept count record has format");
    must_be_found(d, flipped(d, outcome, 0), "a kept outcome record has format");
}

/* Nobody is told that nothing was done; and keys of others go on. */
/* A record at a key that the program never writes. */
static struct damage *
stray(struct domain *d, uint8_t kind, size_t key_size)
{
    struct record_key key = {.bytes = {kind}, .size = key_size};
    struct damage *change;

    memset(key.bytes + 1, 'x', key_size - 1);
    change = record_at(d, key);
    change->there = true;
    change->size = 1;
    return change;
}

static void
keys_of_another_form_are_found(void **state)
{
    static const struct {
        uint8_t kind;
        size_t size;
    } keys[] = {{STORE_KEY_VARIABLE, 9},    {STORE_KEY_VARIABLE, 300}, {STORE_KEY_CHECKPOINT, 4},
                {STORE_KEY_TENSOR, 8},      {STORE_KEY_ORDER, 10},     {STORE_KEY_PLACE, 10},
                {STORE_KEY_PLACE, 18},      {STORE_KEY_LAST, 9},       {STORE_KEY_SNAPSHOT, 18},
                {STORE_KEY_MODEL, 140},     {STORE_KEY_EXPIRY, 5},     {STORE_KEY_HISTORY, 16},
                {STORE_KEY_OPTIMIZER, 270}, {STORE_KEY_SAVER, 3},      {STORE_KEY_KEPT, 2}};
    struct domain *d = *state;

    (void)make_some(d);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        must_be_found(d, stray(d, keys[i].kind, keys[i].size), "has a key of");
}

static void
an_initial_value_that_cannot_be_read_is_found(void **state)
{
    struct domain *d = *state;
    struct ids ids = make_some(d);
    struct damage *now = record_at(d, record_key_variable(ids.model, "v"));
    struct variable_record variable;
    const uint8_t *text;

    WORKS(record_decode_variable(bytes_of(now->bytes, now->size), &variable, &d->f->err),
          &d->f->err);
    assert_int_equal(variable.initial_value.kind, VALUE_INLINE);
    text = memmem(now->bytes, now->size, variable.initial_value.bytes,
                  (size_t)variable.initial_value.size);
    assert_non_null(text);
    must_be_found(d, flipped(d, now->key, (size_t)(text - now->bytes) + 9),
                  "the initial value of variable 'v'");
    free(now);
}

static void
a_damaged_log_of_changes_is_found(void **state)
{
    struct domain *d = *state;
    struct record_key first = record_key_changes(1, 0);
    struct damage *now;

    (void)make_some(d);
    now = record_at(d, first);
    assert_true(now->there);
    free(now);
    must_be_found(d, stray(d, STORE_KEY_CHANGE, 4), "of no commit");
    must_be_found(d, stray(d, STORE_KEY_CHANGE, 10), "of no commit");
    must_be_found(d, flipped(d, first, 0), "a change record has format");
    must_be_found(d, flipped(d, record_key_change_log(), 0), "a change log record has format");
    must_be_found(d, flipped(d, record_key_change_log(), 8), "the log of changes begins at");
    must_be_found(d, gone(d, record_key_change_log()), "without begin");
}

static void
a_damaged_outcome_is_told_to_its_client_alone(void **state)
{
    struct domain *d = *state;
    struct record_key key = record_key_outcome(bytes_of_text("k"));
    uint8_t fingerprint[OUTCOME_FINGERPRINT_BYTES];
    struct damage *damage, *before;
    struct buf reply;
    bool found = false;

    keep_outcome(d, "k");
    before = record_at(d, key);
    damage = flipped(d, key, 0);
    apply(d, damage);
    buf_init(&reply, 1 << 20);
    FAILS(outcome_find(d->service, bytes_of_text("k"), &found, fingerprint, &reply, &d->f->err),
          ERR_DATA_LOSS, &d->f->err);
    buf_drop(&reply);
    d->limits.idempotency_keep_ms = 0;
    domain_restart(d);
    for (int i = 0; i < 3; i++)
        keep_outcome(d, i == 1 ? "m" : "l");
    apply(d, before);
    assert_int_equal(findings(d), 0);
    free(damage);
    free(before);
}

static void
verification_that_runs_out_of_memory_says_so(void **state)
{
    struct domain *d = *state;
    struct store_verify_report report;
    uint64_t nth = 1;
    enum err_code code = ERR_NO_MEMORY;

    (void)make_some(d);
    for (; nth < 300 && code != OK; nth++) {
        (void)mem_fail_at(nth, 0);
        code = service_verify(d->service, true, &report, &d->f->err);
        (void)mem_fail_at(0, 0);
        if (code == OK)
            break;
        FAILS(code, ERR_NO_MEMORY, &d->f->err);
    }
    assert_in_range(nth, 5, 299);
    assert_int_equal(report.findings, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        DOMAIN_TEST(a_whole_store_passes_and_is_counted),
        DOMAIN_TEST(counters_that_do_not_add_up_are_found),
        DOMAIN_TEST(checkpoints_out_of_order_or_incomplete_are_found),
        DOMAIN_TEST(records_that_belong_to_nothing_are_found),
        DOMAIN_TEST(damaged_records_are_found),
        DOMAIN_TEST(outcomes_that_are_lost_or_left_over_are_found),
        DOMAIN_TEST(keys_of_another_form_are_found),
        DOMAIN_TEST(an_initial_value_that_cannot_be_read_is_found),
        DOMAIN_TEST(a_damaged_log_of_changes_is_found),
        DOMAIN_TEST(a_damaged_outcome_is_told_to_its_client_alone),
        DOMAIN_TEST(verification_that_runs_out_of_memory_says_so),
    };

    return cmocka_run_group_tests_name("service_verify", tests, NULL, NULL);
}

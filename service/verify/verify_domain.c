/* Records are visited model by model; what belongs to no model is noticed because the totals of
 * each kind then differ from what the models have together. */
#include "service/verify/verify_domain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "service/placement/partition_devices.h"
#include "service/state.h"
#include "service/variable/variable_info.h"
#include "service/verify/verify_domain_parts.h"
#include "store/base/scope.h"
#include "store/key.h"

void
verify_domain_finding(struct domain_check *c, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    store_verify_add(c->report, format, arguments);
    va_end(arguments);
}

enum err_code
verify_domain_scan(struct domain_check *c, const struct record_key *prefix,
                   verify_domain_visit *visit, void *context, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct bytes key, record;
    bool found = true;

    TRY(store_cursor_open(c->view, record_key_bytes(prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        enum err_code code = store_cursor_next(cursor, &found, &key, &record, err);

        if (code == OK && !found)
            return OK;
        if (code == OK)
            code = visit(c, context, key, record, err);
        if (code == ERR_DATA_LOSS) {
            verify_domain_finding(c, "%s", err != NULL ? err->text : "a record is damaged");
            err_clear(err);
            code = OK;
        }
        TRY(code);
    }
}

enum err_code
verify_domain_count(struct domain_check *c, void *context, struct bytes key, struct bytes record,
                    struct err *err)
{
    uint64_t *count = context;

    (void)c;
    (void)key;
    (void)record;
    (void)err;
    *count += 1;
    return OK;
}

/* --- one model ----------------------------------------------------------------------------- */

struct model_check {
    uint64_t id;
    struct usage_record found;
    uint64_t places;
    /* Of the checkpoint being counted. */
    uint64_t checkpoint_tensors, checkpoint_bytes, positions;
    uint32_t shards;
};

/* That it can be read: initializing, listing and drawing the graph need it. */
static enum err_code
check_initial_value(struct domain_check *c, struct bytes key,
                    const struct variable_record *variable, struct err *err)
{
    struct bytes name = record_key_name(key);
    struct expr_tree tree = {0};
    enum err_code code;

    if (variable->initial_value.kind == VALUE_NONE)
        return OK;
    code = variable_initial_value(c->view, variable, &tree, err);
    if (code == OK)
        expr_tree_drop(&tree);
    else
        err_prefix(err, "the initial value of variable '%.*s'", (int)name.size,
                   (const char *)name.data);
    return code;
}

static enum err_code
check_part_devices(struct domain_check *c, struct bytes key, const struct variable_record *variable,
                   struct err *err)
{
    struct bytes name = record_key_name(key);
    AUTO(partition_devices) devices = {.count = 0};
    enum err_code code = partition_devices_read(c->view, variable, &devices, err);

    if (code != OK)
        err_prefix(err, "variable '%.*s'", (int)name.size, (const char *)name.data);
    return code;
}

static enum err_code
visit_variable(struct domain_check *c, void *context, struct bytes key, struct bytes record,
               struct err *err)
{
    struct model_check *m = context;
    struct variable_record variable;

    c->seen.variables++;
    m->found.variables++;
    TRY(record_decode_variable(record, &variable, err));
    m->found.initialized += variable.value.kind != VALUE_NONE;
    m->found.bytes += variable.value.size;
    TRY(verify_domain_history(c, m->id, &variable, err));
    TRY(check_part_devices(c, key, &variable, err));
    return check_initial_value(c, key, &variable, err);
}

/* A place is of a variable that knows of it, and before the end of the graph. */
static enum err_code
visit_place(struct domain_check *c, void *context, struct bytes key, struct bytes record,
            struct err *err)
{
    struct model_check *m = context;
    char name[NAME_BYTES_MAX + 1];
    struct place_record place;
    struct variable_record variable;
    bool found = false;

    m->places++;
    TRY(record_decode_place(record, &place, err));
    snprintf(name, sizeof name, "%.*s", (int)place.name.size, (const char *)place.name.data);
    TRY(record_get_variable(c->view, m->id, name, &found, &variable, err));
    if (!found || variable.graph_position != record_key_position(key))
        verify_domain_finding(c,
                              "place %" PRIu64 " of a graph is given to '%s', which is not there",
                              record_key_position(key), name);
    return OK;
}

static enum err_code
visit_tensor(struct domain_check *c, void *context, struct bytes key, struct bytes record,
             struct err *err)
{
    struct model_check *m = context;
    struct tensor_record tensor;

    (void)key;
    c->seen.tensors++;
    m->checkpoint_tensors++;
    TRY(record_decode_tensor(record, &tensor, err));
    m->checkpoint_bytes += tensor.value.size;
    m->positions += tensor.position;
    if (tensor.shard >= m->shards)
        verify_domain_finding(c, "a tensor lies in shard %" PRIu32 " of a checkpoint of %" PRIu32,
                              tensor.shard, m->shards);
    return OK;
}

static enum err_code
visit_checkpoint(struct domain_check *c, void *context, struct bytes key, struct bytes record,
                 struct err *err)
{
    struct model_check *m = context;
    struct bytes name = record_key_name(key), ordered;
    struct checkpoint_record checkpoint;
    struct record_key order, tensors;

    c->seen.checkpoints++;
    m->found.checkpoints++;
    TRY(record_decode_checkpoint(record, &checkpoint, err));
    m->found.checkpoint_bytes += checkpoint.bytes;
    order = record_key_order(m->id, checkpoint.id);
    TRY(store_get(c->view, record_key_bytes(&order), &ordered, err));
    if (!bytes_equal(ordered, name))
        verify_domain_finding(c, "checkpoint '%.*s' is not in the order of its model",
                              (int)name.size, (const char *)name.data);
    m->checkpoint_tensors = 0;
    m->checkpoint_bytes = 0;
    m->positions = 0;
    m->shards = checkpoint.shards;
    tensors = record_key_tensor(checkpoint.id, bytes_of("", 0));
    TRY(verify_domain_scan(c, &tensors, visit_tensor, m, err));
    if (m->checkpoint_tensors != checkpoint.tensors || m->checkpoint_bytes != checkpoint.bytes)
        verify_domain_finding(c,
                              "checkpoint '%.*s' has %" PRIu64 " tensors of %" PRIu64
                              " bytes, its record says %" PRIu64 " of %" PRIu64,
                              (int)name.size, (const char *)name.data, m->checkpoint_tensors,
                              m->checkpoint_bytes, checkpoint.tensors, checkpoint.bytes);
    else if (m->positions != m->checkpoint_tensors * (m->checkpoint_tensors - 1) / 2)
        verify_domain_finding(c, "the tensors of checkpoint '%.*s' are not one after the other",
                              (int)name.size, (const char *)name.data);
    return OK;
}

static void
compare(struct domain_check *c, struct bytes model, const char *what, uint64_t counted,
        uint64_t recorded)
{
    if (counted != recorded)
        verify_domain_finding(c, "model '%.*s' has %" PRIu64 " %s, its counter says %" PRIu64,
                              (int)model.size, (const char *)model.data, counted, what, recorded);
}

static enum err_code
visit_setter(struct domain_check *c, void *context, struct bytes key, struct bytes record,
             struct err *err)
{
    struct device_setter_state state;

    (void)context;
    (void)key;
    c->seen.setters++;
    return record_decode_setter(record, &state, err);
}

static enum err_code
visit_model(struct domain_check *c, void *context, struct bytes key, struct bytes record,
            struct err *err)
{
    struct bytes name = record_key_name(key);
    struct record_key variables, checkpoints, orders, counters, usages, places, scopes, setters;
    struct model_check m = {.id = 0};
    struct model_record model;
    struct usage_record usage;
    uint64_t order_count = 0, usage_count = 0, place_count = 0;

    (void)context;
    TRY(record_decode_model(record, &model, err));
    m.id = model.id;
    variables = record_key_variable(m.id, "");
    checkpoints = record_key_checkpoint(m.id, "");
    orders = record_key_orders(m.id);
    counters = record_key_name_counter(m.id, "");
    usages = record_key_usage(m.id);
    places = record_key_places(m.id);
    scopes = record_key_scope_counter(m.id, "");
    setters = record_key_setter(m.id);
    TRY(verify_domain_scan(c, &variables, visit_variable, &m, err));
    TRY(verify_domain_scan(c, &checkpoints, visit_checkpoint, &m, err));
    TRY(verify_domain_scan(c, &orders, verify_domain_count, &order_count, err));
    TRY(verify_domain_scan(c, &counters, verify_domain_count, &c->seen.counters, err));
    TRY(verify_domain_scan(c, &scopes, verify_domain_count, &c->seen.scopes, err));
    TRY(verify_domain_scan(c, &setters, visit_setter, NULL, err));
    TRY(verify_domain_scan(c, &usages, verify_domain_count, &usage_count, err));
    TRY(verify_domain_scan(c, &places, visit_place, &m, err));
    TRY(verify_domain_training(c, m.id, err));
    TRY(verify_domain_savers(c, m.id, err));
    place_count = m.places;
    c->seen.places += place_count;
    c->seen.orders += order_count;
    c->seen.usages += usage_count;
    TRY(record_get_usage(c->view, m.id, &usage, err));
    compare(c, name, "variables", m.found.variables, usage.variables);
    compare(c, name, "initialized variables", m.found.initialized, usage.initialized);
    compare(c, name, "variables in its graph", place_count, usage.variables);
    compare(c, name, "bytes of values", m.found.bytes, usage.bytes);
    compare(c, name, "checkpoints", m.found.checkpoints, usage.checkpoints);
    compare(c, name, "checkpoints in order", order_count, usage.checkpoints);
    compare(c, name, "bytes of checkpoints", m.found.checkpoint_bytes, usage.checkpoint_bytes);
    return OK;
}

/* --- idempotency keys ---------------------------------------------------------------------- */

/* Each outcome has its place in the order of ages. */
static enum err_code
visit_outcome(struct domain_check *c, void *context, struct bytes key, struct bytes record,
              struct err *err)
{
    struct bytes idempotency_key = record_key_name(key), expiry;
    uint64_t *count = context;
    struct outcome_record outcome;
    struct record_key place;

    *count += 1;
    TRY(record_decode_outcome(record, &outcome, err));
    place = record_key_expiry(outcome.created_ms, idempotency_key);
    TRY(store_get(c->view, record_key_bytes(&place), &expiry, err));
    if (expiry.data == NULL)
        verify_domain_finding(c, "the outcome of '%.*s' has no place in the order of ages",
                              (int)idempotency_key.size, (const char *)idempotency_key.data);
    return OK;
}

static enum err_code
visit_kept(struct domain_check *c, void *context, struct bytes key, struct bytes record,
           struct err *err)
{
    (void)key;
    (void)record;
    return record_get_kept(c->view, context, err);
}

static enum err_code
check_outcomes(struct domain_check *c, struct err *err)
{
    struct record_key outcomes = record_key_outcome(bytes_of("", 0));
    struct record_key expiries = record_key_expiries(), counter = record_key_kept();
    uint64_t outcome_count = 0, expiry_count = 0, kept = 0;

    TRY(verify_domain_scan(c, &outcomes, visit_outcome, &outcome_count, err));
    TRY(verify_domain_scan(c, &expiries, verify_domain_count, &expiry_count, err));
    TRY(verify_domain_scan(c, &counter, visit_kept, &kept, err));
    if (expiry_count != outcome_count || kept != outcome_count)
        verify_domain_finding(c,
                              "there are %" PRIu64 " outcomes of idempotency keys, %" PRIu64
                              " in the order of ages, their counter says %" PRIu64,
                              outcome_count, expiry_count, kept);
    return OK;
}

/* --- what belongs to none ------------------------------------------------------------------ */

static enum err_code
check_total(struct domain_check *c, uint8_t kind, const char *what, uint64_t seen, struct err *err)
{
    struct record_key prefix = {.bytes = {kind}, .size = 1};
    uint64_t all = 0;

    TRY(verify_domain_scan(c, &prefix, verify_domain_count, &all, err));
    if (all != seen)
        verify_domain_finding(c, "there are %" PRIu64 " %s, models and checkpoints have %" PRIu64,
                              all, what, seen);
    return OK;
}

enum err_code
verify_domain(const struct store_view *view, struct store_verify_report *report, struct err *err)
{
    struct domain_check c = {.view = view, .report = report};
    struct record_key models = record_key_model("");
    bool well = false;

    TRY(verify_domain_keys(&c, &well, err));
    if (!well)
        return OK;
    TRY(verify_domain_scan(&c, &models, visit_model, NULL, err));
    TRY(check_total(&c, STORE_KEY_VARIABLE, "variables", c.seen.variables, err));
    TRY(check_total(&c, STORE_KEY_CHECKPOINT, "checkpoints", c.seen.checkpoints, err));
    TRY(check_total(&c, STORE_KEY_ORDER, "places in orders", c.seen.orders, err));
    TRY(check_total(&c, STORE_KEY_TENSOR, "tensors of checkpoints", c.seen.tensors, err));
    TRY(check_total(&c, STORE_KEY_PLACE, "places in graphs", c.seen.places, err));
    TRY(check_total(&c, STORE_KEY_SCOPE, "scope counters", c.seen.scopes, err));
    TRY(check_total(&c, STORE_KEY_SETTER, "device setters", c.seen.setters, err));
    TRY(check_total(&c, STORE_KEY_APPLIES, "applies of optimizers", c.seen.applies, err));
    TRY(check_total(&c, STORE_KEY_ACCUMULATION, "accumulations", c.seen.accumulations, err));
    TRY(check_total(&c, STORE_KEY_ACCUMULATOR, "accumulators", c.seen.accumulators, err));
    TRY(check_total(&c, STORE_KEY_SUM, "sums of accumulations", c.seen.sums, err));
    TRY(check_total(&c, STORE_KEY_WORKER, "workers of accumulations", c.seen.workers, err));
    TRY(check_total(&c, STORE_KEY_STEPS, "steps of optimizers", c.seen.steps, err));
    TRY(check_total(&c, STORE_KEY_OPTIMIZER, "optimizers", c.seen.optimizers, err));
    TRY(check_total(&c, STORE_KEY_AVERAGE, "moving averages", c.seen.averages, err));
    TRY(check_total(&c, STORE_KEY_MEMBER, "members of moving averages", c.seen.members, err));
    TRY(check_total(&c, STORE_KEY_USAGE, "usage records", c.seen.usages, err));
    TRY(check_total(&c, STORE_KEY_NAME, "name counters", c.seen.counters, err));
    TRY(check_total(&c, STORE_KEY_SAVER, "savers", c.seen.savers, err));
    TRY(check_total(&c, STORE_KEY_SAVED, "variables of savers", c.seen.saved, err));
    TRY(check_total(&c, STORE_KEY_LAST, "last checkpoints of savers", c.seen.lasts, err));
    TRY(check_total(&c, STORE_KEY_HISTORY, "histories", c.seen.histories, err));
    TRY(check_total(&c, STORE_KEY_SNAPSHOT, "snapshots of variables", c.seen.snapshots, err));
    TRY(check_total(&c, STORE_KEY_LISTED, "places in savers' lists", c.seen.listed, err));
    TRY(verify_domain_changes(&c, err));
    return check_outcomes(&c, err);
}

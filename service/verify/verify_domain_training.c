/* What trains a model: optimizers and their applies, moving averages, gradients that wait. */
#include <inttypes.h>
#include <stdio.h>

#include "service/state.h"
#include "service/training/accumulator.h"
#include "service/training/average.h"
#include "service/training/optimizer_config.h"
#include "service/verify/verify_domain_parts.h"
#include "store/base/scope.h"

/* The suffix is what its slots are found by. */
static enum err_code
visit_optimizer(struct domain_check *c, void *context, struct bytes key, struct bytes record,
                struct err *err)
{
    AUTO(optimizer_config) config = {0};
    struct bytes name = record_key_name(key);

    (void)context;
    c->seen.optimizers++;
    TRY(record_decode_optimizer(record, &config, err));
    if (config.suffix[0] == '\0')
        verify_domain_finding(c, "the slots of optimizer '%.*s' have no name", (int)name.size,
                              (const char *)name.data);
    return OK;
}

/* Applies are of an optimizer that is there, and come one after the other; those of one run have
 * one revision. */
static enum err_code
visit_applies(struct domain_check *c, void *context, struct bytes key, struct bytes record,
              struct err *err)
{
    const uint64_t *model_id = context;
    struct bytes text = record_key_name(key), optimizer;
    struct applies_record applies;
    struct record_key owner;
    char name[NAME_BYTES_MAX + 1];
    bool in_order = true;

    c->seen.applies++;
    TRY(record_decode_applies(record, &applies, err));
    snprintf(name, sizeof name, "%.*s", (int)text.size, (const char *)text.data);
    owner = record_key_optimizer(*model_id, name);
    TRY(store_get(c->view, record_key_bytes(&owner), &optimizer, err));
    for (uint32_t i = 1; i < applies.count; i++)
        in_order = in_order && applies.revisions[i - 1] <= applies.revisions[i];
    if (optimizer.data == NULL)
        verify_domain_finding(c, "there are applies of optimizer '%s', which is not there", name);
    if (!in_order || applies.count > applies.applies)
        verify_domain_finding(c, "the applies of optimizer '%s' are out of order", name);
    return OK;
}

static enum err_code
visit_member(struct domain_check *c, void *context, struct bytes key, struct bytes record,
             struct err *err)
{
    AUTO(average_member) member = {0};

    (void)key;
    (void)context;
    c->seen.members++;
    return record_decode_member(record, &member, err);
}

static enum err_code
visit_average(struct domain_check *c, void *context, struct bytes key, struct bytes record,
              struct err *err)
{
    AUTO(average_config) config = {0};
    struct record_key members;

    (void)key;
    c->seen.averages++;
    TRY(record_decode_average(record, &config, err));
    members = record_key_member(config.id, "");
    return verify_domain_scan(c, &members, visit_member, context, err);
}

/* An accumulation is of an optimizer that is there, and has the sums and workers it says. */
static enum err_code
visit_accumulation(struct domain_check *c, void *context, struct bytes key, struct bytes record,
                   struct err *err)
{
    const uint64_t *model_id = context;
    struct bytes text = record_key_name(key), optimizer;
    const uint8_t *colon = memchr(text.data, ':', text.size);
    size_t name_size = colon == NULL ? 0 : (size_t)(colon - text.data);
    struct record_key owner, sums, workers;
    struct accumulation_record accumulation;
    char name[NAME_BYTES_MAX + 1];
    uint64_t sum_count = 0, worker_count = 0;

    c->seen.accumulations++;
    TRY(record_decode_accumulation(record, &accumulation, err));
    snprintf(name, sizeof name, "%.*s", (int)name_size, (const char *)text.data);
    owner = record_key_optimizer(*model_id, name);
    TRY(store_get(c->view, record_key_bytes(&owner), &optimizer, err));
    if (optimizer.data == NULL)
        verify_domain_finding(c,
                              "there is an accumulation '%.*s' of an optimizer that is not there",
                              (int)text.size, (const char *)text.data);
    sums = record_key_sum(accumulation.id, "");
    workers = record_key_worker(accumulation.id, "");
    TRY(verify_domain_scan(c, &sums, verify_domain_count, &sum_count, err));
    TRY(verify_domain_scan(c, &workers, verify_domain_count, &worker_count, err));
    c->seen.sums += sum_count;
    c->seen.workers += worker_count;
    if (sum_count != accumulation.sums || worker_count != accumulation.workers)
        verify_domain_finding(c,
                              "accumulation '%.*s' has %" PRIu64 " sums and %" PRIu64
                              " workers, its record says %" PRIu32 " and %" PRIu32,
                              (int)text.size, (const char *)text.data, sum_count, worker_count,
                              accumulation.sums, accumulation.workers);
    return OK;
}

static enum err_code
visit_accumulator(struct domain_check *c, void *context, struct bytes key, struct bytes record,
                  struct err *err)
{
    struct accumulator_record accumulator;

    (void)context;
    (void)key;
    c->seen.accumulators++;
    return record_decode_accumulator(record, &accumulator, err);
}

/* Steps are of an optimizer that is there, come one after the other, and none is open again. */
static enum err_code
visit_steps(struct domain_check *c, void *context, struct bytes key, struct bytes record,
            struct err *err)
{
    const uint64_t *model_id = context;
    struct bytes text = record_key_name(key), optimizer;
    struct steps_record steps;
    struct record_key owner;
    char name[NAME_BYTES_MAX + 1];

    c->seen.steps++;
    TRY(record_decode_steps(record, &steps, err));
    snprintf(name, sizeof name, "%.*s", (int)text.size, (const char *)text.data);
    owner = record_key_optimizer(*model_id, name);
    TRY(store_get(c->view, record_key_bytes(&owner), &optimizer, err));
    if (optimizer.data == NULL)
        verify_domain_finding(c, "there are steps of optimizer '%s', which is not there", name);
    for (uint32_t i = 0; i < steps.count; i++) {
        struct accumulation_record open;
        bool found = false;

        if (i > 0 && steps.steps[i - 1].revision >= steps.steps[i].revision)
            verify_domain_finding(c, "the steps of optimizer '%s' are out of order", name);
        TRY(record_get_accumulation(c->view, *model_id, name, steps.steps[i].key, &found, &open,
                                    err));
        if (found)
            verify_domain_finding(c, "accumulation '%s' of optimizer '%s' was applied and is open",
                                  steps.steps[i].key, name);
    }
    return OK;
}

enum err_code
verify_domain_training(struct domain_check *c, uint64_t model_id, struct err *err)
{
    struct record_key optimizers = record_key_optimizer(model_id, "");
    struct record_key applies = record_key_applies(model_id, "");
    struct record_key averages = record_key_average(model_id, "");
    struct record_key accumulations = record_key_model_accumulations(model_id);
    struct record_key steps = record_key_steps(model_id, "");
    struct record_key accumulators = record_key_accumulator(model_id, "");

    TRY(verify_domain_scan(c, &optimizers, visit_optimizer, &model_id, err));
    TRY(verify_domain_scan(c, &applies, visit_applies, &model_id, err));
    TRY(verify_domain_scan(c, &averages, visit_average, &model_id, err));
    TRY(verify_domain_scan(c, &accumulations, visit_accumulation, &model_id, err));
    TRY(verify_domain_scan(c, &steps, visit_steps, &model_id, err));
    return verify_domain_scan(c, &accumulators, visit_accumulator, &model_id, err);
}

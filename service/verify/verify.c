#include "service/verify/verify.h"

#include "service/state.h"
#include "service/training/accumulator.h"
#include "service/verify/verify_domain.h"
#include "store/base/scope.h"
#include "store/key.h"

typedef void found_ref(void *context, const struct value_ref *ref);

static void
found_if_any(const struct value_ref *ref, found_ref *found, void *context)
{
    if (ref->kind != VALUE_NONE)
        found(context, ref);
}

static enum err_code
visit_variable(struct bytes key, struct bytes bytes, found_ref *found, void *context,
               struct err *err)
{
    struct variable_record record;

    (void)key;
    TRY(record_decode_variable(bytes, &record, err));
    found_if_any(&record.initial_value, found, context);
    found_if_any(&record.initialized_with, found, context);
    found_if_any(&record.part_devices, found, context);
    found_if_any(&record.value, found, context);
    return OK;
}

static enum err_code
visit_tensor(struct bytes key, struct bytes bytes, found_ref *found, void *context, struct err *err)
{
    struct tensor_record record;

    (void)key;
    TRY(record_decode_tensor(bytes, &record, err));
    found_if_any(&record.value, found, context);
    return OK;
}

static enum err_code
visit_checkpoint(struct bytes key, struct bytes bytes, found_ref *found, void *context,
                 struct err *err)
{
    struct checkpoint_record record;

    (void)key;
    TRY(record_decode_checkpoint(bytes, &record, err));
    found_if_any(&record.metadata, found, context);
    return OK;
}

static enum err_code
visit_outcome(struct bytes key, struct bytes bytes, found_ref *found, void *context,
              struct err *err)
{
    struct outcome_record record;

    (void)key;
    TRY(record_decode_outcome(bytes, &record, err));
    found_if_any(&record.reply, found, context);
    return OK;
}

static enum err_code
visit_accumulator(struct bytes key, struct bytes bytes, found_ref *found, void *context,
                  struct err *err)
{
    struct accumulator_record record;

    (void)key;
    TRY(record_decode_accumulator(bytes, &record, err));
    found_if_any(&record.sum.values, found, context);
    found_if_any(&record.sum.numbers, found, context);
    found_if_any(&record.sum.counts, found, context);
    return OK;
}

static enum err_code
visit_sum(struct bytes key, struct bytes bytes, found_ref *found, void *context, struct err *err)
{
    struct sum_record record;

    (void)key;
    TRY(record_decode_sum(bytes, &record, err));
    found_if_any(&record.values, found, context);
    found_if_any(&record.numbers, found, context);
    found_if_any(&record.counts, found, context);
    return OK;
}

enum err_code
service_verify_store(struct store *store, bool payloads, struct store_verify_report *out,
                     struct err *err)
{
    static const uint8_t variable = STORE_KEY_VARIABLE, tensor = STORE_KEY_TENSOR,
                         checkpoint = STORE_KEY_CHECKPOINT, outcome = STORE_KEY_OUTCOME,
                         sum = STORE_KEY_SUM, accumulator = STORE_KEY_ACCUMULATOR;
    const struct store_verify_owner owners[] = {
        {.prefix = bytes_of(&variable, 1), .visit = visit_variable},
        {.prefix = bytes_of(&tensor, 1), .visit = visit_tensor},
        {.prefix = bytes_of(&checkpoint, 1), .visit = visit_checkpoint},
        {.prefix = bytes_of(&outcome, 1), .visit = visit_outcome},
        {.prefix = bytes_of(&sum, 1), .visit = visit_sum},
        {.prefix = bytes_of(&accumulator, 1), .visit = visit_accumulator},
    };

    AUTO_SNAPSHOT snapshot = NULL;

    TRY(store_verify(store, owners, sizeof owners / sizeof owners[0], payloads, out, err));
    TRY(store_snapshot_open(store, &snapshot, err));
    return verify_domain(store_snapshot_view(snapshot), out, err);
}

enum err_code
service_verify(struct service *service, bool payloads, struct store_verify_report *out,
               struct err *err)
{
    return service_verify_store(service->store, payloads, out, err);
}

/* A model goes, with everything in it. */
#include "service/commit.h"
#include "service/key_walk.h"
#include "service/model.h"
#include "service/record/record_history.h"
#include "service/saving/checkpoint.h"
#include "service/saving/saver.h"
#include "service/state.h"
#include "service/training/accumulation.h"
#include "service/training/accumulator.h"
#include "service/training/average.h"

struct delete_unit {
    const char *model;
    const struct write_options *options;
};

static enum err_code
release_variable(struct store_txn *txn, struct bytes key, struct err *err)
{
    struct variable_record variable;
    struct bytes record;

    TRY(store_get(store_txn_view(txn), key, &record, err));
    TRY(record_decode_variable(record, &variable, err));
    TRY(value_release(txn, &variable.initial_value, err));
    TRY(value_release(txn, &variable.initialized_with, err));
    TRY(value_release(txn, &variable.part_devices, err));
    return value_release(txn, &variable.value, err);
}

static enum err_code
release_checkpoint(struct store_txn *txn, struct bytes key, struct err *err)
{
    struct checkpoint_record checkpoint;
    struct bytes record;

    TRY(store_get(store_txn_view(txn), key, &record, err));
    TRY(record_decode_checkpoint(record, &checkpoint, err));
    return checkpoint_release(txn, &checkpoint, err);
}

static enum err_code
release_average(struct store_txn *txn, struct bytes key, struct err *err)
{
    AUTO(average_config) average = {0};
    struct bytes record;

    TRY(store_get(store_txn_view(txn), key, &record, err));
    TRY(record_decode_average(record, &average, err));
    return average_release(txn, average.id, err);
}

static enum err_code
release_accumulator(struct store_txn *txn, struct bytes key, struct err *err)
{
    struct accumulator_record accumulator;
    struct bytes record;

    TRY(store_get(store_txn_view(txn), key, &record, err));
    TRY(record_decode_accumulator(record, &accumulator, err));
    return accumulator_release(txn, &accumulator, err);
}

static enum err_code
release_saver(struct store_txn *txn, struct bytes key, struct err *err)
{
    struct saver_record saver;
    struct bytes record;

    TRY(store_get(store_txn_view(txn), key, &record, err));
    TRY(record_decode_saver(record, &saver, err));
    return saver_release(txn, saver.id, err);
}

/* All that a model has, and what its records hold. */
static enum err_code
delete_contents(struct store_txn *txn, uint64_t model_id, struct err *err)
{
    const struct {
        struct record_key prefix;
        key_walk_release *release;
    } contents[] = {
        {record_key_variable(model_id, ""), release_variable},
        {record_key_checkpoint(model_id, ""), release_checkpoint},
        {record_key_average(model_id, ""), release_average},
        {record_key_accumulator(model_id, ""), release_accumulator},
        {record_key_saver(model_id, ""), release_saver},
        {record_key_optimizer(model_id, ""), NULL},
        {record_key_applies(model_id, ""), NULL},
        {record_key_name_counter(model_id, ""), NULL},
        {record_key_scope_counter(model_id, ""), NULL},
        {record_key_orders(model_id), NULL},
        {record_key_places(model_id), NULL},
        {record_key_history(model_id, 0), NULL},
        {record_key_snapshots(model_id, 0), NULL},
        {record_key_setter(model_id), NULL},
        {record_key_usage(model_id), NULL},
    };

    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        TRY(key_walk_delete(txn, &contents[i].prefix, contents[i].release, err));
    return accumulation_remove_all(txn, model_id, NULL, err);
}

static enum err_code
delete_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct delete_unit *u = context;
    const struct store_view *view = store_txn_view(txn);
    struct model_record record;
    struct usage_record usage;
    struct record_key key;

    TRY(service_find_model(view, u->model, &record, err));
    TRY(record_get_usage(view, record.id, &usage, err));
    TRY(service_check_conditions(u->options, "model", u->model, true, usage.revision, err));
    TRY(delete_contents(txn, record.id, err));
    key = record_key_model(u->model); /* found, hence short enough */
    return store_delete(txn, record_key_bytes(&key), err);
}

enum err_code
model_delete(struct service *service, const char *model, const struct write_options *options,
             uint64_t *revision, struct err *err)
{
    struct delete_unit u = {.model = model, .options = options};
    enum err_code code = service_commit(service, delete_unit, &u, options, NULL, revision, err);

    if (code == OK)
        service_wake_up(service, SERVICE_TOPIC_ALL); /* who waits for what was in it */
    else
        err_about(err, "model", model);
    return code;
}

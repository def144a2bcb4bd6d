/* What a plan of places is made of, and whether that is as it was. */
#include "service/placement/model_place_plan.h"
#include "service/state.h"
#include "store/base/scope.h"

static uint64_t
hash_number(uint64_t hash, uint64_t number)
{
    return bytes_hash(hash, bytes_of(&number, sizeof number));
}

/* Of a variable what never changes goes with its id. */
static uint64_t
hash_variable(uint64_t hash, struct bytes name, const struct variable_record *record)
{
    const struct value_ref *parts = &record->part_devices;

    hash = bytes_hash(hash_number(hash, record->id), name);
    hash = bytes_hash(hash_number(hash, record->placed), bytes_of_text(record->device));
    hash = hash_number(hash, record->shape_known ? record->type.shape.rank : UINT64_MAX);
    for (uint32_t i = 0; record->shape_known && i < record->type.shape.rank; i++)
        hash = hash_number(hash, record->type.shape.dims[i]);
    hash = hash_number(hash_number(hash, parts->kind), parts->size);
    return parts->kind == VALUE_INLINE
               ? bytes_hash(hash, bytes_of(parts->bytes, (size_t)parts->size))
               : hash_number(hash, parts->kind == VALUE_NONE ? 0 : parts->id);
}

/* All whose keys begin so, as they are. */
static enum err_code
hash_records(const struct store_view *view, struct record_key prefix, uint64_t *hash,
             struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct bytes key, value;
    bool found = false;

    TRY(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        *hash = bytes_hash(bytes_hash(*hash, key), value);
    }
}

/* All that a plan is made of. */
static enum err_code
look(const struct store_view *view, const char *model, uint64_t *out, struct err *err)
{
    AUTO_CURSOR cursor = NULL;
    struct model_record record;
    struct record_key start;
    struct bytes key, value;
    bool found = false;

    TRY(service_find_model(view, model, &record, err));
    start = record_key_model(model);
    TRY(store_get(view, record_key_bytes(&start), &value, err));
    *out = bytes_hash(hash_number(BYTES_HASH_BEGIN, record.id), value);
    TRY(hash_records(view, record_key_optimizer(record.id, ""), out, err));
    TRY(hash_records(view, record_key_average(record.id, ""), out, err));
    start = record_key_variable(record.id, "");
    TRY(store_cursor_open(view, record_key_bytes(&start), bytes_of(NULL, 0), &cursor, err));
    for (;;) {
        struct variable_record variable;

        TRY(store_cursor_next(cursor, &found, &key, &value, err));
        if (!found)
            return OK;
        TRY(record_decode_variable(value, &variable, err));
        *out = hash_variable(*out, record_key_name(key), &variable);
    }
}

enum err_code
model_place_plan_note(struct place_plan *plan, const struct store_view *view, struct err *err)
{
    struct usage_record usage;

    TRY(record_get_usage(view, plan->record.id, &usage, err));
    plan->revision = usage.revision;
    return look(view, plan->model, &plan->state, err);
}

enum err_code
model_place_plan_check(const struct place_plan *plan, const struct store_view *view,
                       struct err *err)
{
    struct usage_record usage;
    struct model_record model;
    uint64_t state = 0;

    TRY(service_find_model(view, plan->model, &model, err));
    TRY(record_get_usage(view, model.id, &usage, err));
    if (model.id == plan->record.id && usage.revision == plan->revision)
        return OK;
    TRY(look(view, plan->model, &state, err));
    return state == plan->state
               ? OK
               : err_set(err, ERR_CONFLICT, "model '%s' changed meanwhile", plan->model);
}

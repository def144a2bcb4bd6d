/* Keys of the domain's records: kind, the id of what the thing lives in, its name. */
#include "service/record/record_history.h"
#include "store/base/check.h"
#include "store/key.h"

static struct record_key
key_of(uint8_t kind, const uint64_t *id, struct bytes name)
{
    struct record_key key = {.bytes = {kind}, .size = 1};

    if (id != NULL) {
        store_key_put_u64(key.bytes + key.size, *id);
        key.size += 8;
    }
    /* Names are checked before they get here; a longer one would be a bug, not input. */
    CHECK(name.size <= sizeof key.bytes - key.size);
    if (name.size > 0)
        memcpy(key.bytes + key.size, name.data, name.size);
    key.size += name.size;
    return key;
}

struct record_key
record_key_model(const char *model)
{
    return key_of(STORE_KEY_MODEL, NULL, bytes_of_text(model));
}

struct record_key
record_key_usage(uint64_t model_id)
{
    return key_of(STORE_KEY_USAGE, &model_id, bytes_of("", 0));
}

struct record_key
record_key_setter(uint64_t model_id)
{
    return key_of(STORE_KEY_SETTER, &model_id, bytes_of("", 0));
}

struct record_key
record_key_variable(uint64_t model_id, const char *name)
{
    return key_of(STORE_KEY_VARIABLE, &model_id, bytes_of_text(name));
}

struct record_key
record_key_name_counter(uint64_t model_id, const char *base)
{
    return key_of(STORE_KEY_NAME, &model_id, bytes_of_text(base));
}

struct record_key
record_key_scope_counter(uint64_t model_id, const char *scope)
{
    return key_of(STORE_KEY_SCOPE, &model_id, bytes_of_text(scope));
}

struct record_key
record_key_place(uint64_t model_id, uint64_t position)
{
    uint8_t number[8];

    store_key_put_u64(number, position);
    return key_of(STORE_KEY_PLACE, &model_id, bytes_of(number, sizeof number));
}

struct record_key
record_key_places(uint64_t model_id)
{
    return key_of(STORE_KEY_PLACE, &model_id, bytes_of("", 0));
}

static uint64_t
number_of(struct bytes bytes)
{
    uint64_t number = 0;

    CHECK(bytes.size == 8);
    for (size_t i = 0; i < bytes.size; i++)
        number = number << 8 | bytes.data[i];
    return number;
}

uint64_t
record_key_position(struct bytes key)
{
    return number_of(record_key_name(key));
}

/* Of a variable, by its id; 0: of the model. */
static struct record_key
key_of_variable(uint8_t kind, uint64_t model_id, uint64_t variable_id, const uint64_t *version)
{
    uint8_t rest[16];
    size_t size = 0;

    if (variable_id != 0) {
        store_key_put_u64(rest, variable_id);
        size += 8;
    }
    if (version != NULL) {
        store_key_put_u64(rest + size, *version);
        size += 8;
    }
    return key_of(kind, &model_id, bytes_of(rest, size));
}

struct record_key
record_key_history(uint64_t model_id, uint64_t variable_id)
{
    return key_of_variable(STORE_KEY_HISTORY, model_id, variable_id, NULL);
}

struct record_key
record_key_snapshot(uint64_t model_id, uint64_t variable_id, uint64_t version)
{
    return key_of_variable(STORE_KEY_SNAPSHOT, model_id, variable_id, &version);
}

struct record_key
record_key_snapshots(uint64_t model_id, uint64_t variable_id)
{
    return key_of_variable(STORE_KEY_SNAPSHOT, model_id, variable_id, NULL);
}

struct record_key
record_key_applies(uint64_t model_id, const char *optimizer)
{
    return key_of(STORE_KEY_APPLIES, &model_id, bytes_of_text(optimizer));
}

struct record_key
record_key_checkpoint(uint64_t model_id, const char *name)
{
    return key_of(STORE_KEY_CHECKPOINT, &model_id, bytes_of_text(name));
}

struct record_key
record_key_order(uint64_t model_id, uint64_t checkpoint_id)
{
    uint8_t inverted[8];

    /* Inverted so that a forward scan gives the newest first. */
    store_key_put_u64(inverted, ~checkpoint_id);
    return key_of(STORE_KEY_ORDER, &model_id, bytes_of(inverted, sizeof inverted));
}

struct record_key
record_key_orders(uint64_t model_id)
{
    return key_of(STORE_KEY_ORDER, &model_id, bytes_of("", 0));
}

struct record_key
record_key_tensor(uint64_t checkpoint_id, struct bytes name)
{
    return key_of(STORE_KEY_TENSOR, &checkpoint_id, name);
}

struct record_key
record_key_optimizer(uint64_t model_id, const char *name)
{
    return key_of(STORE_KEY_OPTIMIZER, &model_id, bytes_of_text(name));
}

struct record_key
record_key_accumulator(uint64_t model_id, const char *name)
{
    return key_of(STORE_KEY_ACCUMULATOR, &model_id, bytes_of_text(name));
}

/* No name of an optimizer holds a colon. */
struct record_key
record_key_accumulation(uint64_t model_id, const char *optimizer, const char *key)
{
    struct record_key out = record_key_accumulations(model_id, optimizer);
    size_t size = strlen(key);

    CHECK(size <= sizeof out.bytes - out.size);
    memcpy(out.bytes + out.size, key, size);
    out.size += size;
    return out;
}

struct record_key
record_key_accumulations(uint64_t model_id, const char *optimizer)
{
    struct record_key out = key_of(STORE_KEY_ACCUMULATION, &model_id, bytes_of_text(optimizer));

    CHECK(out.size < sizeof out.bytes);
    out.bytes[out.size++] = ':';
    return out;
}

struct record_key
record_key_model_accumulations(uint64_t model_id)
{
    return key_of(STORE_KEY_ACCUMULATION, &model_id, bytes_of("", 0));
}

struct record_key
record_key_sum(uint64_t accumulation_id, const char *variable)
{
    return key_of(STORE_KEY_SUM, &accumulation_id, bytes_of_text(variable));
}

struct record_key
record_key_worker(uint64_t accumulation_id, const char *worker)
{
    return key_of(STORE_KEY_WORKER, &accumulation_id, bytes_of_text(worker));
}

struct record_key
record_key_steps(uint64_t model_id, const char *optimizer)
{
    return key_of(STORE_KEY_STEPS, &model_id, bytes_of_text(optimizer));
}

struct record_key
record_key_saver(uint64_t model_id, const char *name)
{
    return key_of(STORE_KEY_SAVER, &model_id, bytes_of_text(name));
}

struct record_key
record_key_saved(uint64_t saver_id, struct bytes tensor)
{
    return key_of(STORE_KEY_SAVED, &saver_id, tensor);
}

struct record_key
record_key_last(uint64_t saver_id, uint64_t place)
{
    uint8_t number[8];

    store_key_put_u64(number, place);
    return key_of(STORE_KEY_LAST, &saver_id, bytes_of(number, sizeof number));
}

struct record_key
record_key_lasts(uint64_t saver_id)
{
    return key_of(STORE_KEY_LAST, &saver_id, bytes_of("", 0));
}

struct record_key
record_key_listed(uint64_t saver_id, const char *checkpoint)
{
    return key_of(STORE_KEY_LISTED, &saver_id, bytes_of_text(checkpoint));
}

struct record_key
record_key_outcome(struct bytes idempotency_key)
{
    return key_of(STORE_KEY_OUTCOME, NULL, idempotency_key);
}

struct record_key
record_key_expiry(uint64_t created_ms, struct bytes idempotency_key)
{
    return key_of(STORE_KEY_EXPIRY, &created_ms, idempotency_key);
}

struct record_key
record_key_expiries(void)
{
    return key_of(STORE_KEY_EXPIRY, NULL, bytes_of("", 0));
}

struct record_key
record_key_kept(void)
{
    return key_of(STORE_KEY_KEPT, NULL, bytes_of("", 0));
}

uint64_t
record_key_created_ms(struct bytes key)
{
    CHECK(key.size >= 9);
    return number_of(bytes_of(key.data + 1, 8));
}

uint64_t
record_key_id(struct bytes key)
{
    CHECK(key.size >= 9);
    return number_of(bytes_of(key.data + 1, 8));
}

struct record_key
record_key_average(uint64_t model_id, const char *name)
{
    return key_of(STORE_KEY_AVERAGE, &model_id, bytes_of_text(name));
}

struct record_key
record_key_member(uint64_t average_id, const char *name)
{
    return key_of(STORE_KEY_MEMBER, &average_id, bytes_of_text(name));
}

struct bytes
record_key_name(struct bytes key)
{
    bool has_id = key.data[0] != STORE_KEY_MODEL && key.data[0] != STORE_KEY_OUTCOME;
    size_t head = has_id ? 9 : 1;

    CHECK(key.size >= head);
    return bytes_of(key.data + head, key.size - head);
}

/* How fast the store alone is: commits by 1, 16 and 64 threads in both durability modes, staged
 * values, look-ups. Prints a table; decides nothing. Usage: store [seconds per row] */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/alloc.h"
#include "store/base/clock.h"
#include "store/value.h"
#include "tests/support/unit.h"

enum { THREADS_MAX = 64, RECORD_BYTES = 100, VALUE_BYTES = 64 << 20 };

struct load {
    struct store *store;
    uint64_t until_ms;
    _Atomic uint64_t done;
    _Atomic bool failed;
};

struct client {
    struct load *load;
    uint32_t number;
    pthread_t thread;
};

static enum err_code
put_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct client *client = context;
    char key[32], value[RECORD_BYTES] = {0};
    int length = snprintf(key, sizeof key, "z%" PRIu32, client->number);

    memcpy(value, &client->load->done, sizeof(uint64_t));
    return store_put(txn, bytes_of(key, (size_t)length), bytes_of(value, sizeof value), err);
}

static void *
put_loop(void *context)
{
    struct client *client = context;
    struct store_update_options options = {0};
    uint64_t revision = 0;

    while (clock_monotonic_ms() < client->load->until_ms) {
        if (store_update(client->load->store, put_unit, client, &options, &revision, NULL) != OK) {
            client->load->failed = true;
            break;
        }
        client->load->done++;
    }
    return NULL;
}

static void *
get_loop(void *context)
{
    struct client *client = context;
    char key[32];
    int length = snprintf(key, sizeof key, "z%" PRIu32, client->number);

    while (clock_monotonic_ms() < client->load->until_ms) {
        struct store_snapshot *snapshot = NULL;
        struct bytes value;

        if (store_snapshot_open(client->load->store, &snapshot, NULL) != OK ||
            store_get(store_snapshot_view(snapshot), bytes_of(key, (size_t)length), &value, NULL) !=
                OK)
            client->load->failed = true;
        store_snapshot_drop(snapshot);
        client->load->done++;
    }
    return NULL;
}

static void
run_row(struct store *store, const char *what, uint32_t threads, void *(*loop)(void *),
        uint64_t seconds)
{
    struct load load = {.store = store, .until_ms = clock_monotonic_ms() + seconds * 1000};
    struct client clients[THREADS_MAX];
    uint64_t begin = clock_monotonic_ms(), took;

    for (uint32_t i = 0; i < threads; i++) {
        clients[i] = (struct client){.load = &load, .number = i};
        if (pthread_create(&clients[i].thread, NULL, loop, &clients[i]) != 0)
            abort();
    }
    for (uint32_t i = 0; i < threads; i++)
        (void)pthread_join(clients[i].thread, NULL);
    took = clock_monotonic_ms() - begin;
    printf("%-34s %-16s %2" PRIu32 " threads %12.0f/s%s\n", what, store_durability_name(store),
           threads, (double)load.done * 1000 / (double)(took ? took : 1),
           load.failed ? "  (failed)" : "");
}

/* --- one large value after the other --- */

struct publish {
    struct value_builder *builder;
    struct value_ref *kept; /* the one before: released */
};

static enum err_code
publish_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct publish *publish = context;
    struct value_ref ref;

    TRY(value_builder_publish(publish->builder, txn, &ref, err));
    if (publish->kept->kind != VALUE_NONE)
        TRY(value_release(txn, publish->kept, err));
    *publish->kept = ref;
    return OK;
}

static enum err_code
write_value(struct store *store, const uint8_t *bytes, struct value_ref *kept, struct err *err)
{
    struct store_update_options options = {0};
    struct publish publish = {.kept = kept};
    uint64_t revision = 0;
    enum err_code code;

    TRY(store_stage_open(store, &options.stage, err));
    code = value_builder_open(store, options.stage, VALUE_BYTES, STORE_CLASS_BULK, &publish.builder,
                              err);
    if (code == OK)
        code = value_builder_append(publish.builder, bytes, VALUE_BYTES, err);
    if (code == OK)
        code = store_update(store, publish_unit, &publish, &options, &revision, err);
    if (code != OK)
        store_stage_drop(options.stage);
    value_builder_drop(publish.builder);
    return code;
}

static void
run_values(struct store *store, uint64_t seconds)
{
    struct err err = ERR_INIT;
    struct value_ref kept = {.kind = VALUE_NONE};
    uint8_t *bytes = mem_zeroed(1, VALUE_BYTES, &err);
    uint64_t begin = clock_monotonic_ms(), took = 0, count = 0;

    while (bytes != NULL && took < seconds * 1000) {
        if (write_value(store, bytes, &kept, &err) != OK)
            break;
        count++;
        took = clock_monotonic_ms() - begin;
    }
    printf("%-34s %-16s  1 threads %12.2f GB/s %s\n", "staged values of 64 MiB",
           store_durability_name(store),
           (double)count * VALUE_BYTES / 1e6 / (double)(took ? took : 1), err.text);
    mem_free(bytes);
}

static int
run_mode(enum store_durability durability, uint64_t seconds)
{
    static const uint32_t threads[] = {1, 16, 64};
    struct err err = ERR_INIT;
    struct store *store = NULL;
    char *directory = unit_temp_dir();
    struct store_config config = store_config_default(directory);

    config.durability = durability;
    config.interval_ms = 100;
    config.map_size_bytes = unit_map_bytes();
    if (store_open(&config, &store, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        run_row(store, "update of one 100-byte record", threads[i], put_loop, seconds);
    run_row(store, "snapshot and get", 1, get_loop, seconds);
    run_row(store, "snapshot and get", 2, get_loop, seconds);
    run_values(store, seconds);
    store_close(store);
    unit_temp_dir_remove(directory);
    return 0;
}

int
main(int argc, char **argv)
{
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 2;

    return run_mode(STORE_DURABLE_COMMIT, seconds) | run_mode(STORE_DURABLE_INTERVAL, seconds);
}

/* What it costs to change 1 000 random rows of 64 float32 in a table of 1 million rows and in one
 * of 10 million, turn about: patches of a value kept in rows chunks, each a commit of its own, and
 * reads of as many rows. The cost should not depend on the table. Usage: rows [rounds] */
#include <inttypes.h>
#include <string.h>

#include "store/base/alloc.h"
#include "store/value.h"
#include "tests/bench/bench.h"
#include "tests/support/unit.h"

enum { ROW_BYTES = 256, ROWS_CHANGED = 1000, TABLES = 2, ROUNDS_MAX = 1000 };

struct table {
    uint64_t row_count;
    struct value_ref ref;
    uint64_t rows[ROWS_CHANGED]; /* of this round, ascending */
    double patched[ROUNDS_MAX], read[ROUNDS_MAX];
};

static uint64_t
next_number(void)
{
    static uint64_t state = 1;

    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 20;
}

static int
compare_rows(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void
draw_rows(struct table *table)
{
    for (int i = 0; i < ROWS_CHANGED; i++)
        table->rows[i] = next_number() % table->row_count;
    qsort(table->rows, ROWS_CHANGED, sizeof table->rows[0], compare_rows);
}

/* --- making the table --- */

struct publish {
    struct value_builder *builder;
    struct value_ref ref;
};

static enum err_code
publish_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct publish *publish = context;

    return value_builder_publish(publish->builder, txn, &publish->ref, err);
}

static void
make_table(struct store *store, struct table *table, struct err *err)
{
    struct store_update_options options = {0};
    struct publish publish = {0};
    uint64_t size = table->row_count * ROW_BYTES, revision = 0;

    must(store_stage_open(store, &options.stage, err), err);
    must(value_builder_open(store, options.stage, size, STORE_CLASS_ROWS, &publish.builder, err),
         err);
    while (size > 0) {
        uint8_t *room = NULL;
        size_t part = 0;

        must(value_builder_reserve(publish.builder, &room, &part, err), err);
        memset(room, (int)(size & 0x3f), part);
        must(value_builder_commit(publish.builder, part, err), err);
        size -= part;
    }
    must(store_update(store, publish_unit, &publish, &options, &revision, err), err);
    value_builder_drop(publish.builder);
    table->ref = publish.ref;
}

/* Looks at every page once: what is measured is not the first touch of memory that is mapped. */
static void
warm(struct store *store, const struct table *table, struct err *err)
{
    struct store_snapshot *snapshot = NULL;
    struct value_reader reader;
    struct bytes run = {0};

    must(store_snapshot_open(store, &snapshot, err), err);
    must(value_open(store_snapshot_view(snapshot), &table->ref, &reader, err), err);
    for (uint64_t offset = 0; offset < table->ref.size; offset += run.size) {
        must(value_run(&reader, offset, UINT64_MAX, &run, NULL, err), err);
        for (size_t i = 0; i < run.size; i += 4096)
            (void)*(const volatile uint8_t *)(run.data + i);
    }
    value_reader_drop(&reader);
    store_snapshot_drop(snapshot);
}

/* --- a round --- */

static enum err_code
patch_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct table *table = context;
    struct value_patch *patch = NULL;

    TRY(value_patch_open(txn, &table->ref, &patch, err));
    for (int i = 0; i < ROWS_CHANGED; i++) {
        uint64_t offset = table->rows[i] * ROW_BYTES, left = ROW_BYTES;

        while (left > 0) {
            uint8_t *room = NULL;
            size_t part = 0;

            must(value_patch_bytes(patch, offset, left, false, &room, &part, err), err);
            room[0] ^= 0xff;
            offset += part;
            left -= part;
        }
    }
    must(value_patch_close(patch, &table->ref, err), err);
    value_patch_drop(patch);
    return OK;
}

static void
read_rows(struct store *store, const struct table *table, struct err *err)
{
    struct store_snapshot *snapshot = NULL;
    struct value_reader reader;
    uint8_t row[ROW_BYTES];

    must(store_snapshot_open(store, &snapshot, err), err);
    must(value_open(store_snapshot_view(snapshot), &table->ref, &reader, err), err);
    for (int i = 0; i < ROWS_CHANGED; i++)
        must(value_copy(&reader, table->rows[i] * ROW_BYTES, ROW_BYTES, row, err), err);
    value_reader_drop(&reader);
    store_snapshot_drop(snapshot);
}

static void
run_round(struct store *store, struct table *table, int round, struct err *err)
{
    struct store_update_options options = {0};
    uint64_t revision = 0;
    double begin;

    draw_rows(table);
    begin = seconds_of(CLOCK_MONOTONIC);
    must(store_update(store, patch_unit, table, &options, &revision, err), err);
    table->patched[round] = seconds_of(CLOCK_MONOTONIC) - begin;
    draw_rows(table);
    begin = seconds_of(CLOCK_MONOTONIC);
    read_rows(store, table, err);
    table->read[round] = seconds_of(CLOCK_MONOTONIC) - begin;
}

int
main(int argc, char **argv)
{
    static struct table tables[TABLES] = {{.row_count = 1000000}, {.row_count = 10000000}};
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 40;
    struct err err = ERR_INIT;
    struct store *store = NULL;
    char *directory = unit_temp_dir();
    struct store_config config = store_config_default(directory);
    double patched[TABLES], read[TABLES];

    config.map_size_bytes = unit_map_bytes();
    must(store_open(&config, &store, &err), &err);
    for (int t = 0; t < TABLES; t++)
        make_table(store, &tables[t], &err);
    for (int t = 0; t < TABLES; t++)
        warm(store, &tables[t], &err);
    for (int round = 0; round < rounds; round++)
        for (int t = 0; t < TABLES; t++)
            run_round(store, &tables[t], round, &err);
    for (int t = 0; t < TABLES; t++) {
        patched[t] = median(tables[t].patched, rounds);
        read[t] = median(tables[t].read, rounds);
        printf("%9" PRIu64 " rows: %7.2f ms to change %d, %7.2f ms to read as many\n",
               tables[t].row_count, patched[t] * 1e3, ROWS_CHANGED, read[t] * 1e3);
    }
    printf("10 million against 1 million: %.2f, %.2f\n", patched[1] / patched[0],
           read[1] / read[0]);
    store_close(store);
    unit_temp_dir_remove(directory);
    return 0;
}

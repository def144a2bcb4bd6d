/* What the tests of values share: bytes that can be told apart, and values owned by records under
 * the keys "o" + one byte, so that references have somebody to count. */
#ifndef TESTS_UNIT_STORE_VALUE_FIXTURE_H
#define TESTS_UNIT_STORE_VALUE_FIXTURE_H

#include "store/base/alloc.h"
#include "store/base/crc32c.h"
#include "store/key.h"
#include "store/value.h"
#include "store/verify.h"
#include "tests/support/stored.h"
#include "tests/unit/store/store_fixture.h"

/* xorshift64*: small and the same everywhere. */
static inline uint64_t
random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

/* Owns: free. */
static inline uint8_t *
make_bytes(size_t size, uint64_t seed)
{
    uint8_t *bytes = malloc(size + 1);
    uint64_t state = seed * 2 + 1;

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = random_next(&state);

        memcpy(bytes + i, &word, size - i < 8 ? size - i : 8);
    }
    return bytes;
}

/* --- records that own values ---------------------------------------------------------------- */

static inline struct store_key
owner_key(uint8_t name)
{
    return (struct store_key){.bytes = {'o', name}, .size = 2};
}

static inline enum err_code
owner_put(struct store_txn *txn, uint8_t name, const struct value_ref *ref, struct err *err)
{
    struct store_key key = owner_key(name);
    struct buf record;
    enum err_code code;

    buf_init(&record, STORE_RECORD_BYTES_MAX);
    code = value_ref_encode(ref, &record, err);
    if (code == OK)
        code = store_put(txn, store_key_bytes(&key), buf_bytes(&record), err);
    buf_drop(&record);
    return code;
}

/* VALUE_NONE when there is no such owner. */
static inline enum err_code
owner_get(const struct store_view *view, uint8_t name, struct value_ref *out, struct err *err)
{
    struct store_key key = owner_key(name);
    struct bytes record;
    struct reader in;

    *out = (struct value_ref){0};
    TRY(store_get(view, store_key_bytes(&key), &record, err));
    if (record.data == NULL)
        return OK;
    in = reader_of(record);
    value_ref_decode(&in, out);
    return reader_ended_well(&in) ? OK : err_set(err, ERR_DATA_LOSS, "owner %d is damaged", name);
}

static inline enum err_code
owner_delete(struct store_txn *txn, uint8_t name, struct err *err)
{
    struct store_key key = owner_key(name);
    struct value_ref ref;

    TRY(owner_get(store_txn_view(txn), name, &ref, err));
    TRY(value_release(txn, &ref, err));
    return store_delete(txn, store_key_bytes(&key), err);
}

/* --- units ----------------------------------------------------------------------------------- */

struct publish_call {
    struct value_builder *builder;
    uint8_t name;
    struct value_ref ref;
    int runs;
};

static inline enum err_code
publish_unit(struct store_txn *txn, void *context, struct err *err)
{
    struct publish_call *call = context;

    call->runs++;
    TRY(value_builder_publish(call->builder, txn, &call->ref, err));
    return owner_put(txn, call->name, &call->ref, err);
}

/* Publishes a finished builder under `name`. Takes the stage when there is one. */
static inline struct value_ref
publish(struct fixture *f, struct value_builder *builder, struct store_stage *stage, uint8_t name)
{
    struct publish_call call = {.builder = builder, .name = name};
    struct store_update_options options = {.stage = stage};
    uint64_t revision;

    WORKS(store_update(f->store, publish_unit, &call, &options, &revision, &f->err), &f->err);
    return call.ref;
}

/* A value with these bytes, built in pieces of `piece` bytes. */
static inline struct value_ref
build(struct fixture *f, uint8_t name, struct bytes bytes, enum store_class class, size_t piece)
{
    struct value_builder *builder = NULL;
    struct store_stage *stage = NULL;
    struct value_ref ref;

    WORKS(store_stage_open(f->store, &stage, &f->err), &f->err);
    WORKS(value_builder_open(f->store, stage, bytes.size, class, &builder, &f->err), &f->err);
    for (size_t at = 0; at < bytes.size; at += piece) {
        size_t part = bytes.size - at < piece ? bytes.size - at : piece;

        WORKS(value_builder_append(builder, bytes.data + at, part, &f->err), &f->err);
    }
    ref = publish(f, builder, stage, name);
    value_builder_drop(builder);
    return ref;
}

static inline struct value_ref
build_fill(struct fixture *f, uint8_t name, uint64_t size, const void *pattern, size_t pattern_size)
{
    struct value_builder *builder = NULL;
    struct value_ref ref;

    WORKS(value_builder_open(f->store, NULL, size, STORE_CLASS_BULK, &builder, &f->err), &f->err);
    WORKS(value_builder_fill(builder, pattern, pattern_size, &f->err), &f->err);
    ref = publish(f, builder, NULL, name);
    value_builder_drop(builder);
    return ref;
}

static inline enum err_code
delete_unit(struct store_txn *txn, void *context, struct err *err)
{
    return owner_delete(txn, *(const uint8_t *)context, err);
}

static inline void
drop_owner(struct fixture *f, uint8_t name)
{
    uint64_t revision;

    WORKS(store_update(f->store, delete_unit, &name, NULL, &revision, &f->err), &f->err);
}

struct copy_call {
    uint8_t from, to;
};

static inline enum err_code
copy_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct copy_call *call = context;
    struct value_ref ref;

    TRY(owner_get(store_txn_view(txn), call->from, &ref, err));
    TRY(value_share(txn, &ref, err));
    return owner_put(txn, call->to, &ref, err);
}

/* `to` is new. */
static inline void
copy_owner(struct fixture *f, uint8_t from, uint8_t to)
{
    struct copy_call call = {from, to};
    uint64_t revision;

    WORKS(store_update(f->store, copy_unit, &call, NULL, &revision, &f->err), &f->err);
}

struct patch_call {
    uint8_t name;
    uint64_t offset;
    struct bytes bytes;
    bool whole;
};

static inline enum err_code
patch_bytes(struct value_patch *patch, const struct patch_call *call, struct err *err)
{
    uint8_t *room;
    size_t part;

    for (size_t at = 0; at < call->bytes.size; at += part) {
        TRY(value_patch_bytes(patch, call->offset + at, call->bytes.size - at, call->whole, &room,
                              &part, err));
        memcpy(room, call->bytes.data + at, part);
    }
    return OK;
}

static inline enum err_code
patch_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct patch_call *call = context;
    struct value_patch *patch = NULL;
    struct value_ref ref, changed;
    enum err_code code;

    TRY(owner_get(store_txn_view(txn), call->name, &ref, err));
    TRY(value_patch_open(txn, &ref, &patch, err));
    code = patch_bytes(patch, call, err);
    if (code == OK)
        code = value_patch_close(patch, &changed, err);
    value_patch_drop(patch);
    TRY(code);
    return owner_put(txn, call->name, &changed, err);
}

static inline void
patch_owner(struct fixture *f, uint8_t name, uint64_t offset, const void *bytes, size_t size)
{
    struct patch_call call = {name, offset, bytes_of(bytes, size), true};
    uint64_t revision;

    WORKS(store_update(f->store, patch_unit, &call, NULL, &revision, &f->err), &f->err);
}

/* --- looking ---------------------------------------------------------------------------------- */

struct looking {
    struct store_snapshot *snapshot;
    struct value_reader reader;
};

static inline void
look_at(struct fixture *f, uint8_t name, struct looking *out)
{
    struct value_ref ref;

    WORKS(store_snapshot_open(f->store, &out->snapshot, &f->err), &f->err);
    WORKS(owner_get(store_snapshot_view(out->snapshot), name, &ref, &f->err), &f->err);
    WORKS(value_open(store_snapshot_view(out->snapshot), &ref, &out->reader, &f->err), &f->err);
}

static inline void
look_away(struct looking *looking)
{
    value_reader_drop(&looking->reader);
    store_snapshot_drop(looking->snapshot);
}

/* The value has exactly these bytes, by copy and by runs, and their checksum. */
static inline void
reader_must_hold(struct value_reader *reader, struct bytes bytes)
{
    struct err err = ERR_INIT;
    uint8_t *copy = malloc(bytes.size + 1);
    struct bytes run;
    uint32_t crc;

    assert_non_null(copy);
    assert_int_equal(reader->ref.size, bytes.size);
    WORKS(value_copy(reader, 0, bytes.size, copy, &err), &err);
    assert_int_equal(memcmp(copy, bytes.data, bytes.size), 0);
    free(copy);
    for (uint64_t at = 0; at < bytes.size; at += run.size) {
        WORKS(value_run(reader, at, UINT64_MAX, &run, NULL, &err), &err);
        assert_true(run.size > 0 && run.size <= bytes.size - at);
        assert_int_equal(memcmp(run.data, bytes.data + at, run.size), 0);
    }
    WORKS(value_crc32c(reader, &crc, &err), &err);
    assert_int_equal(crc, crc32c(0, bytes.data, bytes.size));
    WORKS(value_verify(reader, &err), &err);
}

static inline void
owner_must_hold(struct fixture *f, uint8_t name, struct bytes bytes)
{
    struct looking looking;

    look_at(f, name, &looking);
    reader_must_hold(&looking.reader, bytes);
    look_away(&looking);
}

static inline struct stored_usage
usage_of(struct fixture *f, uint8_t name)
{
    struct stored_usage usage;
    struct looking looking;

    look_at(f, name, &looking);
    WORKS(stored_usage(looking.reader.view, &looking.reader.ref, &usage, &f->err), &f->err);
    look_away(&looking);
    return usage;
}

/* Freed chunks are deleted a little later: waits until the files hold exactly so many. */
static inline void
chunks_must_become(struct fixture *f, uint64_t expected)
{
    struct store_stats stats;
    uint64_t chunks = UINT64_MAX;

    for (int i = 0; i < 4000 && chunks != expected; i++) {
        if (i > 0)
            usleep(2500);
        WORKS(store_stats_read(f->store, &stats, &f->err), &f->err);
        chunks = stats.chunks[STORE_CLASS_ROWS] + stats.chunks[STORE_CLASS_BULK];
    }
    assert_int_equal(chunks, expected);
}

static inline enum err_code
owner_visit(struct bytes key, struct bytes record,
            void (*found)(void *ctx, const struct value_ref *ref), void *ctx, struct err *err)
{
    struct reader in = reader_of(record);
    struct value_ref ref;

    value_ref_decode(&in, &ref);
    if (!reader_ended_well(&in))
        return err_set(err, ERR_DATA_LOSS, "owner %d is damaged", key.data[1]);
    found(ctx, &ref);
    return OK;
}

static inline struct store_verify_report
verify_all(struct fixture *f)
{
    struct store_verify_owner owner = {bytes_of_text("o"), owner_visit};
    struct store_verify_report report;

    WORKS(store_verify(f->store, &owner, 1, true, &report, &f->err), &f->err);
    return report;
}

static inline struct store_verify_report
verify_must_find_nothing(struct fixture *f)
{
    struct store_verify_report report = verify_all(f);

    for (uint32_t i = 0; i < report.text_count; i++)
        print_error("verify: %s\n", report.texts[i]);
    assert_int_equal(report.findings, 0);
    return report;
}

#endif

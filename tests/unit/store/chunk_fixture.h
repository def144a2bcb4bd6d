/* Chunks with contents that can be told from one another, named by records "c<number>". */
#ifndef TESTS_UNIT_STORE_CHUNK_FIXTURE_H
#define TESTS_UNIT_STORE_CHUNK_FIXTURE_H

#include "tests/unit/store/store_fixture.h"

struct named_chunk {
    struct store_chunk_place place;
    uint64_t id;
    uint32_t length, crc, seed;
};

static inline void
fill(uint8_t *bytes, uint32_t length, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;

    for (uint32_t i = 0; i < length; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
}

static inline bool
is_filled(struct bytes bytes, uint32_t seed)
{
    uint32_t x = seed * 2654435761u + 1;

    for (size_t i = 0; i < bytes.size; i++) {
        x = x * 1664525u + 1013904223u;
        if (bytes.data[i] != (uint8_t)(x >> 24))
            return false;
    }
    return true;
}

/* Fills and seals; *out says what was made. */
static inline void
finish(struct store_chunk *chunk, struct store_chunk_place place, uint32_t seed,
       struct named_chunk *out)
{
    assert_int_equal((uintptr_t)chunk->bytes % 64, 0);
    fill(chunk->bytes, chunk->length, seed);
    store_chunk_seal(chunk);
    memset(out, 0, sizeof *out); /* stored as it is, so the gaps between the fields count */
    out->place.family = place.family;
    out->place.index = place.index;
    out->id = chunk->id;
    out->length = chunk->length;
    out->crc = chunk->crc;
    out->seed = seed;
}

static inline void
must_read(const struct store_view *view, const struct named_chunk *c)
{
    struct err err = ERR_INIT;
    struct bytes bytes;

    WORKS(store_chunk_verify(view, c->id, c->place, c->length, c->crc, &bytes, &err), &err);
    assert_int_equal(bytes.size, c->length);
    assert_true(is_filled(bytes, c->seed));
}

/* One unit: frees `old` (id 0: none), makes and names a chunk of `length` bytes. */
struct replacement {
    struct named_chunk old, made;
    enum store_class class;
    struct store_chunk_place place;
    uint32_t length, seed;
    enum err_code then; /* the unit's own result */
};

static inline enum err_code
replace_chunk(struct store_txn *txn, void *context, struct err *err)
{
    struct replacement *r = context;
    struct store_chunk chunk;
    char key[32];

    snprintf(key, sizeof key, "c%llu/%u", (unsigned long long)r->place.family, r->place.index);
    TRY(store_txn_chunk(txn, r->class, r->place, r->length, &chunk, err));
    finish(&chunk, r->place, r->seed, &r->made);
    must_read(store_txn_view(txn), &r->made);
    if (r->old.id != 0)
        TRY(store_chunk_free(txn, r->old.place.family, r->old.id, err));
    TRY(store_put(txn, bytes_of_text(key), bytes_of(&r->made, sizeof r->made), err));
    return r->then == OK ? OK : err_set(err, r->then, "asked to fail");
}

static inline void
replace(struct fixture *f, struct replacement *r)
{
    WORKS(store_update(f->store, replace_chunk, r, NULL, NULL, &f->err), &f->err);
    r->old = r->made;
}

/* Names what was staged. */
struct naming {
    const struct named_chunk *chunks;
    size_t count;
};

static inline enum err_code
name_chunks(struct store_txn *txn, void *context, struct err *err)
{
    const struct naming *n = context;

    for (size_t i = 0; i < n->count; i++) {
        const struct named_chunk *c = &n->chunks[i];
        char key[48];

        snprintf(key, sizeof key, "c%llu/%u", (unsigned long long)c->place.family, c->place.index);
        must_read(store_txn_view(txn), c);
        TRY(store_put(txn, bytes_of_text(key), bytes_of(c, sizeof *c), err));
    }
    return OK;
}

static inline void
stage_chunks(struct fixture *f, struct store_stage *stage, enum store_class class, uint64_t family,
             uint32_t length, struct named_chunk *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct store_chunk_place place = {family, i};
        struct store_chunk chunk;

        WORKS(store_stage_chunk(stage, class, place, length, &chunk, &f->err), &f->err);
        finish(&chunk, place, (uint32_t)family * 1000 + i, &out[i]);
    }
}

/* Reads all of them in one snapshot. */
static inline void
must_read_all(struct fixture *f, const struct named_chunk *chunks, size_t count)
{
    struct store_snapshot *snapshot = NULL;

    WORKS(store_snapshot_open(f->store, &snapshot, &f->err), &f->err);
    for (size_t i = 0; i < count; i++)
        must_read(store_snapshot_view(snapshot), &chunks[i]);
    store_snapshot_drop(snapshot);
}

#endif

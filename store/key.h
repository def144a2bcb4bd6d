/* Keys of the meta records: the first byte is the kind, so that a kind is a prefix and one scan
 * lists it.
 *
 * Numbers in keys are big-endian, because keys sort as bytes. This list is the only place where
 * kinds are given out; a byte that once named something is never used for something else. */
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include "store/base/bytes.h"

enum {
    STORE_KEY_ENGINE = 0x00, /* the engine's own; no one else reads or writes these */
    /* store/value*.c */
    STORE_KEY_VALUE = 'V',  /* id: head of a value, with its reference count */
    STORE_KEY_DATA = 'D',   /* id: the bytes of a value that is one record */
    STORE_KEY_LIST = 'L',   /* id, segment: part of a value's list of chunks */
    STORE_KEY_FAMILY = 'F', /* family, id: empty; the lists that may share chunks */
    /* service/ */
    STORE_KEY_MODEL = 'm',
    STORE_KEY_VARIABLE = 'v',
    STORE_KEY_CHECKPOINT = 'c',
    STORE_KEY_TENSOR = 't', /* checkpoint id, name: one tensor of a checkpoint */
    STORE_KEY_ORDER = 'r',  /* model, inverted checkpoint id: newest first */
    STORE_KEY_NAME = 'n',   /* model, base name: next number of a uniquified name */
    STORE_KEY_USAGE = 'u',  /* model: its counts and bytes */
    STORE_KEY_SETTER = 'P', /* model: what its device setter has drawn */
    STORE_KEY_PLACE = 'g',  /* model, position: the variable whose nodes begin there in its graph */
    STORE_KEY_APPLIES = 'p', /* model, optimizer: revisions of its last applies */
    STORE_KEY_SCOPE = 's',   /* model, name: next number of that name in its graph */
    STORE_KEY_OPTIMIZER = 'o',
    STORE_KEY_AVERAGE = 'e',
    STORE_KEY_MEMBER = 'h',       /* average id, name: something it averages */
    STORE_KEY_ACCUMULATION = 'a', /* model, "optimizer:key": gradients that wait for others */
    STORE_KEY_SUM = 'A',          /* accumulation id, variable: their sum */
    STORE_KEY_WORKER = 'w',       /* accumulation id, worker: that it has contributed; empty */
    STORE_KEY_ACCUMULATOR = 'b',  /* model, name */
    STORE_KEY_STEPS = 'q',        /* model, optimizer: the accumulations applied last */
    STORE_KEY_SAVER = 'S',        /* model, name */
    STORE_KEY_SAVED = 'y',        /* saver id, name: the variable that is saved under it */
    STORE_KEY_LAST = 'l',         /* saver id, place: one of its last checkpoints, oldest first */
    STORE_KEY_LISTED = 'j',       /* saver id, checkpoint: its place among them */
    STORE_KEY_OUTCOME = 'i',      /* idempotency key: the outcome of the request that had it */
    STORE_KEY_EXPIRY = 'x',       /* time, idempotency key: oldest outcome first; empty */
    STORE_KEY_CHANGE = 'f',   /* revision, part: what that commit changed; alone: where it begins */
    STORE_KEY_HISTORY = 'd',  /* model, variable id: how its snapshots are spaced */
    STORE_KEY_SNAPSHOT = 'z', /* model, variable id, version: what its elements were */
    STORE_KEY_KEPT = 'k',     /* alone: how many outcomes there are */
};

enum { STORE_KEY_SMALL_BYTES_MAX = 17 }; /* kind + two u64 */

/* A short key, copied by value; store_key_bytes borrows from it. */
struct store_key {
    uint8_t bytes[STORE_KEY_SMALL_BYTES_MAX];
    uint8_t size;
};

static inline struct bytes
store_key_bytes(const struct store_key *key)
{
    return bytes_of(key->bytes, key->size);
}

/* Just the kind: the prefix of all its keys. */
struct store_key store_key_kind(uint8_t kind);
struct store_key store_key_value(uint64_t id);
struct store_key store_key_data(uint64_t id);
struct store_key store_key_list(uint64_t id, uint32_t segment);
/* Prefix of all segments of one value. */
struct store_key store_key_lists(uint64_t id);
struct store_key store_key_family(uint64_t family, uint64_t id);
/* Prefix of all members of one family. */
struct store_key store_key_families(uint64_t family);

/* Appending and reading the parts, for keys of other shapes. `out` has room for 4 or 8 bytes. */
void store_key_put_u32(uint8_t *out, uint32_t value);
void store_key_put_u64(uint8_t *out, uint64_t value);

/* Take a key apart; false when it has another kind or length. */
bool store_key_parse_id(struct bytes key, uint8_t kind, uint64_t *id);
bool store_key_parse_list(struct bytes key, uint64_t *id, uint32_t *segment);
bool store_key_parse_family(struct bytes key, uint64_t *family, uint64_t *id);

#endif

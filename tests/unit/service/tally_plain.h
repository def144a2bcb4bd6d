/* Who has which of the stored bytes, counted as plainly as possible: every piece that anything
 * names, and by whom. */
#ifndef TESTS_UNIT_SERVICE_TALLY_PLAIN_H
#define TESTS_UNIT_SERVICE_TALLY_PLAIN_H

#include "tests/support/stored.h"
#include "tests/unit/service/service_fixture.h"

enum { PIECES_MAX = 4096, OWNERS = 14 };

static const char *const models[] = {MODEL, "other"};
/* Every piece that anything names: who does. Inline bytes are a piece of their own. */
struct plain {
    struct plain_piece {
        uint64_t id, size;
        uint64_t owners; /* bits */
    } pieces[PIECES_MAX];
    size_t count;
    uint32_t owner;                         /* that is being looked at */
    char names[OWNERS][NAME_BYTES_MAX + 1]; /* of checkpoints; "": variables */
    uint32_t models[OWNERS];
    uint32_t owner_count;
};

static inline enum err_code
add_piece(void *context, uint64_t id, uint64_t size, struct err *err)
{
    struct plain *plain = context;

    (void)err;
    for (size_t i = 0; id != 0 && i < plain->count; i++)
        if (plain->pieces[i].id == id) {
            plain->pieces[i].owners |= UINT64_C(1) << plain->owner;
            return OK;
        }
    assert_in_range(plain->count, 0, PIECES_MAX - 1);
    plain->pieces[plain->count++] = (struct plain_piece){id, size, UINT64_C(1) << plain->owner};
    return OK;
}

static inline void
add_value(struct plain *plain, const struct store_view *view, const struct value_ref *ref,
          struct err *err)
{
    if (ref->kind == VALUE_INLINE)
        WORKS(add_piece(plain, 0, ref->size, err), err);
    else if (ref->kind != VALUE_NONE)
        WORKS(stored_each_piece(view, ref, add_piece, plain, err), err);
}

static inline void
new_owner(struct plain *plain, uint32_t model, struct bytes name)
{
    assert_in_range(plain->owner_count, 0, OWNERS - 1);
    plain->owner = plain->owner_count++;
    plain->models[plain->owner] = model;
    snprintf(plain->names[plain->owner], sizeof plain->names[0], "%.*s", (int)name.size,
             (const char *)name.data);
}

typedef void add_record(struct plain *plain, const struct store_view *view, uint32_t model,
                        struct bytes key, struct bytes record, struct err *err);

static inline void
each_record(struct plain *plain, const struct store_view *view, struct record_key prefix,
            uint32_t model, add_record *add, struct err *err)
{
    struct store_cursor *cursor = NULL;
    struct bytes key, record;
    bool found = true;

    WORKS(store_cursor_open(view, record_key_bytes(&prefix), bytes_of(NULL, 0), &cursor, err), err);
    for (;;) {
        WORKS(store_cursor_next(cursor, &found, &key, &record, err), err);
        if (!found)
            break;
        add(plain, view, model, key, record, err);
    }
    store_cursor_drop(cursor);
}

static inline void
add_variable(struct plain *plain, const struct store_view *view, uint32_t model, struct bytes key,
             struct bytes record, struct err *err)
{
    struct variable_record variable;

    (void)model;
    (void)key;
    WORKS(record_decode_variable(record, &variable, err), err);
    add_value(plain, view, &variable.initial_value, err);
    add_value(plain, view, &variable.initialized_with, err);
    add_value(plain, view, &variable.part_devices, err);
    add_value(plain, view, &variable.value, err);
}

static inline void
add_tensor(struct plain *plain, const struct store_view *view, uint32_t model, struct bytes key,
           struct bytes record, struct err *err)
{
    struct tensor_record tensor;

    (void)model;
    (void)key;
    WORKS(record_decode_tensor(record, &tensor, err), err);
    add_value(plain, view, &tensor.value, err);
}

static inline void
add_checkpoint(struct plain *plain, const struct store_view *view, uint32_t model, struct bytes key,
               struct bytes record, struct err *err)
{
    struct checkpoint_record checkpoint;

    WORKS(record_decode_checkpoint(record, &checkpoint, err), err);
    new_owner(plain, model, record_key_name(key));
    add_value(plain, view, &checkpoint.metadata, err);
    each_record(plain, view, record_key_tensor(checkpoint.id, bytes_of("", 0)), model, add_tensor,
                err);
}

/* Owned: free. */
static inline struct plain *
count_plainly(struct domain *d)
{
    struct plain *plain = calloc(1, sizeof *plain);
    struct store_snapshot *snapshot = NULL;
    struct err *err = &d->f->err;
    const struct store_view *view;

    assert_non_null(plain);
    WORKS(store_snapshot_open(d->f->store, &snapshot, err), err);
    view = store_snapshot_view(snapshot);
    for (uint32_t m = 0; m < 2; m++) {
        struct model_record record;
        bool found = false;

        WORKS(record_get_model(view, models[m], &found, &record, err), err);
        new_owner(plain, m, bytes_of("", 0));
        each_record(plain, view, record_key_variable(record.id, ""), m, add_variable, err);
        each_record(plain, view, record_key_checkpoint(record.id, ""), m, add_checkpoint, err);
    }
    store_snapshot_drop(snapshot);
    return plain;
}

/* Bytes of pieces whose owners are among `any`, and if `alone` no others. */
static inline uint64_t
bytes_among(const struct plain *plain, uint64_t any, bool alone)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < plain->count; i++)
        if ((plain->pieces[i].owners & any) != 0 &&
            (!alone || (plain->pieces[i].owners & ~any) == 0))
            bytes += plain->pieces[i].size;
    return bytes;
}

static inline uint64_t
owners_of_model(const struct plain *plain, uint32_t model, bool checkpoints_only)
{
    uint64_t owners = 0;

    for (uint32_t i = 0; i < plain->owner_count; i++)
        if (plain->models[i] == model && (!checkpoints_only || plain->names[i][0] != '\0'))
            owners |= UINT64_C(1) << i;
    return owners;
}

#endif

/* Records changed behind the domain's back, and what verification says to that. */
#ifndef TESTS_UNIT_SERVICE_DAMAGE_H
#define TESTS_UNIT_SERVICE_DAMAGE_H

#include "service/record/record.h"
#include "tests/unit/service/service_fixture.h"

struct damage {
    struct record_key key;
    uint8_t bytes[STORE_RECORD_BYTES_MAX];
    size_t size;
    bool there;
};

static inline enum err_code
change_unit(struct store_txn *txn, void *context, struct err *err)
{
    const struct damage *change = context;

    if (!change->there)
        return store_delete(txn, record_key_bytes(&change->key), err);
    return store_put(txn, record_key_bytes(&change->key), bytes_of(change->bytes, change->size),
                     err);
}

static inline void
apply(struct domain *d, const struct damage *change)
{
    uint64_t revision;

    WORKS(store_update(d->f->store, change_unit, (void *)(uintptr_t)change, NULL, &revision,
                       &d->f->err),
          &d->f->err);
}

/* What is there now. */
static inline struct damage *
record_at(struct domain *d, struct record_key key)
{
    struct damage *now = calloc(1, sizeof *now);
    struct store_snapshot *snapshot = NULL;
    struct bytes record;

    assert_non_null(now);
    now->key = key;
    WORKS(store_snapshot_open(d->f->store, &snapshot, &d->f->err), &d->f->err);
    WORKS(store_get(store_snapshot_view(snapshot), record_key_bytes(&key), &record, &d->f->err),
          &d->f->err);
    now->there = record.data != NULL;
    now->size = record.size;
    if (record.size > 0)
        memcpy(now->bytes, record.data, record.size);
    store_snapshot_drop(snapshot);
    return now;
}

/* Verification with this record in place of the present one tells of `words`. */
static inline void
must_be_found(struct domain *d, struct damage *damage, const char *words)
{
    struct damage *before = record_at(d, damage->key);
    struct store_verify_report report;
    bool told = false;

    apply(d, damage);
    WORKS(service_verify(d->service, false, &report, &d->f->err), &d->f->err);
    assert_in_range(report.findings, 1, 100);
    for (uint32_t i = 0; i < report.text_count; i++)
        told |= strstr(report.texts[i], words) != NULL;
    for (uint32_t i = 0; i < report.text_count && !told; i++)
        print_error("%s\n", report.texts[i]);
    assert_true(told);
    apply(d, before);
    assert_int_equal(findings(d), 0);
    free(before);
    free(damage);
}

static inline struct damage *
gone(struct domain *d, struct record_key key)
{
    struct damage *change = record_at(d, key);

    assert_true(change->there);
    change->there = false;
    return change;
}

static inline struct damage *
moved(struct domain *d, struct record_key from, struct record_key to)
{
    struct damage *change = record_at(d, from);

    assert_true(change->there);
    change->key = to;
    return change;
}

/* One byte changed. */
static inline struct damage *
flipped(struct domain *d, struct record_key key, size_t at)
{
    struct damage *change = record_at(d, key);

    assert_in_range(at, 0, change->size - 1);
    change->bytes[at] ^= 0xff;
    return change;
}

#endif

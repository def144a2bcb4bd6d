/* Records of what the elements of a variable were. */
#ifndef SERVICE_RECORD_RECORD_HISTORY_H
#define SERVICE_RECORD_RECORD_HISTORY_H

#include "service/record/record.h"
#include "service/tensor/statistics.h"

enum {
    RECORD_SNAPSHOTS_MAX = 64, /* of one variable */
    RECORD_SNAPSHOT_POINTS = 129,
    RECORD_SNAPSHOT_BYTES_MAX = 1024, /* with its key */
};

/* A variable's history. */
struct history_record {
    uint32_t snapshots; /* 1 to RECORD_SNAPSHOTS_MAX */
    uint64_t spacing;   /* versions: one snapshot of so many at most */
    uint64_t version;   /* of the newest snapshot, */
    uint64_t taken_ms;  /* and when it was taken */
};

/* One version of it. */
struct snapshot_record {
    uint64_t version, revision;
    uint64_t time_ms; /* when it came to be */
    bool has_step;    /* the model counted its steps */
    int64_t step;
    struct kernel_statistics elements;
    /* In ascending order. As many as there are finite elements: those; else quantiles, equally
     * spaced from the least to the greatest. Told from record_snapshot_base on. */
    uint32_t point_count;
    float points[RECORD_SNAPSHOT_POINTS];
};

/* Elements that lie close together, far from 0, differ in digits that float32 does not have: then
 * it is the one next to 0, and 0 otherwise. Nothing is lost of what is float32: between a number
 * and its double the differences are. */
double record_snapshot_base(const struct kernel_statistics *elements);
/* Point `index` itself. */
double record_snapshot_point(const struct snapshot_record *snapshot, uint32_t index);

/* Keys: `variable_id` 0 is a prefix of all of a model. */
struct record_key record_key_history(uint64_t model_id, uint64_t variable_id);
struct record_key record_key_snapshots(uint64_t model_id, uint64_t variable_id); /* prefix */
struct record_key record_key_snapshot(uint64_t model_id, uint64_t variable_id, uint64_t version);
/* What a key of these ends with: a variable's id, or a snapshot's version. */
uint64_t record_key_last_number(struct bytes key);

ERR_MUST_CHECK enum err_code record_decode_history(struct bytes record, struct history_record *out,
                                                   struct err *err);
/* *found false: the variable has none. */
ERR_MUST_CHECK enum err_code record_get_history(const struct store_view *view, uint64_t model_id,
                                                uint64_t variable_id, bool *found,
                                                struct history_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_history(struct store_txn *txn, uint64_t model_id,
                                                uint64_t variable_id,
                                                const struct history_record *record,
                                                struct err *err);
ERR_MUST_CHECK enum err_code record_decode_snapshot(struct bytes record,
                                                    struct snapshot_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_snapshot(struct store_txn *txn, uint64_t model_id,
                                                 uint64_t variable_id,
                                                 const struct snapshot_record *record,
                                                 struct err *err);

#endif

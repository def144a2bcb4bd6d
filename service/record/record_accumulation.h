/* Records of accumulations: gradients of several workers that are added up until all are there.
 *
 * One is a record under its optimizer and key, a sum for each variable, and a record for each
 * worker that named itself. When it is full and has been applied, all of them go, and what is left
 * is a line among the optimizer's last steps: by that, what comes too late is known. */
#ifndef SERVICE_RECORD_RECORD_ACCUMULATION_H
#define SERVICE_RECORD_RECORD_ACCUMULATION_H

#include "service/record/record.h"

enum {
    ACCUMULATION_KEY_BYTES_MAX = 128, /* of keys, and of workers' names */
    ACCUMULATION_STEPS_MAX = 100,     /* keys of an optimizer that are remembered as applied */
};

struct accumulation_record {
    uint64_t id;
    uint32_t replicas, count; /* contributions wanted, and counted */
    uint32_t sums, workers;   /* records there are */
    uint64_t started_ms, updated_ms, started_revision, revision;
    char global_step[NAME_BYTES_MAX + 1]; /* "": none */
    bool has_clip_norm;
    double clip_norm;
};

/* The gradients of one variable, added up in its dtype. */
struct sum_record {
    uint64_t variable_id;
    struct tensor_type type; /* the variable's */
    bool sparse;
    uint64_t rows; /* sparse: how many are listed */
    /* dense: `values` alone, of the type. Sparse: u64 row numbers, ascending; u32 how many
     * gradients had each row; rows of elements. */
    struct value_ref values, numbers, counts;
};

/* One accumulation that was applied. */
struct applied_step {
    char key[ACCUMULATION_KEY_BYTES_MAX + 1];
    uint32_t replicas;
    uint64_t revision, applied_ms;
    bool has_global_step;
    int64_t global_step; /* afterwards */
};

/* Oldest first. */
struct steps_record {
    uint32_t count;
    struct applied_step steps[ACCUMULATION_STEPS_MAX];
};

ERR_MUST_CHECK enum err_code
record_decode_accumulation(struct bytes record, struct accumulation_record *out, struct err *err);
/* *found false and *out untouched when there is none. */
ERR_MUST_CHECK enum err_code record_get_accumulation(const struct store_view *view,
                                                     uint64_t model_id, const char *optimizer,
                                                     const char *key, bool *found,
                                                     struct accumulation_record *out,
                                                     struct err *err);
ERR_MUST_CHECK enum err_code record_put_accumulation(struct store_txn *txn, uint64_t model_id,
                                                     const char *optimizer, const char *key,
                                                     const struct accumulation_record *record,
                                                     struct err *err);

/* As a part of another record. in->failed when it is damaged. */
void record_sum_decode(struct reader *in, struct sum_record *out);
ERR_MUST_CHECK enum err_code record_sum_encode(const struct sum_record *record, struct buf *out,
                                               struct err *err);
ERR_MUST_CHECK enum err_code record_decode_sum(struct bytes record, struct sum_record *out,
                                               struct err *err);
ERR_MUST_CHECK enum err_code record_get_sum(const struct store_view *view, uint64_t accumulation_id,
                                            const char *variable, bool *found,
                                            struct sum_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_put_sum(struct store_txn *txn, uint64_t accumulation_id,
                                            const char *variable, const struct sum_record *record,
                                            struct err *err);

ERR_MUST_CHECK enum err_code record_decode_steps(struct bytes record, struct steps_record *out,
                                                 struct err *err);
/* Zeroed when there is none. */
ERR_MUST_CHECK enum err_code record_get_steps(const struct store_view *view, uint64_t model_id,
                                              const char *optimizer, struct steps_record *out,
                                              struct err *err);
ERR_MUST_CHECK enum err_code record_put_steps(struct store_txn *txn, uint64_t model_id,
                                              const char *optimizer,
                                              const struct steps_record *record, struct err *err);

#endif

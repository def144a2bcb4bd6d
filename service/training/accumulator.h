/* Accumulators: gradients added up until somebody takes their average, TensorFlow's
 * ConditionalAccumulator and SparseConditionalAccumulator as things of a model. Each has a global
 * step; a gradient of an earlier local step is dropped, and every taking is a step.
 *
 * Adding, taking and setting the step are operations of a run (service/verbs/apply_grad.c,
 * take_grad.c, set_global_step.c), with which they commit. */
#ifndef SERVICE_TRAINING_ACCUMULATOR_H
#define SERVICE_TRAINING_ACCUMULATOR_H

#include "service/expr/expr.h"
#include "service/record/record_accumulation.h"
#include "service/service.h"

enum { ACCUMULATORS_MAX = 10000 /* of one model */ };

/* What is kept of one. */
struct accumulator_record {
    uint64_t id, revision;
    enum dtype dtype;
    bool sparse, shape_known;
    struct shape shape;       /* of every gradient; with shape_known */
    uint32_t num_accumulated; /* gradients in the sum */
    int64_t global_step;
    uint64_t created_ms, updated_ms, created_revision;
    struct sum_record sum; /* while there are some; its type has their shape */
};

/* What a client states; everything borrowed. */
struct accumulator_spec {
    enum dtype dtype;          /* a float type */
    const struct shape *shape; /* NULL: the first gradient after a taking has it */
    bool sparse;               /* gradients are rows of the shape */
};

/* Made (*created), or confirmed: another dtype, shape or kind than it has is ERR_ALREADY_EXISTS. */
ERR_MUST_CHECK enum err_code accumulator_create(struct service *service, const char *model,
                                                const char *name,
                                                const struct accumulator_spec *spec,
                                                const struct write_options *options, bool *created,
                                                struct accumulator_record *out, uint64_t *revision,
                                                struct err *err);
ERR_MUST_CHECK enum err_code accumulator_delete(struct service *service, const char *model,
                                                const char *name,
                                                const struct write_options *options,
                                                uint64_t *revision, struct err *err);
ERR_MUST_CHECK enum err_code accumulator_get(struct service *service, const char *model,
                                             const char *name, struct accumulator_record *out,
                                             struct err *err);
typedef enum err_code accumulator_visit(void *context, const char *name,
                                        const struct accumulator_record *record, struct err *err);
/* In name order after `after` (NULL: from the first), at most count_max. */
ERR_MUST_CHECK enum err_code accumulator_list(struct service *service, const char *model,
                                              const char *after, size_t count_max,
                                              accumulator_visit *visit, void *context, bool *more,
                                              uint64_t *revision, struct err *err);
/* What service_on_wake's function is called with when a gradient was added, or it was deleted. */
uint64_t accumulator_topic(const char *model, const char *name);

/* --- operations ---------------------------------------------------------------------------- */

/* What an operation states besides run_op's `value` (of a gradient, or of its rows) and `indices`.
 * Everything borrowed. */
struct accumulator_request {
    const char *name;
    int64_t local_step, num_required, step;
    uint64_t elements_max; /* of what is taken: ERR_PAYLOAD_TOO_LARGE, and nothing is */
    bool *lacking;         /* out, may be NULL: there were fewer than num_required */
};

/* What it did. Owned by its result: accumulator_result_drop. */
struct accumulator_result {
    char name[NAME_BYTES_MAX + 1];
    bool dropped;                  /* a gradient too old */
    bool added;                    /* a gradient */
    uint32_t num_accumulated;      /* afterwards */
    int64_t global_step;           /* likewise */
    uint32_t num_taken;            /* gradients that the average is of; 0: nothing was taken */
    bool sparse;                   /* what was taken is: */
    struct tensor values, numbers; /* the average; of a sparse one its rows and which they are */
};
void accumulator_result_drop(struct accumulator_result *result); /* NULL is fine */

/* --- records ------------------------------------------------------------------------------- */

ERR_MUST_CHECK enum err_code
record_decode_accumulator(struct bytes record, struct accumulator_record *out, struct err *err);
ERR_MUST_CHECK enum err_code record_get_accumulator(const struct store_view *view,
                                                    uint64_t model_id, const char *name,
                                                    bool *found, struct accumulator_record *out,
                                                    struct err *err);
ERR_MUST_CHECK enum err_code record_put_accumulator(struct store_txn *txn, uint64_t model_id,
                                                    const char *name,
                                                    const struct accumulator_record *record,
                                                    struct err *err);
/* Inside a unit: what it owns. */
ERR_MUST_CHECK enum err_code accumulator_release(struct store_txn *txn,
                                                 const struct accumulator_record *record,
                                                 struct err *err);

#endif

/* Gradients applied to variables by an optimizer of their model: an operation of a run. */
#ifndef SERVICE_TRAINING_OPTIMIZER_APPLY_H
#define SERVICE_TRAINING_OPTIMIZER_APPLY_H

#include "service/record/record_accumulation.h"
#include "service/run/run.h"

/* Of one variable; borrowed. Either `dense`, or `indices` and `values` of a sparse gradient, or
 * none of them: no gradient. */
struct optimizer_gradient {
    const char *variable;
    struct expr_tree *dense, *indices, *values;
};

/* Gradients are averaged with those of other contributions under the key, and applied when
 * `replicas` are there (accumulation.h). Everything borrowed. */
struct optimizer_accumulate {
    const char *key;
    const char *worker; /* counts once; NULL: nobody in particular */
    int64_t replicas;
};

/* What apply_gradients states; everything borrowed. */
struct optimizer_gradients {
    const char *optimizer;
    const struct optimizer_gradient *gradients;
    size_t count;
    const char *global_step; /* a variable that is one more afterwards; NULL: none */
    bool has_clip_norm;
    double clip_norm; /* clip_by_global_norm */
    /* The revision whose values the gradients were computed from. Staleness is how many applies of
     * this optimizer came since; the last RECORD_APPLIES_MAX are remembered. */
    bool has_base_revision, has_max_staleness;
    uint64_t base_revision, max_staleness;
    const struct optimizer_accumulate *accumulate; /* NULL: they are applied at once */
};

/* What became of a contribution. */
enum optimizer_contributed {
    OPTIMIZER_CONTRIBUTED_NONE,  /* it was none */
    OPTIMIZER_CONTRIBUTED,       /* it counts, and others are waited for */
    OPTIMIZER_CONTRIBUTED_LAST,  /* it was the last: the average was applied */
    OPTIMIZER_CONTRIBUTED_TWICE, /* its worker had done so before: it does not count */
    OPTIMIZER_CONTRIBUTED_LATE,  /* the key was applied before: it was dropped */
};

/* What it did. Owned by its result: optimizer_applied_drop. */
struct optimizer_applied {
    char optimizer[NAME_BYTES_MAX + 1];
    const struct optimizer *type;
    double learning_rate;
    double gradient_norm; /* of all gradients together, before clipping */
    double clip_scale;    /* what they were multiplied by; 1 without clipping */
    bool has_global_step;
    int64_t global_step; /* afterwards */
    bool has_staleness;
    uint64_t staleness;
    enum optimizer_contributed contributed;
    char key[ACCUMULATION_KEY_BYTES_MAX + 1];
    uint32_t accumulated, replicas; /* contributions there are, and wanted */
    uint64_t late_revision;         /* of the key's step; global_step is what it was after that */
    struct run_version *variables;  /* owned */
    size_t variable_count;
};
void optimizer_applied_drop(struct optimizer_applied *applied); /* NULL is fine */
/* Whether a step was taken: it was no contribution, or the last one. */
bool optimizer_applied_is_step(const struct optimizer_applied *applied);

/* What of the gradients came with the request, in bytes. */
uint64_t optimizer_gradients_bytes(const struct optimizer_gradients *gradients);
/* The locks of the variables (service_update_lock_bit). */
uint32_t optimizer_gradients_locks(const struct optimizer_gradients *gradients, const char *model);

#endif

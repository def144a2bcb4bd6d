/* Accumulations: gradients of an optimizer's variables that workers contribute under one key, and
 * that are applied, averaged, when as many as were asked for are there (TensorFlow's
 * SyncReplicasOptimizer). Contributing is a part of apply_gradients (optimizer_accumulate.c); this
 * is what else is done with them.
 *
 * A key is used once: after its step the optimizer remembers it among its last ones, and what comes
 * too late is dropped. An accumulation that waits longer than accumulation_keep_ms for its next
 * contribution has expired: it counts as gone, and the next contribution to the optimizer removes
 * it. It is never applied. */
#ifndef SERVICE_TRAINING_ACCUMULATION_H
#define SERVICE_TRAINING_ACCUMULATION_H

#include "service/record/record_accumulation.h"
#include "service/service.h"

enum {
    ACCUMULATIONS_OPEN_MAX = 64, /* of one optimizer */
    ACCUMULATION_REPLICAS_MAX = 100000,
};

/* A key of an accumulation, or the name of a worker (`kind`, for the message): 1 to 128 visible
 * ASCII characters other than '/', ':' and '%', which mean something in a path; not "." or "..". */
ERR_MUST_CHECK enum err_code accumulation_check_key(const char *kind, const char *key,
                                                    struct err *err);

/* The gradients of one variable. */
struct accumulation_variable {
    char name[NAME_BYTES_MAX + 1];
    struct tensor_type type;
    bool sparse;
    uint64_t rows; /* sparse: listed so far */
};

/* Owned: accumulation_info_drop. */
struct accumulation_info {
    char key[ACCUMULATION_KEY_BYTES_MAX + 1];
    bool applied;             /* else it is open */
    uint32_t count, replicas; /* contributions there are, and wanted */
    uint64_t revision;        /* applied: of its step; open: of the last contribution */
    /* applied */
    uint64_t applied_ms;
    bool has_global_step;
    int64_t global_step;
    /* open */
    uint64_t started_ms, started_revision, updated_ms, expires_ms;
    char (*workers)[ACCUMULATION_KEY_BYTES_MAX + 1]; /* that named themselves, in order of name */
    size_t worker_count;
    struct accumulation_variable *variables; /* in order of name */
    size_t variable_count;
};
void accumulation_info_drop(struct accumulation_info *info); /* a zeroed one is fine */

/* ERR_NOT_FOUND: never begun, deleted, expired, or applied too long ago to be remembered. */
ERR_MUST_CHECK enum err_code accumulation_get(struct service *service, const char *model,
                                              const char *optimizer, const char *key,
                                              struct accumulation_info *out, struct err *err);
typedef enum err_code accumulation_visit(void *context, const struct accumulation_info *info,
                                         struct err *err);
/* The open ones, in order of key. `info` lives for the call. */
ERR_MUST_CHECK enum err_code accumulation_list(struct service *service, const char *model,
                                               const char *optimizer, accumulation_visit *visit,
                                               void *context, uint64_t *revision, struct err *err);
/* Drops what was contributed. ERR_FAILED_PRECONDITION when it was applied. */
ERR_MUST_CHECK enum err_code accumulation_delete(struct service *service, const char *model,
                                                 const char *optimizer, const char *key,
                                                 const struct write_options *options,
                                                 uint64_t *revision, struct err *err);
/* What service_on_wake's function is called with when it has been applied or deleted. */
uint64_t accumulation_topic(const char *model, const char *optimizer, const char *key);

/* --- for service/ -------------------------------------------------------------------------- */

bool accumulation_expired(const struct service_limits *limits,
                          const struct accumulation_record *record, uint64_t now_ms);
/* NULL: not among the optimizer's last steps. */
const struct applied_step *accumulation_step(const struct steps_record *steps, const char *key);
/* What an accumulation owns, its record excepted: sums, and workers. */
ERR_MUST_CHECK enum err_code accumulation_release(struct store_txn *txn, uint64_t id,
                                                  struct err *err);
/* Those of one optimizer that have expired, but for the one at `key`; *open: the others left. */
ERR_MUST_CHECK enum err_code accumulation_remove_expired(struct store_txn *txn,
                                                         const struct service_limits *limits,
                                                         uint64_t model_id, const char *optimizer,
                                                         const char *key, size_t *open,
                                                         struct err *err);
/* All of one optimizer (NULL: of the model), and what it remembers. */
ERR_MUST_CHECK enum err_code accumulation_remove_all(struct store_txn *txn, uint64_t model_id,
                                                     const char *optimizer, struct err *err);

#endif

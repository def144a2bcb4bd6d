/* Private to service/: what the service owns, and the steps its operations share. */
#ifndef SERVICE_STATE_H
#define SERVICE_STATE_H

#include "service/expr/expr.h"
#include "service/parallel.h"
#include "service/placement/task.h"
#include "service/record/record.h"
#include "service/service.h"
#include "service/training/optimizer.h"
#include "service/watch/change_log.h"
#include "store/base/lock.h"
#include "store/scope.h"
#include "store/store.h"

enum { SERVICE_UPDATE_LOCKS = 32, SERVICE_UPDATE_TRIES_MAX = 8, SERVICE_USE_LISTS = 64 };
/* Values up to this are computed and written inside the commit, if no more than so much has to be
 * worked through for them; others are staged ahead of it. */
enum { SERVICE_COMMIT_BYTES_MAX = 1 << 20, SERVICE_COMMIT_WORK_BYTES_MAX = 8 << 20 };

/* Lost races after which small updates of the same variables have to wait for a big one. */
enum { SERVICE_UPDATE_TRIES_OPEN = 3 };

struct history_thread;   /* service/watch/history.h */
struct outcome_use;      /* service/run/outcome.h */
struct statistics_cache; /* service/watch/statistics_cache.h */
struct task_census;      /* service/placement/task_census.h */

/* What small updates pass, by the bits of service_update_lock_bit. */
struct update_gate {
    struct lock lock;
    struct condition moved;
    uint32_t closed[SERVICE_UPDATE_LOCKS]; /* by how many big ones */
    uint32_t inside[SERVICE_UPDATE_LOCKS]; /* small ones that have not left */
};

struct service {
    struct store *store;       /* borrowed */
    struct parallel *parallel; /* the first device's: for what is computed for no variable */
    struct statistics_cache *statistics; /* owned */
    struct history_thread *history;      /* owned; NULL: there is none */
    struct service_limits limits;
    const struct cluster *cluster; /* borrowed; never without a task */
    struct device_set *devices;    /* of all its tasks, in order, never none; owned */
    struct task_table tasks;
    struct task_census *census; /* owned */
    struct cluster local;       /* owned: that where none was given */
    _Atomic bool interrupted;   /* service_interrupt was called */
    service_wake *wake;         /* service_on_wake's */
    void *wake_context;
    /* Big updates of one variable go one after the other: two that raced would each throw away the
     * other's work. By hash of the name; held on worker threads only, never by a unit. */
    struct lock updates[SERVICE_UPDATE_LOCKS];
    struct update_gate gate;
    /* Idempotency keys of requests under way, by hash: as many as there are requests. */
    struct lock uses_lock;
    struct outcome_use *uses[SERVICE_USE_LISTS];
    _Atomic unsigned backups;                /* under way */
    _Atomic uint64_t steps[OPTIMIZER_COUNT]; /* taken since the start */
    struct change_log changes;               /* for units alone, which are on one thread */
};

/* Between parts of long work: ERR_UNAVAILABLE once the service was interrupted. */
ERR_MUST_CHECK enum err_code service_check_interrupt(const struct service *service,
                                                     struct err *err);
/* What evaluation may use. */
struct evaluator_options service_evaluator_options(const struct service *service);
/* Something that may be waited for has happened, and is committed. */
void service_wake_up(const struct service *service, uint64_t topic);
/* One more step of an optimizer of this type is committed. */
void service_count_step(struct service *service, const struct optimizer *type);
/* The topic of what has these names; NULL at their end. Never 0. */
uint64_t service_topic(const char *const *names);
/* The model, or ERR_NOT_FOUND naming it. */
ERR_MUST_CHECK enum err_code service_find_model(const struct store_view *view, const char *model,
                                                struct model_record *out, struct err *err);
/* The variable, or ERR_NOT_FOUND naming it. */
ERR_MUST_CHECK enum err_code service_find_variable(const struct store_view *view, uint64_t model_id,
                                                   const char *name, struct variable_record *out,
                                                   struct err *err);
ERR_MUST_CHECK enum err_code service_find_checkpoint(const struct store_view *view,
                                                     uint64_t model_id, const char *name,
                                                     struct checkpoint_record *out,
                                                     struct err *err);
/* The same to read what is in it: without one the error has TensorFlow's words, too. */
ERR_MUST_CHECK enum err_code service_open_checkpoint(const struct store_view *view,
                                                     uint64_t model_id, const char *name,
                                                     struct checkpoint_record *out,
                                                     struct err *err);
/* If-Match and If-None-Match: `exists`, and the revision it has. */
ERR_MUST_CHECK enum err_code service_check_conditions(const struct write_options *options,
                                                      const char *kind, const char *name,
                                                      bool exists, uint64_t revision,
                                                      struct err *err);
/* Adds `change` to the model's counters and notes this commit as its last. ERR_FULL when it is more
 * and then over the model's quota. */
struct usage_change {
    int64_t variables, initialized, bytes, checkpoints, checkpoint_bytes, graph_nodes;
    bool is_not_all; /* another change of the same unit makes room: its quota is looked at then */
};
ERR_MUST_CHECK enum err_code service_change_usage(struct store_txn *txn, uint64_t model_id,
                                                  const struct usage_change *change,
                                                  struct err *err);
/* Gives a variable a new value (owned reference) in place of the old one, which is released: sets
 * value, shape, version, revision, times, and counts. Does not write the record. */
ERR_MUST_CHECK enum err_code service_set_value(struct store_txn *txn,
                                               struct variable_record *variable,
                                               const struct shape *shape,
                                               const struct value_ref *value,
                                               struct usage_change *change, struct err *err);
/* Whether a value of this type may be assigned: dtype equal; shape equal, or free to change.
 * `verb` is "assign to", "restore" …; ERR_INVALID_ARGUMENT names both sides. */
ERR_MUST_CHECK enum err_code service_check_assignable(const struct variable_form *form,
                                                      const char *name, const char *verb,
                                                      const struct tensor_type *type,
                                                      bool validate_shape, struct err *err);
/* ERR_FULL when a value of this size is over tensor_max_bytes, or the store has no room for the
 * part of it that is stored: nothing of a constant fill. */
ERR_MUST_CHECK enum err_code service_check_room(struct service *service, const char *name,
                                                uint64_t size_bytes, uint64_t stored_bytes,
                                                struct err *err);
enum store_class service_class_of(const struct variable_record *variable);
/* The lock of a variable's big updates, as a bit of a set; and taking a set, in an order that all
 * keep, or giving it back. */
uint32_t service_update_lock_bit(const char *model, const char *name);
void service_update_locks(struct service *service, uint32_t set, bool acquire);
/* Around a commit that changes a set: waits while one of it is closed. */
void service_update_enter(struct service *service, uint32_t set);
void service_update_leave(struct service *service, uint32_t set);
/* Around one more try of what has lost its races: nobody enters, and all who had have left. Not
 * when inside oneself. */
void service_update_close(struct service *service, uint32_t set);
void service_update_open(struct service *service, uint32_t set);

#endif

/* An apply under way. Private to optimizer_*.c and the verbs of optimizers. */
#ifndef SERVICE_TRAINING_OPTIMIZER_PARTS_H
#define SERVICE_TRAINING_OPTIMIZER_PARTS_H

#include "service/run/draft.h"
#include "service/training/accumulation_sum.h"
#include "service/training/optimizer_apply.h"
#include "service/training/optimizer_config.h"
#include "service/training/sparse.h"

/* One variable and its gradient. */
struct optimizer_target {
    const struct optimizer_gradient *gradient;
    struct draft_variable *variable;
    struct draft_variable *slots[OPTIMIZER_SLOTS_MAX]; /* NULL where not wanted */
    struct optimizer_step step;
    /* Of the gradient's elements. A sparse one's as they came: TensorFlow's global_norm measures
     * the values, whatever rows they belong to. A dense one's once it is applied, and not with
     * apply->scaled. */
    double squares;
    double scale; /* of the gradient, in the variable's dtype; with apply->scaled */
    /* dense */
    struct evaluator *evaluator;         /* NULL: a literal, or not opened; owned */
    const uint8_t *literal;              /* its elements; borrowed from the tree, or `whole` */
    uint8_t *whole;                      /* owned; elements that were evaluated at once */
    struct accumulation_average average; /* open: its elements are averaged with these; owned */
    /* sparse, each row once */
    struct sparse rows;
    uint8_t *values; /* owned */
    uint64_t *order; /* owned */
};

struct optimizer_apply {
    struct run *run;
    const struct optimizer_gradients *spec;
    struct optimizer_config config;
    double learning_rate;
    double powers[OPTIMIZER_POWERS_MAX];
    struct draft_variable *power_variables[OPTIMIZER_POWERS_MAX];
    struct draft_variable *counted_variable; /* one more afterwards; NULL: none */
    struct draft_variable *read_variable;    /* the formula's; mostly the same one; NULL: none */
    int64_t global_step;                     /* of read_variable, before */
    struct optimizer_target *targets;        /* owned */
    size_t target_count;
    uint64_t held_bytes; /* by gradients that are computed before anything is applied */
    bool scaled;         /* gradients are clipped */
    struct optimizer_contribution *contribution; /* in the draft's arena; NULL: applied at once */
};

/* --- slots (optimizer_slots.c) --- */

/* Finds the slots of a variable, or makes them all; likewise the powers of the optimizer, beside
 * the first variable of the spec. ERR_FAILED_PRECONDITION when some are there and others missing,
 * or not initialized; ERR_INVALID_ARGUMENT when one is of another type. Made ones have their
 * initial values when `initialize`. */
ERR_MUST_CHECK enum err_code
optimizer_find_slots(struct draft *draft, const struct optimizer_config *config,
                     const struct draft_variable *variable, bool initialize,
                     struct draft_variable *slots[OPTIMIZER_SLOTS_MAX], struct err *err);
ERR_MUST_CHECK enum err_code
optimizer_find_powers(struct draft *draft, const struct optimizer_config *config,
                      const struct optimizer_gradients *spec, bool initialize,
                      struct draft_variable *powers[OPTIMIZER_POWERS_MAX], struct err *err);

/* --- the step (optimizer_global_step.c) --- */

/* The variable that the request counts steps with, and the one that the optimizer's formula reads,
 * which is the optimizer's own whatever the request names. ERR_INVALID_ARGUMENT unless int32 or
 * int64 scalars. */
ERR_MUST_CHECK enum err_code optimizer_find_global_step(struct optimizer_apply *apply,
                                                        struct err *err);
/* Both, and what the formula reads. */
ERR_MUST_CHECK enum err_code optimizer_read_global_step(struct optimizer_apply *apply,
                                                        struct err *err);
/* Once per apply, after all variables. */
ERR_MUST_CHECK enum err_code optimizer_count_step(struct optimizer_apply *apply,
                                                  struct optimizer_applied *out, struct err *err);
/* The new value of a scalar variable (verbs/apply_gradients.c). */
ERR_MUST_CHECK enum err_code optimizer_write_scalar(struct draft *draft,
                                                    struct draft_variable *variable,
                                                    const void *element, struct err *err);

/* --- gradients (optimizer_gradient.c) --- */

/* Counts memory that is held until all is applied: gradients that are sparse, sums of such, and
 * dense ones that read what is applied before them. ERR_PAYLOAD_TOO_LARGE when it is over the limit
 * of an expression. */
ERR_MUST_CHECK enum err_code optimizer_hold(struct optimizer_apply *apply,
                                            const struct draft_variable *variable, uint64_t size,
                                            struct err *err);
/* Trainable, and of a dtype the optimizer takes. */
ERR_MUST_CHECK enum err_code optimizer_check_variable(const struct optimizer_config *config,
                                                      const struct draft_variable *variable,
                                                      struct err *err);
/* Type checks, then the values: the target is ready to be applied. */
ERR_MUST_CHECK enum err_code optimizer_prepare_gradient(struct optimizer_apply *apply,
                                                        struct optimizer_target *target,
                                                        struct err *err);
/* When all are prepared: there is one of each variable, and what reads a variable or a slot that is
 * applied before its own turn has been evaluated: all gradients are of the values before the step.
 * ERR_INVALID_ARGUMENT; ERR_PAYLOAD_TOO_LARGE. */
ERR_MUST_CHECK enum err_code optimizer_settle_gradients(struct optimizer_apply *apply,
                                                        struct err *err);
/* Elements [first, first + count) of a dense gradient, scaled: in place where they lie, or in
 * `room`, which has room for them. */
ERR_MUST_CHECK enum err_code optimizer_read_gradient(const struct optimizer_apply *apply,
                                                     struct optimizer_target *target,
                                                     uint64_t first, uint64_t count, uint8_t *room,
                                                     const void **out, struct err *err);
/* No more of it is read; it may be read again from its beginning. */
void optimizer_close_gradient(struct optimizer_target *target);
/* In float64, in an order that nothing but the count decides. */
double optimizer_sum_of_squares(enum dtype dtype, const void *elements, uint64_t count);
/* With a clip norm: the norm of all gradients, and every target's scale; what is sparse is scaled
 * here. */
ERR_MUST_CHECK enum err_code optimizer_clip(struct optimizer_apply *apply,
                                            struct optimizer_applied *out, struct err *err);

/* --- accumulations (optimizer_accumulate.c) --- */

/* Looks what there is under the key. applied->contributed: late or twice, and there is nothing more
 * to do; last, and the gradients that follow are to be applied; else they are only added up.
 * ERR_FAILED_PRECONDITION when others have contributed to something else. */
ERR_MUST_CHECK enum err_code optimizer_accumulate_open(struct optimizer_apply *apply,
                                                       struct optimizer_applied *applied,
                                                       struct err *err);
/* A prepared gradient: added to the sum, or, of the last contribution, made the average. */
ERR_MUST_CHECK enum err_code optimizer_accumulate_join(struct optimizer_apply *apply,
                                                       struct optimizer_target *target,
                                                       struct err *err);
/* After all of them: what is to be published. */
ERR_MUST_CHECK enum err_code optimizer_accumulate_close(struct optimizer_apply *apply,
                                                        struct err *err);

/* --- elements (optimizer_dense.c, optimizer_listed.c) --- */

/* Every element of the variable, whatever the gradient lists. */
ERR_MUST_CHECK enum err_code optimizer_apply_whole(struct optimizer_apply *apply,
                                                   struct optimizer_target *target,
                                                   struct err *err);
/* Whether a target is applied by the rows its gradient lists: optimizer_apply_listed. */
bool optimizer_is_listed(const struct optimizer_apply *apply,
                         const struct optimizer_target *target);
/* Before the first of them is applied: all they change is laid out for it (run_want_rows). */
ERR_MUST_CHECK enum err_code optimizer_want_rows(struct optimizer_apply *apply, bool *converted,
                                                 struct err *err);
/* The rows that a sparse gradient lists, and no others. */
ERR_MUST_CHECK enum err_code optimizer_apply_listed(struct optimizer_apply *apply,
                                                    struct optimizer_target *target,
                                                    struct err *err);

#endif

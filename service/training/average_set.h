/* Which variables and tensors an operation on moving averages is about: what its request names,
 * what the set holds, and what earlier operations of the same run have entered. Private to
 * service/. */
#ifndef SERVICE_TRAINING_AVERAGE_SET_H
#define SERVICE_TRAINING_AVERAGE_SET_H

#include "service/run/draft.h"
#include "service/training/average.h"
#include "service/training/average_apply.h"

struct average_target {
    char name[NAME_BYTES_MAX + 1];
    bool is_tensor;
    bool known;                    /* in the set already */
    struct expr_tree *value;       /* of a tensor: the request's, or member.value */
    struct average_member member;  /* as recorded, if it was read; owned */
    struct draft_variable *shadow; /* set by who makes it */
};

struct average_set {
    struct average_target *targets; /* by name; owned */
    size_t count, capacity;
};
void average_set_drop(struct average_set *set);

/* The selection's targets; without names, those of the set, or while that is empty all trainable
 * variables. Names come once: ERR_INVALID_ARGUMENT in TensorFlow's words. */
ERR_MUST_CHECK enum err_code average_set_find(struct draft *draft,
                                              const struct average_config *config,
                                              const struct average_selection *selection,
                                              struct average_set *out, struct err *err);
/* "Moving average already computed for: v:0" */
enum err_code average_twice(const char *name, struct err *err);
/* Those that are not known enter the set with the commit. Their values live as long as the run. */
ERR_MUST_CHECK enum err_code average_set_enter(struct draft *draft,
                                               const struct average_config *config,
                                               const struct average_set *set, struct err *err);

#endif

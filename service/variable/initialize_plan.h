/* Private to service/: which variables an initialization runs, in which order. */
#ifndef SERVICE_VARIABLE_INITIALIZE_PLAN_H
#define SERVICE_VARIABLE_INITIALIZE_PLAN_H

#include "service/run/draft.h"
#include "service/variable/initialize.h"

enum initialize_state { INITIALIZE_UNSEEN, INITIALIZE_OPEN, INITIALIZE_DONE };

/* One variable of the run. */
struct initialize_step {
    struct draft_variable *variable; /* borrowed from the draft */
    bool in_run;
    bool selected; /* by the request; false: joined because another depends on it */
    bool has_initial_value;
    enum initialize_state state; /* of the depth-first walk that orders the run */
    struct expr_tree tree;       /* owned when has_initial_value */
    struct buf strings;          /* the value, when dtype string */
    struct draft_writer *writer; /* the new value, once written; owned */
};

struct initialize_plan {
    struct draft *draft;                 /* borrowed; current values */
    const struct write_options *options; /* conditions on the variables named; NULL: none */
    struct initialize_step **steps;      /* by name; owned */
    size_t step_count, step_capacity;
    struct initialize_step **order; /* borrowed: the steps of the run, dependencies first */
    size_t order_count;
    uint64_t total_bytes;
};

/* Selects, follows initialized_value, orders, infers types, checks room. Owned:
 * initialize_plan_drop. */
ERR_MUST_CHECK enum err_code initialize_plan_make(struct draft *draft,
                                                  const struct initialize_spec *spec,
                                                  const struct write_options *options,
                                                  struct initialize_plan *out, struct err *err);
void initialize_plan_drop(struct initialize_plan *plan);
/* The step of that name; NULL when the plan has none. */
struct initialize_step *initialize_plan_find(const struct initialize_plan *plan, const char *name);
/* Where expressions of the run read from: new values of the run, else the draft. */
struct expr_source initialize_plan_source(struct initialize_plan *plan);

#endif

/* Runs: operations on the variables of one model, in order, in one commit. Every change of a value
 * is an operation of a run, also where a request names a single variable.
 *
 * A run is made on a draft (draft.h): inside the commit when it is small, so that updates of one
 * counter by many clients queue up instead of chasing each other; else ahead of it, from a
 * snapshot, and published by a short unit that expects what was read. When that has changed, the
 * run is made again. Nothing of a run that fails is there afterwards. */
#ifndef SERVICE_RUN_RUN_H
#define SERVICE_RUN_RUN_H

#include "service/saving/checkpoint.h"
#include "service/saving/saver_keep.h"
#include "service/service.h"
#include "service/variable/initialize.h"
#include "service/variable/variable_write.h"

struct device_conflicts; /* service/device/conflict.h */
struct device_scope;     /* service/device/spec.h */
struct draft;
struct draft_save;
struct draft_variable;
struct verb;
struct optimizer_gradients; /* service/training/optimizer_apply.h */
struct optimizer_applied;
struct accumulator_request; /* service/training/accumulator.h */
struct accumulator_result;
struct accumulator_used;
struct average_selection; /* service/training/average_apply.h */
struct average_applied;

/* One operation; everything borrowed from the caller. Trees are inferred and drawn here. */
struct run_op {
    const struct verb *verb;
    const char *variable;
    const char *resource; /* what a verb works on besides: a moving average, an optimizer */
    struct expr_tree *value, *indices, *decay;
    const char *slice; /* NULL: the whole */
    bool validate_shape, zero_debias;
    int64_t limit;
    const struct initialize_spec *initialize;
    const struct checkpoint_save_spec *save;
    const struct optimizer_gradients *gradients;
    const struct average_selection *averages;
    const struct accumulator_request *accumulator;
    /* Where it is asked to run, inside the run's; outer to inner. */
    const struct device_scope *devices;
    size_t device_count;
};

/* What must hold before the first operation. */
struct run_requirement {
    const char *variable;
    bool has_version, has_revision;
    uint64_t version, revision;
};

struct run_fetch {
    const char *name;
    struct expr_tree *value;
};

struct run_spec {
    const struct run_requirement *requirements;
    size_t requirement_count;
    const struct run_op *ops;
    size_t op_count;
    const struct run_fetch *fetches;
    size_t fetch_count;
    uint64_t fetch_elements_max; /* of all fetches together */
    /* Guards: a run that breaks one is ERR_UNPROCESSABLE. */
    bool finite;                      /* no new value holds NaN or infinity */
    double update_norm_max;           /* of all changes together; INFINITY: any */
    bool dry_run;                     /* nothing is kept */
    const char *conditional_variable; /* what If-Match is about; NULL: nothing */
    bool conditional_model;           /* likewise: the model */
    bool conditional_save;            /* likewise: the checkpoint that is saved */
    bool conditional_resource;        /* likewise: the optimizer, the moving average */
    bool numbered;                    /* errors say which operation failed */
    /* Where all operations are asked to run, inside the model's; outer to inner. They follow what
     * they change: what they were asked otherwise is told. */
    const struct device_scope *devices;
    size_t device_count;
};

/* A variable that an operation changed beside others, and the version it has by that. */
struct run_version {
    char name[NAME_BYTES_MAX + 1];
    uint64_t version; /* known when the run is published */
    /* until then */
    const struct draft_variable *variable;
    uint64_t change_number;
};

/* What one operation did. */
struct run_result {
    const struct verb *verb;
    bool has_change; /* of one variable: */
    struct variable_change change;
    bool has_before; /* count_up_to: the value before it */
    int64_t before;
    bool converted; /* the variable's chunks are laid out for updates of rows from now on */
    struct initialize_report initialized; /* initialize */
    bool has_saved;
    struct checkpoint_info saved;
    const char *saver;                 /* that a save went through, also one of nothing; borrowed */
    struct saver_dropped dropped;      /* what that has pushed out of its list; not of a dry run */
    struct optimizer_applied *applied; /* apply_gradients; owned */
    struct average_applied *averaged;  /* of moving averages; owned */
    struct accumulator_result *accumulator; /* of an accumulator; owned */
    /* until the run is published */
    const struct draft_variable *variable;
    uint64_t change_number;
    struct draft_save *save;
};

/* Owned: run_report_drop. Filled inside the commit, before what rides along with it. */
struct run_report {
    struct run_result *results; /* by operation */
    size_t result_count;
    struct tensor *fetches; /* by fetch */
    size_t fetch_count;
    bool has_update_norm;
    double update_norm;                 /* of all floats together */
    struct device_conflicts *conflicts; /* owned; NULL: none */
    uint64_t revision;
    bool dry_run;
};
void run_report_drop(struct run_report *report);

/* All of it or nothing. ERR_PRECONDITION_FAILED (a requirement, a condition of `options`),
 * ERR_UNPROCESSABLE (a guard), ERR_ABORTED when what it read kept changing, and what its operations
 * fail with. */
ERR_MUST_CHECK enum err_code run_execute(struct service *service, const char *model,
                                         const struct run_spec *spec,
                                         const struct write_options *options,
                                         struct run_report *out, struct err *err);
/* Nothing asked for: no guard, no fetch. */
struct run_spec run_spec_default(void);

/* --- for verbs ----------------------------------------------------------------------------- */

struct run {
    struct service *service;
    struct draft *draft;
    const struct run_spec *spec;
    struct expr_source source; /* of the draft */
    const struct write_options *options;
    struct run_rows *rows; /* variables that were asked for by run_want_rows */
    bool accumulates;      /* one of its operations has contributed to an accumulation */
    const struct accumulator_used *accumulators; /* that its operations have worked with */
};

/* Before the first edit of an operation that changes rows of a variable. ERR_DEFER: its value will
 * be laid out for that first, once in its life, and the run is made again. *converted: that has
 * been done for this run. Nothing in a dry run. */
ERR_MUST_CHECK enum err_code run_want_rows(struct run *run, struct draft_variable *variable,
                                           bool *converted, struct err *err);
/* If-Match and the like on what a verb works on besides, which has this revision; its record is
 * relied on. ERR_PRECONDITION_FAILED. */
ERR_MUST_CHECK enum err_code run_check_resource(const struct run *run, const char *kind,
                                                const char *name, uint64_t revision,
                                                struct err *err);
/* The operation changed this variable among others. After the draft has the change. */
void run_version_note(struct run_version *out, const struct draft_variable *variable);
/* Once the run is published, or was a dry one. */
void run_versions_settle(struct run_version *versions, size_t count, bool dry_run);
/* The operation changed this variable: to be told by its result. After the draft has the change. */
void run_changed(struct run_result *result, const struct draft_variable *variable);

#endif

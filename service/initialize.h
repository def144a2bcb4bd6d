/* Initialization: running the initial values of all, some, or the uninitialized variables of a
 * model.
 *
 * Every initial value is evaluated against the state before the run, except {"initialized_value":
 * x}: x's new value when x is in the run, the one it has when it is not, and x joins the run when
 * it has none. All of it is one commit. */
#ifndef SERVICE_INITIALIZE_H
#define SERVICE_INITIALIZE_H

#include "service/name.h"
#include "service/service.h"
#include "service/variable.h"

struct run_report;

struct initialize_spec {
    const char *const *names; /* NULL: by the fields below */
    size_t name_count;
    const char *collection; /* NULL: "variables", as global_variables_initializer */
    const char *prefix;     /* NULL: any */
    bool only_uninitialized;
};

/* Names in the order of the run; owned: initialize_report_drop. */
struct initialize_report {
    char (*initialized)[NAME_BYTES_MAX + 1];
    size_t initialized_count;
    char (*skipped)[NAME_BYTES_MAX + 1]; /* already initialized, or without an initial value */
    size_t skipped_count;
    struct variable_draw *draws; /* of initialized[i]: from draw_ends[i - 1] (0) to draw_ends[i] */
    size_t *draw_ends;
    uint64_t revision;
};
void initialize_report_drop(struct initialize_report *report);

/* ERR_NOT_FOUND (a variable), ERR_INVALID_ARGUMENT (a cycle, naming it), ERR_FAILED_PRECONDITION
 * (reading an uninitialized variable; a named one without initial value), ERR_FULL before anything
 * is computed, ERR_ABORTED when what it read kept changing, ERR_PRECONDITION_FAILED when a variable
 * named in the request is not as `options` want it. *out: of a run of one operation, with what it
 * initialized; owned: run_report_drop; empty on failure. */
ERR_MUST_CHECK enum err_code model_initialize(struct service *service, const char *model,
                                              const struct initialize_spec *spec,
                                              const struct write_options *options,
                                              struct run_report *out, struct err *err);

#endif

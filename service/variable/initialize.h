/* Initialization: running the initial values of all, some, or the uninitialized variables of a
 * model.
 *
 * Every initial value is evaluated against the state before the run, except {"initialized_value":
 * x}: x's new value when x is in the run, the one it has when it is not, and x joins the run when
 * it has none. All of it is one commit. */
#ifndef SERVICE_VARIABLE_INITIALIZE_H
#define SERVICE_VARIABLE_INITIALIZE_H

#include "service/name.h"
#include "service/service.h"
#include "service/variable/variable.h"

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

#endif

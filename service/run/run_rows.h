/* Private to service/: which variables a run wants laid out for updates of rows before it is made.
 *
 * A verb that is about to change rows of a large value asks (run_want_rows); when the value does
 * not lie in rows chunks the run is given up with ERR_DEFER, the value is laid out in a commit of
 * its own (variable_rows.h), and the run is made again from its beginning. Each variable is asked
 * for once in a run, so a value that stays as it is ends no run. */
#ifndef SERVICE_RUN_RUN_ROWS_H
#define SERVICE_RUN_RUN_ROWS_H

#include "service/run/run.h"

struct run_rows_entry {
    char name[NAME_BYTES_MAX + 1];
    bool asked; /* for the first time: not seen to yet */
    bool done;  /* it was laid out */
};

struct run_rows {
    struct run_rows_entry *entries; /* owned */
    size_t count, capacity;
};

void run_rows_drop(struct run_rows *rows);
bool run_rows_asked(const struct run_rows *rows);
/* Sees to those asked for. */
ERR_MUST_CHECK enum err_code run_rows_lay(struct service *service, const char *model,
                                          struct run_rows *rows, struct err *err);

#endif

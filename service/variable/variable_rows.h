/* Private to service/: values whose rows are updated lie in chunks of a few rows. */
#ifndef SERVICE_VARIABLE_VARIABLE_ROWS_H
#define SERVICE_VARIABLE_VARIABLE_ROWS_H

#include "service/service.h"

/* A value that is mostly made when it is read (a virtual one), and partly written, is not written
 * out for the sake of its rows when it is larger than this. */
enum { VARIABLE_ROWS_MADE_BYTES_MAX = 64 << 20 };

/* Lays the variable's value out for updates of rows, in a commit of its own: the same value, of the
 * same version and revision, which is told apart by nobody but `row_updates`; later values are laid
 * out so too. Once in its life, as a rule. *done false: it is laid out so already, is small or has
 * no value; or it stays as it is (see above). For any thread that may wait. ERR_ABORTED when the
 * value kept changing meanwhile; ERR_FULL. */
ERR_MUST_CHECK enum err_code variable_lay_rows(struct service *service, const char *model,
                                               const char *name, bool *done, struct err *err);

#endif

/* Errors as clients see them: application/problem+json (RFC 9457). */
#ifndef API_HTTP_PROBLEM_H
#define API_HTTP_PROBLEM_H

#include "store/base/buf.h"
#include "store/base/err.h"

#define API_PROBLEM_TYPE "application/problem+json"

/* Appends the document. Text that is not UTF-8 is replaced, never passed on. */
ERR_MUST_CHECK enum err_code api_problem_write(const struct err *problem, struct bytes members,
                                               struct buf *out, struct err *err);

#endif

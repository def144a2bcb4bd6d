/* The one place where an error becomes an HTTP status. */
#ifndef API_HTTP_STATUS_H
#define API_HTTP_STATUS_H

#include <stdbool.h>

#include "store/base/err.h"

int api_status_of(enum err_code code);
/* Ours to worry about: logged with the place it came from. */
bool api_status_is_ours(enum err_code code);

#endif

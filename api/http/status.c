/* Error code to HTTP status. A switch without a default: a new code does not build until somebody
 * has decided its status. */
#include "api/http/status.h"

#include "store/base/check.h"

int
api_status_of(enum err_code code)
{
    switch (code) {
    case ERR_INVALID_ARGUMENT:
    case ERR_OUT_OF_RANGE:
        return 400;
    case ERR_UNAUTHENTICATED:
        return 401;
    case ERR_PERMISSION_DENIED:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_METHOD_NOT_ALLOWED:
        return 405;
    case ERR_NOT_ACCEPTABLE:
        return 406;
    case ERR_ALREADY_EXISTS:
    case ERR_FAILED_PRECONDITION:
    case ERR_ABORTED:
    case ERR_CONFLICT:
        return 409;
    case ERR_GONE:
        return 410;
    case ERR_LENGTH_REQUIRED:
        return 411;
    case ERR_PRECONDITION_FAILED:
        return 412;
    case ERR_PAYLOAD_TOO_LARGE:
        return 413;
    case ERR_TARGET_TOO_LONG:
        return 414;
    case ERR_UNSUPPORTED_MEDIA_TYPE:
        return 415;
    case ERR_RANGE_UNSATISFIABLE:
        return 416;
    case ERR_EXPECTATION_FAILED:
        return 417;
    case ERR_MISDIRECTED:
        return 421;
    case ERR_UNPROCESSABLE:
        return 422;
    case ERR_BUSY:
        return 429;
    case ERR_HEAD_TOO_LARGE:
        return 431;
    case ERR_FULL:
    case ERR_NO_MEMORY:
        return 507;
    case ERR_DATA_LOSS:
    case ERR_UNKNOWN:
    case ERR_INTERNAL:
    case ERR_DEFER:
        return 500;
    case ERR_UNIMPLEMENTED:
        return 501;
    case ERR_UNAVAILABLE:
        return 503;
    case OK:
    case ERR_CODE_COUNT:
        break;
    }
    check_failed("an error code that is no error", ERR_WHERE);
}

bool
api_status_is_ours(enum err_code code)
{
    return code == ERR_INTERNAL || code == ERR_DATA_LOSS || code == ERR_UNKNOWN ||
           code == ERR_DEFER || code == ERR_CONFLICT;
}

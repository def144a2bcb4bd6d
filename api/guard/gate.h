/* Which requests are let in at all; see api/http/head.h for why this is stricter than the library.
 */
#ifndef API_GUARD_GATE_H
#define API_GUARD_GATE_H

#include "api/http/head.h"

struct api_gate_facts {
    const char *method, *version;
    const struct api_head *head;
};

struct api_gate_result {
    bool has_body;
    uint64_t length; /* UINT64_MAX: chunked */
};

/* One Host; token names and clean values; not both lengths; one Content-Length of digits only;
 * Transfer-Encoding exactly chunked and HTTP/1.1; Expect only 100-continue; no body with GET, HEAD,
 * DELETE, OPTIONS; HTTP/1.0 or 1.1. After any error the connection must be closed: where the next
 * request begins is not certain. ERR_INVALID_ARGUMENT, ERR_UNIMPLEMENTED (unknown method),
 * ERR_EXPECTATION_FAILED, ERR_PAYLOAD_TOO_LARGE (a length past 2^63). */
ERR_MUST_CHECK enum err_code api_gate_check(const struct api_gate_facts *facts,
                                            struct api_gate_result *out, struct err *err);

/* The head may have so many bytes. ERR_TARGET_TOO_LONG: the request line alone has more;
 * ERR_HEAD_TOO_LARGE. */
ERR_MUST_CHECK enum err_code api_gate_check_size(uint64_t line_bytes, uint64_t head_bytes,
                                                 uint64_t bytes_max, struct err *err);

#endif
